//! `POST {processor}/process`.

use std::time::Duration;

use baton_wire::json;
use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use hyper::body::Incoming;
use tokio::time::{Instant, timeout_at};

use super::body::{self, BodyError};
use super::client::{Outgoing, SendError};
use super::{Egress, reply};

/// One dispatch of one step.
#[derive(Debug)]
pub struct ProcessCall<'a> {
    /// The processor's URL, without `/process`.
    pub url: &'a str,
    /// The JSON text of a `ProcessIn`.
    pub body: Bytes,
    /// The message's id: another one for each attempt.
    pub message_id: &'a str,
    /// The same for all attempts of a run's step.
    pub idempotency_key: &'a str,
    /// The trace to carry on.
    pub traceparent: Option<&'a str>,
    /// The time of the attempt, in seconds since the Unix epoch.
    pub now_secs: u64,
    /// How long the call waits, all in all.
    pub wait: Duration,
}

/// How a call to a processor ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProcessReply {
    /// The output: one complete JSON value. (200, 201)
    Output(Bytes),
    /// The data stays as it is. (204)
    Unchanged,
    /// A completion will follow. (202)
    Accepted,
    /// The request was written, and no answer came in time.
    Silent,
    /// No attempt was spent: the processor is to be left alone for a while. (429, or 503 that says
    /// for how long)
    Hold {
        /// The status.
        status: u16,
        /// For how long, as it says; at most seven days.
        retry_after: Option<Duration>,
    },
    /// The attempt failed.
    Failed {
        /// A stable code, or the one of the processor's problem.
        code: String,
        /// The failure in words.
        message: String,
        /// Whether another attempt may do better.
        retryable: bool,
    },
}

impl ProcessReply {
    fn failed(code: &str, message: impl Into<String>, retryable: bool) -> Self {
        Self::Failed { code: code.to_owned(), message: message.into(), retryable }
    }
}

impl Egress {
    /// Asks a processor to do a step. Every end is a reply.
    pub async fn process(&self, call: ProcessCall<'_>) -> ProcessReply {
        let client = &self.0.processors;
        let (request, sent) = match client.request(Outgoing {
            url: call.url,
            body: call.body,
            webhook_id: call.message_id,
            idempotency_key: Some(call.idempotency_key),
            traceparent: call.traceparent,
            now_secs: call.now_secs,
        }) {
            Ok(request) => request,
            Err(error) => return not_sent(error),
        };
        let deadline = Instant::now() + call.wait;
        match timeout_at(deadline, client.send(request, &sent)).await {
            Ok(Ok(response)) => self.read(response, deadline, call.now_secs).await,
            Ok(Err(error)) => not_sent(error),
            Err(_) if sent.get() => ProcessReply::Silent,
            Err(_) => not_sent(SendError::Unreachable("no connection in time".into())),
        }
    }

    async fn read(
        &self,
        response: Response<Incoming>,
        deadline: Instant,
        now_secs: u64,
    ) -> ProcessReply {
        let (head, body) = response.into_parts();
        match head.status {
            StatusCode::OK | StatusCode::CREATED => {
                if reply::is_encoded(&head.headers) {
                    let message = "the reply is compressed, which was not asked for";
                    return ProcessReply::failed("reply_encoded", message, false);
                }
                match timeout_at(deadline, body::read(body, self.0.max_reply_bytes)).await {
                    Ok(read) => output(read, self.0.max_reply_bytes),
                    Err(_) => {
                        let message = "the reply began and did not end in time";
                        ProcessReply::failed("reply_stalled", message, true)
                    }
                }
            }
            status => {
                let note = body::read_note(body, deadline).await;
                by_status(status, &head.headers, note.as_deref(), now_secs)
            }
        }
    }
}

fn output(read: Result<Bytes, BodyError>, cap: usize) -> ProcessReply {
    let body = match read {
        Ok(body) => body,
        Err(BodyError::TooLarge) => {
            let message = format!("the reply is longer than {cap} bytes");
            return ProcessReply::failed("reply_too_large", message, false);
        }
        Err(BodyError::Lost) => return not_sent(SendError::Lost),
    };
    match json::check(&body) {
        Ok(output) => ProcessReply::Output(body.slice_ref(output.as_bytes())),
        Err(error) => ProcessReply::failed("reply_not_json", format!("the reply {error}"), false),
    }
}

fn by_status(
    status: StatusCode,
    headers: &HeaderMap,
    note: Option<&[u8]>,
    now_secs: u64,
) -> ProcessReply {
    let hold = |retry_after| ProcessReply::Hold { status: status.as_u16(), retry_after };
    match status.as_u16() {
        202 => return ProcessReply::Accepted,
        204 => return ProcessReply::Unchanged,
        429 => return hold(reply::retry_after(headers, now_secs)),
        503 => {
            if let Some(after) = reply::retry_after(headers, now_secs) {
                return hold(Some(after));
            }
        }
        300..=399 => {
            let message = format!("the processor redirects ({status}): redirects are not followed");
            return ProcessReply::failed("redirect_refused", message, false);
        }
        _ => {}
    }
    let retryable = status.is_server_error() || matches!(status.as_u16(), 408 | 425);
    let (code, message) = match note {
        Some(note) if reply::is_problem(headers) => reply::problem(note),
        _ => (None, None),
    };
    ProcessReply::Failed {
        code: code.unwrap_or_else(|| format!("processor_status_{}", status.as_u16())),
        message: message.unwrap_or_else(|| format!("the processor answered {status}")),
        retryable,
    }
}

fn not_sent(error: SendError) -> ProcessReply {
    match error {
        SendError::Request => {
            ProcessReply::failed("request_invalid", "the processor's URL cannot be called", false)
        }
        SendError::Refused => {
            let message = "the processor's host has no address that may be called";
            ProcessReply::failed("address_refused", message, true)
        }
        SendError::Unreachable(why) => {
            let message = format!("the processor could not be reached: {why}");
            ProcessReply::failed("unreachable", message, true)
        }
        SendError::Lost => {
            let message = "the connection ended before the reply was complete";
            ProcessReply::failed("connection_lost", message, true)
        }
        SendError::Malformed => {
            ProcessReply::failed("reply_malformed", "the reply is not HTTP", true)
        }
    }
}
