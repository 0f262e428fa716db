//! Drain and stop.

use std::time::Duration;

use baton_wire::process::CompleteStatus;

use crate::gate::gated;
use crate::kit::Running;

#[tokio::test]
async fn a_stop_leaves_and_ends_what_runs_but_takes_nothing_new() {
    let (processor, mut gate) = gated();
    let mut running = Running::start(processor).await;
    let under_way = tokio::spawn(running.dispatch("1").send());
    gate.started().await;
    running.stop();
    let (id, query) = running.manager.leave().await;
    assert_eq!((id.as_str(), query.as_str()), ("test-1", "epoch=7"));

    let answer = running.dispatch("1").action("act_new").send().await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "processor_stopping"));
    assert_eq!(answer.retry_after.as_deref(), Some("1"));
    assert!(!gate.has_started());

    gate.release();
    let answer = under_way.await.unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (200, "\"done\""));
    running.stopped().await;
}

#[tokio::test]
async fn it_stays_to_decline_what_the_manager_has_on_its_way() {
    let (processor, mut gate) = gated();
    let mut running = Running::start(processor).await;
    running.manager.set_gone(false);
    running.stop();
    for _ in 0..2 {
        running.manager.leave().await;
    }
    // It has nothing to do any more, and yet it answers.
    assert_eq!(running.dispatch("1").send().await.code(), "processor_stopping");
    assert!(!gate.has_started());
    running.manager.set_gone(true);
    running.stopped().await;
}

#[tokio::test]
async fn a_stop_waits_for_reports() {
    let (processor, mut gate) = gated();
    let mut running = Running::start(processor.asynchronous()).await;
    running.manager.answer_reports(&[(503, None)]);
    running.dispatch("1").send().await;
    gate.started().await;
    running.stop();
    running.manager.leave().await;
    gate.release();
    for _ in 0..2 {
        assert_eq!(running.manager.report().await.status, CompleteStatus::Succeeded);
    }
    running.stopped().await;
}

#[tokio::test]
async fn work_that_outlasts_the_stop_is_handed_back() {
    let (processor, mut gate) = gated();
    let mut running = Running::start(processor.stop_within(Duration::from_secs(1))).await;
    let under_way = tokio::spawn(running.dispatch("1").send());
    gate.started().await;
    running.stop();
    let answer = under_way.await.unwrap();
    assert_eq!((answer.status, answer.code().as_str()), (503, "processor_stopping"));
    assert_eq!(answer.retry_after.as_deref(), Some("1"));
    gate.cancelled().await;
    running.stopped().await;
}

#[tokio::test]
async fn asynchronous_work_that_outlasts_the_stop_is_reported_as_failed() {
    let (processor, mut gate) = gated();
    let processor = processor.asynchronous().stop_within(Duration::from_secs(1));
    let mut running = Running::start(processor).await;
    running.dispatch("1").send().await;
    gate.started().await;
    running.stop();
    let report = running.manager.report().await;
    assert_eq!((report.status, report.retryable), (CompleteStatus::Failed, Some(true)));
    assert_eq!(report.error.unwrap().code.as_deref(), Some("processor_stopping"));
    gate.cancelled().await;
    running.stopped().await;
}
