//! What a processor serves: `GET /meta`, `POST /process`, `OPTIONS /process`.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest as _, Request, State};
use axum::http::header::{ALLOW, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use baton_wire::process::{IDEMPOTENCY_KEY, ProcessIn};
use baton_wire::processor::ProcessorMeta;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::attempt::Attempt;
use crate::clock::now_ms;
use crate::job::Job;
use crate::reply::{Answer, Refusal};
use crate::shared::Shared;
use crate::work::Full;

/// A manager sends at most 4 MiB of data, and its own envelope and parameters.
const BODY_LIMIT: usize = 8 * 1024 * 1024;
/// Slower clients are cut off.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// The processor's routes.
pub(crate) fn routes(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/meta", get(meta))
        .route("/process", post(process).options(options))
        .fallback(unknown)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(shared)
}

async fn meta(State(shared): State<Arc<Shared>>) -> Response {
    shared.checked.notify_one();
    let meta = ProcessorMeta {
        id: shared.config.id.clone(),
        name: shared.config.name.clone(),
        usage: shared.usage.sample(),
        started_at: Some(shared.started_at),
    };
    // A struct of strings and numbers always has a JSON form.
    let body = serde_json::to_string(&meta).unwrap_or_default();
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}

async fn options() -> Response {
    (StatusCode::NO_CONTENT, [(ALLOW, "OPTIONS, POST")]).into_response()
}

async fn unknown() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "not_found", "a processor serves /meta and /process")
}

async fn process(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    request: Request,
) -> Result<Answer, Refusal> {
    let body = read(request).await?;
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let verified = shared.config.secrets.verify(header, &body, now_ms() / 1000);
    verified.map_err(|error| {
        Refusal::new(StatusCode::UNAUTHORIZED, "signature_invalid", error.to_string())
    })?;
    let mut process: ProcessIn = serde_json::from_slice(&body).map_err(|error| {
        Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "request_invalid", error.to_string())
    })?;
    drop(body);
    if shared.draining.is_cancelled() {
        return Err(Refusal::stopping());
    }
    let job = Job::new(&mut process, header(IDEMPOTENCY_KEY), header("traceparent"));
    let work = shared.works.start_or_join(job).map_err(|Full| {
        Refusal::new(StatusCode::TOO_MANY_REQUESTS, "at_capacity", "all capacity is taken")
            .retry_after(Duration::from_secs(1))
    })?;
    let (reply, answer) = oneshot::channel();
    // On its own, so that it goes on when the caller hangs up.
    let attempt = Attempt::new(Arc::clone(&shared), work, process);
    shared.attempts.spawn(attempt.run(reply));
    Ok(answer.await.unwrap_or(Answer::Later))
}

async fn read(request: Request) -> Result<Bytes, Refusal> {
    match timeout(BODY_TIMEOUT, Bytes::from_request(request, &())).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(rejection)) => {
            Err(Refusal::new(rejection.status(), "body_unreadable", rejection.body_text()))
        }
        Err(_) => Err(Refusal::new(
            StatusCode::REQUEST_TIMEOUT,
            "body_timeout",
            format!("the body did not come within {BODY_TIMEOUT:?}"),
        )),
    }
}
