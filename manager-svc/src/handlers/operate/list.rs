//! `GET /actions`.

use axum::extract::State;
use axum::response::Response;
use baton_wire::operate::{ActionEntry, ActionsOut};
use serde::Deserialize;

use super::walk::{LOOKED_AT, Walk};
use crate::app::App;
use crate::domain::Action;
use crate::domain::action::Status;
use crate::error::{ApiError, Kind};
use crate::handlers::body::Params;
use crate::store::Index;
use crate::{reply, view};

const DEFAULT_LIMIT: usize = 20;
const MAX_LIMIT: usize = 100;

/// The query of `GET /actions`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    status: Option<String>,
    target: Option<String>,
    label: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
}

/// What is wanted, parsed.
#[derive(Debug)]
struct Filter {
    status: Option<Status>,
    target: Option<String>,
    /// `name:value`; a name may have colons too.
    label: Option<String>,
}

/// Actions, newest first: at first those without outcome, by when they expire, then those with one, by when they
/// reached it.
pub(crate) async fn list_actions(
    State(app): State<App>,
    Params(query): Params<ListQuery>,
) -> Result<Response, ApiError> {
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(refuse("limit", format!("must be 1 to {MAX_LIMIT}")));
    }
    let status = query.status.as_deref().map(parse_status).transpose()?;
    let label = query.label.map(parse_label).transpose()?;
    let filter = Filter { status, target: query.target, label };
    let mut walk = Walk::over(lists(status), query.cursor.as_deref(), "query cursor")?;
    let found = walk.go(&app, limit, LOOKED_AT, |action| filter.matches(action)).await?;
    Ok(reply::ok(&ActionsOut {
        actions: found.actions.iter().map(entry).collect(),
        cursor: found.cursor.map(|cursor| cursor.encode()),
    }))
}

fn refuse(field: &str, message: impl Into<String>) -> ApiError {
    ApiError::field(Kind::InvalidRequest, format!("query {field}"), message)
}

fn parse_status(text: &str) -> Result<Status, ApiError> {
    Ok(match text {
        "queued" => Status::Queued,
        "running" => Status::Running,
        "succeeded" => Status::Succeeded,
        "partial" => Status::Partial,
        "failed" => Status::Failed,
        "cancelled" => Status::Cancelled,
        _ => {
            let message = "is one of queued, running, succeeded, partial, failed, cancelled";
            return Err(refuse("status", message));
        }
    })
}

fn parse_label(text: String) -> Result<String, ApiError> {
    if text.contains(':') {
        Ok(text)
    } else {
        Err(refuse("label", "is a name and a value, `name:value`"))
    }
}

/// Where actions with a status are, or all of them.
fn lists(status: Option<Status>) -> &'static [&'static [Index]] {
    match status {
        None => &[&[Index::Live], &[Index::Done, Index::Failed]],
        Some(Status::Queued | Status::Running) => &[&[Index::Live]],
        Some(Status::Succeeded | Status::Partial | Status::Cancelled) => &[&[Index::Done]],
        Some(Status::Failed) => &[&[Index::Failed]],
    }
}

impl Filter {
    fn matches(&self, action: &Action) -> bool {
        let named = |target: &String| action.jobs.iter().any(|job| job.target.as_str() == target);
        let is = |text: &str, name: &str, value: &str| {
            text.strip_prefix(name).and_then(|rest| rest.strip_prefix(':')) == Some(value)
        };
        let labelled = |text: &String| action.labels.iter().any(|(name, of)| is(text, name, of));
        self.status.is_none_or(|status| status == action.status)
            && self.target.as_ref().is_none_or(named)
            && self.label.as_ref().is_none_or(labelled)
    }
}

fn entry(action: &Action) -> ActionEntry {
    ActionEntry {
        action_id: action.id.as_str().to_owned(),
        status: view::status(action.status),
        run: action.run,
        targets: action.jobs.iter().map(|job| job.target.as_str().to_owned()).collect(),
        step: action.step,
        steps: action.jobs.count(),
        created_at: action.created_at,
        ended_at: action.ended_at,
        error: view::outcome_error(action),
        labels: action.labels.clone(),
        delivery: view::delivery(action),
    }
}
