//! Forgetting what nobody asks for any more: ended actions, and targets that nobody is registered as.
//!
//! An ended action's entry, record and payload go together, by [`Store::forget`]. The TTL of record and payload is
//! the safety net: it begins when the action ended, which is never before the entry's score, so that an entry whose
//! record expired is found by age at once.

use deadpool_redis::redis::{Cmd, Pipeline, Value};

use super::look::{actions, readable};
use super::script::{self, Args};
use super::{BATCH, Error, Store, keys, reply};
use crate::domain::{ActionId, Nonce};

/// How long jobs may name what nobody is registered as, in milliseconds: a week. Apart from the retention of
/// actions, because a processor that is away over a holiday must not have its callers refused.
pub const REMEMBERED_MS: u64 = 7 * 24 * 3_600_000;

/// An index of actions with an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Every outcome but failed.
    Done,
    /// Failed.
    Failed,
}

/// The oldest entries of an index.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Oldest {
    /// How many entries the index has.
    pub size: u64,
    /// How many entries were looked at.
    pub looked_at: usize,
    /// Those that are ids, by when the outcome was reached.
    pub first: Vec<(u64, ActionId)>,
}

/// What an entry of an index stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remains {
    /// The record has expired.
    Nothing,
    /// The action has ended.
    Ended {
        /// When, in milliseconds since the Unix epoch.
        at: u64,
        /// The version of its record.
        version: String,
        /// The name of its payload.
        data: Nonce,
    },
    /// The outcome is still to be delivered, or the record cannot be read.
    Open,
}

impl Store {
    /// The store's clock, and the oldest entries of `done` and `failed`, each from a rank on: one round trip.
    ///
    /// # Errors
    /// When the store is away.
    pub async fn oldest_ended(
        &self,
        from: [usize; 2],
        most: usize,
    ) -> Result<(u64, [Oldest; 2]), Error> {
        let mut pipeline = Pipeline::with_capacity(5);
        pipeline.add_command(script::READ_CLOCK.call(&[keys::SEQ]));
        for (key, first) in [keys::DONE, keys::FAILED].into_iter().zip(from) {
            let last = first + most.saturating_sub(1);
            pipeline.cmd("ZCARD").arg(key);
            pipeline.cmd("ZRANGE").arg(key).arg(first).arg(last).arg("WITHSCORES");
        }
        let answers = self.link.all(&pipeline).await?;
        let oldest = |key: &'static str, place: usize| {
            let size = readable(key, reply::at(&answers, place).and_then(reply::number))?;
            let entries = reply::at(&answers, place + 1)?;
            let looked_at = readable(key, reply::list(entries).map(<[Value]>::len))? / 2;
            let first = actions(readable(key, reply::scored(entries))?);
            Ok::<_, Error>(Oldest { size, looked_at, first })
        };
        let now = reply::number(reply::at(&answers, 0)?)?;
        Ok((now, [oldest(keys::DONE, 1)?, oldest(keys::FAILED, 3)?]))
    }

    /// What is left of some actions with an outcome, in one round trip.
    ///
    /// # Errors
    /// When the store is away.
    pub async fn remains(&self, ids: &[ActionId]) -> Result<Vec<Remains>, Error> {
        let mut pipeline = Pipeline::with_capacity(ids.len());
        for id in ids {
            let fields = ["v", "data", "delivery", "ended", "d_due"];
            pipeline.cmd("HMGET").arg(keys::action(id)).arg(&fields);
        }
        let answers = self.link.all(&pipeline).await?;
        let read = |(id, answer): (&ActionId, &Value)| {
            Ok(readable(id.as_str(), reply::list(answer).map(Some))?.map_or(Remains::Open, remains))
        };
        ids.iter().zip(&answers).map(read).collect()
    }

    /// Forgets actions that have ended, as they were seen in one index: in one round trip, in scripts of at most
    /// [`BATCH`]. One that changed since is left alone; answers how many were.
    ///
    /// # Errors
    /// When the store is away: the same call may be made again.
    pub async fn forget(
        &self,
        index: Ended,
        seen: &[(u64, ActionId, Remains)],
    ) -> Result<usize, Error> {
        let mut pipeline = Pipeline::with_capacity(seen.len().div_ceil(BATCH));
        for batch in seen.chunks(BATCH) {
            let mut keys = vec![index.key().to_owned()];
            for (_, id, remains) in batch {
                keys.push(keys::action(id));
                keys.push(match remains {
                    Remains::Ended { data, .. } => keys::data(id, data),
                    Remains::Nothing | Remains::Open => keys::NONE.to_owned(),
                });
            }
            let cmd = script::TRIM_ENDED.call(&keys);
            pipeline.add_command(batch.iter().fold(cmd, |cmd, (score, id, remains)| {
                let version = match remains {
                    Remains::Ended { version, .. } => version,
                    Remains::Nothing | Remains::Open => "",
                };
                cmd.with(id.as_str()).with(*score).with(version)
            }));
        }
        let mut left = 0;
        for answer in self.link.all(&pipeline).await? {
            let alone = reply::number(&answer)?;
            left += usize::try_from(alone).unwrap_or(usize::MAX);
        }
        Ok(left)
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
        let answer = self.link.one(cmd).await?;
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
        self.link.one(cmd).await.map(|_| ())
    }
}

impl Ended {
    fn key(self) -> &'static str {
        match self {
            Self::Done => keys::DONE,
            Self::Failed => keys::FAILED,
        }
    }
}

/// Reads `v`, `data`, `delivery`, `ended`, `d_due`. What was delivered ended when that was settled.
fn remains(fields: &[Value]) -> Remains {
    let field = |place: usize| fields.get(place).and_then(|value| reply::text(value).ok());
    if fields.iter().all(|value| matches!(value, Value::Nil)) {
        return Remains::Nothing;
    }
    let read = || {
        let ended = field(3)?;
        let at = field(4).unwrap_or(ended).parse().ok()?;
        let settled = matches!(field(2)?, "none" | "delivered" | "exhausted");
        let data = Nonce::from_stored(field(1)?.to_owned());
        settled.then_some(Remains::Ended { at, version: field(0)?.to_owned(), data })
    };
    read().unwrap_or(Remains::Open)
}
