//! The calls to the manager: register, leave, report.

use std::time::Duration;

use baton_wire::problem::Problem;
use baton_wire::process::{CompleteIn, CompleteOut};
use baton_wire::processor::{DrainOut, DrainStatus, RegisterIn, RegisterOut};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The manager calls back before it answers a registration.
const REGISTER_TIMEOUT: Duration = Duration::from_secs(20);
const LEAVE_TIMEOUT: Duration = Duration::from_secs(3);
/// More of an answer than this is not read.
const ANSWER_LIMIT: usize = 64 * 1024;
/// A longer `Retry-After` is cut to this: the manager may be back sooner than it feared.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60);

/// The manager, as this processor reaches it.
#[derive(Debug, Clone)]
pub(crate) struct Manager {
    http: Client,
    base: String,
    authorization: Option<HeaderValue>,
}

/// Why a call did not do what it should, in words.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// It got no answer.
    #[error("no answer: {0}")]
    NoAnswer(String),
    /// The answer was a refusal.
    #[error("{status}: {reason}")]
    Refused { status: StatusCode, reason: String },
    /// The answer was not what the manager answers.
    #[error("not an answer of a Baton manager: {0}")]
    Answer(serde_json::Error),
}

/// What a report met.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// The manager has it; of a heartbeat it says when the lease ends now, in milliseconds since the Unix epoch.
    Accepted { lease_ends_at: Option<u64> },
    /// The attempt is no longer this processor's: stop working.
    Over,
    /// The manager will never take this content.
    Refused(String),
    /// Try again, after this time when the manager named one.
    Retry { after: Option<Duration>, reason: String },
}

impl Manager {
    /// A manager at a URL.
    ///
    /// # Errors
    /// When no HTTP client can be built.
    pub(crate) fn new(
        base: String,
        authorization: Option<HeaderValue>,
    ) -> Result<Self, reqwest::Error> {
        // An error means that the author has chosen a provider already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = || {
            Client::builder()
                .no_proxy()
                .redirect(reqwest::redirect::Policy::none())
                .connect_timeout(Duration::from_secs(5))
                .timeout(Duration::from_secs(30))
        };
        let http = builder().build().or_else(|error| {
            // A bare container has no CA certificates. http works there all the same.
            tracing::warn!(%error, "https to the manager will fail: install ca-certificates");
            builder().tls_certs_only([]).build()
        })?;
        Ok(Self { http, base, authorization })
    }

    /// Registers.
    ///
    /// # Errors
    /// Why the processor is not registered.
    pub(crate) async fn register(&self, processor: &RegisterIn) -> Result<RegisterOut, CallError> {
        let request = self.http.post(format!("{}/register", self.base)).timeout(REGISTER_TIMEOUT);
        let response = send(self.authorized(json(request, processor))).await?;
        if response.status().is_success() {
            read(response).await
        } else {
            Err(refused(response).await)
        }
    }

    /// Says that this processor takes no more work. It is gone for a manager that does not know it.
    ///
    /// # Errors
    /// Why the manager does not know it yet.
    pub(crate) async fn leave(&self, id: &str, epoch: u64) -> Result<DrainStatus, CallError> {
        let url = format!("{}/processors/{id}?epoch={epoch}", self.base);
        let request = self.http.request(Method::DELETE, url).timeout(LEAVE_TIMEOUT);
        let response = send(self.authorized(request)).await?;
        match response.status() {
            StatusCode::NOT_FOUND => Ok(DrainStatus::Gone),
            status if status.is_success() => Ok(read::<DrainOut>(response).await?.status),
            _ => Err(refused(response).await),
        }
    }

    /// Reports to an attempt's `complete_url`. The token in the report is the only credential.
    pub(crate) async fn report(
        &self,
        url: &str,
        report: &CompleteIn,
        timeout: Duration,
    ) -> Verdict {
        let response = match send(json(self.http.post(url).timeout(timeout), report)).await {
            Ok(response) => response,
            Err(error) => return Verdict::Retry { after: None, reason: error.to_string() },
        };
        let status = response.status();
        match status.as_u16() {
            200..=299 => {
                // What it says beside its status is of use, and not needed.
                let out = read::<CompleteOut>(response).await.ok();
                Verdict::Accepted { lease_ends_at: out.and_then(|out| out.lease_ends_at) }
            }
            404 | 409 | 410 => Verdict::Over,
            400 | 413 | 415 | 422 => Verdict::Refused(refused(response).await.to_string()),
            _ => Verdict::Retry {
                after: retry_after(response.headers().get(RETRY_AFTER)),
                reason: refused(response).await.to_string(),
            },
        }
    }

    fn authorized(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.authorization {
            Some(value) => request.header(AUTHORIZATION, value),
            None => request,
        }
    }
}

fn json(request: RequestBuilder, body: &impl Serialize) -> RequestBuilder {
    // The wire types have string keys alone, so that they always have a JSON form.
    let text = serde_json::to_string(body).unwrap_or_default();
    request.header(CONTENT_TYPE, HeaderValue::from_static("application/json")).body(text)
}

async fn send(request: RequestBuilder) -> Result<Response, CallError> {
    request.send().await.map_err(|error| {
        let mut reason = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(inner) = cause {
            reason = format!("{reason}: {inner}");
            cause = inner.source();
        }
        CallError::NoAnswer(reason)
    })
}

async fn read<T: DeserializeOwned>(response: Response) -> Result<T, CallError> {
    serde_json::from_slice(&body(response).await).map_err(CallError::Answer)
}

async fn refused(response: Response) -> CallError {
    let status = response.status();
    CallError::Refused { status, reason: reason(&body(response).await) }
}

/// Why it was refused: as the manager says it, or an API in front of it, as `{"message": …}`.
fn reason(body: &[u8]) -> String {
    if let Ok(problem) = serde_json::from_slice::<Problem>(body) {
        return problem.detail.unwrap_or(problem.title);
    }
    let said = serde_json::from_slice::<serde_json::Value>(body).ok();
    let message = said.as_ref().and_then(|said| said.get("message")?.as_str());
    message.unwrap_or("without a reason").to_owned()
}

/// An answer's body, or as much of it as came and is not over the limit.
async fn body(mut response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        if body.len() + chunk.len() > ANSWER_LIMIT {
            break;
        }
        body.extend_from_slice(&chunk);
    }
    body
}

/// Seconds; a date is not understood and counts as absent.
fn retry_after(header: Option<&HeaderValue>) -> Option<Duration> {
    let seconds = header?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_in_the_words_of_whoever_refused() {
        let problem = r#"{"type":"/errors#x","title":"Title","status":409,"code":"x""#;
        assert_eq!(reason(format!("{problem}}}").as_bytes()), "Title");
        assert_eq!(reason(format!(r#"{problem},"detail":"Do this."}}"#).as_bytes()), "Do this.");
        assert_eq!(reason(br#"{"message":"Too Many Requests"}"#), "Too Many Requests");
        for other in [&br#"{"message":7}"#[..], b"[]", b"<html>", b""] {
            assert_eq!(reason(other), "without a reason");
        }
    }

    #[test]
    fn retry_after_is_read_in_seconds_and_bounded() {
        let read = |text| retry_after(Some(&HeaderValue::from_static(text)));
        assert_eq!(read("2"), Some(Duration::from_secs(2)));
        assert_eq!(read("0"), Some(Duration::ZERO));
        assert_eq!(read("86400"), Some(LONGEST_RETRY_AFTER));
        assert_eq!(read("Wed, 21 Oct 2026 07:28:00 GMT"), None);
        assert_eq!(retry_after(None), None);
    }
}
