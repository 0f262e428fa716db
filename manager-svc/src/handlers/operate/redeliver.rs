//! `POST /action/{id}/redeliver` and `POST /deliveries/redeliver`.

use axum::extract::State;
use axum::response::Response;
use baton_wire::operate::{ExhaustedFilter, RedeliverIn, RedeliverOut, RedeliveryAccepted};

use super::LOOKS;
use super::bulk::{Again, Which, which};
use super::walk::Walk;
use crate::again::{PATIENCE, insist, until};
use crate::app::{App, new_nonce};
use crate::domain::Action;
use crate::domain::action::DeliveryStatus;
use crate::error::{ApiError, Kind};
use crate::handlers::action::{parse_id, unknown};
use crate::handlers::body::{self, JsonBytes, PathId};
use crate::reply;
use crate::store::{Index, Settled};

/// Sends the outcome of one action once more.
pub(crate) async fn redeliver_action(
    State(app): State<App>,
    PathId(id): PathId,
) -> Result<Response, ApiError> {
    let id = parse_id(&id)?;
    for _ in 0..LOOKS {
        let action =
            insist(until(PATIENCE), || app.store.action(&id)).await?.ok_or_else(unknown)?;
        if let Some(kind) = Again::Redeliver.refuses(&action) {
            return Err(ApiError::new(kind).detail(why_not(&action)));
        }
        let nonce = new_nonce();
        match insist(until(PATIENCE), || app.store.redeliver(&action, &nonce)).await? {
            Settled::Accepted(_) => {
                app.wake.nudge();
                let out = RedeliveryAccepted {
                    action_id: id.as_str().to_owned(),
                    webhook_id: action.webhook_id(),
                };
                return Ok(reply::accepted(&out, Some(format!("/action/{id}"))));
            }
            // Somebody else was faster: the next look says at what.
            Settled::Stale | Settled::Duplicate => {}
            Settled::Unknown | Settled::PayloadMissing => return Err(unknown()),
        }
    }
    Err(ApiError::new(Kind::ActionChanged).detail("Look at it, and try again."))
}

fn why_not(action: &Action) -> &'static str {
    match (&action.receiver, action.delivery.status) {
        (None, _) => "It has no response URL: `GET /action/{id}` shows the outcome.",
        (Some(_), DeliveryStatus::Pending) => "It is being sent already.",
        (Some(_), _) => "It has no outcome yet.",
    }
}

/// Sends outcomes once more: of named actions, or of all that match and were given up. No index holds the
/// exhausted ones: the records of all actions with an outcome are looked at.
pub(crate) async fn redeliver_exhausted(
    State(app): State<App>,
    JsonBytes(text): JsonBytes,
) -> Result<Response, ApiError> {
    let RedeliverIn { ids, filter, dry_run, cursor } = body::parse(&text, "")?;
    let sum = match which(ids, filter, cursor.as_deref())? {
        Which::Ids(ids) => Again::Redeliver.with_ids(&app, &ids, dry_run).await?,
        Which::Filter(filter) => {
            let ended: &[&[Index]] = &[&[Index::Done, Index::Failed]];
            let mut walk = Walk::over(ended, cursor.as_deref(), "cursor")?;
            let now = app.store.clock().await?;
            walk.within(now, filter.older_than_ms, filter.newer_than_ms);
            Again::Redeliver.along(&app, walk, dry_run, |action| is_wanted(&filter, action)).await?
        }
    };
    let (matched, redelivered) = (sum.matched, sum.done);
    Ok(reply::ok(&RedeliverOut { matched, redelivered, failed: sum.failed, cursor: sum.cursor }))
}

fn is_wanted(filter: &ExhaustedFilter, action: &Action) -> bool {
    let host = action.receiver.as_ref().map_or("", |receiver| receiver.host.as_str());
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    action.delivery.status == DeliveryStatus::Exhausted
        && filter.host.as_deref().is_none_or(|wanted| wanted == host || wanted == name)
}
