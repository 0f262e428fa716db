//! Reading request bodies: every refusal names the field by its path.

use axum::extract::rejection::{BytesRejection, FailedToBufferBody};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::header;
use axum::http::request::Parts;
use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::error::{ApiError, Kind};

/// The largest body: above 100 small actions, below what API gateways let through (10 MB).
pub(crate) const MAX_BODY_BYTES: usize = 8 * 1024 * 1024;

/// A request body whose content type is JSON, as it came.
#[derive(Debug)]
pub(crate) struct JsonBytes(pub(crate) Bytes);

impl<S: Send + Sync> FromRequest<S> for JsonBytes {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let media = request.headers().get(header::CONTENT_TYPE);
        let is_json = media.and_then(|media| media.to_str().ok()).is_some_and(|media| {
            let kind = media.split(';').next().unwrap_or_default().trim();
            kind.eq_ignore_ascii_case("application/json")
        });
        if !is_json {
            return Err(ApiError::new(Kind::UnsupportedMediaType)
                .detail("Send the header `content-type: application/json`."));
        }
        Bytes::from_request(request, state).await.map(Self).map_err(|rejection| match rejection {
            BytesRejection::FailedToBufferBody(FailedToBufferBody::LengthLimitError(_)) => {
                ApiError::new(Kind::BodyTooLarge).detail(format!(
                    "At most {MAX_BODY_BYTES} bytes are right: send fewer actions at a time."
                ))
            }
            // What else fails here is the connection.
            _ => ApiError::new(Kind::BadJson).detail("The body ended before its time."),
        })
    }
}

/// The id in a path. One that is not even text is nobody's.
#[derive(Debug)]
pub(crate) struct PathId(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for PathId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        path.map(|Path(id)| Self(id)).map_err(|_| ApiError::new(Kind::RouteNotFound))
    }
}

/// The query of a request, by its fields.
#[derive(Debug)]
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        query.map(|Query(params)| Self(params)).map_err(|rejection| {
            ApiError::field(Kind::InvalidRequest, "query", rejection.body_text())
        })
    }
}

/// Reads one JSON value.
///
/// # Errors
/// 400 when it is not JSON, 422 with the field's path when it is not what is expected.
pub(crate) fn parse<T: DeserializeOwned>(text: &[u8], prefix: &str) -> Result<T, ApiError> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        if inner.is_data() {
            let path = if path == "." { String::new() } else { path };
            let joint = if prefix.is_empty() || path.is_empty() || path.starts_with('[') {
                ""
            } else {
                "."
            };
            ApiError::field(
                Kind::InvalidRequest,
                format!("{prefix}{joint}{path}"),
                inner.to_string(),
            )
        } else {
            ApiError::new(Kind::BadJson).detail(inner.to_string())
        }
    })?;
    deserializer.end().map_err(|error| ApiError::new(Kind::BadJson).detail(error.to_string()))?;
    Ok(value)
}
