//! What a tick looks at before it acts: ids and times, no records.

use deadpool_redis::redis::Pipeline;

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
    /// The hosts whose output queue is not empty, by when they may be tried.
    pub receivers: Vec<(u64, String)>,
    /// Processors by when their health check is due.
    pub checks: Vec<(u64, String)>,
}

/// The heads of one processor's queues.
#[derive(Debug, Default)]
pub struct Heads {
    /// When they were looked at, by the store's clock.
    pub seen_at: u64,
    /// How many attempts it has in flight.
    pub in_flight: u64,
    /// Waiting for its id, by sequence number.
    pub own: Vec<(u64, ActionId)>,
    /// Waiting for its name, by sequence number.
    pub shared: Vec<(u64, ActionId)>,
}

impl Store {
    /// Looks at every index, in one round trip.
    ///
    /// # Errors
    /// When the store is away.
    pub async fn look(&self) -> Result<Look, Error> {
        let mut pipeline = Pipeline::with_capacity(6);
        pipeline.add_command(script::READ_CLOCK.call(&[keys::SEQ]));
        pipeline.cmd("SMEMBERS").arg(keys::TARGETS);
        for key in [keys::DELAYED, keys::LIVE] {
            pipeline.cmd("ZRANGE").arg(key).arg(0).arg(BATCH - 1).arg("WITHSCORES");
        }
        for key in [keys::RECEIVERS, keys::PROCESSORS] {
            pipeline.cmd("ZRANGE").arg(key).arg(0).arg(-1).arg("WITHSCORES");
        }
        let answers = self.all(&pipeline).await?;
        Ok(Look {
            now: reply::number(reply::at(&answers, 0)?)?,
            targets: reply::list(reply::at(&answers, 1)?)?
                .iter()
                .map(|target| reply::text(target).map(str::to_owned))
                .collect::<Result<_, _>>()?,
            delayed: actions(reply::scored(reply::at(&answers, 2)?)?),
            deadlines: actions(reply::scored(reply::at(&answers, 3)?)?),
            receivers: reply::scored(reply::at(&answers, 4)?)?,
            checks: reply::scored(reply::at(&answers, 5)?)?,
        })
    }

    /// Looks at the heads of the queues of several processors (id, name, how many), in one round trip.
    ///
    /// # Errors
    /// When the store is away.
    pub async fn heads(&self, asks: &[(&str, &str, usize)]) -> Result<Vec<Heads>, Error> {
        let mut pipeline = Pipeline::with_capacity(3 * asks.len() + 1);
        pipeline.add_command(script::READ_CLOCK.call(&[keys::SEQ]));
        for (id, name, most) in asks {
            pipeline.cmd("ZCARD").arg(keys::pending(id));
            for target in [id, name] {
                let stop = most.saturating_sub(1);
                pipeline.cmd("ZRANGE").arg(keys::input(target)).arg(0).arg(stop).arg("WITHSCORES");
            }
        }
        let answers = self.all(&pipeline).await?;
        let seen_at = reply::number(reply::at(&answers, 0)?)?;
        asks.iter()
            .zip(answers[1..].chunks_exact(3))
            .map(|((id, name, _), answer)| {
                let own = actions(reply::scored(&answer[1])?);
                // A processor named as its id has one queue.
                let shared =
                    if id == name { Vec::new() } else { actions(reply::scored(&answer[2])?) };
                Ok(Heads { seen_at, in_flight: reply::number(&answer[0])?, own, shared })
            })
            .collect()
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
        let answers = self.all(&pipeline).await?;
        answers.iter().map(|answer| Ok(actions(reply::scored(answer)?))).collect()
    }

    /// The attempts of a processor whose lease is over.
    ///
    /// # Errors
    /// When the store is away.
    pub async fn lapsed(&self, processor: &str, now: u64) -> Result<Vec<ActionId>, Error> {
        let mut cmd = deadpool_redis::redis::Cmd::new();
        cmd.arg("ZRANGE").arg(keys::pending(processor)).arg("-inf").arg(now).arg("BYSCORE");
        cmd.arg("LIMIT").arg(0).arg(BATCH);
        ids(&self.one(cmd).await?)
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
        self.one(cmd).await.map(|_| ())
    }
}

/// What is not an id was not written by us; the invariant checker names it.
fn actions(entries: Vec<(u64, String)>) -> Vec<(u64, ActionId)> {
    entries
        .into_iter()
        .filter_map(|(score, id)| Some((score, ActionId::parse(&id).ok()?)))
        .collect()
}

fn ids(value: &deadpool_redis::redis::Value) -> Result<Vec<ActionId>, Error> {
    let mut ids = Vec::new();
    for id in reply::list(value)? {
        ids.extend(ActionId::parse(reply::text(id)?).ok());
    }
    Ok(ids)
}
