//! Accepting actions.

use bytes::Bytes;
use deadpool_redis::redis::{Cmd, Pipeline, Value};

use super::claim::{Assignment, HandOver, assignment};
use super::script::{self, Args as _};
use super::together::{Kind, Transition};
use super::{Error, Store, codec, keys, reply};
use crate::domain::action::{DEFAULT_EXPIRES_IN_MS, Status};
use crate::domain::{Action, ActionId, Nonce};

/// What a caller said to make a request repeatable.
#[derive(Debug, Clone)]
pub struct IdempotencyKey {
    /// The hash of the key (and of whose it is).
    pub key: String,
    /// The hash of the body.
    pub body: String,
}

/// An action to be accepted: its record as it will be, and its first payload.
#[derive(Debug, Clone)]
pub struct NewAction {
    /// The record; times are not set yet.
    pub action: Action,
    /// The data item.
    pub data: Bytes,
    /// How long it waits before it becomes ready, in milliseconds.
    pub delay_ms: u64,
}

/// What became of a submission.
#[derive(Debug, PartialEq, Eq)]
pub enum Submitted {
    /// All were accepted at `now`; a single one may be claimed already.
    Accepted {
        /// The store's clock.
        now: u64,
        /// The claim, when one was asked for and made.
        claim: Option<Assignment>,
    },
    /// The same request was accepted before: its actions.
    Known(Vec<ActionId>),
    /// The idempotency key was used with another body.
    OtherBody,
    /// Too many actions are live.
    Full,
    /// Memory is above the mark.
    AboveMark,
    /// Too many outcomes wait for this host.
    HostFull(String),
    /// A payload could not be written: the store is out of memory.
    PayloadMissing,
}

impl Store {
    /// Accepts actions (at most [`super::BATCH`]), all or none, with their payloads, in one round trip.
    ///
    /// # Errors
    /// When the store is away.
    pub async fn submit(
        &self,
        actions: &[NewAction],
        idempotency: Option<&IdempotencyKey>,
        most_live: u64,
        hand_over: Option<&HandOver>,
    ) -> Result<Submitted, Error> {
        let transition = submission(actions, idempotency, most_live, hand_over);
        let answer = self.together.make(transition).await?;
        let items = reply::list(&answer)?;
        Ok(match reply::integer(reply::at(items, 0)?)? {
            1 => Submitted::Accepted {
                now: reply::number(reply::at(items, 1)?)?,
                claim: assignment(items, hand_over)?,
            },
            2 => Submitted::Known(ids(reply::text(reply::at(items, 1)?)?)),
            -5 => Submitted::OtherBody,
            -6 => Submitted::Full,
            -7 => Submitted::AboveMark,
            -8 => Submitted::HostFull(reply::text(reply::at(items, 1)?)?.to_owned()),
            -4 => Submitted::PayloadMissing,
            _ => return Err(Error::Answer("an unknown answer to submit_actions")),
        })
    }

    /// What the idempotency key stands for: [`Submitted::Known`] or [`Submitted::OtherBody`], or nothing yet.
    ///
    /// # Errors
    /// When the store is away.
    pub async fn repeated(&self, key: &IdempotencyKey) -> Result<Option<Submitted>, Error> {
        let mut cmd = Cmd::new();
        cmd.arg("HMGET").arg(keys::idempotency(&key.key)).arg(&["hash", "ids"]);
        let answer = self.link.one(cmd).await?;
        let fields = reply::list(&answer)?;
        Ok(match reply::at(fields, 0)? {
            Value::Nil => None,
            hash if reply::text(hash)? == key.body => {
                Some(Submitted::Known(ids(reply::text(reply::at(fields, 1)?)?)))
            }
            _ => Some(Submitted::OtherBody),
        })
    }

    /// The status of actions that were accepted, in one round trip; nothing for one that has ended and whose
    /// record has expired (what has not ended has no TTL).
    ///
    /// # Errors
    /// When the store is away, or holds a status that nobody wrote.
    pub async fn statuses(&self, ids: &[ActionId]) -> Result<Vec<Option<Status>>, Error> {
        let mut pipeline = Pipeline::with_capacity(ids.len());
        for id in ids {
            pipeline.cmd("HGET").arg(keys::action(id)).arg("status");
        }
        let status = |answer| match reply::checked(answer)? {
            Value::Nil => Ok(None),
            text => codec::status(reply::text(&text)?)
                .map(Some)
                .ok_or(Error::Answer("an unknown status of an action")),
        };
        self.link.all(&pipeline).await?.into_iter().map(status).collect()
    }
}

fn submission(
    actions: &[NewAction],
    idempotency: Option<&IdempotencyKey>,
    most_live: u64,
    hand_over: Option<&HandOver>,
) -> Transition {
    let mut keys = Vec::with_capacity(1 + 3 * actions.len());
    keys.push(idempotency.map_or(keys::NONE.to_owned(), |known| keys::idempotency(&known.key)));
    let mut payloads = Vec::with_capacity(actions.len());
    for NewAction { action, data, .. } in actions {
        let payload = keys::data(&action.id, &action.data);
        keys.push(keys::action(&action.id));
        keys.push(payload.clone());
        keys.push(keys::input(action.job().target.as_str()));
        payloads.push((payload, data.clone()));
    }
    keys.extend(hand_over.iter().flat_map(|wish| wish.keys()));
    let mut hosts: Vec<&str> =
        actions.iter().filter_map(|new| Some(&*new.action.receiver.as_ref()?.host)).collect();
    hosts.sort_unstable();
    hosts.dedup();
    let mut arguments = script::arguments()
        .with(actions.len())
        .with(hand_over.map_or(0, |wish| wish.candidates.len()))
        .with(hand_over.map_or("", |wish| wish.token.as_str()))
        .with(idempotency.map_or("", |known| &known.body))
        .with(most_live)
        .with(hosts.len())
        .with(hosts);
    for NewAction { action, delay_ms, .. } in actions {
        let job = action.job();
        let fixed = fixed_fields(action, idempotency);
        arguments = arguments
            .with(action.id.as_str())
            .with(action.data.as_str())
            .with(job.target.as_str())
            .with(job.timeout_ms)
            .with(*delay_ms)
            .with(action.expires_in_ms)
            .with(fixed.len())
            .with(fixed);
    }
    Transition { kind: Kind::Submission, payloads, keys, arguments }
}

fn ids(text: &str) -> Vec<ActionId> {
    text.split(' ').filter_map(|id| ActionId::parse(id).ok()).collect()
}

/// What never changes, as fields and values.
fn fixed_fields(
    action: &Action,
    idempotency: Option<&IdempotencyKey>,
) -> Vec<(&'static str, String)> {
    let mut fields = vec![("jobs", codec::encode_jobs(&action.jobs)), ("delivery", "none".into())];
    if let Some(receiver) = &action.receiver {
        fields.push(("url", receiver.url.clone()));
        fields.push(("host", receiver.host.clone()));
    }
    if !action.labels.is_empty() {
        fields.push(("labels", codec::encode_labels(&action.labels)));
    }
    if action.expires_in_ms != DEFAULT_EXPIRES_IN_MS {
        fields.push(("expires_in", action.expires_in_ms.to_string()));
    }
    if let Some(traceparent) = &action.traceparent {
        fields.push(("traceparent", traceparent.clone()));
    }
    if let Some(known) = idempotency {
        fields.push(("idempotency", known.key.clone()));
    }
    fields
}

impl NewAction {
    /// The payload's name.
    #[must_use]
    pub fn nonce(&self) -> &Nonce {
        &self.action.data
    }
}
