//! The one route table. The local server mounts all of it, a function one slice; layers are the same.

use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue, Request};
use axum::routing::{MethodRouter, delete, get, post};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::request_id::{
    MakeRequestId, PropagateRequestIdLayer, RequestId, SetRequestIdLayer,
};
use tower_http::trace::TraceLayer;

use crate::app::{self, App};
use crate::error::{self, ApiError, Kind};
use crate::handlers::body::MAX_BODY_BYTES;
use crate::handlers::{action, complete, dashboard, health, meta, metrics, operate, processor};

/// A request may take as long as the longest long poll, and some.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(29);
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A group of endpoints: one function in the cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slice {
    /// Submitting, reading and cancelling actions, and sending their outcomes once more.
    Action,
    /// Reports of processors.
    Complete,
    /// Processors coming and going.
    Register,
    /// The manager about itself.
    Meta,
    /// Many actions at a time: listing, redriving, redelivering.
    Operate,
}

impl Slice {
    /// Every slice.
    pub const ALL: [Self; 5] =
        [Self::Action, Self::Complete, Self::Register, Self::Meta, Self::Operate];
}

type Route = (Slice, &'static str, fn() -> MethodRouter<App>);

const ROUTES: &[Route] = &[
    (Slice::Action, "/action", || post(action::submit_action)),
    (Slice::Action, "/action/{id}", || get(action::get_action).delete(operate::cancel_action)),
    (Slice::Action, "/action/{id}/redeliver", || post(operate::redeliver_action)),
    (Slice::Operate, "/actions", || get(operate::list_actions)),
    (Slice::Operate, "/failed/redrive", || post(operate::redrive_failed)),
    (Slice::Operate, "/deliveries/redeliver", || post(operate::redeliver_exhausted)),
    (Slice::Complete, "/complete", || post(complete::complete_attempt)),
    (Slice::Register, "/register", || post(processor::register_processor)),
    (Slice::Register, "/processors/{id}", || delete(processor::drain_processor)),
    (Slice::Register, "/processors/{id}/pause", || post(processor::pause_processor)),
    (Slice::Register, "/processors/{id}/resume", || post(processor::resume_processor)),
    (Slice::Meta, "/meta", || get(meta::get_meta)),
    (Slice::Meta, "/metrics", || get(metrics::get_metrics)),
    (Slice::Meta, "/", || get(dashboard::get_page)),
    (Slice::Meta, "/dashboard.css", || get(dashboard::get_style)),
    (Slice::Meta, "/dashboard.js", || get(dashboard::get_script)),
    (Slice::Meta, "/healthz", || get(health::get_liveness)),
    (Slice::Meta, "/readyz", || get(health::get_readiness)),
];

/// All routes.
pub fn whole(app: App) -> Router {
    mount(app, |_| true)
}

/// The routes of one function.
pub fn slice(app: App, slice: Slice) -> Router {
    mount(app, move |of| of == slice)
}

/// What answers while the store cannot be reached, for this reason, and so no routes can be served: this process
/// lives, and can do nothing.
pub fn unavailable(why: String) -> Router {
    let answer = async move || {
        tracing::warn!(error = why, "the store is away");
        ApiError::new(Kind::StoreUnavailable).detail("Try again in a moment.")
    };
    layered(Router::new().route("/healthz", get(health::get_liveness)).fallback(answer))
}

fn routes(wanted: impl Fn(Slice) -> bool) -> Router<App> {
    ROUTES
        .iter()
        .filter(|(slice, ..)| wanted(*slice))
        .fold(Router::new(), |router, (_, path, method)| router.route(path, method()))
}

fn mount(app: App, wanted: impl Fn(Slice) -> bool) -> Router {
    let routes = routes(wanted)
        .fallback(async || ApiError::new(Kind::RouteNotFound))
        .method_not_allowed_fallback(async || ApiError::new(Kind::MethodNotAllowed));
    layered(routes).with_state(app)
}

fn layered<S: Clone + Send + Sync + 'static>(router: Router<S>) -> Router<S> {
    router
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(axum::middleware::from_fn(bound_time))
        .layer(CatchPanicLayer::custom(error::panicked))
        .layer(PropagateRequestIdLayer::new(REQUEST_ID))
        .layer(TraceLayer::new_for_http().make_span_with(span))
        .layer(SetRequestIdLayer::new(REQUEST_ID, NewRequestId))
}

/// A request without an `x-request-id` of its own gets one.
#[derive(Debug, Clone, Copy)]
struct NewRequestId;

impl MakeRequestId for NewRequestId {
    fn make_request_id<B>(&mut self, _: &Request<B>) -> Option<RequestId> {
        HeaderValue::try_from(app::new_nonce().as_str()).ok().map(RequestId::new)
    }
}

async fn bound_time(
    request: axum::extract::Request,
    next: axum::middleware::Next,
) -> Result<axum::response::Response, ApiError> {
    tokio::time::timeout(REQUEST_TIMEOUT, next.run(request))
        .await
        .map_err(|_| ApiError::new(Kind::RequestTimeout))
}

fn span<B>(request: &Request<B>) -> tracing::Span {
    let id = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or("");
    tracing::info_span!("request", request_id = id, method = %request.method(), path = request.uri().path())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slice_mounts_and_together_they_are_the_whole() {
        // A path that two routes share, or that is malformed, panics here.
        let _whole = routes(|_| true);
        for slice in Slice::ALL {
            let _slice = routes(|of| of == slice);
            assert!(ROUTES.iter().any(|(of, ..)| *of == slice), "{slice:?} is empty");
        }
    }
}
