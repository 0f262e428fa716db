//! Pausing and resuming.

use super::super::script::{self, Args};
use super::super::{Error, Store, keys, reply};
use super::ProcessorStatus;
use crate::domain::Nonce;

/// What an operator wants of a processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    /// No new work until it is resumed.
    Pause,
    /// New work again.
    Resume,
}

/// What became of a pause or a resume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switched {
    /// How it stands now, and how many attempts are pending.
    Now(ProcessorStatus, u64),
    /// Another pause or resume came since it was seen.
    Changed,
    /// It is draining: it gets no new work either way.
    Leaving,
    /// It is not registered.
    Unknown,
}

impl Store {
    /// Pauses or resumes a processor whose last pause or resume was the one that was seen.
    ///
    /// # Errors
    /// When the store is away: the same call may be made again.
    pub async fn switch(
        &self,
        id: &str,
        seen: u64,
        nonce: &Nonce,
        wanted: Switch,
    ) -> Result<Switched, Error> {
        let keys = [keys::processor(id), keys::pending(id), keys::EPOCHS.to_owned()];
        let cmd = script::SWITCH_PROCESSOR.call(&keys).with(seen).with(nonce.as_str()).with(
            match wanted {
                Switch::Pause => "paused",
                Switch::Resume => "active",
            },
        );
        let answer = self.link.one(cmd).await?;
        let items = reply::list(&answer)?;
        Ok(match reply::integer(reply::at(items, 0)?)? {
            1 => {
                let status = match reply::text(reply::at(items, 1)?)? {
                    "active" => ProcessorStatus::Active,
                    "unhealthy" => ProcessorStatus::Unhealthy,
                    "paused" => ProcessorStatus::Paused,
                    _ => return Err(Error::Answer("an unknown status of a processor")),
                };
                Switched::Now(status, reply::number(reply::at(items, 2)?)?)
            }
            -1 => Switched::Unknown,
            -2 => Switched::Changed,
            -3 => Switched::Leaving,
            _ => return Err(Error::Answer("an unknown answer to switch_processor")),
        })
    }
}
