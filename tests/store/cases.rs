//! One list of cases, run in every way that must make no difference.

/// Each case is a function of a [`crate::world::World`]. It runs as a test of its own on a single server; and
/// all of them, one after the other, on a cluster, and on both behind a proxy that lets no script touch an
/// undeclared key and sends every pipeline twice. After each, every invariant must hold.
macro_rules! cases {
    ($($case:ident)*) => {
        mod on_one_server {
            use crate::world::World;

            $(#[tokio::test]
            async fn $case() {
                let world = World::start().await;
                super::$case(&world).await;
                world.assert_sound().await;
            })*
        }

        mod all_of_them {
            use crate::world::World;

            async fn run(mut world: World) {
                $(println!("{}", stringify!($case));
                super::$case(&world).await;
                world.assert_sound().await;
                world = world.emptied().await;)*
                drop(world);
            }

            #[tokio::test]
            async fn on_a_cluster() {
                run(World::on_cluster().await).await;
            }

            #[tokio::test]
            async fn with_declared_keys_alone_and_every_pipeline_sent_twice() {
                run(World::start().await.behind_proxy().await).await;
            }

            #[tokio::test]
            async fn with_declared_keys_alone_and_every_pipeline_sent_twice_on_a_cluster() {
                run(World::on_cluster().await.behind_proxy().await).await;
            }
        }
    };
}
