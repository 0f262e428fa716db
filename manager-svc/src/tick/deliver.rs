//! Delivering outcomes to response URLs.

use std::time::{Duration, UNIX_EPOCH};

use baton_wire::action::StepOut;
use baton_wire::problem::StepError;
use bytes::Bytes;

use super::raw;
use crate::again::{insist, until};
use crate::app::App;
use crate::clock;
use crate::domain::{Action, backoff};
use crate::egress::{DeliveryCall, DeliveryReply};
use crate::settle::delivery_lease_ms;
use crate::store::{ClaimedDelivery, DeliveryEnd};
use crate::view;
use crate::wake::Room;

/// Sends one outcome, and records what it met.
pub(super) async fn send(app: App, claimed: Box<ClaimedDelivery>, _room: Room) {
    let ClaimedDelivery { action, data, token } = *claimed;
    let Some(receiver) = action.receiver.clone() else {
        return;
    };
    let Some(body) = body(&action, &data) else {
        // Nothing but an outcome is ever put on its way: what the index says is for the reconciler to mend.
        tracing::error!(action_id = %action.id, "no outcome yet: nothing is sent or settled");
        return;
    };
    let call = DeliveryCall {
        url: &receiver.url,
        body,
        webhook_id: &action.webhook_id(),
        traceparent: action.traceparent.as_deref(),
        now_secs: clock::now_ms() / 1000,
        timeout: Duration::from_millis(app.config.delivery.timeout_ms),
    };
    let end = end(&app, &action, app.egress.deliver(call).await);
    let retention = app.config.retention.retention_ms;
    let lease = until(Duration::from_millis(delivery_lease_ms(&app)));
    let settled =
        insist(lease, || app.store.settle_delivery(&action, &receiver, &token, &end, retention));
    match settled.await {
        Ok(true) => {
            if let DeliveryEnd::Again(_, why) | DeliveryEnd::Exhausted(why) = &end {
                tracing::info!(action_id = %action.id, host = receiver.host, why, "a delivery failed");
                app.wake.nudge();
            }
        }
        Ok(false) => {
            tracing::debug!(action_id = %action.id, "a delivery was settled by another send")
        }
        Err(error) => {
            tracing::warn!(action_id = %action.id, %error, "a delivery was left to its lease");
        }
    }
}

fn end(app: &App, action: &Action, reply: DeliveryReply) -> DeliveryEnd {
    match reply {
        DeliveryReply::Delivered { .. } => DeliveryEnd::Delivered,
        DeliveryReply::Gone => DeliveryEnd::Exhausted("the receiver answered 410".to_owned()),
        DeliveryReply::Retry { reason, retry_after } => {
            let schedule = &app.config.delivery.schedule_ms;
            let after =
                retry_after.map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
            match backoff::after_send(schedule, action.delivery.tries, after, rand::random()) {
                Some(delay) => DeliveryEnd::Again(delay, reason),
                None => DeliveryEnd::Exhausted(reason),
            }
        }
    }
}

/// `WebhookOut` without its data.
#[derive(serde::Serialize)]
struct WithoutData<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    timestamp: String,
}

/// `WebhookData` without its result, which is stored as the text that goes out.
#[derive(serde::Serialize)]
struct WithoutResult<'a> {
    action_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<StepError>,
    steps: Vec<StepOut>,
    labels: &'a std::collections::BTreeMap<String, String>,
}

/// The webhook; nothing when the action has no outcome.
fn body(action: &Action, data: &[u8]) -> Option<Bytes> {
    let kind = view::webhook_kind(action.status)?;
    let outcome = WithoutResult {
        action_id: action.id.as_str(),
        error: view::outcome_error(action),
        steps: view::steps(action),
        labels: &action.labels,
    };
    let rest = WithoutData { kind, timestamp: iso8601(action.ended_at.unwrap_or_default()) };
    Some(raw::with_field(&rest, "data", &raw::with_field(&outcome, "result", data)))
}

/// A time in milliseconds since the Unix epoch as ISO 8601 in UTC, with milliseconds.
fn iso8601(ms: u64) -> String {
    humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(ms)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_iso_8601() {
        assert_eq!(iso8601(951_827_696_789), "2000-02-29T12:34:56.789Z");
    }
}
