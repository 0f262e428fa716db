//! Steps that are skipped: they failed, and the action goes on with the data as it was.

use manager_svc::domain::action::Status;
use manager_svc::domain::{Action, Failure, Job, Jobs, OnFailure, TokenHash};
use manager_svc::store::{
    Advanced, Assignment, Claimed, Finished, HandOver, NewAction, Output, Settled, StepEnd, Why,
};

use crate::world::{World, ending};

cases! {
    a_step_skipped_by_its_holder_makes_the_next_one_ready_with_the_data_as_it_was
    a_step_skipped_by_a_lease_that_is_over_makes_the_next_one_ready
    a_lease_that_still_runs_skips_nothing
    a_skipped_step_is_handed_over_to_the_next_processor
    a_step_skipped_by_a_lease_is_handed_over_to_the_next_processor
    the_last_step_skipped_ends_a_partial_action_without_receiver
    the_last_step_skipped_begins_the_delivery_or_claims_it
    the_last_step_skipped_by_a_lease_ends_a_partial_action
    a_skip_before_a_step_that_succeeds_stays_in_the_timeline
    what_is_not_current_skips_nothing
}

fn failure() -> Failure {
    Failure::new("e", "no\tluck")
}

/// The action with a first step that is skipped when it fails.
fn skipping(new: NewAction) -> NewAction {
    with_first(new, |job| job.on_failure = OnFailure::Skip)
}

/// The action with another first step. The others have no options, so that its record stays small.
fn with_first(mut new: NewAction, change: impl FnOnce(&mut Job)) -> NewAction {
    let mut jobs: Vec<_> = new.action.jobs.iter().cloned().collect();
    change(&mut jobs[0]);
    new.action.jobs = Jobs::new(jobs).unwrap();
    new
}

/// The end of a step that is skipped.
fn skipped<'a>(why: Why<'a>, output: &'a Output, failure: &'a Failure) -> StepEnd<'a> {
    StepEnd { why, output, skipped: Some(failure) }
}

/// Claims an action whose lease is over a moment later, and waits for that.
async fn lapsed(world: &World, targets: &[&str]) -> Claimed {
    let new = with_first(skipping(world.action(targets)), |job| job.timeout_ms = 1);
    let claimed = world.claimed(&new).await;
    world.pass(world.processor("p").await.first_lease.unwrap().0).await;
    claimed
}

/// Settles by advancing, and the same once more, which must change nothing and answer the same.
async fn advance(
    world: &World,
    action: &Action,
    end: StepEnd<'_>,
    wish: Option<&HandOver>,
) -> Advanced {
    let settle = || world.store.advance(action, end, wish);
    let answer = settle().await.unwrap();
    assert_eq!(world.assert_unchanged(settle()).await.unwrap(), answer);
    let Settled::Accepted(advanced) = answer else { panic!("{answer:?}") };
    advanced
}

/// The same at the last step.
async fn finish(
    world: &World,
    action: &Action,
    end: StepEnd<'_>,
    token: Option<&TokenHash>,
) -> Finished {
    let settle = || world.store.finish(action, end, Status::Partial, ending(token));
    let answer = settle().await.unwrap();
    assert_eq!(world.assert_unchanged(settle()).await.unwrap(), answer);
    let Settled::Accepted(finished) = answer else { panic!("{answer:?}") };
    finished
}

async fn a_step_skipped_by_its_holder_makes_the_next_one_ready_with_the_data_as_it_was(
    world: &World,
) {
    world.register("p", "work", 9).await;
    let claimed = world.claimed(&skipping(world.action(&["work", "more"]))).await;
    let (token, output, failure) = (claimed.token.hash(), world.unchanged(), failure());
    let end = skipped(Why::Token(&token), &output, &failure);
    let advanced = advance(world, &claimed.action, end, None).await;
    assert_eq!(advanced.claim, None);
    world
        .assert_states(&[
            "a v3 running step 1 tries 0 delivery none",
            "counts p processed 0 failed 1",
            "data a \"in\"",
            "input:more a@2",
            "live a",
            "seq 2",
            "targets more",
        ])
        .await;
    let record = world.record(&claimed.action.id).await;
    let [attempt] = record.attempts.as_slice() else { panic!("{record:?}") };
    assert_eq!((attempt.step, attempt.processor.as_str()), (0, "p"));
    assert_eq!((attempt.ended_at, &attempt.failure), (advanced.now, &Some(failure.clone())));
    assert!(record.has_skipped() && record.last_skipped() == Some(0));
    // Its holder has reported: the same token is a duplicate from now on, whatever it says.
    let late = world.output("9");
    for end in [StepEnd::succeeded(&token, &late), skipped(Why::Token(&token), &late, &failure)] {
        let answer = world.store.advance(&claimed.action, end, None);
        assert_eq!(world.assert_unchanged(answer).await.unwrap(), Settled::Duplicate);
    }
}

async fn a_step_skipped_by_a_lease_that_is_over_makes_the_next_one_ready(world: &World) {
    world.register("p", "work", 9).await;
    let claimed = lapsed(world, &["work", "more"]).await;
    let (token, output, failure) = (claimed.token.hash(), world.unchanged(), failure());
    let end = skipped(Why::Lease(&token), &output, &failure);
    let advanced = advance(world, &claimed.action, end, None).await;
    world
        .assert_states(&[
            "a v3 running step 1 tries 0 delivery none",
            "counts p processed 0 failed 1",
            "data a \"in\"",
            "input:more a@2",
            "live a",
            "seq 2",
            "targets more",
        ])
        .await;
    let record = world.record(&claimed.action.id).await;
    assert_eq!(record.attempts[0].ended_at, advanced.now);
    assert_eq!((&record.attempts[0].failure, record.last_skipped()), (&Some(failure), Some(0)));
    assert_stale(world, &claimed).await;
}

/// Asserts that the holder of a lease that ended learns that it came too late, and changes nothing.
async fn assert_stale(world: &World, claimed: &Claimed) {
    let (token, late, failure) = (claimed.token.hash(), world.output("9"), failure());
    let action = &claimed.action;
    for end in [StepEnd::succeeded(&token, &late), skipped(Why::Token(&token), &late, &failure)] {
        if action.next_job().is_some() {
            let answer = world.store.advance(action, end, None);
            assert_eq!(world.assert_unchanged(answer).await.unwrap(), Settled::Stale);
        } else {
            let answer = world.store.finish(action, end, Status::Succeeded, ending(None));
            assert_eq!(world.assert_unchanged(answer).await.unwrap(), Settled::Stale);
        }
    }
    let (why, nonce) = (Why::Token(&token), world.nonce());
    let retry = world.store.retry(action, why, &nonce, 10, &failure);
    assert_eq!(world.assert_unchanged(retry).await.unwrap(), Settled::Stale);
    let renew = world.store.renew(action, &token, &nonce);
    assert_eq!(world.assert_unchanged(renew).await.unwrap(), Settled::Stale);
}

async fn a_lease_that_still_runs_skips_nothing(world: &World) {
    world.register("p", "work", 9).await;
    let (output, failure) = (world.unchanged(), failure());
    let claimed = world.claimed(&skipping(world.action(&["work", "more"]))).await;
    let token = claimed.token.hash();
    let end = skipped(Why::Lease(&token), &output, &failure);
    let answer = world.store.advance(&claimed.action, end, None);
    assert_eq!(world.assert_unchanged(answer).await.unwrap(), Settled::Stale);

    let claimed = world.claimed(&skipping(world.action(&["work"]))).await;
    let token = claimed.token.hash();
    let end = skipped(Why::Lease(&token), &output, &failure);
    let answer = world.store.finish(&claimed.action, end, Status::Partial, ending(None));
    assert_eq!(world.assert_unchanged(answer).await.unwrap(), Settled::Stale);
}

async fn assert_handed_over(world: &World, claimed: &Claimed, wish: &HandOver, end: StepEnd<'_>) {
    let advanced = advance(world, &claimed.action, end, Some(wish)).await;
    let to_q = Assignment { processor: "q".into(), url: "http://q".into() };
    assert_eq!(advanced.claim, Some(to_q));
    let record = world.record(&claimed.action.id).await;
    let running = record.attempt.as_ref().unwrap();
    assert_eq!((&running.token, running.claimed_at), (&wish.token, advanced.now));
    assert_eq!((record.attempts.len(), record.last_skipped()), (1, Some(0)));
    let q = world.processor("q").await;
    assert_eq!((q.in_flight, q.processed, q.failed), (1, 0, 0));
}

async fn a_skipped_step_is_handed_over_to_the_next_processor(world: &World) {
    world.register("p", "work", 9).await;
    world.register("q", "more", 9).await;
    let claimed = world.claimed(&skipping(world.action(&["work", "more"]))).await;
    let wish = world.hand_over(&[("q", "more")]);
    let (token, output, failure) = (claimed.token.hash(), world.unchanged(), failure());
    let end = skipped(Why::Token(&token), &output, &failure);
    assert_handed_over(world, &claimed, &wish, end).await;
    world
        .assert_states(&[
            "a v3 running step 1 tries 1 at q delivery none",
            "counts p processed 0 failed 1",
            "data a \"in\"",
            "live a",
            "pending:q a+60000",
            "seq 2",
        ])
        .await;
}

async fn a_step_skipped_by_a_lease_is_handed_over_to_the_next_processor(world: &World) {
    world.register("p", "work", 9).await;
    world.register("q", "more", 9).await;
    let claimed = lapsed(world, &["work", "more"]).await;
    let wish = world.hand_over(&[("q", "more")]);
    let (token, output, failure) = (claimed.token.hash(), world.unchanged(), failure());
    let end = skipped(Why::Lease(&token), &output, &failure);
    assert_handed_over(world, &claimed, &wish, end).await;
    world
        .assert_states(&[
            "a v3 running step 1 tries 1 at q delivery none",
            "counts p processed 0 failed 1",
            "data a \"in\"",
            "live a",
            "pending:q a+60000",
            "seq 2",
        ])
        .await;
    assert_stale(world, &claimed).await;
}

async fn the_last_step_skipped_ends_a_partial_action_without_receiver(world: &World) {
    world.register("p", "work", 9).await;
    let claimed = world.claimed(&skipping(world.action(&["work"]))).await;
    let (token, output, failure) = (claimed.token.hash(), world.unchanged(), failure());
    let end = skipped(Why::Token(&token), &output, &failure);
    let finished = finish(world, &claimed.action, end, None).await;
    assert!(!finished.claimed);
    world
        .assert_states(&[
            "a ttl v3 partial step 0 tries 1 delivery none",
            "counts p processed 0 failed 1",
            "data a \"in\" ttl",
            "done a",
            "seq 1",
        ])
        .await;
    let record = world.record(&claimed.action.id).await;
    assert_eq!((record.ended_at, record.last_skipped()), (Some(finished.now), Some(0)));
    assert_eq!(record.attempts[0].failure, Some(failure));
}

async fn the_last_step_skipped_begins_the_delivery_or_claims_it(world: &World) {
    world.register("p", "work", 9).await;
    let failure = failure();
    // The second one waits behind the first, so it is not claimed although a token is given.
    for (token, claims) in [(Some(world.token().hash()), true), (None, false)] {
        let claimed = world.claimed(&skipping(world.action_to_host(&["work"]))).await;
        let (held, output) = (claimed.token.hash(), world.unchanged());
        let end = skipped(Why::Token(&held), &output, &failure);
        let finished = finish(world, &claimed.action, end, token.as_ref()).await;
        assert_eq!(finished.claimed, claims);
        let due = world.record(&claimed.action.id).await.delivery.due_at.unwrap();
        assert_eq!(due - finished.now, if claims { 30_000 } else { 0 });
    }
    world
        .assert_states(&[
            "a v3 partial step 0 tries 1 delivery pending sends 1 held",
            "b v3 partial step 0 tries 1 delivery pending sends 0",
            "counts p processed 0 failed 2",
            "data a \"in\"",
            "data b \"in\"",
            "done a b",
            "output:h:80 a b",
            "receivers h:80",
            "seq 2",
        ])
        .await;
}

async fn the_last_step_skipped_by_a_lease_ends_a_partial_action(world: &World) {
    world.register("p", "work", 9).await;
    let claimed = lapsed(world, &["work"]).await;
    let (token, output, failure) = (claimed.token.hash(), world.unchanged(), failure());
    let end = skipped(Why::Lease(&token), &output, &failure);
    finish(world, &claimed.action, end, None).await;
    world
        .assert_states(&[
            "a ttl v3 partial step 0 tries 1 delivery none",
            "counts p processed 0 failed 1",
            "data a \"in\" ttl",
            "done a",
            "seq 1",
        ])
        .await;
    assert_stale(world, &claimed).await;
}

async fn a_skip_before_a_step_that_succeeds_stays_in_the_timeline(world: &World) {
    world.register("p", "work", 9).await;
    let claimed = world.claimed(&skipping(world.action(&["work", "work"]))).await;
    let (token, output, failure) = (claimed.token.hash(), world.unchanged(), failure());
    let end = skipped(Why::Token(&token), &output, &failure);
    advance(world, &claimed.action, end, None).await;
    let claimed = world.claim("p", "work", &[&claimed.action.id]).await.pop().unwrap();
    assert!(claimed.action.has_skipped());
    let (token, output) = (claimed.token.hash(), world.output("1"));
    finish(world, &claimed.action, StepEnd::succeeded(&token, &output), None).await;
    world
        .assert_states(&[
            "a ttl v5 partial step 1 tries 1 delivery none",
            "counts p processed 1 failed 1",
            "data a 1 ttl",
            "done a",
            "seq 2",
        ])
        .await;
    let record = world.record(&claimed.action.id).await;
    let skipped: Vec<_> = (0..2).filter(|step| record.is_skipped(*step)).collect();
    assert_eq!((skipped, record.last_skipped()), (vec![0], Some(0)));
}

async fn what_is_not_current_skips_nothing(world: &World) {
    world.register("p", "work", 9).await;
    let (other, output, failure) = (world.token().hash(), world.unchanged(), failure());
    let claimed = world.claimed(&skipping(world.action(&["work", "more"]))).await;
    for why in [Why::Token(&other), Why::Lease(&other)] {
        let end = skipped(why, &output, &failure);
        let answer = world.store.advance(&claimed.action, end, None);
        assert_eq!(world.assert_unchanged(answer).await.unwrap(), Settled::Stale);
        let answer = world.store.finish(&claimed.action, end, Status::Partial, ending(None));
        assert_eq!(world.assert_unchanged(answer).await.unwrap(), Settled::Stale);
    }
    // One that was never accepted.
    let unknown = Action { id: world.action(&["work"]).action.id, ..claimed.action.clone() };
    let token = claimed.token.hash();
    let end = skipped(Why::Token(&token), &output, &failure);
    let answer = world.store.advance(&unknown, end, None);
    assert_eq!(world.assert_unchanged(answer).await.unwrap(), Settled::Unknown);
}
