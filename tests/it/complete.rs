//! Reports of processors: in time, too late, twice, and of others.

use std::sync::atomic::{AtomicU32, Ordering};

use baton_wire::RawValue;
use baton_wire::action::{AttemptStatus, Status};
use baton_wire::process::{CompleteIn, CompleteOutcome, CompleteStatus, ErrorIn, ProcessIn};
use kit::{Patience, Processor, Reply, action, until};
use serde_json::json;

use crate::world::World;

pub(crate) fn report(
    process: &ProcessIn,
    status: CompleteStatus,
    data: Option<&str>,
) -> CompleteIn {
    CompleteIn {
        action_id: process.action_id.clone(),
        token: process.token.clone(),
        status,
        data: data.map(|data| RawValue::from_string(data.to_owned()).unwrap()),
        error: None,
        retryable: None,
        retry_after_ms: None,
    }
}

/// A processor that says 202 and nothing more: the scenario reports for it.
async fn silent(world: &World) -> Processor {
    world.processor(world.spec("silent"), |_| async { Reply::accepted() }).await
}

/// Submits an action of two steps at `silent`; returns what its first attempt was given.
async fn begin(world: &World, silent: &Processor) -> ProcessIn {
    let seen = silent.arrivals().len();
    world.baton.submit(&action(&json!("in"), &["silent", "silent"], None)).await;
    silent.wait_for(seen + 1).await;
    silent.arrivals()[seen].process.clone()
}

#[tokio::test]
async fn the_first_completion_wins_and_a_later_one_with_other_data_changes_nothing() {
    let world = World::start().await;
    let silent = silent(&world).await;
    let first = begin(&world, &silent).await;
    let done = report(&first, CompleteStatus::Succeeded, Some(r#""one""#));
    let accepted = world.baton.complete(&done).await.unwrap();
    assert_eq!(accepted.outcome, CompleteOutcome::Accepted);
    silent.wait_for(2).await;

    let before = world.keyspace().await;
    let other = report(&first, CompleteStatus::Succeeded, Some(r#""two""#));
    let failed = report(&first, CompleteStatus::Failed, None);
    for late in [&done, &other, &failed] {
        let again = world.baton.complete(late).await.unwrap();
        assert_eq!(again.outcome, CompleteOutcome::Duplicate);
    }
    assert_eq!(world.keyspace().await.changes_since(&before), "");
    let second = silent.arrivals()[1].process.clone();
    assert_eq!((second.step, second.data.get()), (1, r#""one""#));
    world.baton.complete(&report(&second, CompleteStatus::Succeeded, None)).await.unwrap();
    assert_eq!(world.baton.ended(&first.action_id).await.data.unwrap().get(), r#""one""#);
    world.assert_sound().await;
}

#[tokio::test]
async fn a_token_of_another_action_and_a_made_up_one_are_refused_and_change_nothing() {
    let world = World::start().await;
    let silent = silent(&world).await;
    let (one, other) = (begin(&world, &silent).await, begin(&world, &silent).await);
    let before = world.keyspace().await;
    for token in [other.token.as_str(), "made up", ""] {
        for status in [CompleteStatus::Succeeded, CompleteStatus::Failed, CompleteStatus::Running] {
            let forged = CompleteIn { token: token.to_owned(), ..report(&one, status, None) };
            let refusal = world.baton.complete(&forged).await.unwrap_err();
            assert_eq!((refusal.status, refusal.problem.code.as_str()), (409, "token_not_current"));
        }
    }
    let unknown = "act_p0_00000000000000000000000001".to_owned();
    let unknown = CompleteIn { action_id: unknown, ..report(&one, CompleteStatus::Running, None) };
    let refusal = world.baton.complete(&unknown).await.unwrap_err();
    assert_eq!((refusal.status, refusal.problem.code.as_str()), (404, "action_not_found"));
    assert_eq!(world.keyspace().await.changes_since(&before), "");
}

#[tokio::test]
async fn a_completion_may_come_before_the_reply_to_its_dispatch() {
    let world = World::start().await;
    let processor = world.processor(world.spec("hasty"), |mut call| async move {
        let accepted = call.succeed(&json!("done")).await.unwrap();
        assert_eq!(accepted.outcome, CompleteOutcome::Accepted);
        Reply::json(&json!("another answer"))
    });
    let hasty = processor.await;
    let jobs = ["hasty", "hasty", "hasty"];
    let id = world.baton.submit(&action(&json!(0), &jobs, Some(&world.receiver.url()))).await;
    world.receiver.wait_for(1).await;
    assert_eq!(world.receiver.of(&id)[0].result(), json!("done"));
    assert_eq!(hasty.counts().into_values().collect::<Vec<_>>(), [1, 1, 1]);
    world.assert_sound().await;
}

#[tokio::test]
async fn silence_ends_the_lease_and_the_step_goes_out_again_under_a_new_token() {
    let world = World::start().await;
    let silent = silent(&world).await;
    let mut submitted = action(&json!("in"), &["silent"], None);
    submitted.jobs[0].timeout_ms = Some(300);
    submitted.jobs[0].max_attempts = Some(2);
    let id = world.baton.submit(&submitted).await;
    silent.wait_for(2).await;
    let [first, second] = silent.arrivals().try_into().unwrap();
    assert_eq!(first.process.lease_ms, 300);
    assert_eq!((first.process.attempt, second.process.attempt), (1, 2));
    assert_eq!(first.idempotency_key(), second.idempotency_key());
    assert_ne!(first.process.token, second.process.token);
    let late = report(&first.process, CompleteStatus::Succeeded, Some("1"));
    assert_eq!(world.baton.complete(&late).await.unwrap_err().status, 409);

    let ended = world.baton.ended(&id).await;
    assert_eq!((ended.status, ended.data.unwrap().get()), (Status::Failed, r#""in""#));
    let error = ended.error.unwrap();
    assert_eq!(error.code, "no_reply_no_completion");
    assert_eq!((error.processor.as_deref(), error.attempts), (Some("silent"), Some(2)));
    let attempts = &ended.steps[0].attempts;
    assert!(attempts.iter().all(|a| a.status == AttemptStatus::Failed) && attempts.len() == 2);
    world.assert_sound().await;
}

#[tokio::test]
async fn heartbeats_keep_an_attempt_longer_than_its_lease() {
    let world = World::start().await;
    let processor = world.processor(world.spec("long"), |mut call| async move {
        tokio::spawn(async move {
            let beat = call.report(CompleteStatus::Running);
            let start = call.complete(&beat).await.unwrap().lease_ends_at.unwrap();
            let mut patience = Patience::new("heartbeats move the lease by more than its length");
            while call.complete(&beat).await.unwrap().lease_ends_at.unwrap() < start + 4_500 {
                patience.pause().await;
            }
            call.succeed(&json!("done")).await.unwrap();
        });
        Reply::accepted()
    });
    let long = processor.await;
    let mut submitted = action(&json!("in"), &["long"], Some(&world.receiver.url()));
    submitted.jobs[0].timeout_ms = Some(4_000);
    let id = world.baton.submit(&submitted).await;
    world.receiver.wait_for(1).await;
    assert_eq!(world.receiver.of(&id)[0].result(), json!("done"));
    assert_eq!(long.arrivals().len(), 1);
    world.assert_sound().await;
}

#[tokio::test]
async fn a_reported_failure_is_tried_again_unless_it_is_for_good() {
    let world = World::start().await;
    let tries = AtomicU32::new(0);
    let processor = world.processor(world.spec("failing"), move |mut call| {
        let number = tries.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(async move {
            let error =
                ErrorIn { code: Some("no_luck".to_owned()), message: format!("try {number}") };
            let report = CompleteIn {
                error: Some(error),
                retryable: (number > 0).then_some(false),
                retry_after_ms: Some(10),
                ..call.report(CompleteStatus::Failed)
            };
            call.complete(&report).await.unwrap();
        });
        async { Reply::accepted() }
    });
    let failing = processor.await;
    let submitted = action(&json!(7), &["failing", "failing"], Some(&world.receiver.url()));
    let id = world.baton.submit(&submitted).await;
    world.receiver.wait_for(1).await;
    assert_eq!(failing.arrivals().len(), 2);
    let [delivery] = world.receiver.of(&id).try_into().unwrap();
    assert_eq!(delivery.body.kind, "action.failed");
    assert_eq!(delivery.result(), json!(7));
    let error = delivery.body.data.error.unwrap();
    assert_eq!((error.code.as_str(), error.message.as_str()), ("no_luck", "try 1"));
    assert_eq!((error.step, error.attempts), (Some(0), Some(2)));
    world.assert_sound().await;
}

#[tokio::test]
async fn a_retry_asked_for_in_the_far_future_is_bounded_and_harms_nobody() {
    let world = World::start().await;
    let processor = world.processor(world.spec("late"), |mut call| async move {
        tokio::spawn(async move {
            let report = CompleteIn {
                retry_after_ms: Some(u64::MAX),
                ..call.report(CompleteStatus::Failed)
            };
            call.complete(&report).await.unwrap();
        });
        Reply::accepted()
    });
    processor.await;
    let id = world.baton.submit(&action(&json!(1), &["late"], None)).await;
    until("the failure is recorded", async || {
        world.baton.get(&id).await.waiting.is_some_and(|why| why.starts_with("backing off"))
    })
    .await;
    // Everybody else's work goes on, and the manager still answers.
    let _adder = world.adder("a").await;
    world.baton.submit(&action(&json!([]), &["a"], Some(&world.receiver.url()))).await;
    world.receiver.wait_for(1).await;
    assert_eq!(world.baton.meta().await.queues.delayed, 1);
    world.assert_sound().await;
}
