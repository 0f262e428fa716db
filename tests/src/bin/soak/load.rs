//! The submitter: offers actions at a rate, whatever becomes of them, and insists until each is accepted.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use http::StatusCode;
use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use crate::data::Data;
use crate::plan::{self, Plan};
use crate::processors::Shop;

/// How often the submitter looks at the clock.
const BEAT: Duration = Duration::from_millis(10);
/// How many submits wait for an answer at most.
const WAITING: u32 = 1_024;
/// The pause before a submit is made again.
const PAUSE: Duration = Duration::from_millis(100);
/// How often a step may be tried: no action is to fail because of what befalls the managers.
const MAX_ATTEMPTS: u32 = 60;

/// A load of so many actions a second for so long.
pub(crate) struct Load {
    pub(crate) shop: Arc<Shop>,
    /// The response URLs.
    pub(crate) receivers: Vec<String>,
    pub(crate) rate: u32,
    pub(crate) time: Duration,
    /// Ends the load early.
    pub(crate) stop: Arc<AtomicBool>,
}

#[derive(Deserialize)]
struct Accepted<'a> {
    action_id: &'a str,
}

impl Load {
    /// Offers all, and waits until each of them is accepted; answers how many there were.
    pub(crate) async fn run(self) -> u64 {
        let load = Arc::new(self);
        let waiting = Arc::new(Semaphore::new(WAITING as usize));
        let (start, mut next) = (Instant::now(), 0);
        let mut beats = interval(BEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while start.elapsed() < load.time && !load.stop.load(SeqCst) {
            beats.tick().await;
            let due = start.elapsed().as_millis() * u128::from(load.rate) / 1_000;
            while u128::from(next) < due && start.elapsed() < load.time {
                let permit = Arc::clone(&waiting).acquire_owned().await;
                let (load, number) = (Arc::clone(&load), next);
                next += 1;
                tokio::spawn(async move {
                    load.submit(number).await;
                    drop(permit);
                });
            }
        }
        let _ = waiting.acquire_many(WAITING).await;
        next
    }

    async fn submit(&self, number: u64) {
        let shop = &self.shop;
        let plan = plan::action(shop.ledger.seed(), number);
        let body = body(number, &plan, &self.receivers[plan.host]);
        let key = format!("soak-{number}");
        for attempt in number.. {
            let door = &shop.doors[usize::from(attempt % 2 == 1)];
            let answer =
                shop.caller.post(&format!("{door}/action"), Some(&key), body.clone()).await;
            match answer {
                Some((StatusCode::ACCEPTED, text)) => {
                    match serde_json::from_slice::<Accepted<'_>>(&text) {
                        Ok(accepted) => shop.ledger.accepted(number, accepted.action_id),
                        Err(error) => shop.ledger.wrong(number, &format!("has no id: {error}")),
                    }
                    return;
                }
                Some((status, text))
                    if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS =>
                {
                    let text = String::from_utf8_lossy(&text);
                    shop.ledger.wrong(number, &format!("was refused: {status} {text}"));
                    return;
                }
                Some(_) | None => {}
            }
            shop.effects.count(&shop.effects.resubmits);
            sleep(PAUSE).await;
        }
    }
}

/// The request for an action.
fn body(number: u64, plan: &Plan, receiver: &str) -> String {
    let mut body = format!(
        r#"{{"data":{},"labels":{{"n":"{number}"}},"response_url":"{receiver}","jobs":["#,
        Data::new(number).text()
    );
    for (at, step) in plan.steps.iter().enumerate() {
        let comma = if at == 0 { "" } else { "," };
        let lease = step.lease_ms;
        let target = step.target();
        let skip = if step.skip { r#","on_failure":"skip""# } else { "" };
        let _ = write!(
            body,
            r#"{comma}{{"target":"{target}","params":{number},"timeout_ms":{lease},"max_attempts":{MAX_ATTEMPTS}{skip}}}"#
        );
    }
    body.push(']');
    if plan.delay_ms > 0 {
        let _ = write!(body, r#","delay_ms":{}"#, plan.delay_ms);
    }
    body.push('}');
    body
}
