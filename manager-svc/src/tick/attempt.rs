//! Carrying an action: dispatch, settle, and on with what the settling script claimed.

use std::time::Duration;

use bytes::Bytes;
use serde_json::value::RawValue;

use super::claim::dispatch_wait;
use super::{deliver, raw};
use crate::again::{insist, until_lease_ends};
use crate::app::{App, new_nonce};
use crate::clock;
use crate::domain::Failure;
use crate::egress::{ProcessCall, ProcessReply};
use crate::settle::{self, Failed, Follow, Request};
use crate::store::{self, Back, Claimed, Settled, Why};
use crate::wake::{Room, Work};

/// The longest that one reply may hold a processor's claims, in milliseconds.
const LONGEST_HOLD_MS: u64 = 300_000;
/// How long after it an attempt that was given back is ready for certain: a millisecond, rounded up.
const READY_AGAIN: Duration = Duration::from_millis(2);

/// Dispatches a claimed attempt and every further step that is claimed along the way.
pub(super) async fn carry(app: App, claimed: Box<Claimed>, room: Room) {
    let mut next = Some(Work::Attempt(claimed, room));
    while let Some(work) = next {
        next = match work {
            Work::Attempt(claimed, room) => one(&app, *claimed, room).await,
            Work::Delivery(claimed, room) => {
                deliver::send(app.clone(), claimed, room).await;
                None
            }
        };
    }
}

/// One attempt: what follows from it, if this process goes on with it.
async fn one(app: &App, claimed: Claimed, _room: Room) -> Option<Work> {
    let failed = match dispatch(app, &claimed).await {
        // `/complete` will come, or the lease will end.
        ProcessReply::Accepted | ProcessReply::Silent => return None,
        ProcessReply::Output(data) => return succeed(app, &claimed, Some(&data)).await,
        ProcessReply::Unchanged => return succeed(app, &claimed, None).await,
        ProcessReply::Hold { status, retry_after } => {
            give_back(app, &claimed, status, retry_after).await;
            return None;
        }
        ProcessReply::Failed { code, message, retryable } => {
            if matches!(code.as_str(), "unreachable" | "connection_lost" | "address_refused") {
                app.checks.suspect(&claimed.assignment.processor);
            }
            Failed { failure: Failure::new(code, message), retryable, retry_after_ms: None }
        }
    };
    fail(app, &claimed, &failed).await
}

async fn dispatch(app: &App, claimed: &Claimed) -> ProcessReply {
    let Claimed { action, assignment, token, data } = claimed;
    let body = body(app, claimed, data);
    // The message id is unique per attempt; the token's hash is, and gives nothing away.
    let hash = token.hash();
    let call = ProcessCall {
        url: &assignment.url,
        body,
        message_id: hash.as_str(),
        idempotency_key: &action.idempotency_key(),
        traceparent: action.traceparent.as_deref(),
        now_secs: clock::now_ms() / 1000,
        wait: dispatch_wait(app, action.job().timeout_ms),
    };
    app.egress.process(call).await
}

fn body(app: &App, claimed: &Claimed, data: &Bytes) -> Bytes {
    let action = &claimed.action;
    let job = action.job();
    let rest = WithoutData {
        action_id: action.id.as_str(),
        step: action.step,
        steps: action.jobs.count(),
        attempt: action.tries,
        token: claimed.token.expose(),
        params: job.params.as_deref(),
        complete_url: &app.complete_url,
        lease_ms: job.timeout_ms,
        expires_at: action.expires_at,
    };
    raw::with_field(&rest, "data", data)
}

/// `ProcessIn` without its payload, which is stored as the text that goes out.
#[derive(serde::Serialize)]
struct WithoutData<'a> {
    action_id: &'a str,
    step: u32,
    steps: u32,
    attempt: u32,
    token: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    params: Option<&'a RawValue>,
    complete_url: &'a str,
    lease_ms: u64,
    expires_at: u64,
}

/// Settles with output. While the store is away or full the same request is made again, as long as the
/// lease runs: after that the attempt is somebody else's.
async fn succeed(app: &App, claimed: &Claimed, output: Option<&Bytes>) -> Option<Work> {
    let action = &claimed.action;
    let token = claimed.token.hash();
    let request = Request::new(app, action);
    let mut until = until_lease_ends(action);
    loop {
        let input = Some(&claimed.data);
        let settled = settle::succeed(app, action, &token, &request, output, input);
        match Box::pin(settled).await {
            Ok(Settled::Accepted(follow)) => return request.into_work(follow),
            Ok(Settled::PayloadMissing) | Err(store::Error::Away(_) | store::Error::Full(_))
                if until.pause().await => {}
            other => {
                note(claimed, &other);
                return None;
            }
        }
    }
}

/// A busy processor gets no more work for a while; the attempt does not count.
async fn give_back(app: &App, claimed: &Claimed, status: u16, retry_after: Option<Duration>) {
    let Claimed { action, assignment, token, .. } = claimed;
    let hold = retry_after.map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
    let back = Back::Busy(hold.map(|ms| ms.min(LONGEST_HOLD_MS)));
    let failure = Failure::new("processor_busy", format!("the processor answered {status}"));
    let (token, nonce) = (token.hash(), new_nonce());
    let settled = insist(until_lease_ends(action), || {
        app.store.give_back(action, &token, &nonce, back, &failure)
    });
    match settled.await {
        Ok(Settled::Accepted(_)) => {
            tracing::info!(
                action_id = %action.id, processor = assignment.processor, status, hold,
                "a processor is busy",
            );
            // Until the copy says so too, others are asked for nothing in vain; then whoever else serves the
            // target may take it, once the store's clock is past the moment at which it is ready again.
            app.registry.expire();
            tokio::time::sleep(READY_AGAIN).await;
            app.wake.nudge();
        }
        other => note(claimed, &other.map(|settled| settled.map(|_| Follow::Nothing))),
    }
}

async fn fail(app: &App, claimed: &Claimed, failed: &Failed) -> Option<Work> {
    let action = &claimed.action;
    let token = claimed.token.hash();
    let request = Request::new(app, action);
    let settled = insist(until_lease_ends(action), || {
        settle::fail(app, action, Why::Token(&token), &request, failed, Some(&claimed.data))
    });
    match settled.await {
        Ok(Settled::Accepted(follow)) => {
            tracing::info!(
                action_id = %action.id, step = action.step,
                processor = claimed.assignment.processor, code = failed.failure.code,
                "an attempt failed",
            );
            request.into_work(follow)
        }
        other => {
            note(claimed, &other);
            None
        }
    }
}

/// A reply that came too late, or twice: `/complete` or the lease was faster. Expected, and harmless.
fn note(claimed: &Claimed, settled: &Result<Settled<Follow>, store::Error>) {
    match settled {
        Err(error) => {
            tracing::warn!(action_id = %claimed.action.id, %error, "an attempt was left to its lease");
        }
        Ok(_) => tracing::debug!(action_id = %claimed.action.id, "a reply came too late"),
    }
}

/// Keeps [`WithoutData`] and the wire type alike.
#[cfg(test)]
mod tests {
    use super::*;
    use baton_wire::process::ProcessIn;

    #[test]
    fn what_is_sent_reads_back_as_the_wire_type() {
        let rest = WithoutData {
            action_id: "a",
            step: 1,
            steps: 2,
            attempt: 3,
            token: "t",
            params: None,
            complete_url: "u",
            lease_ms: 4,
            expires_at: 5,
        };
        let sent = raw::with_field(&rest, "data", b"[1, 2]");
        let read: ProcessIn = serde_json::from_slice(&sent).unwrap();
        assert_eq!(read.data.get(), "[1, 2]");
        let as_wire = serde_json::to_value(&read).unwrap();
        assert_eq!(as_wire, serde_json::from_slice::<serde_json::Value>(&sent).unwrap());
    }
}
