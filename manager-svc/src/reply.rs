//! Answers with a status: handlers name outcomes, this names numbers.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// 200 with a body.
pub(crate) fn ok<T: Serialize>(body: &T) -> Response {
    json(StatusCode::OK, body)
}

/// 201 with a body.
pub(crate) fn created<T: Serialize>(body: &T) -> Response {
    json(StatusCode::CREATED, body)
}

/// 202 with a body, and where to look for what becomes of it.
pub(crate) fn accepted<T: Serialize>(body: &T, location: Option<String>) -> Response {
    let mut response = json(StatusCode::ACCEPTED, body);
    if let Some(location) = location.and_then(|path| HeaderValue::try_from(path).ok()) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// 200 with a text of some media type.
pub(crate) fn content(media: &'static str, text: impl Into<Body>) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static(media))], text.into()).into_response()
}

fn json<T: Serialize>(status: StatusCode, body: &T) -> Response {
    // Wire types serialize; one that did not would be a bug, told as an empty body.
    let text = serde_json::to_vec(body).unwrap_or_default();
    let media = HeaderValue::from_static("application/json");
    (status, [(header::CONTENT_TYPE, media)], text).into_response()
}
