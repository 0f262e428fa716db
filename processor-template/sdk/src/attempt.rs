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
/// Heartbeats come no closer together, however short the lease.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);
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
                Verdict::Accepted { .. } | Verdict::Over => return,
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
        let interval = (self.lease / 3).max(SHORTEST_INTERVAL);
        let timeout = interval.clamp(Duration::from_secs(1), Duration::from_secs(5));
        let report = self.report(CompleteStatus::Running);
        let mut delay = interval;
        loop {
            sleep(delay).await;
            delay = match self.shared.manager.report(&self.complete_url, &report, timeout).await {
                Verdict::Accepted { lease_ends_at } => next_beat(interval, lease_ends_at, now_ms()),
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

/// When to beat again: after a third of what is left of the lease, as the manager tells it, and no later than
/// `interval`, a third of the lease as it was dispatched. Their clocks may differ: one that is ahead of the manager's
/// sees less left than there is, so not much sooner either.
fn next_beat(interval: Duration, lease_ends_at: Option<u64>, now_ms: u64) -> Duration {
    let left = lease_ends_at.map(|ends| Duration::from_millis(ends.saturating_sub(now_ms)));
    let shortest = (interval / 4).max(SHORTEST_INTERVAL).min(interval);
    left.map_or(interval, |left| (left / 3).clamp(shortest, interval))
}

/// An answer has no way to delay the next attempt of one action alone (`503` with `Retry-After` holds
/// the whole processor); a report has.
fn wants_delay(outcome: &Outcome) -> bool {
    matches!(outcome, Err(Failure { kind: Kind::Retryable { after: Some(_) }, .. }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_heartbeat_comes_well_before_the_lease_ends_whatever_the_clocks_say() {
        const NOW: u64 = 1_000_000;
        let interval = Duration::from_secs(20);
        let next = |ends: Option<u64>| next_beat(interval, ends, NOW).as_millis();
        for (ends, expected) in [
            (None, 20_000),
            (Some(NOW + 60_000), 20_000),
            // The manager gives less than it was asked for.
            (Some(NOW + 30_000), 10_000),
            (Some(NOW + 3_000), 5_000),
            // Its clock is ahead of this one, or far behind.
            (Some(NOW + 600_000), 20_000),
            (Some(u64::MAX), 20_000),
            (Some(NOW), 5_000),
            (Some(0), 5_000),
        ] {
            assert_eq!(next(ends), expected, "{ends:?}");
        }
        let short = Duration::from_millis(10);
        assert_eq!(next_beat(short, Some(NOW + 3), NOW), short);
    }
}
