//! `POST {response_url}`.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use tokio::time::{Instant, timeout_at};

use super::client::{Outgoing, SendError};
use super::{Egress, body, reply};

/// One send of an outcome.
#[derive(Debug)]
pub struct DeliveryCall<'a> {
    /// The response URL.
    pub url: &'a str,
    /// The JSON text of a `WebhookOut`.
    pub body: Bytes,
    /// The message's id: the same for all sends of a run.
    pub webhook_id: &'a str,
    /// The trace to carry on.
    pub traceparent: Option<&'a str>,
    /// The time of the send, in seconds since the Unix epoch.
    pub now_secs: u64,
    /// How long the call waits, all in all.
    pub timeout: Duration,
}

/// How a send ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryReply {
    /// The receiver has it. (2xx)
    Delivered {
        /// The status.
        status: u16,
    },
    /// The receiver wants no more. (410)
    Gone,
    /// It is to be sent again.
    Retry {
        /// A stable code, and for some of them `: ` and why in words.
        reason: String,
        /// The receiver's wish, at most seven days.
        retry_after: Option<Duration>,
    },
}

impl Egress {
    /// Posts an outcome to its response URL. Every end is a reply.
    pub async fn deliver(&self, call: DeliveryCall<'_>) -> DeliveryReply {
        let client = &self.0.receivers;
        let (request, sent) = match client.request(Outgoing {
            url: call.url,
            body: call.body,
            webhook_id: call.webhook_id,
            idempotency_key: None,
            traceparent: call.traceparent,
            now_secs: call.now_secs,
        }) {
            Ok(request) => request,
            Err(error) => return again(error),
        };
        let deadline = Instant::now() + call.timeout;
        let response = match timeout_at(deadline, client.send(request, &sent)).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return again(error),
            Err(_) if sent.get() => return retry("timed_out".into(), None),
            Err(_) => return again(SendError::Unreachable("no connection in time".into())),
        };
        let (head, body) = response.into_parts();
        // Only for the connection's sake: what a receiver says beside its status is not kept.
        body::read_note(body, deadline).await;
        let retry_after = reply::retry_after(&head.headers, call.now_secs);
        match head.status {
            StatusCode::GONE => DeliveryReply::Gone,
            status if status.is_success() => DeliveryReply::Delivered { status: status.as_u16() },
            status if status.is_redirection() => retry("redirect_refused".into(), retry_after),
            status => retry(format!("receiver_status_{}", status.as_u16()), retry_after),
        }
    }
}

fn retry(reason: String, retry_after: Option<Duration>) -> DeliveryReply {
    DeliveryReply::Retry { reason, retry_after }
}

fn again(error: SendError) -> DeliveryReply {
    let reason = match error {
        SendError::Request => "request_invalid".into(),
        SendError::Refused => "address_refused".into(),
        SendError::Unreachable(why) => format!("unreachable: {why}"),
        SendError::Lost => "connection_lost".into(),
        SendError::Malformed => "reply_malformed".into(),
    };
    retry(reason, None)
}
