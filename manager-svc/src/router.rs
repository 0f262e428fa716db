//! The one route table. The local server mounts all of it, a function one slice; layers are the same.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue, Method, Request};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{MethodFilter, MethodRouter, get, on};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::request_id::{
    MakeRequestId, PropagateRequestIdLayer, RequestId, SetRequestIdLayer,
};
use tower_http::trace::TraceLayer;

use crate::app::{self, App};
use crate::error::{self, ApiError, Kind};
use crate::guard::{self, Access, Guard};
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
/// Where a route is deployed, what it is called, whom it is for, and what answers.
type Route = (Slice, Method, &'static str, Access, Handler);

const ROUTES: &[Route] = &[
    (Slice::Action, Method::POST, "/action", Access::Caller, |m| on(m, action::submit_action)),
    (Slice::Action, Method::GET, "/action/{id}", Access::Caller, |m| on(m, action::get_action)),
    (Slice::Action, Method::DELETE, "/action/{id}", Access::Caller, |m| {
        on(m, operate::cancel_action)
    }),
    (Slice::Action, Method::POST, "/action/{id}/redeliver", Access::Operator, |m| {
        on(m, operate::redeliver_action)
    }),
    (Slice::Operate, Method::GET, "/actions", Access::Operator, |m| on(m, operate::list_actions)),
    (Slice::Operate, Method::POST, "/failed/redrive", Access::Operator, |m| {
        on(m, operate::redrive_failed)
    }),
    (Slice::Operate, Method::POST, "/deliveries/redeliver", Access::Operator, |m| {
        on(m, operate::redeliver_exhausted)
    }),
    (Slice::Complete, Method::POST, "/complete", Access::Open, |m| {
        on(m, complete::complete_attempt)
    }),
    (Slice::Register, Method::POST, "/register", Access::Processor, |m| {
        on(m, processor::register_processor)
    }),
    (Slice::Register, Method::DELETE, "/processors/{id}", Access::Processor, |m| {
        on(m, processor::drain_processor)
    }),
    (Slice::Register, Method::POST, "/processors/{id}/pause", Access::Operator, |m| {
        on(m, processor::pause_processor)
    }),
    (Slice::Register, Method::POST, "/processors/{id}/resume", Access::Operator, |m| {
        on(m, processor::resume_processor)
    }),
    (Slice::Meta, Method::GET, "/meta", Access::AnyKey, |m| on(m, meta::get_meta)),
    (Slice::Meta, Method::GET, "/metrics", Access::Operator, |m| on(m, metrics::get_metrics)),
    (Slice::Meta, Method::GET, "/", Access::Open, |m| on(m, dashboard::get_page)),
    (Slice::Meta, Method::GET, "/dashboard.css", Access::Open, |m| on(m, dashboard::get_style)),
    (Slice::Meta, Method::GET, "/dashboard.js", Access::Open, |m| on(m, dashboard::get_script)),
    (Slice::Meta, Method::GET, "/healthz", Access::Open, |m| on(m, health::get_liveness)),
    (Slice::Meta, Method::GET, "/readyz", Access::Open, |m| on(m, health::get_readiness)),
];

/// Every route: its slice, method and path.
pub fn table() -> impl Iterator<Item = (Slice, &'static str, &'static str)> {
    ROUTES.iter().map(|(slice, method, path, ..)| (*slice, method.as_str(), *path))
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

fn routes(guard: &Arc<Guard>, wanted: impl Fn(Slice) -> bool) -> Router<App> {
    let wanted = ROUTES.iter().filter(|(slice, ..)| wanted(*slice));
    wanted.fold(Router::new(), |router, (_, method, path, access, handler)| {
        let method = MethodFilter::try_from(method.clone()).expect("a method that axum knows");
        let admit = from_fn_with_state((Arc::clone(guard), *access), guard::admit);
        router.route(path, handler(method).route_layer(admit))
    })
}

fn mount(app: App, wanted: impl Fn(Slice) -> bool) -> Router {
    let routes = routes(&Guard::new(&app.config), wanted)
        .fallback(async || ApiError::new(Kind::RouteNotFound))
        .method_not_allowed_fallback(async || ApiError::new(Kind::MethodNotAllowed));
    layered(routes).with_state(app)
}

fn layered<S: Clone + Send + Sync + 'static>(router: Router<S>) -> Router<S> {
    router
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(from_fn(bound_time))
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
        let _whole = routes(&Arc::default(), |_| true);
        for slice in Slice::ALL {
            let _slice = routes(&Arc::default(), |of| of == slice);
            assert!(ROUTES.iter().any(|(of, ..)| *of == slice), "{slice:?} is empty");
        }
    }
}
