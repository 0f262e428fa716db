//! Registered processors: how they come and go.
//!
//! A processor's HASH: `id`, `name`, `url`, `capacity`, `epoch`, `since` (the first epoch of this row of
//! registrations, none of which was drained), `status`, `connected_on`, `last_seen`,
//! `started_at`, `misses` (consecutive), `cpu`, `memory` (as it last said), `held_until` and `hold` (ms, the last), and the nonces of what was done last: `registered_by` with
//! its `answer`, `checked_by` (`nonce time`), `recorded`, `switched` (`version nonce` of the last pause or resume).

mod check;
mod record;
mod switch;

pub use check::{CheckAsk, Checked, Found};
pub use record::{Processor, ProcessorStatus, Seen};
pub use switch::{Switch, Switched};

use super::script::{self, Args};
use super::{Error, Store, keys, reply};
use crate::domain::{Nonce, Target};

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
    /// What was seen of the id: the epoch of its record, or of the registration that left, and the record's name
    /// or nothing.
    pub seen: Option<(u64, String)>,
}

/// What became of a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registered {
    /// A new processor, with its epoch.
    Added(u64),
    /// A known one, with its new epoch.
    Renewed(u64),
    /// The id was registered, or left, since it was seen.
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
    /// Its name is another than the one that was seen: look again.
    Changed,
    /// It was never known, or left so long ago that it was forgotten.
    Unknown,
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
            Some((epoch, seen)) if seen.is_empty() => (*epoch, name),
            Some((epoch, seen)) => (*epoch, seen.as_str()),
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
            keys::LEFT.to_owned(),
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
        let answer = self.link.one(cmd).await?;
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

    /// The same for an id, with the name of its record (empty without one). With an epoch a later registration
    /// is left alone, so that a copy of the call that arrives late does nothing.
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
            keys::LEFT.to_owned(),
            keys::stats(id),
        ];
        let cmd = script::DRAIN_PROCESSOR
            .call(&keys)
            .with(id)
            .with(epoch.map_or(String::new(), |epoch| epoch.to_string()))
            .with(name);
        let answer = self.link.one(cmd).await?;
        let items = reply::list(&answer)?;
        let pending = || reply::number(reply::at(items, 1)?);
        Ok(match reply::integer(reply::at(items, 0)?)? {
            1 => Drained::Draining(pending()?),
            2 => Drained::Gone,
            3 => Drained::OlderEpoch(pending()?),
            -1 => Drained::Unknown,
            -2 => Drained::Changed,
            _ => return Err(Error::Answer("an unknown answer to drain_processor")),
        })
    }
}

fn usage_args(usage: Option<(f64, u64)>) -> (String, String) {
    usage.map_or_else(Default::default, |(cpu, memory)| (format!("{cpu:.2}"), memory.to_string()))
}
