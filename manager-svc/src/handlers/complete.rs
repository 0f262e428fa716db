//! `POST /complete`: a processor reports of its attempt.

use axum::extract::State;
use axum::response::Response;
use baton_wire::json;
use baton_wire::process::{CompleteIn, CompleteOut, CompleteOutcome, CompleteStatus, ErrorIn};
use bytes::Bytes;
use tracing::{Instrument as _, Span};

use super::body::{self, JsonBytes};
use crate::again::{PATIENCE, insist, until};
use crate::app::{App, new_nonce};
use crate::domain::{Action, ActionId, Failure, Token, TokenHash};
use crate::error::{ApiError, Kind};
use crate::reply;
use crate::settle::{self, Failed, Request};
use crate::store::{Settled, Why};

/// Accepts a result, a failure or a heartbeat of the current attempt.
pub(crate) async fn complete_attempt(
    State(app): State<App>,
    JsonBytes(text): JsonBytes,
) -> Result<Response, ApiError> {
    let input: CompleteIn = body::parse(&text, "")?;
    let id = ActionId::parse(&input.action_id)
        .map_err(|error| ApiError::field(Kind::ActionNotFound, "action_id", error.to_string()))?;
    let token = Token::from_received(input.token.clone()).hash();
    let cap = app.config.limits.max_data_bytes;
    if let Some(data) = input.data.as_ref().filter(|data| data.get().len() > cap) {
        let message = format!("has {} bytes: at most {cap} are right", data.get().len());
        return Err(ApiError::field(Kind::DataTooLarge, "data", message));
    }
    if input.data.as_ref().is_some_and(|data| json::is_too_deep(data.get())) {
        let message = format!("nests deeper than {} levels", json::MAX_DEPTH);
        return Err(ApiError::field(Kind::InvalidRequest, "data", message));
    }
    let action = app.store.action(&id).await?.ok_or_else(unknown)?;
    // The record names the keys, and refuses a stranger before a payload is sent.
    let Some(step) = action.step_of(&token) else {
        return Err(stale());
    };
    if action.attempt.as_ref().is_none_or(|running| running.token != token || step != action.step) {
        return Ok(reply::ok(&answer(CompleteOutcome::Duplicate, None)));
    }
    // On its own task: a processor that hangs up must not take along an attempt that was just claimed.
    let settled = tokio::spawn(report(app, action, token, input).instrument(Span::current()));
    settled.await.map_err(|_| ApiError::new(Kind::Internal))?
}

async fn report(
    app: App,
    action: Action,
    token: TokenHash,
    input: CompleteIn,
) -> Result<Response, ApiError> {
    if input.status == CompleteStatus::Running {
        let nonce = new_nonce();
        let renewed = insist(until(PATIENCE), || app.store.renew(&action, &token, &nonce)).await?;
        return respond(renewed.map(|ends| answer(CompleteOutcome::Accepted, Some(ends))));
    }
    let request = Request::new(&app, &action);
    let settled = if input.status == CompleteStatus::Succeeded {
        let data = input.data.map(|data| Bytes::from(Box::<str>::from(data).into_string()));
        insist(until(PATIENCE), || {
            settle::succeed(&app, &action, &token, &request, data.as_ref(), None)
        })
        .await?
    } else {
        let failed = Failed {
            failure: failure(input.error),
            retryable: input.retryable.unwrap_or(true),
            retry_after_ms: input.retry_after_ms,
        };
        insist(until(PATIENCE), || {
            settle::fail(&app, &action, Why::Token(&token), &request, &failed, None)
        })
        .await?
    };
    respond(settled.map(|follow| {
        if let Some(work) = request.into_work(follow) {
            app.wake.hand(work);
        }
        answer(CompleteOutcome::Accepted, None)
    }))
}

fn answer(outcome: CompleteOutcome, lease_ends_at: Option<u64>) -> CompleteOut {
    CompleteOut { outcome, lease_ends_at }
}

fn respond(settled: Settled<CompleteOut>) -> Result<Response, ApiError> {
    match settled {
        Settled::Accepted(out) => Ok(reply::ok(&out)),
        Settled::Duplicate => Ok(reply::ok(&answer(CompleteOutcome::Duplicate, None))),
        Settled::Stale => Err(stale()),
        Settled::Unknown => Err(unknown()),
        Settled::PayloadMissing => Err(ApiError::new(Kind::StoreFull)
            .detail("Nothing changed: report again while the lease runs.")),
    }
}

fn failure(error: Option<ErrorIn>) -> Failure {
    let error = error.unwrap_or(ErrorIn { code: None, message: "no reason given".to_owned() });
    let cut = |text: String, most: usize| text.chars().take(most).collect::<String>();
    let code = error.code.unwrap_or_else(|| "processor_failed".to_owned());
    Failure::new(cut(code, 64), cut(error.message, 500))
}

fn unknown() -> ApiError {
    ApiError::new(Kind::ActionNotFound).detail("Stop working on it.")
}

fn stale() -> ApiError {
    ApiError::new(Kind::TokenNotCurrent).detail(
        "The attempt's lease ended, or the action has. Stop working on it; nothing changed.",
    )
}
