//! What else becomes of an attempt: it is renewed, tried again later, or given back.

use super::script::{self, Args};
use super::settle::{Settled, Why, holder, settled};
use super::{Error, Store, codec, keys, reply};
use crate::domain::{Action, Failure, Nonce, TokenHash};

/// How often a step may be given back by restarts before its lease is left to run.
const RETURNS: u32 = 5;

/// Why an attempt is given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Back {
    /// Its processor is busy, and gets no more work for so many milliseconds; without a number for a second,
    /// doubling to a minute while it goes on.
    Busy(Option<u64>),
    /// Its processor started anew since the claim.
    Restart,
}

impl Store {
    /// Settles an attempt that failed, or whose lease is over, and delays the step for another one.
    ///
    /// # Errors
    /// When the store is away: the same call may be made again.
    pub async fn retry(
        &self,
        action: &Action,
        why: Why<'_>,
        nonce: &Nonce,
        backoff_ms: u64,
        failure: &Failure,
    ) -> Result<Settled<u64>, Error> {
        let processor = holder(action);
        let keys = [
            keys::action(&action.id),
            keys::pending(processor),
            keys::stats(processor),
            keys::DELAYED.to_owned(),
        ];
        let cmd = script::RETRY_ATTEMPT
            .call(&keys)
            .with(action.id.as_str())
            .with(action.step)
            .with(why.token())
            .with(nonce.as_str())
            .with(why.ground())
            .with(backoff_ms)
            .with(codec::encode_failure(failure));
        let answer = self.link.one(cmd).await?;
        settled(&answer, |items| reply::number(reply::at(items, 1)?))
    }

    /// Gives an attempt back: it costs none, and the action returns to its original place.
    ///
    /// # Errors
    /// When the store is away: the same call may be made again.
    pub async fn give_back(
        &self,
        action: &Action,
        token: &TokenHash,
        nonce: &Nonce,
        back: Back,
        failure: &Failure,
    ) -> Result<Settled<u64>, Error> {
        let (processor, target) = (holder(action), action.job().target.as_str());
        let keys = [
            keys::action(&action.id),
            keys::pending(processor),
            keys::processor(processor),
            keys::input(target),
            keys::TARGETS.to_owned(),
        ];
        let (why, hold) = match back {
            Back::Busy(hold) => ("busy", hold.map_or(String::new(), |hold| hold.to_string())),
            Back::Restart => ("restart", String::new()),
        };
        let cmd = script::RETURN_ATTEMPT
            .call(&keys)
            .with(action.id.as_str())
            .with(action.step)
            .with(token.as_str())
            .with(nonce.as_str())
            .with(why)
            .with(hold)
            .with(target)
            .with(codec::encode_failure(failure))
            .with(RETURNS);
        let answer = self.link.one(cmd).await?;
        settled(&answer, |items| reply::number(reply::at(items, 1)?))
    }

    /// Renews the lease of an attempt; answers when it ends now.
    ///
    /// # Errors
    /// When the store is away: the same call may be made again.
    pub async fn renew(
        &self,
        action: &Action,
        token: &TokenHash,
        nonce: &Nonce,
    ) -> Result<Settled<u64>, Error> {
        let step = action.step_of(token).unwrap_or(action.step);
        let cmd = script::RENEW_LEASE
            .call(&[keys::action(&action.id), keys::pending(holder(action))])
            .with(action.id.as_str())
            .with(step)
            .with(token.as_str())
            .with(nonce.as_str());
        let answer = self.link.one(cmd).await?;
        settled(&answer, |items| reply::number(reply::at(items, 1)?))
    }
}
