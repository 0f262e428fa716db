//! Settling steps that the action goes on from, and what any settlement has in common.

use bytes::Bytes;
use deadpool_redis::redis::{Cmd, Value};

use super::claim::{Assignment, HandOver, assignment};
use super::script::{self, Args};
use super::{Error, Store, codec, keys, reply, set_payload};
use crate::domain::action::Status;
use crate::domain::{Action, Failure, Nonce, TokenHash};

/// What became of a transition that only the holder of the attempt may make.
#[derive(Debug, PartialEq, Eq)]
pub enum Settled<T> {
    /// It was made, now or when the same request was first sent.
    Accepted(T),
    /// Another request with the same token settled the attempt; nothing changed.
    Duplicate,
    /// The token is not, or no longer, the current one.
    Stale,
    /// There is no such action.
    Unknown,
    /// The output could not be written: the store is out of memory. Nothing changed; try again.
    PayloadMissing,
}

/// What a step produced.
#[derive(Debug)]
pub struct Output {
    /// The request that settles it; also the name of the payload.
    pub nonce: Nonce,
    /// The output; `None` leaves the data as it was.
    pub data: Option<Bytes>,
}

/// A step is done, the next one is ready.
#[derive(Debug, PartialEq, Eq)]
pub struct Advanced {
    /// The store's clock at the transition.
    pub now: u64,
    /// The next step's claim, when one was asked for and made.
    pub claim: Option<Assignment>,
}

/// An outcome is reached.
#[derive(Debug, PartialEq, Eq)]
pub struct Finished {
    /// The store's clock at the transition.
    pub now: u64,
    /// Whether its delivery was claimed with the token that was given.
    pub claimed: bool,
}

/// How an action ends and what happens to it then.
#[derive(Debug, Clone, Copy)]
pub struct Ending<'a> {
    /// The delivery's token, when it may be claimed at once.
    pub token: Option<&'a TokenHash>,
    /// The lease of a delivery, in milliseconds.
    pub lease_ms: u64,
    /// How long an ended action is kept, in milliseconds.
    pub retention_ms: u64,
}

/// On what ground an attempt or an action is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why<'a> {
    /// Its holder reports it.
    Token(&'a TokenHash),
    /// Its lease is over; the token is the one that was seen.
    Lease(&'a TokenHash),
    /// The action's deadline is over; the action has the version that was seen.
    Deadline,
    /// Somebody wants no more of it; the action has the version that was seen.
    Cancel,
}

impl Why<'_> {
    pub(super) fn token(&self) -> &str {
        match self {
            Self::Token(token) | Self::Lease(token) => token.as_str(),
            Self::Deadline | Self::Cancel => "",
        }
    }

    pub(super) fn ground(&self) -> &'static str {
        match self {
            Self::Token(_) => "token",
            Self::Lease(_) => "lease",
            Self::Deadline => "deadline",
            Self::Cancel => "cancel",
        }
    }
}

/// How a step ended that the action goes on from.
#[derive(Debug, Clone, Copy)]
pub struct StepEnd<'a> {
    /// On what ground: a token or a lease.
    pub why: Why<'a>,
    /// Its output; a skipped step has none, the data stays as it was.
    pub output: &'a Output,
    /// Why it is skipped; `None` when it succeeded.
    pub skipped: Option<&'a Failure>,
}

impl<'a> StepEnd<'a> {
    /// A step whose holder reports success.
    #[must_use]
    pub fn succeeded(token: &'a TokenHash, output: &'a Output) -> Self {
        Self { why: Why::Token(token), output, skipped: None }
    }
}

impl Store {
    /// Settles a step that succeeded or is skipped; the next one becomes ready, or is claimed at once.
    ///
    /// # Errors
    /// When the store is away: the same call may be made again.
    pub async fn advance(
        &self,
        action: &Action,
        end: StepEnd<'_>,
        hand_over: Option<&HandOver>,
    ) -> Result<Settled<Advanced>, Error> {
        let next = action.next_job().ok_or(Error::Answer("there is no next step"))?;
        let (before, after, name) = payload_keys(action, end.output);
        let processor = holder(action);
        let mut keys = vec![
            keys::action(&action.id),
            before,
            after.clone(),
            keys::pending(processor),
            keys::stats(processor),
            keys::SEQ.to_owned(),
            keys::TARGETS.to_owned(),
            keys::input(next.target.as_str()),
        ];
        keys.extend(hand_over.iter().flat_map(|wish| wish.keys()));
        let cmd = script::ADVANCE_ACTION
            .call(&keys)
            .with(action.id.as_str())
            .with(action.step)
            .with(end.why.token())
            .with(end.output.nonce.as_str())
            .with(action.data.as_str())
            .with(name.as_str())
            .with(end.why.ground())
            .with(end.skipped.map_or(String::new(), codec::encode_failure))
            .with(next.target.as_str())
            .with(next.timeout_ms)
            .with(hand_over.map_or(0, |wish| wish.candidates.len()))
            .with(hand_over.map_or("", |wish| wish.token.as_str()));
        let answer = self.with_payloads(written(&after, end.output), cmd).await?;
        settled(&answer, |items| {
            Ok(Advanced {
                now: reply::number(reply::at(items, 1)?)?,
                claim: assignment(reply::at(items, 2)?)?,
            })
        })
    }

    /// Settles the last step: the outcome (succeeded or partial) is reached, and its delivery begins or is claimed at once.
    ///
    /// # Errors
    /// When the store is away: the same call may be made again.
    pub async fn finish(
        &self,
        action: &Action,
        end: StepEnd<'_>,
        outcome: Status,
        ending: Ending<'_>,
    ) -> Result<Settled<Finished>, Error> {
        let (before, after, name) = payload_keys(action, end.output);
        let processor = holder(action);
        let (queue, host) = receiver(action);
        let keys = [
            keys::action(&action.id),
            before,
            after.clone(),
            keys::pending(processor),
            keys::stats(processor),
            keys::LIVE.to_owned(),
            keys::DONE.to_owned(),
            queue,
            keys::RECEIVERS.to_owned(),
            idempotency(action),
        ];
        let cmd = script::FINISH_ACTION
            .call(&keys)
            .with(action.id.as_str())
            .with(action.step)
            .with(end.why.token())
            .with(end.output.nonce.as_str())
            .with(action.data.as_str())
            .with(name.as_str())
            .with(end.why.ground())
            .with(end.skipped.map_or(String::new(), codec::encode_failure))
            .with(codec::encode_status(outcome))
            .with(host)
            .with(ending.token.map_or("", TokenHash::as_str))
            .with(ending.lease_ms)
            .with(ending.retention_ms);
        let answer = self.with_payloads(written(&after, end.output), cmd).await?;
        settled(&answer, finished)
    }
}

/// The keys of the payload before and after, and the name of the latter.
fn payload_keys<'a>(action: &'a Action, output: &'a Output) -> (String, String, &'a Nonce) {
    let before = keys::data(&action.id, &action.data);
    match output.data {
        Some(_) => (before, keys::data(&action.id, &output.nonce), &output.nonce),
        None => (before.clone(), before, &action.data),
    }
}

fn written(key: &str, output: &Output) -> Vec<Cmd> {
    output.data.iter().map(|data| set_payload(key, data)).collect()
}

pub(super) fn holder(action: &Action) -> &str {
    action.attempt.as_ref().map_or("", |running| &running.processor)
}

pub(super) fn receiver(action: &Action) -> (String, &str) {
    match &action.receiver {
        Some(receiver) => (keys::output(&receiver.host), &receiver.host),
        None => (keys::NONE.to_owned(), ""),
    }
}

pub(super) fn idempotency(action: &Action) -> String {
    action.idempotency.as_deref().map_or(keys::NONE.to_owned(), keys::idempotency)
}

pub(super) fn finished(items: &[Value]) -> Result<Finished, Error> {
    Ok(Finished {
        now: reply::number(reply::at(items, 1)?)?,
        claimed: reply::integer(reply::at(items, 2)?)? == 1,
    })
}

pub(super) fn settled<T>(
    answer: &Value,
    accepted: impl FnOnce(&[Value]) -> Result<T, Error>,
) -> Result<Settled<T>, Error> {
    let items = reply::list(answer)?;
    Ok(match reply::integer(reply::at(items, 0)?)? {
        1 => Settled::Accepted(accepted(items)?),
        -1 => Settled::Unknown,
        -2 => Settled::Stale,
        -3 => Settled::Duplicate,
        -4 => Settled::PayloadMissing,
        _ => return Err(Error::Answer("an unknown answer to a transition")),
    })
}

impl<T> Settled<T> {
    /// Changes what was accepted.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Settled<U> {
        match self {
            Self::Accepted(value) => Settled::Accepted(change(value)),
            Self::Duplicate => Settled::Duplicate,
            Self::Stale => Settled::Stale,
            Self::Unknown => Settled::Unknown,
            Self::PayloadMissing => Settled::PayloadMissing,
        }
    }
}
