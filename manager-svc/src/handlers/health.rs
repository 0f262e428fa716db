//! `GET /healthz` and `GET /readyz`.

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;

use crate::app::App;
use crate::error::ApiError;
use crate::reply;

#[derive(Serialize)]
struct Health {
    status: &'static str,
}

/// The process is alive.
pub(crate) async fn get_liveness() -> Response {
    reply::ok(&Health { status: "ok" })
}

/// The store is reached, so that requests can be served.
pub(crate) async fn get_readiness(State(app): State<App>) -> Result<Response, ApiError> {
    app.store.ping().await?;
    Ok(reply::ok(&Health { status: "ready" }))
}
