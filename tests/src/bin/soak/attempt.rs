//! One attempt at a processor: what it answers, what it reports, and what must be answered to that.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use http::StatusCode;
use kit::Reply;
use serde::Deserialize;
use tokio::time::{Instant, sleep, sleep_until};

use crate::data::{Data, Mark};
use crate::plan::{Conduct, Step};
use crate::processors::{Shop, now_ms};

/// How often a report that got no answer is made again.
const REPORTS: usize = 40;
/// The pause before that.
const PAUSE: Duration = Duration::from_millis(100);
/// How long a late completion waits for the attempt that comes after it.
const SUCCESSOR: Duration = Duration::from_secs(30);

/// An attempt that has arrived.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub(crate) shop: Arc<Shop>,
    /// Who claimed it.
    pub(crate) manager: usize,
    pub(crate) number: u64,
    pub(crate) action_id: String,
    /// The number of the step.
    pub(crate) at: usize,
    pub(crate) step: Step,
    pub(crate) attempt: u32,
    pub(crate) token: String,
    pub(crate) data: Data,
    /// Where it is reported.
    pub(crate) url: String,
    pub(crate) lease: Duration,
}

/// How a report was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    /// It counts. With the end of the lease, if it was a heartbeat.
    Accepted(Option<u64>),
    /// The attempt was settled before.
    Duplicate,
    /// The token is not the current one.
    Stale,
    /// Nothing was to be learned.
    Unknown,
}

#[derive(Deserialize)]
struct Answer<'a> {
    outcome: &'a str,
    lease_ends_at: Option<u64>,
}

/// Counts an attempt as held by its manager.
struct Held(Attempt);

impl Held {
    fn new(attempt: &Attempt) -> Self {
        attempt.shop.held[attempt.manager].fetch_add(1, SeqCst);
        Self(attempt.clone())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.shop.held[self.0.manager].fetch_sub(1, SeqCst);
    }
}

impl Attempt {
    /// Does what the plan says.
    pub(crate) async fn conduct(self) -> Reply {
        let held = Held::new(&self);
        let (first, effects) = (self.attempt == 1, Arc::clone(&self.shop.effects));
        if self.step.conduct == Conduct::Hasty && !first {
            // The attempt before may still be on its way: it must find this one unsettled.
            sleep(self.lease * 2 / 3).await;
        }
        match self.step.conduct {
            Conduct::Fail(times) if self.attempt <= times => {
                effects.count(&effects.failures);
                return Reply::status(500);
            }
            Conduct::Refuse => {
                effects.count(&effects.failures);
                return Reply::status(400);
            }
            Conduct::Hang(times) if self.attempt <= times => {
                effects.count(&effects.hangs);
                // Longer than the lease: the manager has given it up by then.
                sleep(self.lease * 3 / 2).await;
                return Reply::Cut;
            }
            Conduct::TwiceByReply => {
                let taken = self.succeed(&self.output()).await;
                if matches!(taken, Taken::Accepted(_) | Taken::Duplicate) {
                    effects.count(&effects.doubles);
                    return Reply::raw(200, self.poison().text());
                }
            }
            Conduct::Complete
            | Conduct::CompleteFailed
            | Conduct::Late
            | Conduct::Twice
            | Conduct::Beat
            | Conduct::LateBeat
            | Conduct::CompleteRefused => {
                tokio::spawn(async move {
                    self.report().await;
                    drop(held);
                });
                return Reply::accepted();
            }
            Conduct::Reply | Conduct::Hasty | Conduct::Fail(_) | Conduct::Hang(_) => {}
        }
        Reply::raw(200, self.output().text())
    }

    /// What follows a 202.
    async fn report(&self) {
        let effects = &self.shop.effects;
        let first = self.attempt == 1;
        match self.step.conduct {
            Conduct::CompleteFailed if first => {
                effects.count(&effects.failures);
                self.send("failed", r#","retry_after_ms":50"#).await;
            }
            Conduct::CompleteRefused => {
                effects.count(&effects.failures);
                self.send("failed", r#","retryable":false"#).await;
            }
            Conduct::Late if first => self.complete_late().await,
            Conduct::Twice => self.complete_twice().await,
            Conduct::Beat => self.beat().await,
            Conduct::LateBeat if first => {
                sleep(Duration::from_millis(self.step.takes_ms)).await;
                match self.send("running", "").await {
                    Taken::Accepted(Some(ends_at)) => self.complete_within(ends_at).await,
                    Taken::Stale => effects.count(&effects.late),
                    Taken::Accepted(None) | Taken::Duplicate | Taken::Unknown => {}
                }
            }
            conduct => {
                if conduct != Conduct::LateBeat {
                    sleep(Duration::from_millis(self.step.takes_ms)).await;
                }
                self.succeed(&self.output()).await;
            }
        }
    }

    /// When the next attempt has arrived, this one's token is not the current one: it must be refused.
    async fn complete_late(&self) {
        let deadline = Instant::now() + SUCCESSOR;
        while self.shop.ledger.last_attempt(self.number, self.at) <= self.attempt {
            if Instant::now() > deadline {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
        match self.succeed(&self.output()).await {
            Taken::Stale => self.shop.effects.count(&self.shop.effects.late),
            Taken::Unknown => {}
            taken @ (Taken::Accepted(_) | Taken::Duplicate) => {
                let finding = format!(
                    "took a completion of attempt {} after the next: {taken:?}",
                    self.attempt
                );
                self.shop.ledger.wrong(self.number, &finding);
            }
        }
    }

    /// The second completion must be known as one, and change nothing.
    async fn complete_twice(&self) {
        if !matches!(self.succeed(&self.output()).await, Taken::Accepted(_) | Taken::Duplicate) {
            return;
        }
        match self.succeed(&self.poison()).await {
            Taken::Duplicate => self.shop.effects.count(&self.shop.effects.doubles),
            Taken::Unknown => {}
            taken @ (Taken::Accepted(_) | Taken::Stale) => {
                let finding = format!("was completed twice, and the second was {taken:?}");
                self.shop.ledger.wrong(self.number, &finding);
            }
        }
    }

    /// Lasts for three leases by heartbeats.
    async fn beat(&self) {
        let start = Instant::now();
        for beat in 1..=8 {
            sleep_until(start + self.lease * beat * 3 / 8).await;
            if !matches!(self.send("running", "").await, Taken::Accepted(Some(_))) {
                return;
            }
        }
        if let Taken::Accepted(Some(ends_at)) = self.send("running", "").await {
            self.complete_within(ends_at).await;
            self.shop.effects.count(&self.shop.effects.renewed);
        }
    }

    /// A lease that was renewed is a promise: until then nobody else gets the attempt.
    async fn complete_within(&self, ends_at: u64) {
        sleep(self.lease * 3 / 4).await;
        let taken = self.succeed(&self.output()).await;
        if taken == Taken::Stale && now_ms() < ends_at {
            let left = ends_at - now_ms();
            let finding = format!("was taken from its processor {left} ms before the lease's end");
            self.shop.ledger.wrong(self.number, &finding);
        }
    }

    fn output(&self) -> Data {
        let hasty = self.step.conduct == Conduct::Hasty;
        self.data.with(Mark::of(self.step.kind, self.at, self.attempt), hasty)
    }

    fn poison(&self) -> Data {
        self.data.with(Mark::poison(), false)
    }

    async fn succeed(&self, output: &Data) -> Taken {
        self.send("succeeded", &format!(r#","data":{}"#, output.text())).await
    }

    /// Reports until there is an answer; `more` are further fields.
    async fn send(&self, status: &str, more: &str) -> Taken {
        let (id, token) = (&self.action_id, &self.token);
        let body = format!(r#"{{"action_id":"{id}","token":"{token}","status":"{status}"{more}}}"#);
        for _ in 0..REPORTS {
            let answer = self.shop.caller.post(&self.url, None, body.clone()).await;
            match answer {
                Some((StatusCode::OK, text)) => {
                    let Ok(answer) = serde_json::from_slice::<Answer<'_>>(&text) else { break };
                    return match answer.outcome {
                        "accepted" => Taken::Accepted(answer.lease_ends_at),
                        _ => Taken::Duplicate,
                    };
                }
                Some((StatusCode::CONFLICT, _)) => return Taken::Stale,
                Some((status, text)) if status.is_client_error() => {
                    let text = String::from_utf8_lossy(&text);
                    self.shop.ledger.wrong(self.number, &format!("was answered {status}: {text}"));
                    return Taken::Unknown;
                }
                Some(_) | None => sleep(PAUSE).await,
            }
        }
        Taken::Unknown
    }
}
