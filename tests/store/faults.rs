//! Scripts that are forgotten, and servers that go away.

use kit::{Redis, ScriptProxy, Scripts, eventually};
use manager_svc::domain::action::Status;
use manager_svc::store::{Error, StepEnd, Store};

use crate::world::{World, ending};

cases! {
    forgotten_scripts_are_loaded_again
}

async fn forgotten_scripts_are_loaded_again(world: &World) {
    let flush = || world.redis.on_every_server(&["SCRIPT", "FLUSH"]);
    world.register("p", "work", 1).await;
    flush().await;
    let new = world.action(&["work"]);
    let id = world.submit(&new).await;
    flush().await;
    let claimed = world.claim("p", "work", &[&id]).await.pop().unwrap();
    flush().await;
    let (token, output) = (claimed.token.hash(), world.output("1"));
    world
        .store
        .finish(
            &claimed.action,
            StepEnd::succeeded(&token, &output),
            Status::Succeeded,
            ending(None),
        )
        .await
        .unwrap();
    world
        .assert_states(&[
            "a ttl v3 succeeded step 0 tries 1 delivery none",
            "counts p processed 1 failed 0",
            "data a 1 ttl",
            "done a",
            "seq 1",
        ])
        .await;
}

async fn comes_back(store: &Store) {
    eventually("the store recovers", async || match store.ping().await {
        Ok(()) => Some(()),
        Err(Error::Away(_)) => None,
        Err(other) => panic!("{other:?}"),
    })
    .await;
}

async fn a_cut_network_is_away_and_comes_back(redis: Redis) {
    let proxy = ScriptProxy::start(&redis, Scripts::as_they_are()).await;
    let store = Store::connect(&proxy.url()).await.unwrap();
    proxy.refuse();
    let away = eventually("the store is away", async || store.ping().await.err()).await;
    assert!(matches!(away, Error::Away(_)), "{away:?}");
    assert!(matches!(store.look().await, Err(Error::Away(_))));
    assert!(matches!(Store::connect(&proxy.url()).await, Err(Error::Away(_))));
    proxy.restore();
    comes_back(&store).await;
}

#[tokio::test]
async fn a_server_behind_a_cut_network_is_away_and_comes_back() {
    a_cut_network_is_away_and_comes_back(Redis::start().await).await;
}

#[tokio::test]
async fn a_cluster_behind_a_cut_network_is_away_and_comes_back() {
    a_cut_network_is_away_and_comes_back(Redis::cluster().await).await;
}

#[tokio::test]
async fn a_killed_server_is_away_and_comes_back() {
    let mut world = World::start().await;
    world.redis.kill9();
    let submission = [world.action(&["work"])];
    let away = world.store.submit(&submission, None, 9, None).await.unwrap_err();
    assert!(matches!(away, Error::Away(_)), "{away:?}");
    world.redis.restart().await;
    comes_back(&world.store).await;
    world.submit(&world.action(&["work"])).await;
    world.assert_sound().await;
}
