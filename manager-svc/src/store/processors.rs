//! Registered processors.
//!
//! A processor's HASH: `id`, `name`, `url`, `capacity`, `epoch`, `status`, `connected_on`, `last_seen`,
//! `started_at`, `misses` (consecutive), `cpu`, `memory` (as it last said), `stats` (`processed failed sum_ms
//! last_ms`, the sum of the succeeded), `held_until`, and the nonces of what was done last: `registered_by` with
//! its `answer`, `checked_by`, `recorded`.

use deadpool_redis::redis::{Cmd, Pipeline};

use super::script::{self, Args};
use super::{Error, Store, keys, reply};
use crate::domain::{Nonce, Target};

/// A processor's record, and how many attempts it has in flight.
#[derive(Debug, Clone, PartialEq)]
pub struct Processor {
    /// This instance.
    pub id: String,
    /// The kind of work.
    pub name: String,
    /// Where it is reached.
    pub url: String,
    /// How many attempts it takes at a time.
    pub capacity: u32,
    /// The registration's number.
    pub epoch: u64,
    /// Whether it gets new work.
    pub status: ProcessorStatus,
    /// When it registered, in milliseconds since the Unix epoch.
    pub connected_on: u64,
    /// When it last answered, in milliseconds since the Unix epoch.
    pub last_seen: u64,
    /// CPU (percent of a core) and memory (bytes), as it last said.
    pub usage: Option<(f64, u64)>,
    /// How many attempts succeeded.
    pub processed: u64,
    /// How many attempts failed.
    pub failed: u64,
    /// How long its succeeded attempts took, added up, in milliseconds.
    pub sum_ms: u64,
    /// How long its last settled attempt took, in milliseconds.
    pub last_ms: Option<u64>,
    /// The size of its pending set.
    pub in_flight: u64,
    /// Its attempt whose lease ends first: end of the lease and action.
    pub first_lease: Option<(u64, String)>,
}

/// Whether a processor gets new work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessorStatus {
    /// It does.
    Active,
    /// Not until a check succeeds.
    Unhealthy,
    /// Not until an operator says so.
    Paused,
    /// Never again: it leaves.
    Draining,
}

/// What a registration writes.
#[derive(Debug, Clone)]
pub struct Registration {
    /// The instance.
    pub id: Target,
    /// The kind of work.
    pub name: Target,
    /// Where it is reached.
    pub url: String,
    /// How many attempts it takes at a time.
    pub capacity: u32,
    /// When it started, in milliseconds since the Unix epoch.
    pub started_at: Option<u64>,
    /// CPU (percent of a core) and memory (bytes).
    pub usage: Option<(f64, u64)>,
    /// The record that was seen: its epoch and name.
    pub seen: Option<(u64, String)>,
}

/// What became of a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registered {
    /// A new processor, with its epoch.
    Added(u64),
    /// A known one, with its new epoch.
    Renewed(u64),
    /// The record changed since it was seen.
    Changed,
    /// The id is the name of another processor.
    IdIsName,
    /// The name is the id of another processor.
    NameIsId,
}

/// What became of a drain, with the number of pending attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// It leaves when its pending work is done.
    Draining(u64),
    /// It is gone.
    Gone,
    /// The epoch is older than the registration.
    OlderEpoch(u64),
    /// It was never known.
    Unknown,
}

/// What a health check found: `None` is a miss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Checked {
    /// When the processor started, in milliseconds since the Unix epoch.
    pub started_at: Option<u64>,
    /// CPU (percent of a core) and memory (bytes).
    pub usage: Option<(f64, u64)>,
}

impl Store {
    /// Writes a registration.
    ///
    /// # Errors
    /// When the store is away: the same call may be made again.
    pub async fn register(
        &self,
        registration: &Registration,
        nonce: &Nonce,
        health_interval_ms: u64,
    ) -> Result<Registered, Error> {
        let (id, name) = (registration.id.as_str(), registration.name.as_str());
        let (seen_epoch, seen_name) = match &registration.seen {
            Some((epoch, name)) => (*epoch, name.as_str()),
            None => (0, name),
        };
        let keys = [
            keys::processor(id),
            keys::PROCESSORS.to_owned(),
            keys::EPOCHS.to_owned(),
            keys::KNOWN.to_owned(),
            keys::name(name),
            keys::name(id),
            keys::processor(name),
            keys::name(seen_name),
        ];
        let (cpu, memory) = usage_args(registration.usage);
        let cmd = script::REGISTER_PROCESSOR
            .call(&keys)
            .with(id)
            .with(name)
            .with(&registration.url)
            .with(registration.capacity)
            .with(nonce.as_str())
            .with(seen_epoch)
            .with(registration.started_at.map_or(String::new(), |at| at.to_string()))
            .with(cpu)
            .with(memory)
            .with(health_interval_ms);
        let answer = self.one(cmd).await?;
        let items = reply::list(&answer)?;
        Ok(match reply::integer(reply::at(items, 0)?)? {
            1 => Registered::Added(reply::number(reply::at(items, 1)?)?),
            2 => Registered::Renewed(reply::number(reply::at(items, 1)?)?),
            -1 => Registered::Changed,
            -2 => Registered::IdIsName,
            -3 => Registered::NameIsId,
            _ => return Err(Error::Answer("an unknown answer to register_processor")),
        })
    }

    /// Stops new work for a processor, and removes it when none is pending.
    ///
    /// # Errors
    /// When the store is away: the same call may be made again.
    pub async fn drain(&self, processor: &Processor, epoch: Option<u64>) -> Result<Drained, Error> {
        self.drain_named(&processor.id, &processor.name, epoch).await
    }

    /// The same for an id whose record is not there any more.
    ///
    /// # Errors
    /// When the store is away: the same call may be made again.
    pub async fn drain_named(
        &self,
        id: &str,
        name: &str,
        epoch: Option<u64>,
    ) -> Result<Drained, Error> {
        let keys = [
            keys::processor(id),
            keys::pending(id),
            keys::PROCESSORS.to_owned(),
            keys::name(name),
            keys::KNOWN.to_owned(),
        ];
        let cmd = script::DRAIN_PROCESSOR
            .call(&keys)
            .with(id)
            .with(epoch.map_or(String::new(), |epoch| epoch.to_string()));
        let answer = self.one(cmd).await?;
        let items = reply::list(&answer)?;
        let pending = || reply::number(reply::at(items, 1)?);
        Ok(match reply::integer(reply::at(items, 0)?)? {
            1 => Drained::Draining(pending()?),
            2 => Drained::Gone,
            3 => Drained::OlderEpoch(pending()?),
            -1 => Drained::Unknown,
            _ => return Err(Error::Answer("an unknown answer to drain_processor")),
        })
    }

    /// Claims a health check whose due time is the one that was seen.
    ///
    /// # Errors
    /// When the store is away.
    pub async fn claim_check(
        &self,
        id: &str,
        nonce: &Nonce,
        due_seen: u64,
        interval_ms: u64,
    ) -> Result<bool, Error> {
        let cmd = script::CLAIM_CHECK
            .call(&[keys::processor(id).as_str(), keys::PROCESSORS])
            .with(id)
            .with(nonce.as_str())
            .with(due_seen)
            .with(interval_ms);
        Ok(reply::integer(&self.one(cmd).await?)? == 1)
    }

    /// Writes what a health check found; three consecutive misses stop new work.
    ///
    /// # Errors
    /// When the store is away.
    pub async fn record_check(
        &self,
        processor: &Processor,
        nonce: &Nonce,
        found: Option<Checked>,
        misses_that_stop: u32,
    ) -> Result<(), Error> {
        let (cpu, memory) = usage_args(found.and_then(|found| found.usage));
        let started_at = found.and_then(|found| found.started_at);
        let cmd = script::RECORD_CHECK
            .call(&[keys::processor(&processor.id).as_str(), keys::KNOWN])
            .with(processor.epoch)
            .with(nonce.as_str())
            .with(i32::from(found.is_some()))
            .with(misses_that_stop)
            .with(started_at.map_or(String::new(), |at| at.to_string()))
            .with(cpu)
            .with(memory);
        self.one(cmd).await.map(|_| ())
    }

    /// One processor, if it is registered.
    ///
    /// # Errors
    /// When the store is away.
    pub async fn processor(&self, id: &str) -> Result<Option<Processor>, Error> {
        Ok(self.processors_of(&[id.to_owned()]).await?.pop())
    }

    /// Every registered processor, by id: two round trips.
    ///
    /// # Errors
    /// When the store is away.
    pub async fn processors(&self) -> Result<Vec<Processor>, Error> {
        let mut cmd = Cmd::new();
        cmd.arg("ZRANGE").arg(keys::PROCESSORS).arg(0).arg(-1);
        let answer = self.one(cmd).await?;
        let ids: Vec<String> = reply::list(&answer)?
            .iter()
            .map(|id| reply::text(id).map(str::to_owned))
            .collect::<Result<_, _>>()?;
        let mut processors = self.processors_of(&ids).await?;
        processors.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(processors)
    }

    async fn processors_of(&self, ids: &[String]) -> Result<Vec<Processor>, Error> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipeline = Pipeline::with_capacity(3 * ids.len());
        for id in ids {
            pipeline.cmd("HGETALL").arg(keys::processor(id));
            pipeline.cmd("ZCARD").arg(keys::pending(id));
            pipeline.cmd("ZRANGE").arg(keys::pending(id)).arg(0).arg(0).arg("WITHSCORES");
        }
        let answers = self.all(&pipeline).await?;
        let mut processors = Vec::with_capacity(ids.len());
        for answer in answers.chunks_exact(3) {
            let fields = reply::fields(&answer[0])?;
            if !fields.is_empty() {
                let first_lease = reply::scored(&answer[2])?.pop();
                processors.push(decode(&fields, reply::number(&answer[1])?, first_lease)?);
            }
        }
        Ok(processors)
    }

    /// Which of these ids or names were ever registered.
    ///
    /// # Errors
    /// When the store is away.
    pub async fn known(&self, targets: &[&str]) -> Result<Vec<bool>, Error> {
        let mut cmd = Cmd::new();
        cmd.arg("ZMSCORE").arg(keys::KNOWN).arg(targets);
        let answer = self.one(cmd).await?;
        Ok(reply::list(&answer)?
            .iter()
            .map(|score| !matches!(score, deadpool_redis::redis::Value::Nil))
            .collect())
    }
}

fn usage_args(usage: Option<(f64, u64)>) -> (String, String) {
    usage.map_or_else(Default::default, |(cpu, memory)| (format!("{cpu:.2}"), memory.to_string()))
}

fn decode(
    fields: &[(&str, &str)],
    in_flight: u64,
    first_lease: Option<(u64, String)>,
) -> Result<Processor, Error> {
    let field = |name: &str| fields.iter().find(|(f, _)| *f == name).map(|(_, value)| *value);
    let text = |name| field(name).unwrap_or_default().to_owned();
    let number = |name: &str| field(name).and_then(|value| value.parse::<u64>().ok());
    let status = match field("status") {
        Some("active") => ProcessorStatus::Active,
        Some("unhealthy") => ProcessorStatus::Unhealthy,
        Some("paused") => ProcessorStatus::Paused,
        Some("draining") => ProcessorStatus::Draining,
        _ => return Err(Error::Answer("a processor without a status")),
    };
    let stats: Vec<u64> =
        field("stats").unwrap_or_default().split(' ').filter_map(|n| n.parse().ok()).collect();
    let stat = |index: usize| stats.get(index).copied();
    let cpu = field("cpu").and_then(|cpu| cpu.parse::<f64>().ok());
    Ok(Processor {
        id: text("id"),
        name: text("name"),
        url: text("url"),
        capacity: field("capacity").and_then(|value| value.parse().ok()).unwrap_or(1),
        epoch: number("epoch").unwrap_or_default(),
        status,
        connected_on: number("connected_on").unwrap_or_default(),
        last_seen: number("last_seen").unwrap_or_default(),
        usage: cpu.zip(number("memory")),
        processed: stat(0).unwrap_or_default(),
        failed: stat(1).unwrap_or_default(),
        sum_ms: stat(2).unwrap_or_default(),
        last_ms: stat(3),
        in_flight,
        first_lease,
    })
}
