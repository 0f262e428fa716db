//! Domain to wire: what callers and receivers see of an action.

use baton_wire::action::{
    self as wire, AttemptOut, AttemptStatus, DeliveryOut, StepOut, StepStatus,
};
use baton_wire::problem::{LastError, StepError};

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

/// The `type` of the webhook that carries an outcome; nothing while there is none.
pub(crate) fn webhook_kind(status: Status) -> Option<&'static str> {
    match status {
        Status::Queued | Status::Running => None,
        Status::Succeeded => Some("action.succeeded"),
        Status::Partial => Some("action.partial"),
        Status::Failed => Some("action.failed"),
        Status::Cancelled => Some("action.cancelled"),
    }
}

/// Why an action ended without success, or was not done in full: of a partial one, the last step that was skipped.
pub(crate) fn outcome_error(action: &Action) -> Option<StepError> {
    match action.status {
        Status::Queued | Status::Running | Status::Succeeded => None,
        Status::Partial => {
            let step = action.last_skipped()?;
            let attempts: Vec<_> = action.attempts.iter().filter(|a| a.step == step).collect();
            let last = attempts.last()?;
            Some(StepError {
                step: Some(step),
                processor: Some(last.processor.clone()),
                attempts: u32::try_from(attempts.len()).ok(),
                ..error(last.failure.as_ref()?)
            })
        }
        Status::Failed | Status::Cancelled => {
            let failure = action.error.as_ref()?;
            // What an earlier run met at this step says nothing of this one.
            let mut attempts = action
                .attempts
                .iter()
                .rev()
                .filter(|attempt| attempt.step == action.step)
                .take(action.tries as usize)
                .peekable();
            let processor = attempts.peek().map(|last| last.processor.clone());
            let from_outside = action.status == Status::Cancelled || failure.is_expiry();
            let mut met = attempts.filter_map(|attempt| attempt.failure.as_ref());
            let last = from_outside.then(|| met.find(|met| *met != failure)).flatten();
            Some(StepError {
                step: Some(action.step),
                processor,
                attempts: Some(action.tries),
                last_error: last.map(|last| LastError {
                    code: last.code.clone(),
                    message: last.message.clone(),
                }),
                ..error(failure)
            })
        }
    }
}

fn error(failure: &Failure) -> StepError {
    StepError {
        code: failure.code.clone(),
        message: failure.message.clone(),
        step: None,
        processor: None,
        attempts: None,
        last_error: None,
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
    let (active, idle): (Vec<_>, Vec<_>) =
        serving.partition(|p| p.status == ProcessorStatus::Active);
    if active.is_empty() {
        let mut states: Vec<_> = idle.iter().map(|p| state(p.status)).collect();
        states.sort_unstable();
        states.dedup();
        return format!("every processor of `{target}` is {}", states.join(" or "));
    }
    let now = clock::now_ms();
    let mut taking = active.iter().filter(|p| p.takes_work(now)).peekable();
    if taking.peek().is_none() {
        let until = active.iter().map(|p| p.held_until).min().unwrap_or_default();
        return format!("every processor of `{target}` is busy; it is asked again at {until}");
    }
    if taking.all(|p| p.in_flight >= u64::from(p.capacity)) {
        return format!("every processor of `{target}` is at its capacity");
    }
    "its turn comes next".to_owned()
}

/// A processor's status in the middle of a sentence.
fn state(status: ProcessorStatus) -> &'static str {
    match status {
        ProcessorStatus::Active => "active",
        ProcessorStatus::Unhealthy => "unhealthy",
        ProcessorStatus::Paused => "paused",
        ProcessorStatus::Draining => "draining",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_is_sent_and_nothing_else() {
        for of in [
            Status::Queued,
            Status::Running,
            Status::Succeeded,
            Status::Partial,
            Status::Failed,
            Status::Cancelled,
        ] {
            assert_eq!(webhook_kind(of).is_some(), status(of).is_outcome(), "{of:?}");
        }
    }
}
