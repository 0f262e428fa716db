//! Errors as callers see them: RFC 9457, with a stable code. `docs/errors.md` lists every code.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use baton_wire::problem::{FieldError, MEDIA_TYPE, Problem};

use crate::store;

/// Why a request was refused.
#[derive(Debug)]
pub(crate) struct ApiError {
    kind: Kind,
    detail: Option<String>,
    errors: Vec<FieldError>,
    retry_after_secs: Option<u64>,
}

/// Each code has one status and one title.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    BadJson,
    InvalidRequest,
    UnknownTarget,
    BodyTooLarge,
    DataTooLarge,
    UnsupportedMediaType,
    IdempotencyKeyReused,
    QueueFull,
    ReceiverFull,
    ActionNotFound,
    ActionEnded,
    ActionNotFailed,
    ActionChanged,
    NothingToRedeliver,
    TokenNotCurrent,
    ProcessorNotFound,
    ProcessorIdTaken,
    ProcessorChanged,
    ProcessorDraining,
    ProcessorNameConflict,
    ProcessorUnreachable,
    ProcessorMismatch,
    Unauthorized,
    Forbidden,
    ForeignOrigin,
    RouteNotFound,
    MethodNotAllowed,
    RequestTimeout,
    StoreUnavailable,
    StoreFull,
    Internal,
}

impl Kind {
    /// The stable code.
    pub(crate) fn code(self) -> &'static str {
        self.describe().1
    }

    /// Status, code and title.
    fn describe(self) -> (StatusCode, &'static str, &'static str) {
        use StatusCode as S;
        match self {
            Self::BadJson => (S::BAD_REQUEST, "bad_json", "The body is not JSON"),
            Self::InvalidRequest => {
                (S::UNPROCESSABLE_ENTITY, "invalid_request", "The request is not valid")
            }
            Self::UnknownTarget => {
                (S::UNPROCESSABLE_ENTITY, "unknown_target", "A job names an unknown target")
            }
            Self::BodyTooLarge => (S::PAYLOAD_TOO_LARGE, "body_too_large", "The body is too large"),
            Self::DataTooLarge => (S::PAYLOAD_TOO_LARGE, "data_too_large", "The data is too large"),
            Self::UnsupportedMediaType => (
                S::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "The body must be application/json",
            ),
            Self::IdempotencyKeyReused => (
                S::UNPROCESSABLE_ENTITY,
                "idempotency_key_reused",
                "The idempotency key was used with another body",
            ),
            Self::QueueFull => (S::TOO_MANY_REQUESTS, "queue_full", "Too many actions are live"),
            Self::ReceiverFull => {
                (S::TOO_MANY_REQUESTS, "receiver_full", "Too many outcomes wait for the receiver")
            }
            Self::ActionNotFound => (S::NOT_FOUND, "action_not_found", "There is no such action"),
            Self::ActionEnded => (S::CONFLICT, "action_ended", "The action has its outcome"),
            Self::ActionNotFailed => {
                (S::CONFLICT, "action_not_failed", "The action has not failed")
            }
            Self::ActionChanged => {
                (S::CONFLICT, "action_changed", "The action changed at the same moment")
            }
            Self::NothingToRedeliver => (
                S::CONFLICT,
                "nothing_to_redeliver",
                "No delivery of the action was received or given up",
            ),
            Self::TokenNotCurrent => {
                (S::CONFLICT, "token_not_current", "The token is not the current attempt's")
            }
            Self::ProcessorNotFound => {
                (S::NOT_FOUND, "processor_not_found", "There is no such processor")
            }
            Self::ProcessorIdTaken => {
                (S::CONFLICT, "processor_id_taken", "The processor id is in use elsewhere")
            }
            Self::ProcessorChanged => {
                (S::CONFLICT, "processor_changed", "The processor changed at the same moment")
            }
            Self::ProcessorDraining => {
                (S::CONFLICT, "processor_draining", "The processor is leaving")
            }
            Self::ProcessorNameConflict => (
                S::CONFLICT,
                "processor_name_conflict",
                "An id may not equal another processor's name",
            ),
            Self::ProcessorUnreachable => (
                S::UNPROCESSABLE_ENTITY,
                "processor_unreachable",
                "The processor could not be called back",
            ),
            Self::ProcessorMismatch => (
                S::UNPROCESSABLE_ENTITY,
                "processor_mismatch",
                "The processor at this URL is another one",
            ),
            Self::Unauthorized => (S::UNAUTHORIZED, "unauthorized", "A key is needed"),
            Self::Forbidden => (S::FORBIDDEN, "forbidden", "The key is of another kind"),
            Self::ForeignOrigin => {
                (S::FORBIDDEN, "foreign_origin", "The request may come from another site")
            }
            Self::RouteNotFound => (S::NOT_FOUND, "route_not_found", "There is no such path"),
            Self::MethodNotAllowed => {
                (S::METHOD_NOT_ALLOWED, "method_not_allowed", "The path has no such method")
            }
            Self::RequestTimeout => {
                (S::REQUEST_TIMEOUT, "request_timeout", "The request took too long")
            }
            Self::StoreUnavailable => {
                (S::SERVICE_UNAVAILABLE, "store_unavailable", "The store cannot be reached")
            }
            Self::StoreFull => (S::SERVICE_UNAVAILABLE, "store_full", "The store is out of memory"),
            Self::Internal => (S::INTERNAL_SERVER_ERROR, "internal", "Something went wrong"),
        }
    }
}

impl ApiError {
    pub(crate) fn new(kind: Kind) -> Self {
        let retry_after_secs = match kind {
            Kind::StoreUnavailable | Kind::StoreFull => Some(1),
            Kind::QueueFull | Kind::ReceiverFull => Some(5),
            _ => None,
        };
        Self { kind, detail: None, errors: Vec::new(), retry_after_secs }
    }

    /// This occurrence in words, with the remedy.
    pub(crate) fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// A refused field.
    pub(crate) fn field(kind: Kind, path: impl Into<String>, message: impl Into<String>) -> Self {
        let mut error = Self::new(kind);
        error.errors.push(FieldError { path: path.into(), message: message.into() });
        error
    }
}

impl From<store::Error> for ApiError {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Away(source) => {
                tracing::warn!(error = %source, "the store is away");
                Self::new(Kind::StoreUnavailable).detail("Try again in a moment.")
            }
            store::Error::Full(source) => {
                tracing::error!(error = %source, "the store is full");
                Self::new(Kind::StoreFull).detail("Try again later.")
            }
            other @ (store::Error::Refused(_)
            | store::Error::Answer(_)
            | store::Error::Record(_)) => {
                tracing::error!(error = %other, "the store answered unexpectedly");
                Self::new(Kind::Internal)
            }
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, code, title) = self.kind.describe();
        let problem = Problem {
            kind: format!("/errors#{code}"),
            title: title.to_owned(),
            status: status.as_u16(),
            code: code.to_owned(),
            detail: self.detail,
            errors: self.errors,
        };
        // Strings and numbers: nothing in here can fail to serialize.
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let media = HeaderValue::from_static(MEDIA_TYPE);
        let mut response = (status, [(header::CONTENT_TYPE, media)], body).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        if let Some(seconds) = self.retry_after_secs {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// What a panic in a handler becomes: the same envelope, and a line in the log.
pub(crate) fn panicked(cause: Box<dyn std::any::Any + std::marker::Send + 'static>) -> Response {
    let text = cause
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| cause.downcast_ref::<&str>().copied())
        .unwrap_or("unknown");
    tracing::error!(panic = text, "a handler panicked");
    drop(cause);
    ApiError::new(Kind::Internal).into_response()
}

#[cfg(test)]
mod tests {
    /// The table is read from this file, so that a new code cannot be forgotten.
    #[test]
    fn every_code_is_documented_with_its_status() {
        let source = include_str!("error.rs");
        let table = include_str!("../../docs/errors.md");
        let start = source.find("fn describe").unwrap();
        let end = source.find("impl ApiError").unwrap();
        let codes: Vec<&str> = source[start..end]
            .split('"')
            .skip(1)
            .step_by(2)
            .filter(|text| text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
            .collect();
        assert!(codes.len() > 15, "{codes:?}");
        for code in codes {
            assert!(table.contains(&format!("| `{code}` | ")), "`{code}` is not in docs/errors.md");
        }
    }
}
