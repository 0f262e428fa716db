//! `POST /action` and `GET /action/{id}`.

use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use baton_wire::action::{ActionAccepted, ActionOut, ActionsAccepted, Status};
use serde::Deserialize;
use serde_json::value::RawValue;
use tracing::{Instrument as _, Span};

use super::body::{JsonBytes, Params, PathId};
use super::submission;
use crate::again::{PATIENCE, insist, until};
use crate::app::{App, new_token};
use crate::domain::{Action, ActionId};
use crate::error::{ApiError, Kind};
use crate::store::{Claimed, HandOver, IdempotencyKey, NewAction, Submitted};
use crate::wake::Work;
use crate::{reply, view};

const MAX_WAIT_MS: u64 = 20_000;

/// Accepts one action, or an array of them.
pub(crate) async fn submit_action(
    State(app): State<App>,
    headers: HeaderMap,
    JsonBytes(text): JsonBytes,
) -> Result<Response, ApiError> {
    let submission = submission::read(&app, &headers, &text)?;
    let idempotency = submission::idempotency(&headers, &text)?;
    let many = submission.many;
    require_known_targets(&app, &submission.actions, many).await?;
    // On its own task: a caller that hangs up must not take along an attempt that was just claimed.
    let accepted =
        tokio::spawn(submit(app, submission.actions, idempotency).instrument(Span::current()));
    let actions = accepted.await.map_err(|_| ApiError::new(Kind::Internal))??;
    if many {
        return Ok(reply::accepted(&ActionsAccepted { actions }, None));
    }
    let action = actions.into_iter().next().ok_or_else(|| ApiError::new(Kind::Internal))?;
    let location = format!("/action/{}", action.action_id);
    Ok(reply::accepted(&action, Some(location)))
}

async fn submit(
    app: App,
    mut actions: Vec<NewAction>,
    idempotency: Option<IdempotencyKey>,
) -> Result<Vec<ActionAccepted>, ApiError> {
    let token = new_token();
    let mut room = match actions.as_slice() {
        [one] if one.delay_ms == 0 => app.wake.dispatch_room(),
        _ => None,
    };
    let wish = room.as_ref().map(|_| HandOver {
        candidates: app.registry.candidates(actions[0].action.job().target.as_str()),
        token: token.hash(),
    });
    let most_live = app.config.limits.max_queued;
    let submitted = insist(until(PATIENCE), || {
        app.store.submit(&actions, idempotency.as_ref(), most_live, wish.as_ref())
    })
    .await?;
    match submitted {
        Submitted::Accepted { now, claim } => {
            let ids: Vec<_> = actions.iter().map(|new| new.action.id.clone()).collect();
            match (claim, room.take()) {
                (Some(assignment), Some(room)) => {
                    let NewAction { mut action, data, expires_in_ms, .. } = actions.swap_remove(0);
                    action.created_at = now;
                    action.ready_at = now;
                    action.expires_at = now + expires_in_ms;
                    action.idempotency = idempotency.map(|known| known.key);
                    action.claim(token.hash(), assignment.processor.clone(), now);
                    let claimed = Claimed { action, assignment, token, data };
                    app.wake.hand(Work::Attempt(Box::new(claimed), room));
                }
                _ => app.wake.nudge(),
            }
            Ok(ids.iter().map(|id| entry(id, Status::Queued)).collect())
        }
        Submitted::Known(ids) => {
            let records = app.store.actions(&ids).await?;
            let status = |record: &Option<Action>| {
                record.as_ref().map_or(Status::Queued, |action| view::status(action.status))
            };
            Ok(ids.iter().zip(&records).map(|(id, record)| entry(id, status(record))).collect())
        }
        Submitted::OtherBody => Err(ApiError::new(Kind::IdempotencyKeyReused)
            .detail("Use a new key for a new request; the first request's actions are unchanged.")),
        Submitted::Full => Err(ApiError::new(Kind::QueueFull)
            .detail("Wait until some actions have ended, or raise BATON_MAX_QUEUED.")),
        Submitted::PayloadMissing => {
            Err(ApiError::new(Kind::StoreFull).detail("Nothing was accepted. Try again later."))
        }
    }
}

fn entry(id: &ActionId, status: Status) -> ActionAccepted {
    ActionAccepted { action_id: id.as_str().to_owned(), status }
}

/// Every target must be registered, or remembered: an action for a typo would wait until it expires.
async fn require_known_targets(
    app: &App,
    actions: &[NewAction],
    many: bool,
) -> Result<(), ApiError> {
    let mut unsure = Vec::new();
    for (index, new) in actions.iter().enumerate() {
        for (number, job) in new.action.jobs.iter().enumerate() {
            if !app.registry.serves(job.target.as_str()) {
                unsure.push((index, number, job.target.as_str()));
            }
        }
    }
    if unsure.is_empty() {
        return Ok(());
    }
    let targets: Vec<_> = unsure.iter().map(|(_, _, target)| *target).collect();
    let known = app.store.known(&targets).await?;
    match unsure.iter().zip(known).find(|(_, known)| !known) {
        None => Ok(()),
        Some(((index, number, target), _)) => {
            let of = if many { format!("[{index}].") } else { String::new() };
            let message =
                format!("no processor was ever registered with the id or name `{target}`");
            Err(ApiError::field(Kind::UnknownTarget, format!("{of}jobs[{number}].target"), message)
                .detail("Register the processor first: `GET /meta` lists those that are."))
        }
    }
}

/// The query of `GET /action/{id}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WaitQuery {
    #[serde(default)]
    wait_ms: u64,
}

/// An action: its status, data and timeline. With `wait_ms` it answers when the outcome is there.
pub(crate) async fn get_action(
    State(app): State<App>,
    PathId(id): PathId,
    Params(query): Params<WaitQuery>,
) -> Result<Response, ApiError> {
    if query.wait_ms > MAX_WAIT_MS {
        let message = format!("must be at most {MAX_WAIT_MS} milliseconds");
        return Err(ApiError::field(Kind::InvalidRequest, "query wait_ms", message));
    }
    let id = ActionId::parse(&id).map_err(|error| {
        ApiError::new(Kind::ActionNotFound).detail(format!("The path's id {error}."))
    })?;
    let action = wait_for_outcome(&app, &id, Duration::from_millis(query.wait_ms)).await?;
    let data = app.store.payload(&id, &action.data).await?;
    Ok(reply::ok(&action_out(&app, &action, data.as_deref())))
}

async fn wait_for_outcome(app: &App, id: &ActionId, wait: Duration) -> Result<Action, ApiError> {
    let until = tokio::time::Instant::now() + wait;
    let mut outcomes = app.wake.outcomes();
    let mut pause = Duration::from_millis(50);
    loop {
        let action = app.store.action(id).await?.ok_or_else(|| {
            ApiError::new(Kind::ActionNotFound)
                .detail("It was never accepted, or has ended and was forgotten.")
        })?;
        let now = tokio::time::Instant::now();
        if view::status(action.status).is_outcome() || now >= until {
            return Ok(action);
        }
        // Another process may reach the outcome, so a look now and then; ours are told at once, but not
        // more often than every few milliseconds: under load there is one all the time.
        let _ = tokio::time::timeout_at(until.min(now + pause), outcomes.changed()).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
        pause = (pause * 2).min(Duration::from_millis(500));
    }
}

fn action_out(app: &App, action: &Action, data: Option<&[u8]>) -> ActionOut {
    let data = data
        .and_then(|data| std::str::from_utf8(data).ok())
        .and_then(|text| RawValue::from_string(text.to_owned()).ok());
    let status = view::status(action.status);
    let waits = !status.is_outcome() && action.attempt.is_none();
    ActionOut {
        action_id: action.id.as_str().to_owned(),
        status,
        run: action.run,
        data,
        error: view::outcome_error(action),
        labels: action.labels.clone(),
        created_at: action.created_at,
        expires_at: action.expires_at,
        ended_at: action.ended_at,
        steps: view::steps(action),
        waiting: waits.then(|| view::why_it_waits(action, &app.registry.processors())),
        delivery: view::delivery(action),
    }
}
