//! Which tick lingers.

use manager_svc::domain::Nonce;

use crate::world::World;

cases! {
    one_nudge_of_many_starts_a_tick
    a_tick_takes_over_what_was_announced_and_no_other_one_does
    a_tick_that_lingers_keeps_nudges_from_starting_another
    a_tick_that_ends_lets_the_next_nudge_start_one
    an_announced_tick_that_did_not_start_is_withdrawn_and_no_other_is
}

async fn holder(world: &World) -> Option<String> {
    world.redis.query(&["GET", "{p0}:ticker"]).await
}

fn ticks(world: &World) -> [Nonce; 2] {
    [world.nonce(), world.nonce()]
}

async fn one_nudge_of_many_starts_a_tick(world: &World) {
    assert!(world.direct.announce_tick().await.unwrap());
    assert!(!world.direct.announce_tick().await.unwrap());
    assert_eq!(holder(world).await.as_deref(), Some("starting"));
    let left: i64 = world.redis.query(&["PTTL", "{p0}:ticker"]).await;
    assert!((1..=3_000).contains(&left), "{left}");
}

async fn a_tick_takes_over_what_was_announced_and_no_other_one_does(world: &World) {
    let [first, second] = ticks(world);
    world.direct.announce_tick().await.unwrap();
    assert!(world.store.take_ticker(&first).await.unwrap());
    assert!(world.store.take_ticker(&first).await.unwrap(), "sent again, it answers the same");
    assert!(!world.store.take_ticker(&second).await.unwrap());
    assert_eq!(holder(world).await.as_deref(), Some(first.as_str()));
    assert!(world.store.renew_ticker(&first).await.unwrap());
    assert!(!world.store.renew_ticker(&second).await.unwrap());
    let left: i64 = world.redis.query(&["PTTL", "{p0}:ticker"]).await;
    assert!((1..=3_000).contains(&left), "{left}");
}

async fn a_tick_that_lingers_keeps_nudges_from_starting_another(world: &World) {
    let [tick, _] = ticks(world);
    world.store.take_ticker(&tick).await.unwrap();
    assert!(!world.direct.announce_tick().await.unwrap());
    // A nudge whose start failed after this one had taken over takes nothing away from it.
    world.store.withdraw_tick().await.unwrap();
    assert_eq!(holder(world).await.as_deref(), Some(tick.as_str()));
}

async fn a_tick_that_ends_lets_the_next_nudge_start_one(world: &World) {
    let [first, second] = ticks(world);
    world.store.take_ticker(&first).await.unwrap();
    world.store.release_ticker(&second).await.unwrap();
    assert!(!world.direct.announce_tick().await.unwrap(), "another tick's end is not this one's");
    world.store.release_ticker(&first).await.unwrap();
    assert!(!world.store.renew_ticker(&first).await.unwrap());
    assert!(world.direct.announce_tick().await.unwrap());
}

async fn an_announced_tick_that_did_not_start_is_withdrawn_and_no_other_is(world: &World) {
    world.direct.announce_tick().await.unwrap();
    world.store.withdraw_tick().await.unwrap();
    assert_eq!(holder(world).await, None);
    assert!(world.direct.announce_tick().await.unwrap());
}
