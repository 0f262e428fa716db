//! Domain to wire: what callers and receivers see of an action.

use baton_wire::action::{
    self as wire, AttemptOut, AttemptStatus, DeliveryOut, StepOut, StepStatus,
};
use baton_wire::problem::StepError;

use crate::clock;
use crate::domain::action::{DeliveryStatus, Status};
use crate::domain::{Action, Failure};
use crate::store::{Processor, ProcessorStatus};

/// An action's status on the wire.
pub(crate) fn status(status: Status) -> wire::Status {
    match status {
        Status::Queued => wire::Status::Queued,
        Status::Running => wire::Status::Running,
        Status::Succeeded => wire::Status::Succeeded,
        Status::Partial => wire::Status::Partial,
        Status::Failed => wire::Status::Failed,
        Status::Cancelled => wire::Status::Cancelled,
    }
}

/// How a delivery stands, on the wire.
pub(crate) fn delivery(action: &Action) -> DeliveryOut {
    let delivery = &action.delivery;
    DeliveryOut {
        status: match delivery.status {
            DeliveryStatus::None => wire::DeliveryStatus::None,
            DeliveryStatus::Pending => wire::DeliveryStatus::Pending,
            DeliveryStatus::Delivered => wire::DeliveryStatus::Delivered,
            DeliveryStatus::Exhausted => wire::DeliveryStatus::Exhausted,
        },
        attempts: delivery.tries,
        next_at: delivery.due_at.filter(|_| delivery.status == DeliveryStatus::Pending),
        last_error: delivery.error.clone(),
    }
}

/// The timeline.
pub(crate) fn steps(action: &Action) -> Vec<StepOut> {
    let ended = status(action.status).is_outcome();
    action
        .jobs
        .iter()
        .zip(0..)
        .map(|(job, step)| {
            let mut attempts: Vec<AttemptOut> = action
                .attempts
                .iter()
                .filter(|attempt| attempt.step == step)
                .map(|attempt| AttemptOut {
                    processor: attempt.processor.clone(),
                    started_at: attempt.claimed_at,
                    ended_at: Some(attempt.ended_at),
                    status: match attempt.failure {
                        None => AttemptStatus::Succeeded,
                        Some(_) => AttemptStatus::Failed,
                    },
                    error: attempt.failure.as_ref().map(error),
                })
                .collect();
            if let Some(running) = action.attempt.as_ref().filter(|_| step == action.step) {
                attempts.push(AttemptOut {
                    processor: running.processor.clone(),
                    started_at: running.claimed_at,
                    ended_at: None,
                    status: AttemptStatus::Running,
                    error: None,
                });
            }
            let state = step_status(action, step, ended, &attempts);
            StepOut { step, target: job.target.as_str().to_owned(), status: state, attempts }
        })
        .collect()
}

fn step_status(action: &Action, step: u32, ended: bool, attempts: &[AttemptOut]) -> StepStatus {
    if attempts.last().is_some_and(|last| last.status == AttemptStatus::Succeeded) {
        StepStatus::Succeeded
    } else if action.is_skipped(step) {
        StepStatus::Skipped
    } else if step > action.step {
        if ended { StepStatus::NotReached } else { StepStatus::Waiting }
    } else if ended {
        StepStatus::Failed
    } else if action.attempt.is_some() {
        StepStatus::Running
    } else {
        StepStatus::Ready
    }
}

/// Why an action ended without success.
pub(crate) fn outcome_error(action: &Action) -> Option<StepError> {
    let failure = action.error.as_ref().filter(|_| action.status == Status::Failed)?;
    let last = action.attempts.iter().rev().find(|attempt| attempt.step == action.step);
    Some(StepError {
        step: Some(action.step),
        processor: last.map(|attempt| attempt.processor.clone()),
        attempts: Some(action.tries),
        ..error(failure)
    })
}

fn error(failure: &Failure) -> StepError {
    StepError {
        code: failure.code.clone(),
        message: failure.message.clone(),
        step: None,
        processor: None,
        attempts: None,
    }
}

/// Why an action without a running attempt waits, in words.
pub(crate) fn why_it_waits(action: &Action, processors: &[Processor]) -> String {
    let target = action.job().target.as_str();
    if action.ready_at > clock::now_ms() {
        let why = if action.tries > 0 { "backing off" } else { "delayed" };
        return format!("{why} until {}", action.ready_at);
    }
    let mut serving = processors.iter().filter(|p| p.serves(target)).peekable();
    if serving.peek().is_none() {
        return format!("no processor with the id or name `{target}` is registered");
    }
    let mut active = serving.filter(|p| p.status == ProcessorStatus::Active).peekable();
    if active.peek().is_none() {
        return format!("every processor of `{target}` is unhealthy, paused or draining");
    }
    let now = clock::now_ms();
    let mut taking = active.clone().filter(|p| p.takes_work(now)).peekable();
    if taking.peek().is_none() {
        let until = active.map(|p| p.held_until).min().unwrap_or_default();
        return format!("every processor of `{target}` is busy; it is asked again at {until}");
    }
    if taking.all(|p| p.in_flight >= u64::from(p.capacity)) {
        return format!("every processor of `{target}` is at its capacity");
    }
    "its turn comes next".to_owned()
}
