//! A store that holds what it never should heals while the manager runs, and says so.

use kit::{Gate, action, until};
use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn actions_that_were_lost_from_their_queues_complete_and_the_repairs_are_counted() {
    let world = World::start().await;
    let gate = Gate::closed();
    let _p = world.gated("p", 1, &gate).await;
    let url = world.receiver.url();
    let new: Vec<_> = (0..4).map(|n| action(&json!(n), &["p"], Some(&url))).collect();
    let ids = world.baton.submit_all(&new).await;
    until("the first runs", async || world.pending(&["p"]).await == ids[..1]).await;

    world.baton.pause();
    let break_by = async |parts: &[&str]| world.redis.query::<u64>(parts).await;
    // The second waits nowhere, the third has no deadline, nobody knows that the fourth waits.
    assert_eq!(break_by(&["ZREM", "{p0}:input:p", &ids[1]]).await, 1);
    assert_eq!(break_by(&["ZREM", "{p0}:live", &ids[2]]).await, 1);
    assert_eq!(break_by(&["SREM", "{p0}:targets", "p"]).await, 1);
    // There is no such action.
    assert_eq!(break_by(&["ZADD", "{p0}:live", "5", "act_p0_00000000000000000000000000"]).await, 1);
    world.baton.resume();

    until("it is repaired", async || world.baton.meta().await.repaired >= 3).await;
    gate.open();
    for (id, n) in ids.iter().zip(0..) {
        let outcome = world.baton.ended(id).await;
        assert_eq!(outcome.data.unwrap().get(), n.to_string());
    }
    world.receiver.wait_for(ids.len()).await;
    world.assert_sound().await;
    let log = world.baton.log();
    assert!(log.contains("the store was repaired") && log.contains(&ids[1]), "{log}");
}

#[tokio::test]
async fn an_action_whose_record_is_damaged_fails_and_its_receiver_is_told() {
    let world = World::start().await;
    let gate = Gate::closed();
    let _p = world.gated("p", 1, &gate).await;
    let url = world.receiver.url();
    let held = world.baton.submit(&action(&json!(1), &["p"], None)).await;
    until("it runs", async || world.pending(&["p"]).await == [held.clone()]).await;
    let id = world.baton.submit(&action(&json!(2), &["p"], Some(&url))).await;
    let record = format!("{{p0}}:action:{id}");
    let _: u64 = world.redis.query(&["HSET", &record, "queued", "what"]).await;
    world.receiver.wait_for(1).await;
    assert_eq!(world.baton.ended(&id).await.error.unwrap().code, "record_damaged");
    gate.open();
    world.baton.ended(&held).await;
    assert_eq!(world.baton.meta().await.repaired, 1);
    world.assert_sound().await;
}
