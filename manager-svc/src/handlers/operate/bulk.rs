//! Doing something again with many actions: named ones, or all that match.

use baton_wire::operate::Refused;

use super::walk::{LOOKED_AT, Walk};
use crate::again::{PATIENCE, insist, until};
use crate::app::{App, new_nonce};
use crate::domain::action::{DeliveryStatus, Status};
use crate::domain::{Action, ActionId, Nonce};
use crate::error::{ApiError, Kind};
use crate::store::{BATCH, Error, Settled};

/// What is done again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// A failed action is run from the step that failed.
    Redrive,
    /// An outcome is sent.
    Redeliver,
}

/// Which actions a request is about.
#[derive(Debug)]
pub(super) enum Which<F> {
    /// These.
    Ids(Vec<ActionId>),
    /// Those that match.
    Filter(F),
}

/// What a request has come to.
#[derive(Debug, Default)]
pub(super) struct Sum {
    pub(super) matched: u64,
    pub(super) done: u64,
    pub(super) failed: Vec<Refused>,
    pub(super) cursor: Option<String>,
}

/// Reads which actions a request is about: exactly one of both.
pub(super) fn which<F>(
    ids: Option<Vec<String>>,
    filter: Option<F>,
    cursor: Option<&str>,
) -> Result<Which<F>, ApiError> {
    let refuse = |path: String, message| Err(ApiError::field(Kind::InvalidRequest, path, message));
    match (ids, filter) {
        (Some(_), None) if cursor.is_some() => {
            refuse("cursor".to_owned(), "goes with a filter".to_owned())
        }
        (Some(ids), None) if ids.is_empty() || ids.len() > LOOKED_AT => {
            let message = format!("has {} ids: 1 to {LOOKED_AT} are right", ids.len());
            refuse("ids".to_owned(), message)
        }
        (Some(ids), None) => {
            let mut parsed = Vec::with_capacity(ids.len());
            for (at, id) in ids.iter().enumerate() {
                match ActionId::parse(id) {
                    Ok(id) => parsed.push(id),
                    Err(error) => return refuse(format!("ids[{at}]"), error.to_string()),
                }
            }
            Ok(Which::Ids(parsed))
        }
        (None, Some(filter)) => Ok(Which::Filter(filter)),
        (Some(_), Some(_)) | (None, None) => {
            refuse(String::new(), "exactly one of `ids` and `filter` is right".to_owned())
        }
    }
}

impl Again {
    /// Does it with the named actions that it can be done with.
    pub(super) async fn with_ids(
        self,
        app: &App,
        ids: &[ActionId],
        dry_run: bool,
    ) -> Result<Sum, ApiError> {
        let mut sum = Sum::default();
        for ids in ids.chunks(BATCH) {
            let seen = insist(until(PATIENCE), || app.store.actions(ids)).await?;
            let mut able = Vec::new();
            for (id, action) in ids.iter().zip(seen) {
                match action.ok_or(Kind::ActionNotFound) {
                    Err(kind) => sum.refuse(id, kind),
                    Ok(action) => match self.refuses(&action) {
                        Some(kind) => sum.refuse(id, kind),
                        None => able.push(action),
                    },
                }
            }
            self.ask(app, able, dry_run, &mut sum).await?;
        }
        Ok(sum)
    }

    /// Does it with the actions on a way that are wanted, and answers where it ended.
    pub(super) async fn along(
        self,
        app: &App,
        mut walk: Walk,
        dry_run: bool,
        wanted: impl Fn(&Action) -> bool,
    ) -> Result<Sum, ApiError> {
        let mut sum = Sum::default();
        for _ in 0..LOOKED_AT / BATCH {
            let able = |action: &Action| self.refuses(action).is_none() && wanted(action);
            let found = walk.go(app, BATCH, BATCH, able).await?;
            self.ask(app, found.actions, dry_run, &mut sum).await?;
            sum.cursor = found.cursor.map(|cursor| cursor.encode());
            if sum.cursor.is_none() {
                break;
            }
        }
        Ok(sum)
    }

    /// Why it cannot be done with an action.
    pub(super) fn refuses(self, action: &Action) -> Option<Kind> {
        match (self, action.status, action.delivery.status) {
            (Self::Redrive, Status::Failed, _)
            | (Self::Redeliver, _, DeliveryStatus::Delivered | DeliveryStatus::Exhausted) => None,
            (Self::Redrive, ..) => Some(Kind::ActionNotFailed),
            (Self::Redeliver, ..) => Some(Kind::NothingToRedeliver),
        }
    }

    async fn ask(
        self,
        app: &App,
        able: Vec<Action>,
        dry_run: bool,
        sum: &mut Sum,
    ) -> Result<(), ApiError> {
        sum.matched += able.len() as u64;
        if dry_run || able.is_empty() {
            return Ok(());
        }
        let asked: Vec<_> = able.into_iter().map(|action| (action, new_nonce())).collect();
        let answers = insist(until(PATIENCE), || self.send(app, &asked)).await?;
        for ((action, _), refusal) in asked.iter().zip(answers) {
            match refusal {
                None => sum.done += 1,
                Some(kind) => sum.refuse(&action.id, kind),
            }
        }
        app.wake.nudge();
        Ok(())
    }

    async fn send(self, app: &App, asked: &[(Action, Nonce)]) -> Result<Vec<Option<Kind>>, Error> {
        Ok(match self {
            Self::Redrive => app.store.redrive_all(asked).await?.iter().map(refusal).collect(),
            Self::Redeliver => app.store.redeliver_all(asked).await?.iter().map(refusal).collect(),
        })
    }
}

/// Why a transition was not made.
fn refusal<T>(settled: &Settled<T>) -> Option<Kind> {
    match settled {
        Settled::Accepted(_) => None,
        Settled::Stale | Settled::Duplicate => Some(Kind::ActionChanged),
        // Its time is up, and its payload's was a moment earlier.
        Settled::Unknown | Settled::PayloadMissing => Some(Kind::ActionNotFound),
    }
}

impl Sum {
    fn refuse(&mut self, id: &ActionId, kind: Kind) {
        let refused = Refused { action_id: id.as_str().to_owned(), code: kind.code().to_owned() };
        self.failed.push(refused);
    }
}
