//! What `/process` answers, by status code, as any HTTP service would.

use std::sync::Arc;
use std::time::Duration;

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use baton_wire::problem::{MEDIA_TYPE, Problem};

use crate::failure::{Failure, Kind};
use crate::work::Outcome;

/// The answer to one dispatch.
#[derive(Debug)]
pub(crate) enum Answer {
    /// What the function came to.
    Done(Arc<Outcome>),
    /// The result will be reported.
    Later,
    /// The manager has given the attempt up meanwhile.
    Over,
    /// The processor stops before the work is done.
    HandedBack,
}

/// A request that is not worked on.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) code: String,
    pub(crate) detail: String,
    pub(crate) retry_after: Option<Duration>,
}

impl Refusal {
    /// A refusal that stands.
    pub(crate) fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), detail: detail.into(), retry_after: None }
    }

    /// With the time to come again.
    pub(crate) fn retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }

    /// The processor is leaving. `Retry-After` says when another attempt makes sense.
    pub(crate) fn stopping() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "processor_stopping",
            "the processor is stopping",
        )
        .retry_after(Duration::from_secs(1))
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        match self {
            Self::Done(outcome) => match &*outcome {
                Ok(output) => match &output.0 {
                    Some(json) => ([(CONTENT_TYPE, "application/json")], json.get().to_owned())
                        .into_response(),
                    None => StatusCode::NO_CONTENT.into_response(),
                },
                Err(failure) => failed(failure).into_response(),
            },
            Self::Later => StatusCode::ACCEPTED.into_response(),
            Self::Over => Refusal::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "attempt_over",
                "the manager gave this attempt up",
            )
            .into_response(),
            Self::HandedBack => Refusal::stopping().into_response(),
        }
    }
}

/// The status says whether another attempt may succeed: 4xx never, 500 yes, 503 with `Retry-After`
/// without costing one.
fn failed(failure: &Failure) -> Refusal {
    let status = match failure.kind {
        Kind::Permanent => StatusCode::UNPROCESSABLE_ENTITY,
        Kind::Retryable { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        Kind::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
    };
    let refusal = Refusal::new(status, &failure.code, &failure.message);
    match failure.delay() {
        Some(delay) => refusal.retry_after(delay),
        None => refusal,
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let problem = Problem {
            kind: "about:blank".to_owned(),
            title: self.status.canonical_reason().unwrap_or("Error").to_owned(),
            status: self.status.as_u16(),
            code: self.code,
            detail: Some(self.detail),
            errors: Vec::new(),
        };
        // A struct of strings and numbers always has a JSON form.
        let body = serde_json::to_string(&problem).unwrap_or_default();
        let mut response = (self.status, [(CONTENT_TYPE, MEDIA_TYPE)], body).into_response();
        if let Some(delay) = self.retry_after {
            let seconds = HeaderValue::from(whole_seconds(delay));
            response.headers_mut().insert(RETRY_AFTER, seconds);
        }
        response
    }
}

/// Rounded up: `Retry-After` has no fractions, and 0 would invite at once.
fn whole_seconds(delay: Duration) -> u64 {
    (delay.as_secs() + u64::from(delay.subsec_nanos() > 0)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Output;

    fn answer(outcome: Outcome) -> (u16, Option<String>) {
        let response = Answer::Done(Arc::new(outcome)).into_response();
        let retry = response.headers().get(RETRY_AFTER).map(|v| v.to_str().unwrap().to_owned());
        (response.status().as_u16(), retry)
    }

    #[test]
    fn the_status_says_what_another_attempt_can_do() {
        assert_eq!(answer(Output::json(&1)), (200, None));
        assert_eq!(answer(Ok(Output::unchanged())), (204, None));
        assert_eq!(answer(Err(Failure::permanent("no"))), (422, None));
        assert_eq!(answer(Err(Failure::retryable("later"))), (500, None));
        let busy = Failure::unavailable("busy", Duration::from_millis(1500));
        assert_eq!(answer(Err(busy)), (503, Some("2".to_owned())));
    }

    #[test]
    fn retry_after_is_rounded_up() {
        for (millis, seconds) in [(0, 1), (1, 1), (1000, 1), (1001, 2)] {
            assert_eq!(whole_seconds(Duration::from_millis(millis)), seconds);
        }
    }
}
