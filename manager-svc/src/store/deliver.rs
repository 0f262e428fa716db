//! Claiming and settling deliveries.

use bytes::Bytes;
use deadpool_redis::redis::{Cmd, Pipeline, Value};

use super::claim::Claims;
use super::script::{self, Args as _};
use super::settle::idempotency;
use super::together::{Kind, Transition};
use super::{Error, Store, codec, keys, reply};
use crate::domain::{Action, ActionId, Receiver, TokenHash};

/// A claimed delivery with all that sending it needs.
#[derive(Debug)]
pub struct ClaimedDelivery {
    /// The action, with its outcome.
    pub action: Action,
    /// The result.
    pub data: Bytes,
    /// The token that settles the delivery.
    pub token: TokenHash,
}

/// What a send met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryEnd {
    /// The receiver has it.
    Delivered,
    /// Given up, and why.
    Exhausted(String),
    /// To be sent again after so many milliseconds, and why.
    Again(u64, String),
}

/// What to claim for one host.
#[derive(Debug)]
pub struct DeliveryAsk {
    /// The host.
    pub host: String,
    /// Outcomes in its queue, each with the due time that was seen and a new token. Without any, the host is
    /// looked at again when its first outcome is due.
    pub actions: Vec<(ActionId, u64, TokenHash)>,
    /// When the host may be tried again at the earliest, in milliseconds since the Unix epoch.
    pub not_before: u64,
}

impl Store {
    /// Claims outcomes that are due, at several hosts: one round trip for the claims, one for their payloads.
    /// A claim that the server refuses is reported, and does not hide the others.
    ///
    /// # Errors
    /// When the store is away: the same call may be made again; else leases bring back what was claimed.
    pub async fn claim_deliveries(
        &self,
        asks: &[DeliveryAsk],
        lease_ms: u64,
    ) -> Result<Claims<ClaimedDelivery>, Error> {
        let mut pipeline = Pipeline::with_capacity(asks.len());
        for ask in asks {
            pipeline.add_command(claim_command(ask, lease_ms));
        }
        let answers = self.link.all(&pipeline).await?;
        let mut records = Vec::new();
        for (ask, answer) in asks.iter().zip(answers) {
            let read = claimed(ask, &answer);
            match read {
                Err(Error::Away(_) | Error::Full(_)) => return read.map(|_| Claims::default()),
                Err(error) => tracing::error!(host = ask.host, %error, "a claim was refused"),
                Ok(claimed) => records.extend(claimed),
            }
        }
        let keys: Vec<_> = records.iter().map(|(a, _)| keys::data(&a.id, &a.data)).collect();
        let mut claims = Claims::default();
        for ((action, token), data) in records.into_iter().zip(self.payloads(&keys).await?) {
            match data {
                Some(data) => claims.whole.push(ClaimedDelivery { action, data, token }),
                None => claims.bare.push((action, token)),
            }
        }
        Ok(claims)
    }

    /// Records what a send met; `false` when its lease was lost to another send.
    ///
    /// # Errors
    /// When the store is away: the same call may be made again.
    pub async fn settle_delivery(
        &self,
        action: &Action,
        receiver: &Receiver,
        token: &TokenHash,
        end: &DeliveryEnd,
        retention_ms: u64,
    ) -> Result<bool, Error> {
        let keys = vec![
            keys::action(&action.id),
            keys::data(&action.id, &action.data),
            keys::output(&receiver.host),
            idempotency(action),
        ];
        let (state, delay, why) = match end {
            DeliveryEnd::Delivered => ("delivered", 0, ""),
            DeliveryEnd::Exhausted(why) => ("exhausted", 0, why.as_str()),
            DeliveryEnd::Again(delay, why) => ("pending", *delay, why.as_str()),
        };
        let arguments = script::arguments()
            .with(action.id.as_str())
            .with(token.as_str())
            .with(state)
            .with(delay)
            .with(&receiver.host)
            .with(why)
            .with(retention_ms);
        let transition = Transition { kind: Kind::Delivery, payloads: Vec::new(), keys, arguments };
        let answer = self.together.make(transition).await?;
        Ok(reply::integer(&answer)? == 1)
    }
}

fn claim_command(ask: &DeliveryAsk, lease_ms: u64) -> Cmd {
    let mut keys = vec![keys::output(&ask.host), keys::RECEIVERS.to_owned()];
    keys.extend(ask.actions.iter().map(|(id, ..)| keys::action(id)));
    let cmd = script::CLAIM_DELIVERIES.call(&keys).with(&ask.host).with(lease_ms);
    ask.actions.iter().fold(cmd.with(ask.not_before), |cmd, (id, due, token)| {
        cmd.with(id.as_str()).with(token.as_str()).with(*due)
    })
}

/// Reads the answer to one ask.
fn claimed(ask: &DeliveryAsk, answer: &Value) -> Result<Vec<(Action, TokenHash)>, Error> {
    let mut claims = Vec::new();
    for ((id, _, token), record) in ask.actions.iter().zip(reply::list(answer)?) {
        if let Some(action) = codec::decode_if_whole(id, &reply::fields(record)?) {
            claims.push((action, token.clone()));
        }
    }
    Ok(claims)
}
