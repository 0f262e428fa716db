//! `POST /failed/redrive`.

use axum::extract::State;
use axum::response::Response;
use baton_wire::operate::{FailedFilter, RedriveIn, RedriveOut};

use super::bulk::{Again, Which, which};
use super::walk::Walk;
use crate::app::App;
use crate::domain::Action;
use crate::error::ApiError;
use crate::handlers::body::{self, JsonBytes};
use crate::reply;
use crate::store::Index;

/// Runs failed actions again from the step that failed: named ones, or all that match.
pub(crate) async fn redrive_failed(
    State(app): State<App>,
    JsonBytes(text): JsonBytes,
) -> Result<Response, ApiError> {
    let RedriveIn { ids, filter, dry_run, cursor } = body::parse(&text, "")?;
    let sum = match which(ids, filter, cursor.as_deref())? {
        Which::Ids(ids) => Again::Redrive.with_ids(&app, &ids, dry_run).await?,
        Which::Filter(filter) => {
            let mut walk = Walk::over(&[&[Index::Failed]], cursor.as_deref(), "cursor")?;
            let now = app.store.clock().await?;
            walk.within(now, filter.older_than_ms, filter.newer_than_ms);
            Again::Redrive.along(&app, walk, dry_run, |action| is_wanted(&filter, action)).await?
        }
    };
    let (matched, redriven) = (sum.matched, sum.done);
    Ok(reply::ok(&RedriveOut { matched, redriven, failed: sum.failed, cursor: sum.cursor }))
}

fn is_wanted(filter: &FailedFilter, action: &Action) -> bool {
    let code = action.error.as_ref().map(|error| error.code.as_str());
    filter.target.as_deref().is_none_or(|target| target == action.job().target.as_str())
        && filter.code.as_deref().is_none_or(|wanted| Some(wanted) == code)
}
