//! Order and capacity, as the processors themselves see them.

use kit::{Form, Gate, Ledger, action};
use serde_json::json;

use crate::world::World;

/// How many wait.
fn queued() -> usize {
    Form::of_run().share(1_200)
}

#[tokio::test]
async fn a_processor_of_capacity_one_gets_actions_in_the_order_in_which_they_became_ready() {
    let world = World::start().await;
    let gate = Gate::closed();
    let one = world.gated_of("one", "one-kind", 1, &gate).await;
    let url = world.receiver.url();
    let mut ids = Vec::new();
    for first in (0..queued()).step_by(100) {
        let batch = first..first + 100;
        // By id and by name, both at the one processor: two queues that take turns by age.
        let target = |n| if n / 100 % 2 == 0 { "one" } else { "one-kind" };
        let actions: Vec<_> = batch.map(|n| action(&json!(n), &[target(n)], Some(&url))).collect();
        ids.extend(world.baton.submit_all(&actions).await);
    }
    one.wait_for(1).await;
    gate.open();
    world.receiver.wait_for(queued()).await;
    assert_eq!(one.order(), ids);
    assert_eq!(one.most_busy(), 1);
    world.assert_sound().await;
}

#[tokio::test]
async fn two_managers_keep_the_order_and_a_processor_that_leaves_changes_nothing_in_it() {
    let world = World::start().await;
    let other = world.baton.another().await;
    let gate = Gate::closed();
    let leaving = world.gated_of("leaving", "kind", 1, &gate).await;
    let url = world.receiver.url();
    let first = world.baton.submit(&action(&json!("first"), &["kind"], Some(&url))).await;
    leaving.wait_for(1).await;
    let staying = world.gated_of("staying", "kind", 1, &gate).await;
    let mut ids = Vec::new();
    for first in (0..queued()).step_by(100) {
        let batch = first..first + 100;
        let actions: Vec<_> = batch.map(|n| action(&json!(n), &["kind"], Some(&url))).collect();
        let manager = if first % 200 == 0 { &world.baton } else { &other };
        ids.extend(manager.submit_all(&actions).await);
    }
    staying.wait_for(1).await;
    let epoch = leaving.register(&world.baton).await.epoch;
    world.baton.drain("leaving", epoch).await.unwrap();
    gate.open();
    world.receiver.wait_for(queued() + 1).await;
    assert_eq!(leaving.order(), [first]);
    assert_eq!(staying.order(), ids);
    other.pause();
    world.assert_sound().await;
    other.resume();
}

#[tokio::test]
async fn what_waits_for_a_name_is_shared_evenly_by_idle_processors() {
    let world = World::start().await;
    let gate = Gate::closed();
    let (one, two) = (
        world.gated_of("one", "pair", 10, &gate).await,
        world.gated_of("two", "pair", 10, &gate).await,
    );
    let waiting: Vec<_> = (0..10).map(|n| action(&json!(n), &["pair"], None)).collect();
    let ids = world.baton.submit_all(&waiting).await;
    one.wait_for(5).await;
    two.wait_for(5).await;
    gate.open();
    for id in &ids {
        world.baton.ended(id).await;
    }
    assert_eq!((one.arrivals().len(), two.arrivals().len()), (5, 5));
}

#[tokio::test]
async fn capacity_is_never_exceeded_and_processors_of_one_name_share_the_work() {
    let world = World::start().await;
    let gate = Gate::closed();
    let small = world.gated_of("small", "pair", 3, &gate).await;
    let large = world.gated_of("large", "pair", 5, &gate).await;
    let url = world.receiver.url();
    let actions: Vec<_> =
        (0..100).map(|n| action(&json!(n), &["pair", "pair"], Some(&url))).collect();
    let mut ledger = Ledger::new();
    for (n, id) in world.baton.submit_all(&actions).await.iter().enumerate() {
        ledger.expect(id, json!(n));
    }
    // Both are filled to the brim, and not further.
    small.wait_for(3).await;
    large.wait_for(5).await;
    world.assert_sound().await;
    gate.open();
    world.receiver.wait_for(100).await;
    ledger.assert_delivered_once(&world.receiver);
    assert_eq!((small.most_busy(), large.most_busy()), (3, 5));
    world.assert_sound().await;
}

#[tokio::test]
async fn a_target_that_is_stuck_does_not_block_another() {
    let world = World::start().await;
    let gate = Gate::closed();
    let stuck = world.gated_of("stuck", "stuck-kind", 1, &gate).await;
    let url = world.receiver.url();
    let waiting: Vec<_> = (0..100).map(|n| action(&json!(n), &["stuck"], Some(&url))).collect();
    world.baton.submit_all(&waiting).await;
    stuck.wait_for(1).await;
    let _free = world.adder("free").await;
    let ids = world.baton.submit_all(&vec![action(&json!([]), &["free"], None); 50]).await;
    for id in &ids {
        assert_eq!(world.baton.ended(id).await.data.unwrap().get(), r#"["free"]"#);
    }
    assert_eq!(stuck.arrivals().len(), 1);
    gate.open();
    world.receiver.wait_for(100).await;
}
