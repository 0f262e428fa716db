//! Which tick lingers, where ticks are started by nudges: one at a time holds the key `ticker`.

use deadpool_redis::redis::{Cmd, Value};

use super::script::{self, Args};
use super::{Error, Store, keys, reply};
use crate::domain::Nonce;

/// How long the key holds without being renewed, in milliseconds: a tick that died is replaced after that.
const HOLD_MS: u64 = 3_000;
/// What the key says between a nudge and the start of its tick.
const STARTING: &str = "starting";

impl Store {
    /// Whether a nudge is to start a tick: nobody lingers, and nobody else is starting one.
    ///
    /// # Errors
    /// When the store is away: then the next cron beat sees to the work.
    pub async fn announce_tick(&self) -> Result<bool, Error> {
        let mut cmd = Cmd::new();
        cmd.arg("SET").arg(keys::TICKER).arg(STARTING).arg("NX").arg("PX").arg(HOLD_MS);
        Ok(!matches!(self.link.one(cmd).await?, Value::Nil))
    }

    /// Takes an announcement back: the tick could not be started.
    ///
    /// # Errors
    /// When the store is away: then it expires.
    pub async fn withdraw_tick(&self) -> Result<(), Error> {
        self.release(STARTING).await
    }

    /// Makes a tick the one that lingers; `false` when another one is.
    ///
    /// # Errors
    /// When the store is away.
    pub async fn take_ticker(&self, tick: &Nonce) -> Result<bool, Error> {
        let cmd = script::TAKE_TICKER.call(&[keys::TICKER]).with(tick.as_str()).with(HOLD_MS);
        Ok(reply::integer(&self.link.one(cmd).await?)? == 1)
    }

    /// Goes on lingering; `false` when another tick has taken over.
    ///
    /// # Errors
    /// When the store is away.
    pub async fn renew_ticker(&self, tick: &Nonce) -> Result<bool, Error> {
        let cmd = script::RENEW_TICKER.call(&[keys::TICKER]).with(tick.as_str()).with(HOLD_MS);
        Ok(reply::integer(&self.link.one(cmd).await?)? == 1)
    }

    /// Ends lingering: the next nudge starts a tick.
    ///
    /// # Errors
    /// When the store is away: then the key expires.
    pub async fn release_ticker(&self, tick: &Nonce) -> Result<(), Error> {
        self.release(tick.as_str()).await
    }

    async fn release(&self, holder: &str) -> Result<(), Error> {
        let cmd = script::RELEASE_TICKER.call(&[keys::TICKER]).with(holder);
        self.link.one(cmd).await.map(|_| ())
    }
}
