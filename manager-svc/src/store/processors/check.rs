//! Health checks: claimed once, and written down; and what follows from a long silence.

use deadpool_redis::redis::{Cmd, Pipeline};

use super::super::script::{self, Args};
use super::super::{Error, Store, keys, reply};
use super::{Processor, usage_args};
use crate::domain::{ActionId, Nonce};

/// How long a check may take until it is recorded, in milliseconds. After that its checker must have died, and
/// another one may begin.
const CHECK_LEASE_MS: u64 = 20_000;
/// How long after the last one a check may begin that is not due, in milliseconds: a processor that fails every
/// dispatch is not asked once for each.
const EARLY_AFTER_MS: u64 = 1_000;

/// What a health check found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Found {
    /// The processor answered as itself.
    Answer(Checked),
    /// It did not.
    Miss,
    /// It did not, and that says nothing of it: whoever asked reaches nobody.
    Nothing,
}

/// What a processor said of itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Checked {
    /// When the processor started, in milliseconds since the Unix epoch.
    pub started_at: Option<u64>,
    /// CPU (percent of a core) and memory (bytes).
    pub usage: Option<(f64, u64)>,
}

/// The wish to make one health check.
#[derive(Debug, Clone)]
pub struct CheckAsk {
    /// The processor's id.
    pub id: String,
    /// The check's nonce.
    pub nonce: Nonce,
    /// When the check was seen to be due, in milliseconds since the Unix epoch.
    pub due_seen: u64,
}

impl Store {
    /// Claims health checks whose due time is the one that was seen, due or not, in one round trip; answers which
    /// of them. No processor is checked twice at a time.
    ///
    /// # Errors
    /// When the store is away: the same call may be made again.
    pub async fn claim_checks(
        &self,
        asks: &[CheckAsk],
        interval_ms: u64,
    ) -> Result<Vec<bool>, Error> {
        let mut pipeline = Pipeline::with_capacity(asks.len());
        for CheckAsk { id, nonce, due_seen } in asks {
            let cmd = script::CLAIM_CHECK
                .call(&[keys::processor(id).as_str(), keys::PROCESSORS])
                .with(id)
                .with(nonce.as_str())
                .with(due_seen)
                .with(interval_ms)
                .with(CHECK_LEASE_MS)
                .with(EARLY_AFTER_MS);
            pipeline.add_command(cmd);
        }
        let mut claimed = Vec::with_capacity(asks.len());
        for (ask, answer) in asks.iter().zip(self.link.all(&pipeline).await?) {
            match reply::integer(&answer) {
                Err(error @ (Error::Away(_) | Error::Full(_))) => return Err(error),
                // A record that is no hash must not hide the others.
                Err(error) => {
                    tracing::error!(processor = ask.id, %error, "a check was refused");
                    claimed.push(false);
                }
                Ok(answer) => claimed.push(answer == 1),
            }
        }
        Ok(claimed)
    }

    /// Writes what a health check found; consecutive misses, as many as given, stop new work. The next check is due
    /// an interval after this one was claimed.
    ///
    /// # Errors
    /// When the store is away: the same call may be made again.
    pub async fn record_check(
        &self,
        processor: &Processor,
        nonce: &Nonce,
        found: Found,
        misses_that_stop: u32,
        interval_ms: u64,
    ) -> Result<(), Error> {
        let (code, checked) = match found {
            Found::Answer(checked) => ("1", Some(checked)),
            Found::Miss => ("0", None),
            Found::Nothing => ("", None),
        };
        let (cpu, memory) = usage_args(checked.and_then(|checked| checked.usage));
        let started_at = checked.and_then(|checked| checked.started_at);
        let id = &processor.id;
        let cmd = script::RECORD_CHECK
            .call(&[keys::processor(id).as_str(), keys::KNOWN, keys::PROCESSORS])
            .with(processor.epoch)
            .with(nonce.as_str())
            .with(code)
            .with(misses_that_stop)
            .with(started_at.map_or(String::new(), |at| at.to_string()))
            .with(cpu)
            .with(memory)
            .with(interval_ms);
        self.link.one(cmd).await.map(|_| ())
    }

    /// Removes an unhealthy processor that has not answered for so many milliseconds, unless something of it is
    /// pending or it registered again; answers whether it is gone. Jobs may name it as long as any that left.
    ///
    /// # Errors
    /// When the store is away: the same call may be made again.
    pub async fn forget_processor(
        &self,
        processor: &Processor,
        silent_ms: u64,
    ) -> Result<bool, Error> {
        let Processor { id, name, .. } = processor;
        let keys = [
            keys::processor(id),
            keys::pending(id),
            keys::PROCESSORS.to_owned(),
            keys::name(name),
            keys::LEFT.to_owned(),
            keys::stats(id),
        ];
        let cmd = script::FORGET_PROCESSOR
            .call(&keys)
            .with(id)
            .with(processor.epoch)
            .with(name)
            .with(silent_ms);
        Ok(reply::integer(&self.link.one(cmd).await?)? == 1)
    }

    /// The actions of a processor's pending set.
    ///
    /// # Errors
    /// When the store is away.
    pub async fn pending(&self, id: &str) -> Result<Vec<ActionId>, Error> {
        let mut cmd = Cmd::new();
        cmd.arg("ZRANGE").arg(keys::pending(id)).arg(0).arg(-1);
        let ids = reply::texts(&self.link.one(cmd).await?)?;
        Ok(ids.iter().filter_map(|id| ActionId::parse(id).ok()).collect())
    }
}
