//! A light HTTP client: posts JSON, and knows only whether an answer came.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::time::timeout;

/// How long an answer may take before the request is made again.
const PATIENCE: Duration = Duration::from_secs(4);

/// Clones share connections.
#[derive(Debug, Clone)]
pub(crate) struct Caller(Client<HttpConnector, Full<Bytes>>);

impl Caller {
    /// One with connections of its own.
    pub(crate) fn new() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self(Client::builder(TokioExecutor::new()).build(connector))
    }

    /// POSTs; `None` when no answer came.
    pub(crate) async fn post(
        &self,
        url: &str,
        key: Option<&str>,
        body: impl Into<Bytes>,
    ) -> Option<(StatusCode, Bytes)> {
        let mut request = Request::post(url).header(header::CONTENT_TYPE, "application/json");
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let request = request.body(Full::new(body.into())).expect("a request");
        let call = async {
            let response = self.0.request(request).await.ok()?;
            let status = response.status();
            Some((status, response.into_body().collect().await.ok()?.to_bytes()))
        };
        timeout(PATIENCE, call).await.ok().flatten()
    }
}
