//! Delivering outcomes to response URLs.

use std::time::{Duration, UNIX_EPOCH};

use baton_wire::action::StepOut;
use baton_wire::problem::StepError;
use bytes::Bytes;
use serde_json::value::RawValue;

use crate::again::{insist, until};
use crate::app::App;
use crate::clock;
use crate::domain::action::Status;
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
    let end = match body(&action, &data) {
        Some(body) => {
            let call = DeliveryCall {
                url: &receiver.url,
                body,
                webhook_id: &action.webhook_id(),
                traceparent: action.traceparent.as_deref(),
                now_secs: clock::now_ms() / 1000,
                timeout: Duration::from_millis(app.config.delivery.timeout_ms),
            };
            end(&app, &action, app.egress.deliver(call).await)
        }
        None => DeliveryEnd::Exhausted("the stored result is not JSON".to_owned()),
    };
    let retention = app.config.retention.retention_ms;
    let lease = until(Duration::from_millis(delivery_lease_ms(&app)));
    let settled =
        insist(lease, || app.store.settle_delivery(&action, &receiver, &token, &end, retention));
    match settled.await {
        Ok(true) => {
            app.wake.freed();
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

/// `WebhookOut` without owning the result: the stored text is copied once, into the body.
#[derive(serde::Serialize)]
struct BorrowedWebhook<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    timestamp: String,
    data: BorrowedData<'a>,
}

#[derive(serde::Serialize)]
struct BorrowedData<'a> {
    action_id: &'a str,
    result: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<StepError>,
    steps: Vec<StepOut>,
    labels: &'a std::collections::BTreeMap<String, String>,
}

fn body(action: &Action, data: &[u8]) -> Option<Bytes> {
    let webhook = BorrowedWebhook {
        kind: match action.status {
            Status::Succeeded | Status::Queued | Status::Running => "action.succeeded",
            Status::Partial => "action.partial",
            Status::Failed => "action.failed",
            Status::Cancelled => "action.cancelled",
        },
        timestamp: iso8601(action.ended_at.unwrap_or_default()),
        data: BorrowedData {
            action_id: action.id.as_str(),
            result: serde_json::from_slice(data).ok()?,
            error: view::outcome_error(action),
            steps: view::steps(action),
            labels: &action.labels,
        },
    };
    serde_json::to_vec(&webhook).ok().map(Bytes::from)
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
