//! What a tick looks at before it acts: ids and times, no records.

use deadpool_redis::redis::{Pipeline, Value};

use super::script;
use super::{BATCH, Error, Store, keys, reply};
use crate::domain::ActionId;

/// What is due, or will be next.
#[derive(Debug, Default)]
pub struct Look {
    /// The store's clock.
    pub now: u64,
    /// Targets whose input queue is not empty.
    pub targets: Vec<String>,
    /// The first delayed actions, by when they are ready.
    pub delayed: Vec<(u64, ActionId)>,
    /// The live actions whose deadline comes first.
    pub deadlines: Vec<(u64, ActionId)>,
    /// The first hosts whose output queue is not empty, by when they may be tried.
    pub receivers: Vec<(u64, String)>,
    /// Processors by when their health check is due.
    pub checks: Vec<(u64, String)>,
}

/// What waits for some targets, and how busy some processors are.
#[derive(Debug, Default)]
pub struct Heads {
    /// When they were looked at, by the store's clock.
    pub seen_at: u64,
    /// Per processor, how many attempts it has in flight.
    pub in_flight: Vec<usize>,
    /// Per target, the first actions by sequence number.
    pub waiting: Vec<Vec<(u64, ActionId)>>,
}

impl Store {
    /// Looks at every index, in one round trip. One that cannot be read is reported, and does not hide the
    /// others.
    ///
    /// # Errors
    /// When the store is away.
    pub async fn look(&self) -> Result<Look, Error> {
        let mut pipeline = Pipeline::with_capacity(6);
        pipeline.add_command(script::READ_CLOCK.call(&[keys::SEQ]));
        pipeline.cmd("SMEMBERS").arg(keys::TARGETS);
        for key in [keys::DELAYED, keys::LIVE, keys::RECEIVERS] {
            pipeline.cmd("ZRANGE").arg(key).arg(0).arg(BATCH - 1).arg("WITHSCORES");
        }
        pipeline.cmd("ZRANGE").arg(keys::PROCESSORS).arg(0).arg(-1).arg("WITHSCORES");
        let answers = self.link.all(&pipeline).await?;
        let scored = |place: usize, key: &'static str| {
            readable(key, reply::at(&answers, place).and_then(reply::scored))
        };
        Ok(Look {
            now: reply::number(reply::at(&answers, 0)?)?,
            targets: readable(keys::TARGETS, reply::at(&answers, 1).and_then(reply::texts))?,
            delayed: actions(scored(2, keys::DELAYED)?),
            deadlines: actions(scored(3, keys::LIVE)?),
            receivers: scored(4, keys::RECEIVERS)?,
            checks: scored(5, keys::PROCESSORS)?,
        })
    }

    /// Looks at what waits for some targets (each with how many of its first), and at how many attempts some
    /// processors have in flight, in one round trip.
    ///
    /// # Errors
    /// When the store is away.
    pub async fn heads(
        &self,
        processors: &[&str],
        targets: &[(&str, usize)],
    ) -> Result<Heads, Error> {
        let mut pipeline = Pipeline::with_capacity(processors.len() + targets.len() + 1);
        pipeline.add_command(script::READ_CLOCK.call(&[keys::SEQ]));
        for id in processors {
            pipeline.cmd("ZCARD").arg(keys::pending(id));
        }
        for (target, most) in targets {
            let stop = most.saturating_sub(1);
            pipeline.cmd("ZRANGE").arg(keys::input(target)).arg(0).arg(stop).arg("WITHSCORES");
        }
        let answers = self.link.all(&pipeline).await?;
        let (seen_at, counts) = answers.split_first().ok_or(Error::Answer("no answer"))?;
        let (counts, queues) = counts.split_at(processors.len().min(counts.len()));
        let count = |(id, answer): (&&str, &Value)| -> Result<usize, Error> {
            // What cannot be counted has no room.
            let count = readable(id, reply::number(answer).map(Some))?.unwrap_or(u64::MAX);
            Ok(usize::try_from(count).unwrap_or(usize::MAX))
        };
        let queue = |((target, _), answer): (&(&str, usize), &Value)| {
            readable(target, reply::scored(answer)).map(actions)
        };
        Ok(Heads {
            seen_at: reply::number(seen_at)?,
            in_flight: processors.iter().zip(counts).map(count).collect::<Result<_, _>>()?,
            waiting: targets.iter().zip(queues).map(queue).collect::<Result<_, _>>()?,
        })
    }

    /// The first entries of several hosts' output queues by due time or lease end, in one round trip.
    ///
    /// # Errors
    /// When the store is away.
    pub async fn deliveries(
        &self,
        hosts: &[&str],
        most: usize,
    ) -> Result<Vec<Vec<(u64, ActionId)>>, Error> {
        let mut pipeline = Pipeline::with_capacity(hosts.len());
        for host in hosts {
            let stop = most.saturating_sub(1);
            pipeline.cmd("ZRANGE").arg(keys::output(host)).arg(0).arg(stop).arg("WITHSCORES");
        }
        let answers = self.link.all(&pipeline).await?;
        let queue =
            |(host, answer): (&&str, &Value)| readable(host, reply::scored(answer)).map(actions);
        hosts.iter().zip(&answers).map(queue).collect()
    }

    /// The attempts whose lease is over, with when it ended, at most [`BATCH`] for each of some processors, in one
    /// round trip.
    ///
    /// # Errors
    /// When the store is away.
    pub async fn lapsed(
        &self,
        processors: &[&str],
        now: u64,
    ) -> Result<Vec<(u64, ActionId)>, Error> {
        let mut pipeline = Pipeline::with_capacity(processors.len());
        for id in processors {
            pipeline.cmd("ZRANGE").arg(keys::pending(id)).arg("-inf").arg(now).arg("BYSCORE");
            pipeline.arg("LIMIT").arg(0).arg(BATCH).arg("WITHSCORES");
        }
        let mut lapsed = Vec::new();
        for (id, answer) in processors.iter().zip(self.link.all(&pipeline).await?) {
            lapsed.extend(actions(readable(id, reply::scored(&answer))?));
        }
        Ok(lapsed)
    }

    /// Puts delayed actions that are due into their queues, with the targets they were seen with.
    ///
    /// # Errors
    /// When the store is away: the same call may be made again.
    pub async fn promote(&self, due: &[(ActionId, String)]) -> Result<(), Error> {
        let mut keys =
            vec![keys::DELAYED.to_owned(), keys::SEQ.to_owned(), keys::TARGETS.to_owned()];
        for (id, target) in due {
            keys.push(keys::action(id));
            keys.push(keys::input(target));
        }
        let mut cmd = script::PROMOTE_DELAYED.call(&keys);
        for (id, target) in due {
            cmd.arg(id.as_str()).arg(target);
        }
        self.link.one(cmd).await.map(|_| ())
    }
}

/// What is not an id was not written by us; the invariant checker names it.
pub(super) fn actions(entries: Vec<(u64, String)>) -> Vec<(u64, ActionId)> {
    entries
        .into_iter()
        .filter_map(|(score, id)| Some((score, ActionId::parse(&id).ok()?)))
        .collect()
}

/// What an index holds; nothing when it cannot be read, which is said: it must not hide the others.
pub(super) fn readable<T: Default>(index: &str, read: Result<T, Error>) -> Result<T, Error> {
    match read {
        Err(Error::Away(_) | Error::Full(_)) | Ok(_) => read,
        Err(error) => {
            tracing::error!(index, %error, "an index cannot be read");
            Ok(T::default())
        }
    }
}
