//! Attempts that outlast their dispatch: reports, heartbeats, cancellation, repeats.

use std::time::Duration;

use baton_sdk::{Failure, Job, Processor};
use baton_wire::process::CompleteStatus;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::gate::gated;
use crate::kit::Running;

const SHORT: Duration = Duration::from_millis(30);

#[tokio::test]
async fn a_result_that_takes_longer_is_reported() {
    let (processor, mut gate) = gated();
    let mut running = Running::start(processor.answer_within(SHORT)).await;
    let answer = running.dispatch("1").send().await;
    assert_eq!((answer.status, answer.body.as_str()), (202, ""));
    gate.started().await;
    gate.release();
    let report = running.manager.report().await;
    assert_eq!((report.action_id.as_str(), report.token.as_str()), ("act_1", "tok_1"));
    assert_eq!(report.status, CompleteStatus::Succeeded);
    assert_eq!(report.data.unwrap().get(), "\"done\"");
}

#[tokio::test]
async fn an_asynchronous_processor_never_answers_with_the_result() {
    let (processor, gate) = gated();
    let mut running = Running::start(processor.asynchronous()).await;
    gate.release();
    assert_eq!(running.dispatch("1").send().await.status, 202);
    assert_eq!(running.manager.report().await.data.unwrap().get(), "\"done\"");
}

#[tokio::test]
async fn a_report_is_repeated_until_the_manager_has_it() {
    let (processor, gate) = gated();
    let mut running = Running::start(processor.asynchronous()).await;
    running.manager.answer_reports(&[(503, Some(0)), (500, None), (429, Some(0))]);
    gate.release();
    running.dispatch("1").send().await;
    for _ in 0..4 {
        let report = running.manager.report().await;
        assert_eq!(report.status, CompleteStatus::Succeeded);
        assert_eq!(report.data.unwrap().get(), "\"done\"");
    }
    running.stop();
    // It waits for every report: nothing comes after the accepted one.
    let mut manager =
        std::mem::replace(&mut running.manager, crate::manager::Manager::start(1).await);
    running.stopped().await;
    assert!(!manager.has_report());
}

#[tokio::test]
async fn an_output_that_the_manager_refuses_fails_the_step_for_good() {
    let (processor, gate) = gated();
    let mut running = Running::start(processor.asynchronous()).await;
    running.manager.answer_reports(&[(413, None)]);
    gate.release();
    running.dispatch("1").send().await;
    assert_eq!(running.manager.report().await.status, CompleteStatus::Succeeded);
    let report = running.manager.report().await;
    assert_eq!((report.status, report.retryable), (CompleteStatus::Failed, Some(false)));
    assert_eq!(report.error.unwrap().code.as_deref(), Some("output_refused"));
}

#[tokio::test]
async fn a_failure_with_a_time_to_come_again_is_reported_with_it() {
    let fail = async |_: Job| {
        Err::<(), _>(Failure::retryable("not yet").retry_after(Duration::from_millis(2500)))
    };
    let mut running = Running::start(Processor::new("test", fail)).await;
    assert_eq!(running.dispatch("1").send().await.status, 202);
    let report = running.manager.report().await;
    assert_eq!((report.status, report.retryable), (CompleteStatus::Failed, Some(true)));
    assert_eq!(report.retry_after_ms, Some(2500));
    assert_eq!(report.error.unwrap().message, "not yet");
}

#[tokio::test]
async fn the_lease_is_renewed_while_the_function_works() {
    let (processor, mut gate) = gated();
    let mut running = Running::start(processor.asynchronous()).await;
    running.manager.answer_beats(&[(200, None), (503, None), (503, Some(0))]);
    running.dispatch("1").lease(Duration::from_millis(60)).send().await;
    gate.started().await;
    for _ in 0..6 {
        let beat = running.manager.beat().await;
        assert_eq!((beat.status, beat.token.as_str()), (CompleteStatus::Running, "tok_1"));
    }
    gate.release();
    assert_eq!(running.manager.report().await.status, CompleteStatus::Succeeded);
}

#[tokio::test]
async fn work_that_the_manager_gave_up_is_stopped() {
    for status in [404, 409] {
        let (processor, mut gate) = gated();
        let mut running = Running::start(processor.asynchronous()).await;
        running.manager.answer_beats(&[(200, None), (status, None)]);
        running.dispatch("1").lease(Duration::from_millis(60)).send().await;
        gate.started().await;
        gate.cancelled().await;
        running.stop();
        let mut manager =
            std::mem::replace(&mut running.manager, crate::manager::Manager::start(1).await);
        running.stopped().await;
        assert!(!manager.has_report(), "after {status}");
    }
}

#[tokio::test]
async fn a_dispatch_that_waits_for_work_given_up_may_be_tried_again() {
    let (processor, mut gate) = gated();
    let running = Running::start(processor).await;
    running.manager.answer_beats(&[(409, None)]);
    let answer = running.dispatch("1").lease(Duration::from_secs(1)).send().await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "attempt_over"));
    assert_eq!(answer.retry_after, None);
    gate.cancelled().await;
}

#[tokio::test]
async fn the_result_is_reported_when_the_manager_hangs_up() {
    let (processor, mut gate) = gated();
    let mut running = Running::start(processor).await;
    let mut connection = running.dispatch("1").write().await;
    gate.started().await;
    // The processor closes its side once it has seen that ours is closed.
    connection.shutdown().await.unwrap();
    assert_eq!(connection.read_to_end(&mut Vec::new()).await.unwrap(), 0);
    gate.release();
    assert_eq!(running.manager.report().await.data.unwrap().get(), "\"done\"");
}

#[tokio::test]
async fn a_repeated_dispatch_joins_the_running_work() {
    let (processor, mut gate) = gated();
    let mut running = Running::start(processor.asynchronous()).await;
    running.dispatch("1").send().await;
    gate.started().await;
    let again = running.dispatch("1").attempt(2).send().await;
    assert_eq!(again.status, 202);
    assert!(!gate.has_started());
    gate.release();
    let mut tokens = [running.manager.report().await.token, running.manager.report().await.token];
    tokens.sort();
    assert_eq!(tokens, ["tok_1", "tok_2"]);
    // The work is over: a further dispatch starts anew.
    running.dispatch("1").attempt(3).send().await;
    assert_eq!(gate.started().await.attempt(), 3);
}

#[tokio::test]
async fn work_goes_on_while_one_of_its_attempts_is_wanted() {
    let (processor, mut gate) = gated();
    let mut running = Running::start(processor.asynchronous()).await;
    running.manager.answer_beats(&[(409, None)]);
    running.dispatch("1").attempt(2).send().await;
    running.dispatch("1").lease(Duration::from_millis(60)).send().await;
    assert_eq!(running.manager.beat().await.token, "tok_1");
    gate.started().await;
    gate.release();
    assert_eq!(running.manager.report().await.token, "tok_2");
}
