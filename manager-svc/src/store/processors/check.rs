//! Health checks: claimed once, and written down.

use super::super::script::{self, Args};
use super::super::{Error, Store, keys, reply};
use super::{Processor, usage_args};
use crate::domain::Nonce;

/// What a health check found: `None` is a miss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Checked {
    /// When the processor started, in milliseconds since the Unix epoch.
    pub started_at: Option<u64>,
    /// CPU (percent of a core) and memory (bytes).
    pub usage: Option<(f64, u64)>,
}

impl Store {
    /// Claims a health check whose due time is the one that was seen.
    ///
    /// # Errors
    /// When the store is away: the same call may be made again.
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

    /// Writes what a health check found; consecutive misses, as many as given, stop new work.
    ///
    /// # Errors
    /// When the store is away: the same call may be made again.
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
}
