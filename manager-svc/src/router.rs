//! The one route table. The local server mounts all of it, a function one slice; layers are the same.

use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue, Method, Request};
use axum::routing::{MethodFilter, MethodRouter, get, on};
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

type Handler = fn(MethodFilter) -> MethodRouter<App>;
type Route = (Slice, Method, &'static str, Handler);

const ROUTES: &[Route] = &[
    (Slice::Action, Method::POST, "/action", |m| on(m, action::submit_action)),
    (Slice::Action, Method::GET, "/action/{id}", |m| on(m, action::get_action)),
    (Slice::Action, Method::DELETE, "/action/{id}", |m| on(m, operate::cancel_action)),
    (Slice::Action, Method::POST, "/action/{id}/redeliver", |m| on(m, operate::redeliver_action)),
    (Slice::Operate, Method::GET, "/actions", |m| on(m, operate::list_actions)),
    (Slice::Operate, Method::POST, "/failed/redrive", |m| on(m, operate::redrive_failed)),
    (Slice::Operate, Method::POST, "/deliveries/redeliver", |m| {
        on(m, operate::redeliver_exhausted)
    }),
    (Slice::Complete, Method::POST, "/complete", |m| on(m, complete::complete_attempt)),
    (Slice::Register, Method::POST, "/register", |m| on(m, processor::register_processor)),
    (Slice::Register, Method::DELETE, "/processors/{id}", |m| on(m, processor::drain_processor)),
    (Slice::Register, Method::POST, "/processors/{id}/pause", |m| {
        on(m, processor::pause_processor)
    }),
    (Slice::Register, Method::POST, "/processors/{id}/resume", |m| {
        on(m, processor::resume_processor)
    }),
    (Slice::Meta, Method::GET, "/meta", |m| on(m, meta::get_meta)),
    (Slice::Meta, Method::GET, "/metrics", |m| on(m, metrics::get_metrics)),
    (Slice::Meta, Method::GET, "/", |m| on(m, dashboard::get_page)),
    (Slice::Meta, Method::GET, "/dashboard.css", |m| on(m, dashboard::get_style)),
    (Slice::Meta, Method::GET, "/dashboard.js", |m| on(m, dashboard::get_script)),
    (Slice::Meta, Method::GET, "/healthz", |m| on(m, health::get_liveness)),
    (Slice::Meta, Method::GET, "/readyz", |m| on(m, health::get_readiness)),
];

/// Every route: its slice, method and path.
pub fn table() -> impl Iterator<Item = (Slice, &'static str, &'static str)> {
    ROUTES.iter().map(|(slice, method, path, _)| (*slice, method.as_str(), *path))
}

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
    let wanted = ROUTES.iter().filter(|(slice, ..)| wanted(*slice));
    wanted.fold(Router::new(), |router, (_, method, path, handler)| {
        let method = MethodFilter::try_from(method.clone()).expect("a method that axum knows");
        router.route(path, handler(method))
    })
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
