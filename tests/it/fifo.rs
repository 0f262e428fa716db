//! Order and capacity, as the processors themselves see them.

use kit::{Gate, Ledger, Processor, Reply, action};
use serde_json::json;

use crate::world::World;

const QUEUED: usize = 1_200;

/// A processor of this capacity that works on nothing before the gate opens.
async fn gated(world: &World, id: &str, name: &str, capacity: u32, gate: &Gate) -> Processor {
    let gate = gate.clone();
    let spec = world.spec(id).name(name).capacity(capacity);
    let work = world.processor(spec, move |call| {
        let gate = gate.clone();
        async move {
            gate.pass().await;
            Reply::json(&call.data())
        }
    });
    work.await
}

#[tokio::test]
async fn a_processor_of_capacity_one_gets_actions_in_the_order_in_which_they_became_ready() {
    let world = World::start().await;
    let gate = Gate::closed();
    let one = gated(&world, "one", "one-kind", 1, &gate).await;
    let url = world.receiver.url();
    let mut ids = Vec::new();
    for first in (0..QUEUED).step_by(100) {
        let batch = first..first + 100;
        // By id and by name, both at the one processor: two queues that take turns by age.
        let target = |n| if n / 100 % 2 == 0 { "one" } else { "one-kind" };
        let actions: Vec<_> = batch.map(|n| action(&json!(n), &[target(n)], Some(&url))).collect();
        ids.extend(world.baton.submit_all(&actions).await);
    }
    one.wait_for(1).await;
    gate.open();
    world.receiver.wait_for(QUEUED).await;
    assert_eq!(one.order(), ids);
    assert_eq!(one.most_busy(), 1);
    world.assert_sound().await;
}

#[tokio::test]
async fn capacity_is_never_exceeded_and_processors_of_one_name_share_the_work() {
    let world = World::start().await;
    let gate = Gate::closed();
    let small = gated(&world, "small", "pair", 3, &gate).await;
    let large = gated(&world, "large", "pair", 5, &gate).await;
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
    let stuck = gated(&world, "stuck", "stuck-kind", 1, &gate).await;
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
