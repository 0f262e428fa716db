//! What a failed step does to its action: skip, fail; and what outcomes other than success say of it.

use std::sync::atomic::{AtomicU32, Ordering};

use baton_wire::action::{ActionOut, AttemptStatus, OnFailure, Status, StepStatus};
use baton_wire::process::{CompleteIn, CompleteStatus, ErrorIn};
use baton_wire::webhook::WebhookOut;
use http::Method;
use kit::{Processor, Reply, action, until};
use serde_json::{Value, json};

use crate::world::World;

/// A registered processor that always answers this problem.
async fn failing(world: &World, id: &str, status: u16) -> Processor {
    let problem = json!({"code": "no_luck", "detail": format!("{id} has none")});
    let reply = Reply::raw(status, problem.to_string());
    let reply = reply.with("content-type", "application/problem+json");
    let answer = move |_| {
        let reply = reply.clone();
        async { reply }
    };
    world.processor(world.spec(id), answer).await
}

/// Submits an action with the receiver as its response URL; which step is skipped, and how many attempts each has.
async fn submit(world: &World, targets: &[&str], skip: &[usize], attempts: u32) -> String {
    let mut submitted = action(&json!([]), targets, Some(&world.receiver.url()));
    for step in skip {
        submitted.jobs[*step].on_failure = Some(OnFailure::Skip);
    }
    submitted.jobs.iter_mut().for_each(|job| job.max_attempts = Some(attempts));
    world.baton.submit(&submitted).await
}

/// The action when it has ended, and its only webhook, which must say the same.
async fn delivered(world: &World, id: &str) -> (ActionOut, WebhookOut, Value) {
    let ended = world.baton.ended(id).await;
    let [delivery] = world.receiver.of(id).try_into().unwrap();
    let result = delivery.result();
    let body = delivery.body;
    assert_eq!(ended.data.as_ref().unwrap().get(), body.data.result.get());
    assert_eq!(body.data.error, ended.error);
    assert_eq!(json!(body.data.steps), json!(ended.steps));
    (ended, body, result)
}

fn statuses(action: &ActionOut) -> Vec<StepStatus> {
    action.steps.iter().map(|step| step.status).collect()
}

#[tokio::test]
async fn a_skipped_step_leaves_the_data_as_it_was_and_the_outcome_is_partial() {
    let world = World::start().await;
    let _adders = (world.adder("a").await, world.adder("c").await);
    let bad = failing(&world, "bad", 500).await;
    let id = submit(&world, &["a", "bad", "c"], &[1], 2).await;
    let (ended, body, result) = delivered(&world, &id).await;
    assert_eq!((ended.status, body.kind.as_str()), (Status::Partial, "action.partial"));
    assert_eq!(result, json!(["a", "c"]));
    let expected = [StepStatus::Succeeded, StepStatus::Skipped, StepStatus::Succeeded];
    assert_eq!(statuses(&ended), expected);
    let attempts = &body.data.steps[1].attempts;
    assert_eq!(attempts.len(), 2);
    for attempt in attempts {
        assert_eq!((attempt.processor.as_str(), attempt.status), ("bad", AttemptStatus::Failed));
        let error = attempt.error.as_ref().unwrap();
        assert_eq!((error.code.as_str(), error.message.as_str()), ("no_luck", "bad has none"));
    }
    let error = body.data.error.unwrap();
    assert_eq!((error.code.as_str(), error.message.as_str()), ("no_luck", "bad has none"));
    assert_eq!((error.step, error.attempts), (Some(1), Some(2)));
    assert_eq!(error.processor.as_deref(), Some("bad"));
    assert_eq!(bad.counts()[&(id, 1)], 2);
    world.assert_sound().await;
}

#[tokio::test]
async fn the_last_step_may_be_skipped_too_and_the_error_names_the_last_of_several() {
    let world = World::start().await;
    let _a = world.adder("a").await;
    let (_bad, _worse) = (failing(&world, "bad", 400).await, failing(&world, "worse", 404).await);
    let id = submit(&world, &["bad", "a", "worse"], &[0, 2], 5).await;
    let (ended, body, result) = delivered(&world, &id).await;
    assert_eq!((body.kind.as_str(), result), ("action.partial", json!(["a"])));
    let expected = [StepStatus::Skipped, StepStatus::Succeeded, StepStatus::Skipped];
    assert_eq!(statuses(&ended), expected);
    let error = body.data.error.unwrap();
    assert_eq!((error.step, error.attempts), (Some(2), Some(1)));
    assert_eq!(
        (error.processor.as_deref(), error.message.as_str()),
        (Some("worse"), "worse has none")
    );
    assert_eq!(ended.steps[0].attempts[0].error.as_ref().unwrap().message, "bad has none");
    world.assert_sound().await;
}

#[tokio::test]
async fn silence_and_a_reported_failure_are_skipped_like_any_other() {
    let world = World::start().await;
    let _a = world.adder("a").await;
    let _silent = world.processor(world.spec("silent"), |_| async { Reply::accepted() }).await;
    let reporting = world.processor(world.spec("reporting"), |mut call| async move {
        tokio::spawn(async move {
            let error = ErrorIn { code: Some("mine".to_owned()), message: "no".to_owned() };
            let report = CompleteIn {
                error: Some(error),
                retryable: Some(false),
                ..call.report(CompleteStatus::Failed)
            };
            call.complete(&report).await.unwrap();
        });
        Reply::accepted()
    });
    let _reporting = reporting.await;
    let url = world.receiver.url();
    let mut submitted = action(&json!([]), &["silent", "reporting", "a"], Some(&url));
    for job in &mut submitted.jobs[..2] {
        job.on_failure = Some(OnFailure::Skip);
        job.max_attempts = Some(1);
    }
    submitted.jobs[0].timeout_ms = Some(300);
    let id = world.baton.submit(&submitted).await;
    let (ended, body, result) = delivered(&world, &id).await;
    assert_eq!((body.kind.as_str(), result), ("action.partial", json!(["a"])));
    let code = |step: usize| ended.steps[step].attempts[0].error.as_ref().unwrap().code.as_str();
    assert_eq!((code(0), code(1)), ("no_reply_no_completion", "mine"));
    let error = body.data.error.unwrap();
    assert_eq!((error.code.as_str(), error.step, error.attempts), ("mine", Some(1), Some(1)));
    world.assert_sound().await;
}

#[tokio::test]
async fn a_failed_action_names_step_processor_attempts_and_last_error() {
    let world = World::start().await;
    let _adders = (world.adder("a").await, world.adder("c").await);
    let tries = AtomicU32::new(0);
    let processor = world.processor(world.spec("bad").name("kind"), move |_| {
        let number = 1 + tries.fetch_add(1, Ordering::SeqCst);
        let problem = json!({"code": "no_luck", "detail": format!("try {number}")}).to_string();
        async { Reply::raw(500, problem).with("content-type", "application/problem+json") }
    });
    let _bad = processor.await;
    let id = submit(&world, &["a", "kind", "c"], &[], 3).await;
    let (ended, body, result) = delivered(&world, &id).await;
    assert_eq!((ended.status, body.kind.as_str()), (Status::Failed, "action.failed"));
    assert_eq!(result, json!(["a"]));
    let expected = [StepStatus::Succeeded, StepStatus::Failed, StepStatus::NotReached];
    assert_eq!(statuses(&ended), expected);
    let error = body.data.error.unwrap();
    assert_eq!((error.code.as_str(), error.message.as_str()), ("no_luck", "try 3"));
    assert_eq!((error.step, error.attempts), (Some(1), Some(3)));
    assert_eq!((error.processor.as_deref(), error.last_error), (Some("bad"), None));
    world.assert_sound().await;
}

#[tokio::test]
async fn a_skip_does_not_hide_a_later_failure() {
    let world = World::start().await;
    let (_bad, _worse) = (failing(&world, "bad", 400).await, failing(&world, "worse", 400).await);
    let id = submit(&world, &["bad", "worse"], &[0], 1).await;
    let (ended, body, _) = delivered(&world, &id).await;
    assert_eq!((ended.status, body.kind.as_str()), (Status::Failed, "action.failed"));
    assert_eq!(statuses(&ended), [StepStatus::Skipped, StepStatus::Failed]);
    let error = body.data.error.unwrap();
    assert_eq!((error.step, error.message.as_str()), (Some(1), "worse has none"));
    world.assert_sound().await;
}

#[tokio::test]
async fn a_cancelled_action_names_step_processor_attempts_and_last_error() {
    let world = World::start().await;
    let tries = AtomicU32::new(0);
    // It fails once, and is silent then.
    let processor = world.processor(world.spec("p"), move |_| {
        let first = tries.fetch_add(1, Ordering::SeqCst) == 0;
        async move { if first { Reply::status(500) } else { Reply::accepted() } }
    });
    let p = processor.await;
    // Also when its step would be skipped: somebody wants no more of it.
    let id = submit(&world, &["p", "p"], &[0], 5).await;
    p.wait_for(2).await;
    let path = format!("/action/{id}");
    let answer = world.baton.send(Method::DELETE, &path, &[], "").await;
    assert_eq!(answer.status, 200);
    let (ended, body, result) = delivered(&world, &id).await;
    assert_eq!((ended.status, body.kind.as_str()), (Status::Cancelled, "action.cancelled"));
    assert_eq!(result, json!([]));
    let error = body.data.error.unwrap();
    assert_eq!((error.code.as_str(), error.step), ("cancelled", Some(0)));
    assert_eq!((error.processor.as_deref(), error.attempts), (Some("p"), Some(2)));
    assert_eq!(error.last_error.unwrap().code, "processor_status_500");
    world.assert_sound().await;
}

#[tokio::test]
async fn expiry_while_an_attempt_runs_ends_the_action_also_where_the_step_would_be_skipped() {
    let world = World::start().await;
    let silent = world.processor(world.spec("silent"), |_| async { Reply::accepted() }).await;
    let mut submitted = action(&json!([]), &["silent", "silent"], Some(&world.receiver.url()));
    submitted.jobs[0].on_failure = Some(OnFailure::Skip);
    submitted.expires_in_ms = Some(1_000);
    let id = world.baton.submit(&submitted).await;
    silent.wait_for(1).await;
    until("it expires", async || world.baton.get(&id).await.status == Status::Failed).await;
    let (ended, body, _) = delivered(&world, &id).await;
    assert_eq!(body.kind, "action.failed");
    assert!(ended.ended_at.unwrap() >= ended.expires_at);
    let error = body.data.error.unwrap();
    assert_eq!((error.code.as_str(), error.step), ("expired", Some(0)));
    assert_eq!((error.processor.as_deref(), error.attempts), (Some("silent"), Some(1)));
    assert_eq!(error.last_error, None);
    let late = CompleteIn {
        action_id: id.clone(),
        token: silent.arrivals()[0].process.token.clone(),
        status: CompleteStatus::Succeeded,
        data: None,
        error: None,
        retryable: None,
        retry_after_ms: None,
    };
    assert_eq!(world.baton.complete(&late).await.unwrap_err().status, 409);
    world.assert_sound().await;
}
