//! `DELETE /action/{id}`.

use axum::extract::State;
use axum::response::Response;
use baton_wire::action::Status;
use baton_wire::operate::CancelOut;
use tracing::{Instrument as _, Span};

use super::LOOKS;
use crate::again::{PATIENCE, insist, until};
use crate::app::App;
use crate::domain::{ActionId, Failure};
use crate::error::{ApiError, Kind};
use crate::handlers::action::{parse_id, unknown};
use crate::handlers::body::PathId;
use crate::settle::{self, Failed, Request};
use crate::store::{Settled, Why};
use crate::{reply, view};

/// Ends an action that nobody wants any more. A processor that works on it learns by its next report.
pub(crate) async fn cancel_action(
    State(app): State<App>,
    PathId(id): PathId,
) -> Result<Response, ApiError> {
    let id = parse_id(&id)?;
    // On its own task: a caller that hangs up must not take along a delivery that was just claimed.
    let cancelled = tokio::spawn(cancel(app, id).instrument(Span::current()));
    let out = cancelled.await.map_err(|_| ApiError::new(Kind::Internal))??;
    Ok(reply::ok(&out))
}

async fn cancel(app: App, id: ActionId) -> Result<CancelOut, ApiError> {
    let failed = Failed {
        failure: Failure::new("cancelled", "the action was cancelled"),
        retryable: false,
        retry_after_ms: None,
    };
    for _ in 0..LOOKS {
        let action =
            insist(until(PATIENCE), || app.store.action(&id)).await?.ok_or_else(unknown)?;
        if view::status(action.status).is_outcome() {
            return Err(ApiError::new(Kind::ActionEnded)
                .detail("It stays as it is: `GET /action/{id}` shows the outcome."));
        }
        let request = Request::new(&app, &action);
        let cancel = || settle::fail(&app, &action, Why::Cancel, &request, &failed, None);
        match insist(until(PATIENCE), cancel).await? {
            Settled::Accepted(follow) => {
                if let Some(work) = request.into_work(follow) {
                    app.wake.hand(work);
                }
                let action_id = id.as_str().to_owned();
                return Ok(CancelOut { action_id, status: Status::Cancelled });
            }
            // It went on since it was looked at.
            Settled::Stale | Settled::Duplicate | Settled::PayloadMissing => {}
            Settled::Unknown => return Err(unknown()),
        }
    }
    Err(ApiError::new(Kind::ActionChanged).detail("It is being worked on: try again."))
}
