//! The idempotency record of actions that end early, or begin anew: how many are open, and its TTL.

use manager_svc::store::{DeliveryEnd, IdempotencyKey, Submitted};

use crate::outcomes::exhausted;
use crate::world::{PLENTY, World};

cases! {
    a_cancelled_action_is_open_no_more_under_its_idempotency_key
    a_redriven_action_is_open_again_under_its_idempotency_key
    an_idempotency_key_that_stands_for_something_else_is_left_alone
    a_redelivered_action_is_open_again_under_its_idempotency_key
}

async fn a_cancelled_action_is_open_no_more_under_its_idempotency_key(world: &World) {
    let mut new = [world.action(&["work"]), world.action(&["work"])];
    world.submit_once(&mut new).await;
    for (new, open) in new.iter().zip([1, 0]) {
        world.cancel(&world.record(&new.action.id).await, None).await;
        world.assert_open(open).await;
    }
}

async fn a_redriven_action_is_open_again_under_its_idempotency_key(world: &World) {
    world.with_processor().await;
    let mut new = [world.action(&["work"]), world.action_to_host(&["work"])];
    world.submit_once(&mut new).await;
    let ids: Vec<_> = new.iter().map(|new| &new.action.id).collect();
    let mut failed = Vec::new();
    for claimed in world.claim("p", "work", &ids).await {
        failed.push(world.fail(&claimed.action, &claimed.token.hash(), None).await);
    }
    // The second one has not ended: its delivery is pending.
    world.assert_open(1).await;
    for action in failed {
        world.redrive(&action).await;
        let ended = action.receiver.is_none();
        world.assert_open(if ended { 2 } else { 1 }).await;
        let claimed = world.claim("p", "work", &[&action.id]).await.pop().unwrap();
        let failed = world.fail(&claimed.action, &claimed.token.hash(), None).await;
        if !ended {
            world.send(&failed, &exhausted()).await;
        }
        world.assert_open(u32::from(ended)).await;
    }
    // With all of them over it has a TTL, which the next run takes away.
    let last = world.record(&new[1].action.id).await;
    world.redrive(&last).await;
    world.assert_open(1).await;
}

async fn an_idempotency_key_that_stands_for_something_else_is_left_alone(world: &World) {
    let record = "{p0}:idempotency:key";
    for begun_anew in [false, true] {
        world.with_processor().await;
        let mut new = [world.action(&["work"])];
        world.submit_once(&mut new).await;
        let id = &new[0].action.id;
        let claimed = world.claim("p", "work", &[id]).await.pop().unwrap();
        let failed = world.fail(&claimed.action, &claimed.token.hash(), None).await;
        // It expires while the failed action is kept for longer, and somebody else uses the key.
        let () = world.redis.query(&["DEL", record]).await;
        if begun_anew {
            let key = IdempotencyKey { key: "key".to_owned(), body: "other".to_owned() };
            let mut other = world.action(&["other"]);
            other.action.idempotency = Some(key.key.clone());
            let answer = world.store.submit(&[other], Some(&key), PLENTY, None).await.unwrap();
            assert!(matches!(answer, Submitted::Accepted { .. }), "{answer:?}");
        }
        let anew = world.redrive(&failed).await;
        assert_eq!(anew.idempotency, None);
        world.cancel(&anew, None).await;
        if begun_anew {
            world.assert_open(1).await;
        } else {
            assert_eq!(world.keyspace().await.content(record), None);
        }
    }
}

async fn a_redelivered_action_is_open_again_under_its_idempotency_key(world: &World) {
    world.with_processor().await;
    let mut new = [world.action_to_host(&["work"])];
    world.submit_once(&mut new).await;
    let id = &new[0].action.id;
    let claimed = world.claim("p", "work", &[id]).await.pop().unwrap();
    let failed = world.fail(&claimed.action, &claimed.token.hash(), None).await;
    let (ended, _) = world.send(&failed, &DeliveryEnd::Delivered).await;
    world.assert_open(0).await;
    let pending = world.redeliver(&ended).await;
    world.assert_open(1).await;
    let (ended, _) = world.send(&pending, &DeliveryEnd::Delivered).await;
    world.assert_open(0).await;
    // One that expired is the action's no more.
    let () = world.redis.query(&["DEL", "{p0}:idempotency:key"]).await;
    let pending = world.redeliver(&ended).await;
    assert_eq!(pending.idempotency, None);
    world.send(&pending, &DeliveryEnd::Delivered).await;
}
