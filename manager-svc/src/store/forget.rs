//! Forgetting what nobody asks for any more. Records and payloads of ended actions have a TTL of their own.

use deadpool_redis::redis::{Cmd, Pipeline};

use super::script::{self, Args};
use super::{BATCH, Error, Store, keys, reply};

/// How long jobs may name what nobody is registered as, in milliseconds: a week. Apart from the retention of
/// actions, because a processor that is away over a holiday must not have its callers refused.
pub const REMEMBERED_MS: u64 = 7 * 24 * 3_600_000;

impl Store {
    /// Forgets actions that ended before a time, in the indexes.
    ///
    /// # Errors
    /// When the store is away.
    pub async fn forget_ended(&self, before: u64) -> Result<(), Error> {
        let mut pipeline = Pipeline::with_capacity(2);
        for key in [keys::DONE, keys::FAILED] {
            pipeline.cmd("ZREMRANGEBYSCORE").arg(key).arg("-inf").arg(format!("({before}"));
        }
        self.all(&pipeline)
            .await?
            .into_iter()
            .map(reply::checked)
            .collect::<Result<Vec<_>, _>>()?;
        Ok(())
    }

    /// Forgets ids and names that were last seen longer than [`REMEMBERED_MS`] before `now`, at most
    /// [`BATCH`] of them, and none that is registered.
    ///
    /// # Errors
    /// When the store is away: the same call may be made again.
    pub async fn forget_targets(&self, now: u64) -> Result<(), Error> {
        let before = now.saturating_sub(REMEMBERED_MS);
        let mut cmd = Cmd::new();
        cmd.arg("ZRANGE").arg(keys::KNOWN).arg("-inf").arg(format!("({before}")).arg("BYSCORE");
        cmd.arg("LIMIT").arg(0).arg(BATCH);
        let answer = self.one(cmd).await?;
        let targets: Vec<&str> =
            reply::list(&answer)?.iter().map(reply::text).collect::<Result<_, _>>()?;
        if targets.is_empty() {
            return Ok(());
        }
        let mut keys = vec![keys::KNOWN.to_owned(), keys::LEFT.to_owned()];
        for target in &targets {
            keys.extend([keys::processor(target), keys::name(target)]);
        }
        let cmd = script::FORGET_TARGETS.call(&keys).with(REMEMBERED_MS).with(targets);
        self.one(cmd).await.map(|_| ())
    }
}
