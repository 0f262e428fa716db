//! The race between a tick's last look and a new action: in either order somebody claims it, and no beat comes.

use kit::Gate;

use crate::world::{World, is_release};

/// The action's handler finds the key held, and starts nobody: the tick has still to look.
#[tokio::test]
async fn what_is_committed_before_a_tick_lets_go_is_seen_by_its_last_look() {
    let world = World::start().await;
    let processor = world.processor("p").await;
    world.settle().await;
    let gate = Gate::closed();
    world.proxy.hold_behind(&gate, is_release);
    let first = world.submit("p").await;
    // The tick has done all there was, and is about to delete its key.
    world.held(1).await;
    assert_eq!(world.client.outcome(&first).await.action_id, first);
    let holder = world.holder().await;
    let announced = world.announcements();
    let second = world.submit("p").await;
    assert_eq!(world.announcements(), announced + 1, "the handler asked");
    assert_eq!(world.holder().await, holder, "and found the tick lingering");
    assert_eq!(processor.order(), std::slice::from_ref(&first));
    gate.open();
    world.client.outcome(&second).await;
    assert_eq!(processor.order(), [first, second]);
    assert_eq!(world.ticks(), 1, "the last look claimed it");
}

/// The action's handler finds the key gone, and starts the next tick, which does not wait for the first.
#[tokio::test]
async fn what_is_committed_after_a_tick_let_go_starts_the_next() {
    let world = World::start().await;
    let processor = world.processor("p").await;
    world.settle().await;
    let gate = Gate::closed();
    let mut released = false;
    world.proxy.hold_behind(&gate, move |command| {
        let held = released;
        released |= is_release(command);
        held
    });
    let first = world.submit("p").await;
    // It has deleted its key, and its last look has not reached Redis.
    world.held(1).await;
    assert_eq!(world.holder().await, None);
    assert_eq!(world.ticks(), 1);
    let second = world.submit("p").await;
    processor.wait_for(2).await;
    world.client.outcome(&second).await;
    assert_eq!(world.ticks(), 2, "another tick claimed it");
    gate.open();
    until_alone(&world).await;
    assert_eq!(processor.order(), [first, second]);
}

async fn until_alone(world: &World) {
    kit::until("no tick lingers", async || world.holder().await.is_none()).await;
}
