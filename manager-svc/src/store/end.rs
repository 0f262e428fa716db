//! The end of an action before its last step, and starting it anew.

use deadpool_redis::redis::{Cmd, Pipeline, Value};

use super::script::{self, Args};
use super::settle::{Ending, Finished, Settled, Why, finished, idempotency, receiver, settled};
use super::{Error, Store, codec, keys, reply};
use crate::domain::action::Status;
use crate::domain::{Action, Failure, Nonce, TokenHash};

impl Store {
    /// Ends an action as failed or cancelled.
    ///
    /// # Errors
    /// When the store is away: the same call may be made again.
    pub async fn end(
        &self,
        action: &Action,
        why: Why<'_>,
        nonce: &Nonce,
        failure: &Failure,
        ending: Ending<'_>,
    ) -> Result<Settled<Finished>, Error> {
        let target = action.job().target.as_str();
        let (queue, host) = receiver(action);
        let held = action.attempt.as_ref().map(|running| running.processor.as_str());
        // Only what failed is kept for redrive.
        let (index, outcome) = match why {
            Why::Cancel => (keys::DONE, Status::Cancelled),
            Why::Token(_) | Why::Lease(_) | Why::Deadline => (keys::FAILED, Status::Failed),
        };
        let keys = [
            keys::action(&action.id),
            keys::data(&action.id, &action.data),
            held.map_or(keys::NONE.to_owned(), keys::pending),
            held.map_or(keys::NONE.to_owned(), keys::stats),
            keys::LIVE.to_owned(),
            index.to_owned(),
            queue,
            keys::RECEIVERS.to_owned(),
            idempotency(action),
            keys::input(target),
            keys::TARGETS.to_owned(),
            keys::DELAYED.to_owned(),
        ];
        let cmd = script::END_ACTION
            .call(&keys)
            .with(action.id.as_str())
            .with(action.step)
            .with(why.token())
            .with(nonce.as_str())
            .with(why.ground())
            .with(action.version)
            .with(target)
            .with(host)
            .with(ending.token.map_or("", TokenHash::as_str))
            .with(ending.lease_ms)
            .with(ending.retention_ms)
            .with(codec::encode_failure(failure))
            .with(codec::encode_status(outcome));
        let answer = self.link.one(cmd).await?;
        settled(&answer, finished)
    }

    /// Starts a failed action anew, from the step that failed and with the data it had; answers the number of
    /// the new run. Stale when it is not failed, or another run was started since.
    ///
    /// # Errors
    /// When the store is away: the same call may be made again.
    pub async fn redrive(&self, action: &Action, nonce: &Nonce) -> Result<Settled<u32>, Error> {
        redriven(&self.link.one(redrive(action, nonce)).await?)
    }

    /// The same for several (at most [`super::BATCH`]), in one round trip.
    ///
    /// # Errors
    /// As for one: the same call may be made again.
    pub async fn redrive_all(&self, asked: &[(Action, Nonce)]) -> Result<Vec<Settled<u32>>, Error> {
        let mut pipeline = Pipeline::with_capacity(asked.len());
        for (action, nonce) in asked {
            pipeline.add_command(redrive(action, nonce));
        }
        self.link.all(&pipeline).await?.iter().map(redriven).collect()
    }

    /// Sends the outcome of an action once more, under the same webhook id; answers the store's clock. Stale
    /// when it changed since it was seen, or has no delivery that is settled.
    ///
    /// # Errors
    /// When the store is away: the same call may be made again.
    pub async fn redeliver(&self, action: &Action, nonce: &Nonce) -> Result<Settled<u64>, Error> {
        redelivered(&self.link.one(redeliver(action, nonce)).await?)
    }

    /// The same for several (at most [`super::BATCH`]), in one round trip.
    ///
    /// # Errors
    /// As for one: the same call may be made again.
    pub async fn redeliver_all(
        &self,
        asked: &[(Action, Nonce)],
    ) -> Result<Vec<Settled<u64>>, Error> {
        let mut pipeline = Pipeline::with_capacity(asked.len());
        for (action, nonce) in asked {
            pipeline.add_command(redeliver(action, nonce));
        }
        self.link.all(&pipeline).await?.iter().map(redelivered).collect()
    }
}

fn redrive(action: &Action, nonce: &Nonce) -> Cmd {
    let job = action.job();
    let (queue, host) = receiver(action);
    let keys = [
        keys::action(&action.id),
        keys::data(&action.id, &action.data),
        keys::LIVE.to_owned(),
        keys::FAILED.to_owned(),
        keys::input(job.target.as_str()),
        keys::TARGETS.to_owned(),
        keys::SEQ.to_owned(),
        queue,
        keys::RECEIVERS.to_owned(),
        idempotency(action),
    ];
    script::REDRIVE_ACTION
        .call(&keys)
        .with(action.id.as_str())
        .with(action.run)
        .with(nonce.as_str())
        .with(action.expires_in_ms)
        .with(job.target.as_str())
        .with(host)
}

fn redriven(answer: &Value) -> Result<Settled<u32>, Error> {
    settled(answer, |items| {
        u32::try_from(reply::number(reply::at(items, 1)?)?)
            .map_err(|_| Error::Answer("a run was expected"))
    })
}

fn redeliver(action: &Action, nonce: &Nonce) -> Cmd {
    let (queue, host) = receiver(action);
    let keys = [
        keys::action(&action.id),
        keys::data(&action.id, &action.data),
        queue,
        keys::RECEIVERS.to_owned(),
        idempotency(action),
    ];
    script::REDELIVER_ACTION
        .call(&keys)
        .with(action.id.as_str())
        .with(action.version)
        .with(nonce.as_str())
        .with(host)
}

fn redelivered(answer: &Value) -> Result<Settled<u64>, Error> {
    settled(answer, |items| reply::number(reply::at(items, 1)?))
}
