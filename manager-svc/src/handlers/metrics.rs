//! `GET /metrics`: for Prometheus, what Redis holds, so that any manager process can answer for all of them. Only the
//! `baton_manager_…` families are about the process that answers.

mod exposition;
mod families;

use axum::extract::State;
use axum::response::Response;

use super::meta::Snapshot;
use crate::app::App;
use crate::error::ApiError;
use crate::reply;

/// The same numbers as `GET /meta`, in the text format of Prometheus.
pub(crate) async fn get_metrics(State(app): State<App>) -> Result<Response, ApiError> {
    let snapshot = Snapshot::read(&app).await?;
    let text = families::render(&app.id, app.usage.sample(), &snapshot);
    Ok(reply::content(exposition::MEDIA_TYPE, text))
}
