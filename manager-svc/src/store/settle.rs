//! Settling steps that the action goes on from, and what any settlement has in common.

use bytes::Bytes;
use deadpool_redis::redis::Value;

use super::claim::{Assignment, HandOver, assignment};
use super::script::{self, Args as _};
use super::together::{Kind, Transition};
use super::{Error, Store, codec, keys, reply};
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
        let follow = Follow {
            outcome: "",
            queue: keys::input(next.target.as_str()),
            to: next.target.as_str(),
            time_ms: next.timeout_ms,
            retention_ms: 0,
            token: hand_over.map(|wish| &wish.token),
        };
        let answer = self.together.make(transition(action, end, &follow, hand_over)).await?;
        settled(&answer, |items| {
            Ok(Advanced {
                now: reply::number(reply::at(items, 1)?)?,
                claim: assignment(items, hand_over)?,
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
        let (queue, host) = receiver(action);
        let follow = Follow {
            outcome: codec::encode_status(outcome),
            queue,
            to: host,
            time_ms: ending.lease_ms,
            retention_ms: ending.retention_ms,
            token: ending.token,
        };
        let answer = self.together.make(transition(action, end, &follow, None)).await?;
        settled(&answer, finished)
    }
}

/// What follows a settled step: the next one, or the outcome and its delivery.
struct Follow<'a> {
    /// Nothing when there is a next step.
    outcome: &'static str,
    /// Where what follows waits.
    queue: String,
    /// The target or host; nothing without response URL.
    to: &'a str,
    /// The timeout of the attempt or lease of the delivery, in milliseconds.
    time_ms: u64,
    retention_ms: u64,
    /// The token by which it is claimed at once.
    token: Option<&'a TokenHash>,
}

fn transition(
    action: &Action,
    end: StepEnd<'_>,
    follow: &Follow<'_>,
    hand_over: Option<&HandOver>,
) -> Transition {
    let output = end.output;
    let before = keys::data(&action.id, &action.data);
    let (after, name) = match output.data {
        Some(_) => (keys::data(&action.id, &output.nonce), &output.nonce),
        None => (before.clone(), &action.data),
    };
    let payloads = output.data.iter().map(|data| (after.clone(), data.clone())).collect();
    let processor = holder(action);
    let mut keys = vec![
        keys::action(&action.id),
        before,
        after,
        keys::pending(processor),
        keys::stats(processor),
        follow.queue.clone(),
        idempotency(action),
    ];
    keys.extend(hand_over.iter().flat_map(|wish| wish.keys()));
    let arguments = script::arguments()
        .with(action.id.as_str())
        .with(action.step)
        .with(end.why.token())
        .with(output.nonce.as_str())
        .with(action.data.as_str())
        .with(name.as_str())
        .with(end.why.ground())
        .with(end.skipped.map_or(String::new(), codec::encode_failure))
        .with(follow.outcome)
        .with(follow.to)
        .with(follow.time_ms)
        .with(follow.retention_ms)
        .with(follow.token.map_or("", TokenHash::as_str))
        .with(hand_over.map_or(0, |wish| wish.candidates.len()));
    Transition { kind: Kind::Attempt, payloads, keys, arguments }
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
