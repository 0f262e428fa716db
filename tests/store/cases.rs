//! One list of cases, run in every way that must make no difference.

use crate::world::World;

/// Each case is a function of a [`World`]. It runs as a test of its own on a single server, and with all others
/// in the tests below. After each, every invariant must hold.
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

        /// Runs them one after the other, each without any key at first.
        pub(crate) async fn all(mut world: crate::world::World) -> crate::world::World {
            $(println!("{}", stringify!($case));
            $case(&world).await;
            world.assert_sound().await;
            world = world.emptied().await;)*
            world
        }
    };
}

async fn run(mut world: World) -> World {
    world = crate::submissions::all(world).await;
    world = crate::claims::all(world).await;
    world = crate::attempts::all(world).await;
    world = crate::ends::all(world).await;
    world = crate::skips::all(world).await;
    world = crate::deliveries::all(world).await;
    world = crate::cancels::all(world).await;
    world = crate::redrives::all(world).await;
    world = crate::redelivers::all(world).await;
    world = crate::reopened::all(world).await;
    world = crate::processors::all(world).await;
    world = crate::checks::all(world).await;
    world = crate::returns::all(world).await;
    world = crate::switches::all(world).await;
    world = crate::remembered::all(world).await;
    world = crate::repairs::all(world).await;
    world = crate::fences::all(world).await;
    world = crate::refusals::all(world).await;
    world = crate::reads::all(world).await;
    world = crate::lists::all(world).await;
    world = crate::ticker::all(world).await;
    world = crate::trims::all(world).await;
    world = crate::marks::all(world).await;
    world = crate::full::all(world).await;
    crate::faults::all(world).await
}

/// Behind a proxy that lets no script touch an undeclared key, and sends every pipeline twice.
async fn run_behind_proxy(world: World) {
    let world = run(world.behind_proxy().await).await;
    let called = world.proxy.as_ref().map(kit::ScriptProxy::called);
    assert_eq!(called, Some(kit::ScriptProxy::all()), "not every script ran");
}

#[tokio::test]
async fn every_case_on_a_cluster() {
    run(World::on_cluster().await).await;
}

#[tokio::test]
async fn every_case_with_declared_keys_alone_and_every_pipeline_sent_twice() {
    run_behind_proxy(World::start().await).await;
}

#[tokio::test]
async fn every_case_with_declared_keys_alone_and_every_pipeline_sent_twice_on_a_cluster() {
    run_behind_proxy(World::on_cluster().await).await;
}
