//! Claiming: queued attempts for processors with room, and outcomes that are due.

use std::time::Duration;

use super::{TickReport, start};
use crate::again::{insist, until};
use crate::app::{App, new_token};
use crate::domain::{ActionId, fair};
use crate::settle::delivery_lease_ms;
use crate::store::{BATCH, Candidate, ClaimAsk, Error, Heads, Look, Processor, ProcessorStatus};
use crate::wake::{Room, Work};

/// How long a claim whose answer was lost is asked for again: as long as a lease usually runs.
const CLAIM_AGAIN: Duration = Duration::from_secs(60);

/// Claims and starts what can be: at most a batch in all. Answers when a delivery is due next (ms from now).
pub(super) async fn claim(
    app: &App,
    look: &Look,
    report: &mut TickReport,
) -> Result<Option<u64>, Error> {
    let processors = app.registry.processors();
    let serving: Vec<&Processor> = processors
        .iter()
        .filter(|p| p.status == ProcessorStatus::Active)
        .filter(|p| look.targets.contains(&p.id) || look.targets.contains(&p.name))
        .collect();
    let mut backlog = !serving.is_empty();
    if !serving.is_empty() {
        claim_attempts(app, &serving, report).await?;
    }
    let hosts: Vec<&str> = look
        .receivers
        .iter()
        .filter(|(may_be_tried, _)| *may_be_tried <= look.now)
        .map(|(_, host)| host.as_str())
        .collect();
    let mut next = None;
    if !hosts.is_empty() {
        let (left_waiting, later) = claim_deliveries(app, &hosts, look.now, report).await?;
        backlog |= left_waiting;
        next = later;
    }
    app.wake.set_backlog(backlog);
    Ok(next)
}

async fn claim_attempts(
    app: &App,
    serving: &[&Processor],
    report: &mut TickReport,
) -> Result<(), Error> {
    let mut rooms = rooms(BATCH, || app.wake.dispatch_room());
    let share = share(app.wake.free_dispatches() + rooms.len());
    let asks: Vec<_> = serving
        .iter()
        .map(|p| (p.id.as_str(), p.name.as_str(), share.min(p.capacity as usize)))
        .collect();
    let heads = app.store.heads(&asks).await?;
    let mut left = rooms.len();
    let mut seen = std::collections::HashSet::new();
    let mut claims = Vec::new();
    // The least loaded first, so that processors of one name share what waits for the name.
    let mut order: Vec<_> = serving.iter().zip(heads).collect();
    order.sort_by_key(|(_, heads)| heads.in_flight);
    let fair_part = fair_part(order.len(), left);
    for (processor, heads) in order {
        let room = (processor.capacity as usize)
            .saturating_sub(usize::try_from(heads.in_flight).unwrap_or(usize::MAX));
        let most = room.min(share).min(left).min(fair_part.max(1));
        let seen_at = heads.seen_at;
        let ids = pick(heads, most, &mut seen);
        if ids.is_empty() {
            continue;
        }
        left -= ids.len();
        claims.push(ClaimAsk {
            processor: Candidate { id: processor.id.clone(), name: processor.name.clone() },
            seen_at,
            actions: ids.into_iter().map(|(seq, id)| (id, seq, new_token())).collect(),
        });
    }
    if claims.is_empty() {
        return Ok(());
    }
    let claimed = insist(until(CLAIM_AGAIN), || app.store.claim_attempts(&claims)).await?;
    for (claimed, room) in claimed.into_iter().zip(rooms.drain(..)) {
        report.claimed += 1;
        start(app, Work::Attempt(Box::new(claimed), room));
    }
    Ok(())
}

/// Room for at most so many, taken before anything is claimed: work handed over meanwhile must not leave a
/// claim without.
fn rooms(most: usize, take: impl FnMut() -> Option<Room>) -> Vec<Room> {
    std::iter::repeat_with(take).take(most).map_while(|room| room).collect()
}

/// The ids to claim for one processor; what another one was given in this pass is left to it.
fn pick(
    heads: Heads,
    most: usize,
    seen: &mut std::collections::HashSet<ActionId>,
) -> Vec<(u64, ActionId)> {
    let not_given = |seen: &std::collections::HashSet<ActionId>, queue: Vec<(u64, ActionId)>| {
        queue.into_iter().filter(|(_, id)| !seen.contains(id)).collect::<Vec<_>>()
    };
    let (own, shared) = (not_given(seen, heads.own), not_given(seen, heads.shared));
    let ids = fair::take_turns(own, shared, most);
    seen.extend(ids.iter().map(|(_, id)| id.clone()));
    ids
}

/// No target takes more than half of what is free.
fn share(free: usize) -> usize {
    (free / 2).clamp(1, BATCH)
}

/// When there are more processors than a batch has places, each still gets one.
fn fair_part(processors: usize, left: usize) -> usize {
    if processors == 0 { left } else { left.div_ceil(processors).max(left / 2) }
}

/// Answers whether something due was left waiting, and when the next is due (ms from now).
async fn claim_deliveries(
    app: &App,
    hosts: &[&str],
    now: u64,
    report: &mut TickReport,
) -> Result<(bool, Option<u64>), Error> {
    let share = share(app.wake.free_deliveries());
    let queues = app.store.deliveries(hosts, share).await?;
    let (mut left_waiting, mut next) = (false, None);
    for (host, queue) in hosts.iter().zip(queues) {
        let (due, later): (Vec<_>, Vec<_>) = queue.into_iter().partition(|(at, _)| *at <= now);
        next = next.into_iter().chain(later.first().map(|(at, _)| at.saturating_sub(now))).min();
        if due.is_empty() {
            continue;
        }
        let rooms = rooms(due.len(), || app.wake.delivery_room());
        left_waiting |= rooms.len() < due.len() || due.len() == share;
        let asks: Vec<_> = due
            .into_iter()
            .take(rooms.len())
            .map(|(due, id)| (id, due, new_token().hash()))
            .collect();
        let lease = delivery_lease_ms(app);
        let claim = || app.store.claim_deliveries(host, &asks, lease);
        for (claimed, room) in insist(until(CLAIM_AGAIN), claim).await?.into_iter().zip(rooms) {
            report.delivering += 1;
            start(app, Work::Delivery(Box::new(claimed), room));
        }
    }
    Ok((left_waiting, next))
}

/// How long one attempt's dispatch waits for an answer: as configured, or the lease if that is shorter.
pub(super) fn dispatch_wait(app: &App, lease_ms: u64) -> Duration {
    Duration::from_millis(app.config.limits.dispatch_wait_ms.min(lease_ms))
}
