//! `POST /register`, `DELETE /processors/{id}`, and pausing and resuming processors.

use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use baton_wire::processor::{DrainOut, DrainStatus, PauseOut, RegisterIn, RegisterOut};
use serde::Deserialize;

use super::body::{self, JsonBytes, Params, PathId};
use super::meta;
use crate::again::{PATIENCE, insist, until};
use crate::app::{App, new_nonce};
use crate::domain::Target;
use crate::error::{ApiError, Kind};
use crate::reply;
use crate::store::{
    Drained, Processor, ProcessorStatus, Registered, Registration, Seen, Switch, Switched,
};

const DEFAULT_CAPACITY: u32 = 10;
const MAX_CAPACITY: u32 = 10_000;
const CALL_BACK: Duration = Duration::from_secs(5);

/// Registers a processor, once it answered as the one it says it is.
pub(crate) async fn register_processor(
    State(app): State<App>,
    JsonBytes(text): JsonBytes,
) -> Result<Response, ApiError> {
    let mut registration = parse(&app, &body::parse(&text, "")?)?;
    let seen = look(&app, &registration.id).await?;
    if let Some(first) = &seen.processor {
        require_free(&app, first, &registration.url).await?;
    }
    call_back(&app, &mut registration).await?;
    app.note_answer();
    registration.seen = Some((seen.epoch, seen.name));
    let (interval, nonce) = (app.config.health.interval_ms, new_nonce());
    let registered =
        insist(until(PATIENCE), || app.store.register(&registration, &nonce, interval)).await?;
    let out = |epoch| RegisterOut {
        id: registration.id.as_str().to_owned(),
        epoch,
        health_interval_ms: interval,
    };
    let response = match registered {
        Registered::Added(epoch) => reply::created(&out(epoch)),
        Registered::Renewed(epoch) => reply::ok(&out(epoch)),
        Registered::Changed => return Err(changed()),
        Registered::IdIsName => return Err(conflict("id", "is the name of another processor")),
        Registered::NameIsId => return Err(conflict("name", "is the id of another processor")),
    };
    take_notice(&app).await;
    Ok(response)
}

async fn look(app: &App, id: &Target) -> Result<Seen, ApiError> {
    Ok(insist(until(PATIENCE), || app.store.seen(id.as_str())).await?)
}

/// This process goes by what was just written. The next tick sees it anyway: what was done stays done when the
/// store goes away only now.
async fn take_notice(app: &App) {
    if let Err(error) = app.registry.renew(&app.store).await {
        tracing::warn!(%error, "the processors could not be read anew");
    }
    app.wake.nudge();
}

fn parse(app: &App, input: &RegisterIn) -> Result<Registration, ApiError> {
    let refuse = |path: &str, message: String| ApiError::field(Kind::InvalidRequest, path, message);
    let capacity = input.capacity.unwrap_or(DEFAULT_CAPACITY);
    if !(1..=MAX_CAPACITY).contains(&capacity) {
        return Err(refuse("capacity", format!("must be 1 to {MAX_CAPACITY}")));
    }
    Ok(Registration {
        id: Target::parse(&input.id).map_err(|error| refuse("id", error.to_string()))?,
        name: Target::parse(&input.name).map_err(|error| refuse("name", error.to_string()))?,
        url: app
            .egress
            .check_processor_url(&input.url)
            .map_err(|error| refuse("url", error.to_string()))?,
        capacity,
        started_at: None,
        usage: None,
        seen: None,
    })
}

/// An id moves to another URL only when its first place is silent, leaves, or is somebody else by now.
async fn require_free(app: &App, first: &Processor, url: &str) -> Result<(), ApiError> {
    if first.url == url || first.status == ProcessorStatus::Draining {
        return Ok(());
    }
    match app.egress.fetch_meta(&first.url, CALL_BACK).await {
        Ok(meta) if meta.id == first.id => {
            Err(ApiError::new(Kind::ProcessorIdTaken).detail(format!(
                "`{}` still answers at {}: stop it first, or register with an id of its own.",
                first.id, first.url
            )))
        }
        _ => Ok(()),
    }
}

/// The processor must answer at its URL, as itself, and have a `/process`.
async fn call_back(app: &App, registration: &mut Registration) -> Result<(), ApiError> {
    let unreachable = |error: String| {
        ApiError::field(Kind::ProcessorUnreachable, "url", error)
            .detail("Start listening before registering, at a URL that the manager can reach.")
    };
    let meta = app
        .egress
        .fetch_meta(&registration.url, CALL_BACK)
        .await
        .map_err(|error| unreachable(error.to_string()))?;
    for (path, here, there) in [
        ("id", registration.id.as_str(), &meta.id),
        ("name", registration.name.as_str(), &meta.name),
    ] {
        if here != there {
            let message = format!("`GET {}/meta` says `{there:.64}`", registration.url);
            return Err(ApiError::field(Kind::ProcessorMismatch, path, message));
        }
    }
    app.egress
        .probe_process(&registration.url, CALL_BACK)
        .await
        .map_err(|error| unreachable(error.to_string()))?;
    registration.started_at = meta.started_at;
    registration.usage = meta.usage.map(|usage| (usage.cpu_percent, usage.memory_bytes));
    Ok(())
}

fn conflict(path: &str, message: &str) -> ApiError {
    ApiError::field(Kind::ProcessorNameConflict, path, message)
        .detail("Jobs name either: choose another one.")
}

/// The query of `DELETE /processors/{id}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DrainQuery {
    epoch: Option<u64>,
}

/// Stops new work for a processor; it is gone when its pending work is done.
pub(crate) async fn drain_processor(
    State(app): State<App>,
    PathId(id): PathId,
    Params(query): Params<DrainQuery>,
) -> Result<Response, ApiError> {
    let target = Target::parse(&id).map_err(|_| unknown())?;
    let mut epoch = query.epoch;
    let drained = loop {
        let seen = look(&app, &target).await?;
        // Without one it is the registration that is there now, so that a copy that arrives late spares the next.
        let epoch = *epoch.get_or_insert(seen.epoch);
        let drain = || app.store.drain_named(&id, &seen.name, Some(epoch));
        match insist(until(PATIENCE), drain).await? {
            // It registered under another name between the two calls.
            Drained::Changed => {}
            end => break end,
        }
    };
    let (status, in_flight) = match drained {
        Drained::Draining(pending) => (DrainStatus::Draining, pending),
        Drained::Gone => (DrainStatus::Gone, 0),
        Drained::OlderEpoch(pending) => (DrainStatus::Unchanged, pending),
        Drained::Unknown => return Err(unknown()),
        Drained::Changed => return Err(changed()),
    };
    take_notice(&app).await;
    Ok(reply::ok(&DrainOut { id, status, in_flight }))
}

/// Stops claims for a processor until it is resumed.
pub(crate) async fn pause_processor(
    State(app): State<App>,
    PathId(id): PathId,
) -> Result<Response, ApiError> {
    switch(&app, id, Switch::Pause).await
}

/// Starts claims for a paused processor.
pub(crate) async fn resume_processor(
    State(app): State<App>,
    PathId(id): PathId,
) -> Result<Response, ApiError> {
    switch(&app, id, Switch::Resume).await
}

async fn switch(app: &App, id: String, wanted: Switch) -> Result<Response, ApiError> {
    let target = Target::parse(&id).map_err(|_| unknown())?;
    let (seen, nonce) = (look(app, &target).await?.switched, new_nonce());
    let switched =
        insist(until(PATIENCE), || app.store.switch(target.as_str(), seen, &nonce, wanted)).await?;
    let (status, in_flight) = match switched {
        Switched::Now(status, pending) => (meta::status(status), pending),
        Switched::Changed => return Err(changed()),
        Switched::Leaving => {
            return Err(ApiError::new(Kind::ProcessorDraining)
                .detail("It gets no new work either way; when it registers again it is active."));
        }
        Switched::Unknown => return Err(unknown()),
    };
    take_notice(app).await;
    Ok(reply::ok(&PauseOut { id, status, in_flight }))
}

fn unknown() -> ApiError {
    ApiError::new(Kind::ProcessorNotFound).detail("`GET /meta` lists them all.")
}

fn changed() -> ApiError {
    ApiError::new(Kind::ProcessorChanged)
        .detail("Another request changed it at the same moment: look at it, and try again.")
}
