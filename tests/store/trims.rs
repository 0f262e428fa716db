//! Forgetting what has ended: entry, record and payload together, and nothing that something may still happen to.

use manager_svc::domain::action::Status;
use manager_svc::domain::{ActionId, Failure};
use manager_svc::store::{
    DeliveryEnd, Ended, IdempotencyKey, NewAction, Oldest, Remains, Settled, StepEnd, Why,
};

use crate::world::{PLENTY, World, ending};

cases! {
    what_has_ended_is_forgotten_whole
    what_changed_since_it_was_seen_is_left_alone
    a_copy_of_a_submission_takes_no_data_from_what_outlived_the_rest_of_it
    what_is_still_to_be_delivered_is_left_alone
    what_is_not_over_is_left_alone_wherever_it_is_listed
    an_entry_whose_record_has_expired_is_forgotten
    more_than_a_batch_is_forgotten_in_one_call
    the_oldest_are_seen_first_and_from_a_rank_on
    an_action_has_ended_when_its_delivery_was_settled
}

/// Runs an action of one step to its success.
async fn succeed(world: &World, new: &NewAction) -> ActionId {
    let claimed = world.claimed(new).await;
    let (token, output) = (claimed.token.hash(), world.unchanged());
    let step = StepEnd::succeeded(&token, &output);
    let answer = world.store.finish(&claimed.action, step, Status::Succeeded, ending(None)).await;
    assert!(matches!(answer, Ok(Settled::Accepted(_))), "{answer:?}");
    claimed.action.id
}

/// Runs an action of one step to its failure.
async fn fail(world: &World, new: &NewAction) -> ActionId {
    let claimed = world.claimed(new).await;
    let (token, failure) = (claimed.token.hash(), Failure::new("e", "no"));
    let why = Why::Token(&token);
    let answer =
        world.store.end(&claimed.action, why, &world.nonce(), &failure, ending(None)).await;
    assert!(matches!(answer, Ok(Settled::Accepted(_))), "{answer:?}");
    claimed.action.id
}

/// Sends an outcome that is due, with this end.
async fn deliver(world: &World, id: &ActionId, end: &DeliveryEnd) {
    world.pass(world.record(id).await.delivery.due_at.unwrap()).await;
    let asks = world.ask_delivery(id).await;
    let claims = world.store.claim_deliveries(&asks, 30_000).await.unwrap();
    let send = claims.whole.into_iter().next().unwrap();
    let receiver = send.action.receiver.clone().unwrap();
    let settled = world.store.settle_delivery(&send.action, &receiver, &send.token, end, 9_000);
    assert!(settled.await.unwrap());
}

/// The entries of an index, as they are now.
async fn seen(world: &World, index: Ended) -> Vec<(u64, ActionId, Remains)> {
    let (_, [done, failed]) = world.store.oldest_ended([0, 0], 1_000).await.unwrap();
    let oldest = if index == Ended::Done { done } else { failed };
    let ids: Vec<_> = oldest.first.iter().map(|(_, id)| id.clone()).collect();
    let remains = world.store.remains(&ids).await.unwrap();
    let entries = oldest.first.into_iter().zip(remains);
    entries.map(|((at, id), remains)| (at, id, remains)).collect()
}

async fn what_has_ended_is_forgotten_whole(world: &World) {
    world.register("p", "work", 9).await;
    let key = IdempotencyKey { key: "key".to_owned(), body: "body".to_owned() };
    let repeatable = world.action(&["work"]);
    let submit = || world.store.submit(std::slice::from_ref(&repeatable), Some(&key), PLENTY, None);
    submit().await.unwrap();
    let claimed = world.claim("p", "work", &[&repeatable.action.id]).await.pop().unwrap();
    let (token, output) = (claimed.token.hash(), world.output("1"));
    let step = StepEnd::succeeded(&token, &output);
    world.store.finish(&claimed.action, step, Status::Succeeded, ending(None)).await.unwrap();
    let delivered = succeed(world, &world.action_to_host(&["work"])).await;
    deliver(world, &delivered, &DeliveryEnd::Delivered).await;
    let exhausted = fail(world, &world.action_to_host(&["work"])).await;
    deliver(world, &exhausted, &DeliveryEnd::Exhausted("no".to_owned())).await;
    fail(world, &world.action(&["work"])).await;

    for (index, count) in [(Ended::Done, 2), (Ended::Failed, 2)] {
        let seen = seen(world, index).await;
        assert_eq!(seen.len(), count);
        assert_eq!(world.store.forget(index, &seen).await.unwrap(), 0);
    }
    // What the key stands for is known for longer than the actions.
    world
        .assert_states(&["counts p processed 2 failed 2", "idempotency key open 0 ttl", "seq 4"])
        .await;
    let answer = world.assert_unchanged(submit()).await.unwrap();
    assert!(matches!(&answer, manager_svc::store::Submitted::Known(ids) if ids.len() == 1));
}

async fn a_copy_of_a_submission_takes_no_data_from_what_outlived_the_rest_of_it(world: &World) {
    world.register("p", "work", 9).await;
    let key = IdempotencyKey { key: "key".to_owned(), body: "body".to_owned() };
    for key in [None, Some(&key)] {
        let new = [world.action(&["work"]), world.action(&["more"])];
        let submit = || world.store.submit(&new, key, PLENTY, None);
        submit().await.unwrap();
        let claimed = world.claim("p", "work", &[&new[0].action.id]).await.pop().unwrap();
        let (token, output) = (claimed.token.hash(), world.unchanged());
        let step = StepEnd::succeeded(&token, &output);
        world.store.finish(&claimed.action, step, Status::Succeeded, ending(None)).await.unwrap();
        let ended = seen(world, Ended::Done).await;
        assert_eq!(world.store.forget(Ended::Done, &ended).await.unwrap(), 0);
        world.assert_unchanged(submit()).await.unwrap();
    }
}

async fn what_changed_since_it_was_seen_is_left_alone(world: &World) {
    world.register("p", "work", 9).await;
    let redriven = fail(world, &world.action(&["work"])).await;
    let failed_again = fail(world, &world.action(&["work"])).await;
    let redelivered = fail(world, &world.action_to_host(&["work"])).await;
    deliver(world, &redelivered, &DeliveryEnd::Delivered).await;
    let delivered_again = fail(world, &world.action_to_host(&["work"])).await;
    deliver(world, &delivered_again, &DeliveryEnd::Delivered).await;
    let before = seen(world, Ended::Failed).await;
    assert!(before.iter().all(|(.., of)| matches!(of, Remains::Ended { .. })), "{before:?}");

    for id in [&redriven, &failed_again] {
        let record = world.record(id).await;
        world.pass(record.ended_at.unwrap()).await;
        let answer = world.store.redrive(&record, &world.nonce()).await.unwrap();
        assert_eq!(answer, Settled::Accepted(2));
    }
    let claimed = world.claim("p", "work", &[&redriven, &failed_again]).await.pop().unwrap();
    let (token, failure) = (claimed.token.hash(), Failure::new("e", "again"));
    let why = Why::Token(&token);
    world.store.end(&claimed.action, why, &world.nonce(), &failure, ending(None)).await.unwrap();
    for id in [&redelivered, &delivered_again] {
        let record = world.record(id).await;
        world.store.redeliver(&record, &world.nonce()).await.unwrap();
    }
    deliver(world, &delivered_again, &DeliveryEnd::Delivered).await;

    let forget = world.store.forget(Ended::Failed, &before);
    // The redriven one is not in the index any more.
    assert_eq!(world.assert_unchanged(forget).await.unwrap(), 3);
}

async fn what_is_still_to_be_delivered_is_left_alone(world: &World) {
    world.register("p", "work", 9).await;
    succeed(world, &world.action_to_host(&["work"])).await;
    let waiting = succeed(world, &world.action_to_host(&["work"])).await;
    deliver(world, &waiting, &DeliveryEnd::Again(500_000, "no".to_owned())).await;
    let mut seen = seen(world, Ended::Done).await;
    assert!(seen.iter().all(|(.., of)| *of == Remains::Open), "{seen:?}");
    let forget = world.store.forget(Ended::Done, &seen);
    assert_eq!(world.assert_unchanged(forget).await.unwrap(), 2);
    // Nor by somebody who holds them for ended.
    for (_, id, remains) in &mut seen {
        let record = world.record(id).await;
        let (at, version) = (record.ended_at.unwrap(), record.version.to_string());
        *remains = Remains::Ended { at, version, data: record.data };
    }
    let forget = world.store.forget(Ended::Done, &seen);
    assert_eq!(world.assert_unchanged(forget).await.unwrap(), 2);
}

async fn what_is_not_over_is_left_alone_wherever_it_is_listed(world: &World) {
    let live = world.submit(&world.action(&["work"])).await;
    let record = world.record(&live).await;
    let (version, data) = (record.version.to_string(), record.data);
    let () = world.redis.query(&["ZADD", "{p0}:done", "7", live.as_str()]).await;
    assert_eq!(seen(world, Ended::Done).await, [(7, live.clone(), Remains::Open)]);
    for remains in [Remains::Open, Remains::Nothing, Remains::Ended { at: 7, version, data }] {
        let entry = [(7, live.clone(), remains)];
        let forget = world.store.forget(Ended::Done, &entry);
        assert_eq!(world.assert_unchanged(forget).await.unwrap(), 1);
    }
    let () = world.redis.query(&["ZREM", "{p0}:done", live.as_str()]).await;
}

async fn an_entry_whose_record_has_expired_is_forgotten(world: &World) {
    world.register("p", "work", 9).await;
    let id = succeed(world, &world.action(&["work"])).await;
    let before = seen(world, Ended::Done).await;
    // As its time to live does.
    let data = format!("{{p0}}:data:{id}:{}", world.record(&id).await.data.as_str());
    let () = world.redis.query(&["UNLINK", &format!("{{p0}}:action:{id}"), &data]).await;
    let after = seen(world, Ended::Done).await;
    assert_eq!(after, [(before[0].0, id, Remains::Nothing)]);
    // Also when it expires between the look and the script.
    assert_eq!(world.store.forget(Ended::Done, &before).await.unwrap(), 0);
    world.assert_states(&["counts p processed 1 failed 0", "seq 1"]).await;
    assert_eq!(world.store.forget(Ended::Done, &after).await.unwrap(), 0);
}

async fn more_than_a_batch_is_forgotten_in_one_call(world: &World) {
    for score in 1..=250 {
        let id = world.action(&["work"]).action.id;
        let () = world.redis.query(&["ZADD", "{p0}:failed", &score.to_string(), id.as_str()]).await;
    }
    let seen = seen(world, Ended::Failed).await;
    assert_eq!(seen.len(), 250);
    assert_eq!(world.store.forget(Ended::Failed, &seen[..249]).await.unwrap(), 0);
    let keyspace = world.keyspace().await;
    assert_eq!(keyspace.content("{p0}:failed").unwrap().len(), 1);
    assert_eq!(world.store.forget(Ended::Failed, &seen).await.unwrap(), 0);
}

async fn the_oldest_are_seen_first_and_from_a_rank_on(world: &World) {
    let ids: Vec<_> = (0..4).map(|_| world.action(&["work"]).action.id).collect();
    for (score, id) in ids.iter().enumerate() {
        let score = score.to_string();
        let () = world.redis.query(&["ZADD", "{p0}:done", &score, id.as_str()]).await;
    }
    let () = world.redis.query(&["ZADD", "{p0}:done", "2", "none-of-ours"]).await;
    let entry = |at: usize| (at as u64, ids[at].clone());
    let look = async |from, most| world.store.oldest_ended([from, 0], most).await.unwrap().1;
    let [done, failed] = look(0, 2).await;
    assert_eq!(done, Oldest { size: 5, looked_at: 2, first: vec![entry(0), entry(1)] });
    assert_eq!(failed, Oldest::default());
    let [done, _] = look(1, 10).await;
    assert_eq!(done, Oldest { size: 5, looked_at: 4, first: vec![entry(1), entry(2), entry(3)] });
    let () = world.redis.query(&["UNLINK", "{p0}:done"]).await;
}

async fn an_action_has_ended_when_its_delivery_was_settled(world: &World) {
    world.register("p", "work", 9).await;
    let alone = succeed(world, &world.action(&["work"])).await;
    let sent = succeed(world, &world.action_to_host(&["work"])).await;
    let outcome = world.record(&sent).await.ended_at.unwrap();
    let (alone_at, _) = (world.record(&alone).await.ended_at.unwrap(), world.pass(outcome).await);
    deliver(world, &sent, &DeliveryEnd::Again(1, "no".to_owned())).await;
    deliver(world, &sent, &DeliveryEnd::Delivered).await;
    let now = world.direct.clock().await.unwrap();
    let remains = world.store.remains(&[alone, sent]).await.unwrap();
    let at = |remains: &Remains| match remains {
        Remains::Ended { at, .. } => *at,
        other => panic!("{other:?}"),
    };
    assert_eq!(at(&remains[0]), alone_at);
    assert!(at(&remains[1]) > outcome && at(&remains[1]) <= now, "{remains:?}");
}
