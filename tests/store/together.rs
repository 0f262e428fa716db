//! Transitions that are asked for at the same time share a script, and are made as if each were alone.

use manager_svc::domain::action::Status;
use manager_svc::domain::{Action, ActionId, Nonce, TokenHash};
use manager_svc::store::{
    Claimed, DeliveryAsk, DeliveryEnd, Error, IdempotencyKey, Output, Settled, StepEnd, Submitted,
    Violation,
};
use tokio::task::JoinSet;

use crate::world::{HOST, PLENTY, World, ending};

const ACTIONS: usize = 70;

/// How many calls of a script the server has seen.
async fn scripts_run(world: &World) -> u64 {
    let stats: String = world.redis.query(&["INFO", "commandstats"]).await;
    let of = |name: &str| {
        let line = stats.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("calls=0,");
        line.split(['=', ',']).nth(1).and_then(|calls| calls.parse::<u64>().ok()).unwrap()
    };
    of("cmdstat_evalsha:")
}

async fn all_claimed(world: &World, count: usize, targets: &[&str]) -> Vec<Claimed> {
    let mut claimed = Vec::new();
    for _ in 0..count {
        claimed.push(world.claimed(&world.action_to_host(targets)).await);
    }
    claimed
}

/// Makes a field of a record what nothing can be reckoned with, or takes it away.
async fn damage(world: &World, id: &ActionId, field: &str, value: Option<&str>) {
    let key = format!("{{p0}}:action:{id}");
    let () = match value {
        Some(value) => world.redis.query(&["HSET", &key, field, value]).await,
        None => world.redis.query(&["HDEL", &key, field]).await,
    };
}

/// Settles the first step of each, all at once: what became of them, in their order.
async fn all_advanced(
    world: &World,
    of: &[(Action, TokenHash, Nonce)],
) -> Vec<Result<Settled<()>, Error>> {
    let mut settling = JoinSet::new();
    for (at, (action, token, nonce)) in of.iter().cloned().enumerate() {
        let store = world.store.clone();
        settling.spawn(async move {
            let output = Output { nonce, data: Some(bytes::Bytes::from_static(b"1")) };
            let end = StepEnd::succeeded(&token, &output);
            (at, store.advance(&action, end, None).await.map(|settled| settled.map(|_| ())))
        });
    }
    let mut answers = settling.join_all().await;
    answers.sort_by_key(|(at, _)| *at);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

#[tokio::test]
async fn submissions_at_once_share_scripts_and_keep_the_capacity_and_the_order() {
    let world = World::start().await;
    world.register("p", "work", 30).await;
    let before = scripts_run(&world).await;
    let mut submitting = JoinSet::new();
    for at in 0..ACTIONS {
        let (store, new) = (world.store.clone(), world.action(&["work"]));
        let wish = world.hand_over(&[("p", "work")]);
        submitting.spawn(async move {
            let answer = store.submit(std::slice::from_ref(&new), None, PLENTY, Some(&wish)).await;
            (at, new.action.id, answer.unwrap())
        });
    }
    let mut answers = submitting.join_all().await;
    let scripts = scripts_run(&world).await - before;
    assert!(scripts < ACTIONS as u64 / 4, "{scripts} scripts");
    answers.sort_by_key(|(at, ..)| *at);
    let claimed = |answer: &Submitted| matches!(answer, Submitted::Accepted { claim: Some(_), .. });
    let held: Vec<_> = answers.iter().map(|(_, _, answer)| claimed(answer)).collect();
    let expected: Vec<_> = (0..ACTIONS).map(|at| at < 30).collect();
    assert_eq!(held, expected, "the first are claimed, up to the capacity");
    let heads = world.direct.heads(&[], &[("work", ACTIONS)]).await.unwrap();
    let waiting: Vec<_> = heads.waiting[0].iter().map(|(_, id)| id).collect();
    let rest: Vec<_> = answers[30..].iter().map(|(_, id, _)| id).collect();
    assert_eq!(waiting, rest, "the others wait in their order");
    assert_eq!(world.direct.violations().await.unwrap(), []);
}

#[tokio::test]
async fn a_submission_that_is_refused_leaves_the_others_their_way() {
    let world = World::start().await;
    world.register("p", "work", 30).await;
    let mut submitting = JoinSet::new();
    for at in 0..9_u64 {
        let (store, new) = (world.store.clone(), world.action(&["work"]));
        // No more than so many may be live, after this one.
        let most = if at % 3 == 1 { 0 } else { PLENTY };
        submitting.spawn(async move {
            let answer = store.submit(std::slice::from_ref(&new), None, most, None).await;
            (at, answer.unwrap())
        });
    }
    for (at, answer) in submitting.join_all().await {
        let full = matches!(answer, Submitted::Full);
        assert_eq!(full, at % 3 == 1, "{at}: {answer:?}");
    }
    let live: u64 = world.redis.query(&["ZCARD", "{p0}:live"]).await;
    assert_eq!(live, 6);
    assert_eq!(world.direct.violations().await.unwrap(), []);
}

#[tokio::test]
async fn of_two_requests_for_one_attempt_at_once_the_first_wins() {
    let world = World::start().await;
    world.register("p", "work", 100).await;
    let claimed = all_claimed(&world, 20, &["work", "work"]).await;
    let mut of = Vec::new();
    for claim in &claimed {
        for _ in 0..2 {
            of.push((claim.action.clone(), claim.token.hash(), world.nonce()));
        }
    }
    for pair in all_advanced(&world, &of).await.chunks(2) {
        assert!(matches!(pair[0], Ok(Settled::Accepted(()))), "{pair:?}");
        assert!(matches!(pair[1], Ok(Settled::Duplicate)), "{pair:?}");
    }
    let steps = claimed.iter().map(|claim| world.record(&claim.action.id));
    for record in steps {
        assert_eq!(record.await.step, 1);
    }
    let processor = world.processor("p").await;
    assert_eq!(processor.processed, 20);
    assert_eq!(world.direct.violations().await.unwrap(), []);
}

/// What the reconciler would have to mend, but for the actions of these ids.
async fn violations_but(world: &World, damaged: &[&ActionId]) -> Vec<Violation> {
    let mut found = world.direct.violations().await.unwrap();
    found.retain(|violation| !damaged.iter().any(|id| violation.of == id.as_str()));
    found
}

#[tokio::test]
async fn a_damaged_record_is_not_the_affair_of_what_is_settled_with_it() {
    for (field, value) in [("v", None), ("v", Some("x")), ("dispatches", None)] {
        let world = World::start().await;
        world.register("p", "work", 100).await;
        let claimed = all_claimed(&world, 9, &["work", "work"]).await;
        damage(&world, &claimed[4].action.id, field, value).await;
        let of: Vec<_> = claimed
            .iter()
            .map(|claim| (claim.action.clone(), claim.token.hash(), world.nonce()))
            .collect();
        for (at, answer) in all_advanced(&world, &of).await.into_iter().enumerate() {
            if at == 4 {
                assert!(matches!(answer, Err(Error::Refused(_))), "{answer:?}");
            } else {
                assert!(matches!(answer, Ok(Settled::Accepted(()))), "{at}: {answer:?}");
                assert_eq!(world.record(&claimed[at].action.id).await.step, 1);
            }
        }
        let waiting: u64 = world.redis.query(&["ZCARD", "{p0}:input:work"]).await;
        let pending: Vec<String> =
            world.redis.query(&["ZRANGE", "{p0}:pending:p", "0", "-1"]).await;
        assert_eq!((waiting, pending), (8, vec![claimed[4].action.id.as_str().to_owned()]));
        assert_eq!(world.processor("p").await.processed, 8);
        assert_eq!(violations_but(&world, &[&claimed[4].action.id]).await, []);
    }
}

#[tokio::test]
async fn a_damaged_record_is_not_the_affair_of_what_is_claimed_with_it() {
    for field in ["v", "tries", "dispatches"] {
        let world = World::start().await;
        world.register("p", "work", 100).await;
        let mut ids = Vec::new();
        for _ in 0..9 {
            ids.push(world.submit(&world.action(&["work"])).await);
        }
        damage(&world, &ids[4], field, Some("x")).await;
        let claims = world.claim("p", "work", &ids.iter().collect::<Vec<_>>()).await;
        assert_eq!(claims.len(), 8);
        let pending: u64 = world.redis.query(&["ZCARD", "{p0}:pending:p"]).await;
        assert_eq!(pending, 8);
        assert_eq!(violations_but(&world, &[&ids[4]]).await, []);
    }
}

#[tokio::test]
async fn a_damaged_record_is_not_the_affair_of_what_is_delivered_with_it() {
    for field in ["v", "d_tries"] {
        let world = World::start().await;
        world.register("p", "work", 100).await;
        let mut ids = Vec::new();
        for claim in all_claimed(&world, 9, &["work"]).await {
            let (token, output) = (claim.token.hash(), world.unchanged());
            let end = StepEnd::succeeded(&token, &output);
            let finished = world.store.finish(&claim.action, end, Status::Succeeded, ending(None));
            assert!(matches!(finished.await.unwrap(), Settled::Accepted(_)));
            ids.push(claim.action.id);
        }
        let mut asks = Vec::new();
        for id in &ids {
            let [ask] = world.ask_delivery(id).await;
            asks.extend(ask.actions);
        }
        damage(&world, &ids[4], field, Some("x")).await;
        let ask = DeliveryAsk { host: HOST.to_owned(), actions: asks, not_before: 0 };
        let claims = world.store.claim_deliveries(&[ask], 30_000).await.unwrap();
        assert_eq!(claims.whole.len(), 8);
        let queued: u64 = world.redis.query(&["ZCARD", &format!("{{p0}}:output:{HOST}")]).await;
        assert_eq!(queued, 9);
        assert_eq!(violations_but(&world, &[&ids[4]]).await, []);
    }
}

#[tokio::test]
async fn ends_and_deliveries_at_once_are_each_made_whole() {
    let world = World::start().await;
    world.register("p", "work", 100).await;
    let claimed = all_claimed(&world, 60, &["work"]).await;
    let mut finishing = JoinSet::new();
    for claim in claimed {
        let (store, send) = (world.store.clone(), world.token().hash());
        let (nonce, receiver) = (world.nonce(), claim.action.receiver.clone().unwrap());
        finishing.spawn(async move {
            let output = Output { nonce, data: None };
            let token = claim.token.hash();
            let end = StepEnd::succeeded(&token, &output);
            let status = Status::Succeeded;
            let finished = store.finish(&claim.action, end, status, ending(Some(&send))).await;
            assert!(matches!(finished, Ok(Settled::Accepted(done)) if done.claimed));
            let end = DeliveryEnd::Delivered;
            let settled =
                store.settle_delivery(&claim.action, &receiver, &send, &end, 90_000).await;
            assert!(settled.unwrap());
            claim.action.id
        });
    }
    for id in finishing.join_all().await {
        let record = world.record(&id).await;
        assert_eq!(record.status, Status::Succeeded);
    }
    let output: u64 = world.redis.query(&["EXISTS", &format!("{{p0}}:output:{HOST}")]).await;
    let receivers: u64 = world.redis.query(&["EXISTS", "{p0}:receivers"]).await;
    assert_eq!((output, receivers), (0, 0));
    assert_eq!(world.direct.violations().await.unwrap(), []);
}

#[tokio::test]
async fn copies_of_one_submission_at_once_are_one_action() {
    let world = World::start().await;
    let mut submitting = JoinSet::new();
    for _ in 0..20 {
        let (store, mut new) = (world.store.clone(), world.action(&["work"]));
        let key = IdempotencyKey { key: "k".to_owned(), body: "b".to_owned() };
        new.action.idempotency = Some(key.key.clone());
        submitting.spawn(async move {
            store.submit(std::slice::from_ref(&new), Some(&key), PLENTY, None).await.unwrap()
        });
    }
    let answers = submitting.join_all().await;
    let accepted = |answer: &&Submitted| matches!(answer, Submitted::Accepted { .. });
    assert_eq!(answers.iter().filter(accepted).count(), 1, "{answers:?}");
    let known = |answer: &&Submitted| matches!(answer, Submitted::Known(ids) if ids.len() == 1);
    assert_eq!(answers.iter().filter(known).count(), 19, "{answers:?}");
    let live: u64 = world.redis.query(&["ZCARD", "{p0}:live"]).await;
    assert_eq!(live, 1);
    assert_eq!(world.direct.violations().await.unwrap(), []);
}

#[tokio::test]
async fn a_store_that_is_silent_is_told_to_all_that_wait_and_none_of_them_is_sent() {
    const ASKED: u64 = 300;
    let world = World::start().await;
    world.redis.pause();
    let mut submitting = JoinSet::new();
    for _ in 0..ASKED {
        let (store, new) = (world.store.clone(), world.action(&["work"]));
        submitting.spawn(async move {
            store.submit(std::slice::from_ref(&new), None, PLENTY, None).await
        });
    }
    for answer in submitting.join_all().await {
        assert!(matches!(answer, Err(Error::Away(_))), "{answer:?}");
    }
    world.redis.resume();
    world.direct.ping().await.unwrap();
    let live: u64 = world.redis.query(&["ZCARD", "{p0}:live"]).await;
    assert!(live <= ASKED / 4, "{live} were sent");
}
