//! An action as the manager holds it while it works on it.

use std::collections::BTreeMap;

use super::id::{ActionId, Nonce, TokenHash};
use super::job::{Job, Jobs};

/// How long a whole action may take when the caller does not say, in milliseconds: 24 hours.
pub const DEFAULT_EXPIRES_IN_MS: u64 = 24 * 3_600_000;

const EXPIRED: &str = "expired";

/// Where an action is in its life; see [`baton_wire::action::Status`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// No attempt was dispatched yet.
    Queued,
    /// At least one attempt was dispatched.
    Running,
    /// Every step succeeded.
    Succeeded,
    /// A step was skipped.
    Partial,
    /// A step failed, or the action expired.
    Failed,
    /// It was cancelled.
    Cancelled,
}

/// A snapshot of an action's record.
#[derive(Debug, Clone)]
pub struct Action {
    /// Its id.
    pub id: ActionId,
    /// Counts the transitions.
    pub version: u64,
    /// Where it is.
    pub status: Status,
    /// The number of the run.
    pub run: u32,
    /// The current step, from 0.
    pub step: u32,
    /// All steps.
    pub jobs: Jobs,
    /// The name of the current payload.
    pub data: Nonce,
    /// Counted attempts of the current step.
    pub tries: u32,
    /// The attempt that runs.
    pub attempt: Option<Running>,
    /// When it was accepted, when it became ready, when it expires, when its outcome was reached
    /// (milliseconds since the Unix epoch, like every time here).
    pub created_at: u64,
    /// When the current step became or becomes ready.
    pub ready_at: u64,
    /// When it expires.
    pub expires_at: u64,
    /// How long a run may take, in milliseconds, counted after any delay.
    pub expires_in_ms: u64,
    /// When its outcome was reached.
    pub ended_at: Option<u64>,
    /// Why the last attempt, or the action, failed.
    pub error: Option<Failure>,
    /// Where the outcome goes.
    pub receiver: Option<Receiver>,
    /// The caller's marks.
    pub labels: BTreeMap<String, String>,
    /// W3C trace context, carried to processors and the receiver.
    pub traceparent: Option<String>,
    /// The idempotency record it was accepted under.
    pub idempotency: Option<String>,
    /// How its delivery stands.
    pub delivery: Delivery,
    /// Settled attempts, oldest first.
    pub attempts: Vec<Attempt>,
    /// Per step the token that settled it last.
    pub settled: Vec<(u32, TokenHash)>,
}

/// The attempt that holds the action.
#[derive(Debug, Clone)]
pub struct Running {
    /// The hash of its token.
    pub token: TokenHash,
    /// The processor it was dispatched to.
    pub processor: String,
    /// When that processor had started, as the store noted it at the claim; `None` when it did not say so, or when
    /// the claim was followed without reading the record.
    pub started_at: Option<u64>,
    /// When it was claimed.
    pub claimed_at: u64,
}

/// A settled attempt.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The step, from 0.
    pub step: u32,
    /// The processor it was dispatched to.
    pub processor: String,
    /// When it was claimed.
    pub claimed_at: u64,
    /// When it was settled.
    pub ended_at: u64,
    /// Why it failed; `None` when it succeeded.
    pub failure: Option<Failure>,
}

/// Why something failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// A stable code, or the processor's own.
    pub code: String,
    /// In words.
    pub message: String,
}

impl Failure {
    /// A failure with a code and words.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into() }
    }

    /// The action's time was up.
    #[must_use]
    pub fn expired(message: impl Into<String>) -> Self {
        Self::new(EXPIRED, message)
    }

    /// Whether the action's time was up.
    #[must_use]
    pub fn is_expiry(&self) -> bool {
        self.code == EXPIRED
    }
}

/// Where an outcome goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receiver {
    /// The response URL.
    pub url: String,
    /// Its host and port: the name of its output queue.
    pub host: String,
}

/// How a delivery stands.
#[derive(Debug, Clone, Default)]
pub struct Delivery {
    /// How far it has come.
    pub status: DeliveryStatus,
    /// How often the outcome was sent.
    pub tries: u32,
    /// When it is due, or when the lease of the running send ends.
    pub due_at: Option<u64>,
    /// What the last send met.
    pub error: Option<String>,
}

/// See [`baton_wire::action::DeliveryStatus`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DeliveryStatus {
    /// No response URL, or no outcome yet.
    #[default]
    None,
    /// To be sent.
    Pending,
    /// Received.
    Delivered,
    /// Given up.
    Exhausted,
}

impl Action {
    /// The job of the current step.
    #[must_use]
    pub fn job(&self) -> &Job {
        self.jobs.get(self.step).unwrap_or_else(|| self.jobs.first())
    }

    /// The job after the current one.
    #[must_use]
    pub fn next_job(&self) -> Option<&Job> {
        self.jobs.get(self.step + 1)
    }

    /// The `webhook-id` of this run's outcome: constant over its sends.
    #[must_use]
    pub fn webhook_id(&self) -> String {
        format!("{}_{}", self.id, self.run)
    }

    /// What a processor sees as `idempotency-key`: constant over the attempts of a run's step.
    #[must_use]
    pub fn idempotency_key(&self) -> String {
        format!("{}_{}_{}", self.id, self.run, self.step)
    }

    /// The step whose attempt a token is or was, if any.
    #[must_use]
    pub fn step_of(&self, token: &TokenHash) -> Option<u32> {
        if self.attempt.as_ref().is_some_and(|running| running.token == *token) {
            return Some(self.step);
        }
        self.settled.iter().find(|(_, settled)| settled == token).map(|(step, _)| *step)
    }

    /// Whether a step that lies behind was skipped: its last attempt failed, and the action went on.
    #[must_use]
    pub fn has_skipped(&self) -> bool {
        (0..self.step).any(|step| self.is_skipped(step))
    }

    /// The last step that was skipped.
    #[must_use]
    pub fn last_skipped(&self) -> Option<u32> {
        (0..self.jobs.count()).rev().find(|step| self.is_skipped(*step))
    }

    /// Whether a step that lies behind was skipped.
    #[must_use]
    pub fn is_skipped(&self, step: u32) -> bool {
        let behind = step < self.step || self.status == Status::Partial;
        let last = self.attempts.iter().rev().find(|attempt| attempt.step == step);
        behind && last.is_some_and(|attempt| attempt.failure.is_some())
    }

    /// Follows the store: the running attempt was settled at `now`.
    pub fn settle(&mut self, now: u64, failure: Option<Failure>) {
        if let Some(running) = self.attempt.take() {
            self.attempts.push(Attempt {
                step: self.step,
                processor: running.processor,
                claimed_at: running.claimed_at,
                ended_at: now,
                failure,
            });
        }
    }

    /// Follows the store: the current step is claimed.
    pub fn claim(&mut self, token: TokenHash, processor: String, now: u64) {
        self.status = Status::Running;
        self.tries += 1;
        self.attempt = Some(Running { token, processor, started_at: None, claimed_at: now });
    }
}
