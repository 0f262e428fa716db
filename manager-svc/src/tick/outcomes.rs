//! Claiming outcomes that are due, host by host.

use super::claim::{CLAIM_AGAIN, PASS};
use super::{Left, TickReport, start};
use crate::again::{PATIENCE, insist, until};
use crate::app::{App, new_token};
use crate::domain::{Action, TokenHash};
use crate::settle::delivery_lease_ms;
use crate::store::{BATCH, DeliveryAsk, DeliveryEnd, Error, Look};
use crate::wake::Work;

/// When a host whose share of the places is used up is looked at again, in milliseconds.
const SHARE_USED_UP_MS: u64 = 25;

/// Claims and starts what is due.
pub(super) async fn deliveries(
    app: &App,
    look: &Look,
    may_claim: bool,
    report: &mut TickReport,
) -> Result<Left, Error> {
    let hosts: Vec<&str> = look
        .receivers
        .iter()
        .take_while(|(may_be_tried, _)| *may_be_tried <= look.now)
        .map(|(_, host)| host.as_str())
        .collect();
    if hosts.is_empty() || app.wake.is_sick() {
        return Ok(Left::default());
    } else if !may_claim {
        return Ok(Left { claimable: true, ..Left::default() });
    }
    let most = hosts.iter().map(|host| app.wake.delivery_share(host)).max();
    let most = most.unwrap_or_default().clamp(1, PASS);
    let queues = app.store.deliveries(&hosts, most).await?;
    let (mut left_waiting, mut used_up_any) = (false, false);
    let mut asks = Vec::with_capacity(hosts.len());
    let mut rooms = std::collections::HashMap::new();
    for (host, queue) in hosts.into_iter().zip(queues) {
        let due: Vec<_> = queue.into_iter().take_while(|(at, _)| *at <= look.now).collect();
        let count = due.len();
        let actions: Vec<_> = due
            .into_iter()
            .map_while(|(due, id)| {
                rooms.insert(id.clone(), app.wake.delivery_room(host)?);
                Some((id, due, new_token().hash()))
            })
            .collect();
        let used_up = actions.len() < count;
        left_waiting |= used_up || count == most;
        used_up_any |= used_up;
        let not_before = if used_up { look.now + SHARE_USED_UP_MS } else { 0 };
        let ask = |actions| DeliveryAsk { host: host.to_owned(), actions, not_before };
        if actions.is_empty() {
            asks.push(ask(actions));
        } else {
            asks.extend(actions.chunks(BATCH).map(|actions| ask(actions.to_vec())));
        }
    }
    let lease = delivery_lease_ms(app);
    let claims = insist(until(CLAIM_AGAIN), || app.store.claim_deliveries(&asks, lease)).await?;
    for (action, token) in claims.bare {
        give_up(app, &action, &token).await;
    }
    for claimed in claims.whole {
        let Some(room) = rooms.remove(&claimed.action.id) else { continue };
        report.delivering += 1;
        start(app, Work::Delivery(Box::new(claimed), room));
    }
    Ok(Left { places: used_up_any, claimable: left_waiting, ..Left::default() })
}

/// An outcome without its result cannot be sent: it is exhausted, where an operator finds it.
async fn give_up(app: &App, action: &Action, token: &TokenHash) {
    tracing::error!(action_id = %action.id, "the result is gone: it cannot be delivered");
    let Some(receiver) = &action.receiver else { return };
    let end = DeliveryEnd::Exhausted("the result is not in the store any more".to_owned());
    let retention = app.config.retention.retention_ms;
    let settled = insist(until(PATIENCE), || {
        app.store.settle_delivery(action, receiver, token, &end, retention)
    });
    if let Err(error) = settled.await {
        tracing::warn!(action_id = %action.id, %error, "a delivery was left to its lease");
    }
}
