//! `POST /action` and `GET /action/{id}`.

use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use baton_wire::action::{ActionAccepted, ActionOut, ActionsAccepted, Status};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time::{Instant, timeout_at};
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
/// How often a record is read again whose payload was not there.
const LOOKS_AGAIN: usize = 2;

/// Accepts one action, or an array of them.
pub(crate) async fn submit_action(
    State(app): State<App>,
    headers: HeaderMap,
    JsonBytes(text): JsonBytes,
) -> Result<Response, ApiError> {
    let submission = submission::read(&app, &headers, &text)?;
    let idempotency = submission::idempotency(&headers, &text)?;
    let many = submission.many;
    let actions = if let Some(refusal) = unknown_target(&app, &submission.actions, many).await? {
        repeat_of(&app, idempotency.as_ref()).await?.ok_or(refusal)?
    } else {
        // On its own task: a caller that hangs up must not take along an attempt that was just claimed.
        let submit = submit(app, submission.actions, many, idempotency).instrument(Span::current());
        tokio::spawn(submit).await.map_err(|_| ApiError::new(Kind::Internal))??
    };
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
    many: bool,
    idempotency: Option<IdempotencyKey>,
) -> Result<Vec<ActionAccepted>, ApiError> {
    let token = new_token();
    let mut room = match actions.as_slice() {
        [one] if one.delay_ms == 0 => app.wake.dispatch_room(one.action.job().target.as_str()),
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
                    let NewAction { mut action, data, .. } = actions.swap_remove(0);
                    action.created_at = now;
                    action.ready_at = now;
                    action.expires_at = now + action.expires_in_ms;
                    action.idempotency = idempotency.map(|known| known.key);
                    action.claim(token.hash(), assignment.processor.clone(), now);
                    let claimed = Claimed { action, assignment, token, data };
                    app.wake.hand(Work::Attempt(Box::new(claimed), room));
                }
                _ => app.wake.nudge(),
            }
            Ok(ids.iter().map(|id| entry(id, Status::Queued)).collect())
        }
        Submitted::Known(ids) => known(&app, &ids).await,
        Submitted::OtherBody => Err(other_body()),
        Submitted::Full => Err(ApiError::new(Kind::QueueFull)
            .detail("Wait until some actions have ended, or raise BATON_MAX_QUEUED.")),
        Submitted::AboveMark => Err(ApiError::new(Kind::StoreFull).detail(
            "Nothing was accepted, so that what was accepted before can end. Try again later.",
        )),
        Submitted::HostFull(host) => Err(receiver_full(&actions, &host, many)),
        Submitted::PayloadMissing => {
            Err(ApiError::new(Kind::StoreFull).detail("Nothing was accepted. Try again later."))
        }
    }
}

/// A request that came before is answered from its key, also when a target was forgotten since.
async fn repeat_of(
    app: &App,
    key: Option<&IdempotencyKey>,
) -> Result<Option<Vec<ActionAccepted>>, ApiError> {
    let Some(key) = key else { return Ok(None) };
    match insist(until(PATIENCE), || app.store.repeated(key)).await? {
        Some(Submitted::Known(ids)) => known(app, &ids).await.map(Some),
        Some(_) => Err(other_body()),
        None => Ok(None),
    }
}

/// What the actions of an earlier request have come to.
async fn known(app: &App, ids: &[ActionId]) -> Result<Vec<ActionAccepted>, ApiError> {
    let statuses = insist(until(PATIENCE), || app.store.statuses(ids)).await?;
    let status = |status: Option<_>| status.map_or(Status::Ended, view::status);
    Ok(ids.iter().zip(statuses).map(|(id, of)| entry(id, status(of))).collect())
}

fn receiver_full(actions: &[NewAction], host: &str, many: bool) -> ApiError {
    let of = |new: &NewAction| new.action.receiver.as_ref().is_some_and(|to| to.host == host);
    let path = match actions.iter().position(of) {
        Some(index) if many => format!("[{index}].response_url"),
        _ => "response_url".to_owned(),
    };
    let message = format!("too many outcomes wait for `{host}` already");
    ApiError::field(Kind::ReceiverFull, path, message).detail(
        "Wait until that host takes what was sent to it, or raise BATON_MAX_QUEUED_PER_HOST.",
    )
}

fn other_body() -> ApiError {
    ApiError::new(Kind::IdempotencyKeyReused)
        .detail("Use a new key for a new request; the first request's actions are unchanged.")
}

fn entry(id: &ActionId, status: Status) -> ActionAccepted {
    ActionAccepted { action_id: id.as_str().to_owned(), status }
}

/// Every target must be registered, or remembered: an action for a typo would wait until it expires.
async fn unknown_target(
    app: &App,
    actions: &[NewAction],
    many: bool,
) -> Result<Option<ApiError>, ApiError> {
    let mut unsure = Vec::new();
    // Nobody renews the copy of a process without a loop: it may name what was forgotten long since.
    let stale = app.registry.is_stale();
    for (index, new) in actions.iter().enumerate() {
        for (number, job) in new.action.jobs.iter().enumerate() {
            if stale || !app.registry.serves(job.target.as_str()) {
                unsure.push((index, number, job.target.as_str()));
            }
        }
    }
    if unsure.is_empty() {
        return Ok(None);
    }
    let targets: Vec<_> = unsure.iter().map(|(_, _, target)| *target).collect();
    let known = insist(until(PATIENCE), || app.store.known(&targets)).await?;
    let unknown = unsure.iter().zip(known).find(|(_, known)| !known);
    Ok(unknown.map(|((index, number, target), _)| {
        let of = if many { format!("[{index}].") } else { String::new() };
        let message = format!("no processor was ever registered with the id or name `{target}`");
        ApiError::field(Kind::UnknownTarget, format!("{of}jobs[{number}].target"), message)
            .detail("Register the processor first: `GET /meta` lists those that are.")
    }))
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
    let id = parse_id(&id)?;
    let mut action = wait_for_outcome(&app, &id, Duration::from_millis(query.wait_ms)).await?;
    let mut data = app.store.payload(&id, &action.data).await?;
    // A step that was completed between the two looks has replaced the payload: what it left is read instead.
    for _ in 0..LOOKS_AGAIN {
        if data.is_some() {
            break;
        }
        action = record(&app, &id).await?;
        data = app.store.payload(&id, &action.data).await?;
    }
    if waits(&action) && app.registry.is_stale() {
        // Where no loop renews the copy, what it waits for is to be said all the same.
        app.registry.renew(&app.store).await?;
    }
    Ok(reply::ok(&action_out(&app, &action, data.as_deref())))
}

pub(super) fn parse_id(id: &str) -> Result<ActionId, ApiError> {
    ActionId::parse(id).map_err(|error| {
        ApiError::new(Kind::ActionNotFound).detail(format!("The path's id {error}."))
    })
}

async fn record(app: &App, id: &ActionId) -> Result<Action, ApiError> {
    app.store.action(id).await?.ok_or_else(unknown)
}

pub(super) fn unknown() -> ApiError {
    ApiError::new(Kind::ActionNotFound)
        .detail("It was never accepted, or has ended and was forgotten.")
}

async fn wait_for_outcome(app: &App, id: &ActionId, wait: Duration) -> Result<Action, ApiError> {
    let until = Instant::now() + wait;
    let mut pause = Duration::from_millis(50);
    loop {
        // Before the look: what happens after it is not missed.
        let waiter = app.wake.await_outcome(id);
        let action = record(app, id).await?;
        let now = Instant::now();
        if view::status(action.status).is_outcome() || now >= until || app.wake.is_closed() {
            return Ok(action);
        }
        // Another process may reach the outcome, so a look now and then.
        let _ = timeout_at(until.min(now + pause), waiter.woken()).await;
        pause = (pause * 2).min(Duration::from_secs(1));
    }
}

fn waits(action: &Action) -> bool {
    !view::status(action.status).is_outcome() && action.attempt.is_none()
}

fn action_out(app: &App, action: &Action, data: Option<&[u8]>) -> ActionOut {
    let data = data
        .and_then(|data| std::str::from_utf8(data).ok())
        .and_then(|text| RawValue::from_string(text.to_owned()).ok());
    let status = view::status(action.status);
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
        waiting: waits(action).then(|| view::why_it_waits(action, &app.registry.processors())),
        delivery: view::delivery(action),
    }
}
