//! Actions that somebody wants no more, wherever they are.

use manager_svc::domain::Action;
use manager_svc::domain::action::{DeliveryStatus, Status};
use manager_svc::store::{Finished, Settled, StepEnd, Why};

use crate::outcomes::{exhausted, failure};
use crate::world::{World, ending};

cases! {
    a_cancel_takes_an_action_out_of_its_queue
    a_cancel_leaves_what_waits_beside_it_alone
    a_cancel_ends_a_delayed_action
    a_cancel_ends_an_action_that_backs_off
    a_cancel_ends_a_running_action_which_counts_neither_way
    a_report_that_comes_after_the_cancel_changes_nothing
    a_cancel_between_two_steps_keeps_the_data_of_the_first
    a_cancelled_outcome_is_delivered_or_its_delivery_claimed
    a_cancel_of_what_changed_since_it_was_seen_changes_nothing
    what_has_an_outcome_is_not_cancelled
}

/// Cancels it in vain, and asserts that nothing changed.
async fn refused(world: &World, action: &Action) -> Settled<Finished> {
    let (nonce, failure, send) = (world.nonce(), failure(), world.token().hash());
    let ask = world.store.end(action, Why::Cancel, &nonce, &failure, ending(Some(&send)));
    world.assert_unchanged(ask).await.unwrap()
}

async fn a_cancel_takes_an_action_out_of_its_queue(world: &World) {
    let id = world.submit(&world.action(&["work"])).await;
    let finished = world.cancel(&world.record(&id).await, None).await;
    assert!(!finished.claimed);
    world
        .assert_states(&[
            "a ttl v2 cancelled step 0 tries 0 delivery none",
            "data a \"in\" ttl",
            "done a",
            "seq 1",
        ])
        .await;
    let record = world.record(&id).await;
    assert_eq!((record.ended_at, record.error), (Some(finished.now), Some(failure())));
}

async fn a_cancel_leaves_what_waits_beside_it_alone(world: &World) {
    let id = world.submit(&world.action_to_host(&["work"])).await;
    world.submit(&world.action(&["work"])).await;
    world.cancel(&world.record(&id).await, None).await;
    world
        .assert_states(&[
            "a v2 cancelled step 0 tries 0 delivery pending sends 0",
            "b v1 queued step 0 tries 0 delivery none",
            "data a \"in\"",
            "data b \"in\"",
            "done a",
            "input:work b@2",
            "live b",
            "output:h:80 a",
            "receivers h:80",
            "seq 2",
            "targets work",
        ])
        .await;
}

async fn a_cancel_ends_a_delayed_action(world: &World) {
    let mut new = world.action(&["work"]);
    new.delay_ms = 500_000;
    let id = world.submit(&new).await;
    world.cancel(&world.record(&id).await, None).await;
    let states = ["a ttl v2 cancelled step 0 tries 0 delivery none", "data a \"in\" ttl", "done a"];
    world.assert_states(&states).await;
}

async fn a_cancel_ends_an_action_that_backs_off(world: &World) {
    world.with_processor().await;
    let claimed = world.claimed(&world.action(&["work"])).await;
    let (token, nonce, failure) = (claimed.token.hash(), world.nonce(), failure());
    let why = Why::Token(&token);
    world.store.retry(&claimed.action, why, &nonce, 500_000, &failure).await.unwrap();
    world.cancel(&world.record(&claimed.action.id).await, None).await;
    world
        .assert_states(&[
            "a ttl v4 cancelled step 0 tries 1 delivery none",
            "counts p processed 0 failed 1",
            "data a \"in\" ttl",
            "done a",
            "seq 1",
        ])
        .await;
}

async fn a_cancel_ends_a_running_action_which_counts_neither_way(world: &World) {
    world.with_processor().await;
    let claimed = world.claimed(&world.action(&["work"])).await;
    world.cancel(&claimed.action, None).await;
    world
        .assert_states(&[
            "a ttl v3 cancelled step 0 tries 1 delivery none",
            "data a \"in\" ttl",
            "done a",
            "seq 1",
        ])
        .await;
    let record = world.record(&claimed.action.id).await;
    let [attempt] = record.attempts.as_slice() else { panic!("{record:?}") };
    assert_eq!((attempt.processor.as_str(), &attempt.failure), ("p", &Some(failure())));
    assert_eq!(record.step_of(&claimed.token.hash()), None);
}

async fn a_report_that_comes_after_the_cancel_changes_nothing(world: &World) {
    world.with_processor().await;
    let claimed = world.claimed(&world.action(&["work", "more"])).await;
    let last = world.claimed(&world.action_to_host(&["work"])).await;
    world.cancel(&claimed.action, None).await;
    world.cancel(&last.action, None).await;
    let (token, nonce, failure) = (claimed.token.hash(), world.nonce(), failure());
    let (store, why, action) = (&world.store, Why::Token(&token), &claimed.action);
    let output = world.output("9");
    let advance = store.advance(action, StepEnd::succeeded(&token, &output), None);
    assert_eq!(world.assert_unchanged(advance).await.unwrap(), Settled::Stale);
    let retry = store.retry(action, why, &nonce, 1, &failure);
    assert_eq!(world.assert_unchanged(retry).await.unwrap(), Settled::Stale);
    let end = store.end(action, why, &nonce, &failure, ending(None));
    assert_eq!(world.assert_unchanged(end).await.unwrap(), Settled::Stale);
    let beat = store.renew(action, &token, &nonce);
    assert_eq!(world.assert_unchanged(beat).await.unwrap(), Settled::Stale);
    let (token, output) = (last.token.hash(), world.output("9"));
    let end = StepEnd::succeeded(&token, &output);
    let finish = store.finish(&last.action, end, Status::Succeeded, ending(None));
    assert_eq!(world.assert_unchanged(finish).await.unwrap(), Settled::Stale);
}

async fn a_cancel_between_two_steps_keeps_the_data_of_the_first(world: &World) {
    world.with_processor().await;
    let claimed = world.claimed(&world.action(&["work", "more"])).await;
    let (token, output) = (claimed.token.hash(), world.output("1"));
    let end = StepEnd::succeeded(&token, &output);
    world.store.advance(&claimed.action, end, None).await.unwrap();
    world.cancel(&world.record(&claimed.action.id).await, None).await;
    world
        .assert_states(&[
            "a ttl v4 cancelled step 1 tries 0 delivery none",
            "counts p processed 1 failed 0",
            "data a 1 ttl",
            "done a",
            "seq 2",
        ])
        .await;
}

async fn a_cancelled_outcome_is_delivered_or_its_delivery_claimed(world: &World) {
    let send = world.token().hash();
    let mut cancelled = Vec::new();
    for token in [Some(&send), None] {
        let id = world.submit(&world.action_to_host(&["work"])).await;
        let finished = world.cancel(&world.record(&id).await, token).await;
        let claims = token.is_some();
        assert_eq!(finished.claimed, claims);
        let record = world.record(&id).await;
        let due = record.delivery.due_at.unwrap();
        assert_eq!(due - finished.now, if claims { 30_000 } else { 0 });
        cancelled.push(record);
    }
    world
        .assert_states(&[
            "a v2 cancelled step 0 tries 0 delivery pending sends 1 held",
            "b v2 cancelled step 0 tries 0 delivery pending sends 0",
            "data a \"in\"",
            "data b \"in\"",
            "done a b",
            "output:h:80 a b",
            "receivers h:80",
            "seq 2",
        ])
        .await;
    assert!(world.settle(&cancelled[0], &send, &exhausted()).await);
    let ended = world.record(&cancelled[0].id).await;
    assert_eq!(ended.delivery.status, DeliveryStatus::Exhausted);
}

async fn a_cancel_of_what_changed_since_it_was_seen_changes_nothing(world: &World) {
    world.with_processor().await;
    let id = world.submit(&world.action(&["work"])).await;
    let queued = world.record(&id).await;
    let claimed = world.claim("p", "work", &[&id]).await.pop().unwrap();
    assert_eq!(refused(world, &queued).await, Settled::Stale);
    world.cancel(&claimed.action, None).await;
    let unknown = world.action(&["work"]).action;
    assert_eq!(refused(world, &unknown).await, Settled::Unknown);
}

async fn what_has_an_outcome_is_not_cancelled(world: &World) {
    let succeeded = world.succeeded(&world.action_to_host(&["work"]), None).await;
    let failed = world.failed(&world.action(&["work"]), None).await;
    let id = world.submit(&world.action_to_host(&["work"])).await;
    world.cancel(&world.record(&id).await, None).await;
    let cancelled = world.record(&id).await;
    for action in [succeeded, failed, cancelled] {
        assert_eq!(refused(world, &action).await, Settled::Stale);
    }
}
