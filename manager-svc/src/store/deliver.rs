//! Claiming and settling deliveries.

use bytes::Bytes;

use super::script::{self, Args};
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

impl Store {
    /// Claims outcomes that are due at a host (each with the due time that was seen and a new token), and reads their payloads: two round trips.
    ///
    /// # Errors
    /// When the store is away: the same call may be made again; else leases bring back what was claimed.
    pub async fn claim_deliveries(
        &self,
        host: &str,
        asks: &[(ActionId, u64, TokenHash)],
        lease_ms: u64,
    ) -> Result<Vec<ClaimedDelivery>, Error> {
        let mut keys = vec![keys::output(host)];
        keys.extend(asks.iter().map(|(id, ..)| keys::action(id)));
        let cmd = asks
            .iter()
            .fold(script::CLAIM_DELIVERIES.call(&keys).with(lease_ms), |cmd, (id, due, token)| {
                cmd.with(id.as_str()).with(token.as_str()).with(*due)
            });
        let answer = self.one(cmd).await?;
        let items = reply::list(&answer)?;
        let mut claims = Vec::new();
        for ((id, _, token), record) in asks.iter().zip(items) {
            if let Some(action) = codec::decode_if_whole(id, &reply::fields(record)?) {
                claims.push((action, token.clone()));
            }
        }
        let keys: Vec<_> = claims.iter().map(|(a, _)| keys::data(&a.id, &a.data)).collect();
        let payloads = self.payloads(&keys).await?;
        Ok(claims
            .into_iter()
            .zip(payloads)
            .filter_map(|((action, token), data)| {
                Some(ClaimedDelivery { action, data: data?, token })
            })
            .collect())
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
        let keys = [
            keys::action(&action.id),
            keys::data(&action.id, &action.data),
            keys::output(&receiver.host),
            keys::RECEIVERS.to_owned(),
            action.idempotency.as_deref().map_or(keys::NONE.to_owned(), keys::idempotency),
        ];
        let (state, delay, why) = match end {
            DeliveryEnd::Delivered => ("delivered", 0, ""),
            DeliveryEnd::Exhausted(why) => ("exhausted", 0, why.as_str()),
            DeliveryEnd::Again(delay, why) => ("pending", *delay, why.as_str()),
        };
        let cmd = script::SETTLE_DELIVERY
            .call(&keys)
            .with(action.id.as_str())
            .with(token.as_str())
            .with(state)
            .with(delay)
            .with(&receiver.host)
            .with(why)
            .with(retention_ms);
        let answer = self.one(cmd).await?;
        Ok(reply::integer(&answer)? == 1)
    }
}
