//! Actions that fail: by their last attempt, by a lease, by their deadline.

use manager_svc::domain::action::Status;
use manager_svc::domain::{Action, Failure};
use manager_svc::store::{Finished, IdempotencyKey, NewAction, Settled, StepEnd, Why};

use crate::world::{PLENTY, World, ending, with_lease};

cases! {
    a_failure_ends_an_action_without_receiver
    a_failure_begins_the_delivery_or_claims_it
    a_lease_that_is_over_ends_an_action_without_attempts_left
    a_deadline_ends_an_action_in_its_queue
    a_deadline_leaves_what_waits_beside_it_alone
    a_deadline_ends_a_delayed_action
    a_deadline_ends_a_running_action_and_its_token_settles_nothing
    the_idempotency_record_expires_with_the_last_of_its_actions
}

fn failure() -> Failure {
    Failure::new("e", "no")
}

async fn a_failure_ends_an_action_without_receiver(world: &World) {
    world.register("p", "work", 9).await;
    let claimed = world.claimed(&world.action(&["work"])).await;
    let (token, nonce) = (claimed.token.hash(), world.nonce());
    let failure = failure();
    let fail =
        || world.store.end(&claimed.action, Why::Token(&token), &nonce, &failure, ending(None));
    let answer = fail().await.unwrap();
    assert!(matches!(answer, Settled::Accepted(Finished { claimed: false, .. })));
    world
        .assert_states(&[
            "a ttl v3 failed step 0 tries 1 delivery none",
            "counts p processed 0 failed 1",
            "data a \"in\" ttl",
            "failed a",
            "seq 1",
        ])
        .await;
    let record = world.record(&claimed.action.id).await;
    assert_eq!(
        (&record.error, &record.attempts[0].failure),
        (&Some(failure.clone()), &Some(failure.clone()))
    );
    assert_eq!(world.assert_unchanged(fail()).await.unwrap(), answer);
}

async fn a_failure_begins_the_delivery_or_claims_it(world: &World) {
    world.register("p", "work", 9).await;
    let failure = failure();
    let mut states = vec!["failed a b", "output:h:80 a b", "receivers h:80", "seq 2"];
    // The second one waits behind the first, so it is not claimed although a token is given.
    for (token, claims) in [(Some(world.token().hash()), true), (None, false)] {
        let claimed = world.claimed(&world.action_to_host(&["work"])).await;
        let (held, nonce) = (claimed.token.hash(), world.nonce());
        let end = ending(token.as_ref());
        let fail = || world.store.end(&claimed.action, Why::Token(&held), &nonce, &failure, end);
        let answer = fail().await.unwrap();
        let Settled::Accepted(finished) = &answer else { panic!("{answer:?}") };
        assert_eq!(finished.claimed, claims);
        assert_eq!(world.assert_unchanged(fail()).await.unwrap(), answer);
        let due = world.record(&claimed.action.id).await.delivery.due_at.unwrap();
        assert_eq!(due - finished.now, if claims { 30_000 } else { 0 });
    }
    states.extend([
        "a v3 failed step 0 tries 1 delivery pending sends 1 held",
        "b v3 failed step 0 tries 1 delivery pending sends 0",
        "counts p processed 0 failed 2",
        "data a \"in\"",
        "data b \"in\"",
    ]);
    world.assert_states(&states).await;
}

async fn a_lease_that_is_over_ends_an_action_without_attempts_left(world: &World) {
    world.register("p", "work", 9).await;
    let claimed = world.claimed(&with_lease(world.action(&["work"]), 1)).await;
    world.pass(world.processor("p").await.first_lease.unwrap().0).await;
    let (token, nonce, failure) = (claimed.token.hash(), world.nonce(), failure());
    let fail =
        || world.store.end(&claimed.action, Why::Lease(&token), &nonce, &failure, ending(None));
    let answer = fail().await.unwrap();
    assert!(matches!(answer, Settled::Accepted(_)));
    assert_eq!(world.assert_unchanged(fail()).await.unwrap(), answer);
    world
        .assert_states(&[
            "a ttl v3 failed step 0 tries 1 delivery none",
            "counts p processed 0 failed 1",
            "data a \"in\" ttl",
            "failed a",
            "seq 1",
        ])
        .await;
    let late = world.output("9");
    let answer = world.store.finish(
        &claimed.action,
        StepEnd::succeeded(&token, &late),
        Status::Succeeded,
        ending(None),
    );
    assert_eq!(world.assert_unchanged(answer).await.unwrap(), Settled::Stale);
}

fn short(mut new: NewAction) -> NewAction {
    new.action.expires_in_ms = 1;
    new
}

async fn expire(world: &World, action: &Action) {
    world.pass(action.expires_at).await;
    let (nonce, failure) = (world.nonce(), failure());
    let fail = || world.store.end(action, Why::Deadline, &nonce, &failure, ending(None));
    let answer = fail().await.unwrap();
    assert!(matches!(answer, Settled::Accepted(Finished { claimed: false, .. })), "{answer:?}");
    assert_eq!(world.assert_unchanged(fail()).await.unwrap(), answer);
}

async fn a_deadline_ends_an_action_in_its_queue(world: &World) {
    let id = world.submit(&short(world.action_to_host(&["work"]))).await;
    expire(world, &world.record(&id).await).await;
    world
        .assert_states(&[
            "a v2 failed step 0 tries 0 delivery pending sends 0",
            "data a \"in\"",
            "failed a",
            "output:h:80 a",
            "receivers h:80",
            "seq 1",
        ])
        .await;
}

async fn a_deadline_leaves_what_waits_beside_it_alone(world: &World) {
    let id = world.submit(&short(world.action(&["work"]))).await;
    world.submit(&world.action(&["work"])).await;
    expire(world, &world.record(&id).await).await;
    world
        .assert_states(&[
            "a ttl v2 failed step 0 tries 0 delivery none",
            "b v1 queued step 0 tries 0 delivery none",
            "data a \"in\" ttl",
            "data b \"in\"",
            "failed a",
            "input:work b@2",
            "live b",
            "seq 2",
            "targets work",
        ])
        .await;
}

async fn a_deadline_ends_a_delayed_action(world: &World) {
    world.register("p", "work", 9).await;
    let claimed = world.claimed(&short(world.action(&["work"]))).await;
    let (token, nonce, failure) = (claimed.token.hash(), world.nonce(), failure());
    let why = Why::Token(&token);
    world.store.retry(&claimed.action, why, &nonce, 500_000, &failure).await.unwrap();
    expire(world, &world.record(&claimed.action.id).await).await;
    world
        .assert_states(&[
            "a ttl v4 failed step 0 tries 1 delivery none",
            "counts p processed 0 failed 1",
            "data a \"in\" ttl",
            "failed a",
            "seq 1",
        ])
        .await;
}

async fn a_deadline_ends_a_running_action_and_its_token_settles_nothing(world: &World) {
    world.register("p", "work", 9).await;
    let claimed = world.claimed(&short(world.action(&["work"]))).await;
    expire(world, &claimed.action).await;
    world
        .assert_states(&[
            "a ttl v3 failed step 0 tries 1 delivery none",
            "counts p processed 0 failed 1",
            "data a \"in\" ttl",
            "failed a",
            "seq 1",
        ])
        .await;
    let (late, token) = (world.output("9"), claimed.token.hash());
    let answer = world.store.finish(
        &claimed.action,
        StepEnd::succeeded(&token, &late),
        Status::Succeeded,
        ending(None),
    );
    assert_eq!(world.assert_unchanged(answer).await.unwrap(), Settled::Stale);
}

async fn the_idempotency_record_expires_with_the_last_of_its_actions(world: &World) {
    world.register("p", "work", 9).await;
    let key = IdempotencyKey { key: "key".to_owned(), body: "body".to_owned() };
    let mut new = [world.action(&["work"]), world.action(&["work"])];
    new.iter_mut().for_each(|new| new.action.idempotency = Some(key.key.clone()));
    world.store.submit(&new, Some(&key), PLENTY, None).await.unwrap();
    let ids: Vec<_> = new.iter().map(|new| &new.action.id).collect();
    let claims = world.claim("p", "work", &ids).await;
    for (claimed, open) in claims.iter().zip([1, 0]) {
        let (token, output) = (claimed.token.hash(), world.unchanged());
        let settle = || {
            world.store.finish(
                &claimed.action,
                StepEnd::succeeded(&token, &output),
                Status::Succeeded,
                ending(None),
            )
        };
        settle().await.unwrap();
        world.assert_unchanged(settle()).await.unwrap();
        let keyspace = world.keyspace().await;
        let record = "{p0}:idempotency:key";
        assert_eq!(keyspace.content(record).unwrap()["open"], open.to_string());
        assert_eq!(keyspace.expires(record), open == 0);
    }
}
