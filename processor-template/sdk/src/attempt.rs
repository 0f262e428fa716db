//! One dispatched attempt: heartbeats while it runs, an answer in time or a report later.

use std::sync::Arc;
use std::time::Duration;

use baton_wire::process::{CompleteIn, CompleteStatus, ErrorIn, ProcessIn};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

use crate::backoff::Backoff;
use crate::clock::now_ms;
use crate::failure::{Failure, Kind};
use crate::manager::Verdict;
use crate::reply::Answer;
use crate::shared::Shared;
use crate::work::{Outcome, Work};

const REPORT_TIMEOUT: Duration = Duration::from_secs(30);
const FIRST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(15);
/// No action is waited for longer; it also keeps an absurd expiry from overflowing the clock.
const LONGEST_WAIT: Duration = Duration::from_secs(30 * 24 * 3600);

/// An attempt under way. It holds the work: when no attempt wants its result any more, it stops.
pub(crate) struct Attempt {
    shared: Arc<Shared>,
    work: Arc<Work>,
    action_id: String,
    token: String,
    complete_url: String,
    lease: Duration,
    /// When a report is of no use any more.
    give_up: Instant,
}

/// What comes first while the dispatch waits for its answer.
enum First {
    Outcome(Arc<Outcome>),
    Unheard,
    Slow,
    Over,
    Stopping,
}

impl Attempt {
    /// The attempt that a request asks for, with the work that it started or joined.
    pub(crate) fn new(shared: Arc<Shared>, work: Arc<Work>, process: ProcessIn) -> Self {
        let lease = Duration::from_millis(process.lease_ms).min(LONGEST_WAIT);
        // At least a lease, in case this clock is ahead of the manager's.
        let left = Duration::from_millis(process.expires_at.saturating_sub(now_ms()));
        let give_up = Instant::now() + left.max(lease).min(LONGEST_WAIT);
        let ProcessIn { action_id, token, complete_url, .. } = process;
        Self { shared, work, action_id, token, complete_url, lease, give_up }
    }

    /// Follows the attempt to its end. `reply` takes the answer to the dispatch; what it no longer
    /// takes, because the time is over or the manager hung up, is reported.
    pub(crate) async fn run(self, mut reply: oneshot::Sender<Answer>) {
        let mut beats = std::pin::pin!(self.beat());
        let first = match self.shared.answer_within {
            None => First::Slow,
            // The manager waits no longer than the lease, which heartbeats do not change here.
            Some(patience) => tokio::select! {
                biased;
                outcome = self.work.outcome() => First::Outcome(outcome),
                () = self.shared.hand_back.cancelled() => First::Stopping,
                () = &mut beats => First::Over,
                () = reply.closed() => First::Unheard,
                () = sleep(patience.min(self.lease / 2)) => First::Slow,
            },
        };
        let (answer, ends) = match first {
            First::Outcome(outcome) if !wants_delay(&outcome) => (Answer::Done(outcome), true),
            First::Outcome(_) | First::Slow | First::Unheard => (Answer::Later, false),
            First::Stopping => (Answer::HandedBack, true),
            First::Over => return drop(reply.send(Answer::Over)),
        };
        let heard = reply.send(answer).is_ok();
        if heard && ends {
            return;
        }
        tokio::select! {
            biased;
            () = self.finish() => {}
            () = beats => tracing::info!(
                action_id = self.action_id, "the manager gave the attempt up: stopped"
            ),
        }
    }

    /// Waits for the outcome, or the end of this processor, and reports.
    async fn finish(&self) {
        let report = tokio::select! {
            biased;
            outcome = self.work.outcome() => self.settled(&outcome),
            () = self.shared.hand_back.cancelled() => self.failed(
                &Failure::retryable("the processor stopped before the work was done")
                    .code("processor_stopping"),
            ),
        };
        self.settle(report).await;
    }

    /// Reports until the manager has it, does not want it, or the action has expired.
    async fn settle(&self, mut report: CompleteIn) {
        let mut backoff = Backoff::new(FIRST_DELAY, LONGEST_DELAY);
        let mut refused = false;
        let action_id = &self.action_id;
        loop {
            let verdict =
                self.shared.manager.report(&self.complete_url, &report, REPORT_TIMEOUT).await;
            let (after, reason) = match verdict {
                Verdict::Accepted | Verdict::Over => return,
                Verdict::Refused(reason) if refused => {
                    tracing::error!(action_id, "the manager refuses every report: {reason}");
                    return;
                }
                Verdict::Refused(reason) => {
                    // Else the lease would end, and the next attempt come to the same.
                    tracing::error!(action_id, "the manager refuses the output: {reason}");
                    refused = true;
                    let reason = format!("the manager refuses the output: {reason}");
                    report = self.failed(&Failure::permanent(reason).code("output_refused"));
                    continue;
                }
                Verdict::Retry { after, reason } => (after, reason),
            };
            let delay = after.unwrap_or_else(|| backoff.next());
            if Instant::now() + delay >= self.give_up {
                tracing::error!(action_id, "the action expires unreported: {reason}");
                return;
            }
            tracing::warn!(action_id, "not reported, next try in {delay:?}: {reason}");
            sleep(delay).await;
        }
    }

    /// Renews the lease for as long as the manager lets it; ends when the attempt is over.
    async fn beat(&self) {
        let interval = (self.lease / 3).max(Duration::from_millis(10));
        let timeout = interval.clamp(Duration::from_secs(1), Duration::from_secs(5));
        let report = self.report(CompleteStatus::Running);
        let mut delay = interval;
        loop {
            sleep(delay).await;
            delay = match self.shared.manager.report(&self.complete_url, &report, timeout).await {
                Verdict::Accepted => interval,
                Verdict::Over => return,
                // Sooner than a whole interval: the lease runs.
                Verdict::Retry { after, reason } => {
                    tracing::warn!(action_id = self.action_id, "heartbeat not heard: {reason}");
                    after.unwrap_or(interval / 4).min(interval)
                }
                Verdict::Refused(reason) => {
                    tracing::error!(action_id = self.action_id, "heartbeat refused: {reason}");
                    interval
                }
            };
        }
    }

    fn settled(&self, outcome: &Outcome) -> CompleteIn {
        match outcome {
            Ok(output) => {
                CompleteIn { data: output.0.clone(), ..self.report(CompleteStatus::Succeeded) }
            }
            Err(failure) => self.failed(failure),
        }
    }

    fn failed(&self, failure: &Failure) -> CompleteIn {
        let error = ErrorIn { code: Some(failure.code.clone()), message: failure.message.clone() };
        let millis = |delay: Duration| u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        CompleteIn {
            error: Some(error),
            retryable: Some(failure.is_retryable()),
            retry_after_ms: failure.delay().map(millis),
            ..self.report(CompleteStatus::Failed)
        }
    }

    fn report(&self, status: CompleteStatus) -> CompleteIn {
        CompleteIn {
            action_id: self.action_id.clone(),
            token: self.token.clone(),
            status,
            data: None,
            error: None,
            retryable: None,
            retry_after_ms: None,
        }
    }
}

/// An answer has no way to delay the next attempt of one action alone (`503` with `Retry-After` holds
/// the whole processor); a report has.
fn wants_delay(outcome: &Outcome) -> bool {
    matches!(outcome, Err(Failure { kind: Kind::Retryable { after: Some(_) }, .. }))
}
