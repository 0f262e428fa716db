//! Claiming queued attempts for processors with room.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::{Left, TickReport, start};
use crate::again::{PATIENCE, insist, until};
use crate::app::{App, new_token};
use crate::domain::fair::{self, Place, Waiting};
use crate::domain::{Action, ActionId, Failure, TokenHash};
use crate::settle::{self, Failed, Request};
use crate::store::{BATCH, Candidate, ClaimAsk, Error, Look, Processor, Why};
use crate::wake::{Room, Work};

/// How long a claim whose answer was lost is asked for again: as long as a lease usually runs.
pub(super) const CLAIM_AGAIN: Duration = Duration::from_secs(60);

/// How many claims one pass makes: several scripts in one round trip, so that a store that answers late (each write
/// waits for the disk, or a network) does not hold up the processors.
pub(super) const PASS: usize = 4 * BATCH;

/// Claims and starts what can be, at most [`PASS`] in all.
pub(super) async fn attempts(
    app: &App,
    look: &Look,
    may_claim: bool,
    report: &mut TickReport,
) -> Result<Left, Error> {
    let processors = app.registry.processors();
    let serving: Vec<&Processor> = processors
        .iter()
        .filter(|p| p.takes_work(look.now))
        .filter(|p| look.targets.contains(&p.id) || look.targets.contains(&p.name))
        .collect();
    if serving.is_empty() || app.wake.is_sick() {
        return Ok(Left::default());
    }
    let table = Table::look(app, &serving).await?;
    let mut left = table.left(app, &serving);
    let (asks, rooms) = if may_claim { table.deal(app, &serving) } else { Default::default() };
    if asks.is_empty() {
        return Ok(left);
    }
    let claims = insist(until(CLAIM_AGAIN), || app.store.claim_attempts(&asks)).await?;
    for (action, token) in claims.bare {
        give_up(app, &action, &token).await;
    }
    let answered: HashSet<&str> =
        claims.whole.iter().map(|claimed| claimed.assignment.processor.as_str()).collect();
    if asks.iter().any(|ask| !answered.contains(ask.processor.id.as_str())) {
        // One that takes nothing, by a change that the copy does not know of yet, must not keep the others of
        // its name from what was dealt to it.
        app.registry.expire();
        app.wake.nudge();
    }
    left.places |= app.wake.free_dispatches() == 0;
    let mut rooms = rooms;
    for claimed in claims.whole {
        // Room was taken for each id that was asked for.
        let Some(room) = rooms.remove(&claimed.action.id) else { continue };
        report.claimed += 1;
        start(app, Work::Attempt(Box::new(claimed), room));
    }
    // What is left after this the next look tells.
    Ok(left)
}

/// The heads of the queues, and the processors at them.
struct Table<'p> {
    seen_at: u64,
    targets: Vec<&'p str>,
    queues: Vec<std::vec::IntoIter<(u64, ActionId)>>,
    waiting: Vec<Waiting>,
    places: Vec<Place>,
}

impl<'p> Table<'p> {
    async fn look(app: &App, serving: &[&'p Processor]) -> Result<Self, Error> {
        let mut targets: Vec<&str> = Vec::new();
        let mut capacities: Vec<usize> = Vec::new();
        let mut places = Vec::with_capacity(serving.len());
        let mut number: HashMap<&str, usize> = HashMap::new();
        for processor in serving {
            let mut queue = |target: &'p str| {
                let at = *number.entry(target).or_insert(targets.len());
                if at == targets.len() {
                    targets.push(target);
                    capacities.push(0);
                }
                at
            };
            let (own, shared) = (queue(&processor.id), queue(&processor.name));
            capacities[own] += processor.capacity as usize;
            if shared != own {
                capacities[shared] += processor.capacity as usize;
            }
            places.push(Place { room: 0, load: 0, own, shared });
        }
        let windows: Vec<_> = targets
            .iter()
            .zip(capacities)
            // Looking at one at least tells whether something waits.
            .map(|(target, most)| {
                (*target, app.wake.dispatch_share(target).min(most).clamp(1, PASS))
            })
            .collect();
        let ids: Vec<&str> = serving.iter().map(|p| p.id.as_str()).collect();
        let heads = app.store.heads(&ids, &windows).await?;
        for ((place, processor), in_flight) in places.iter_mut().zip(serving).zip(heads.in_flight) {
            place.room = (processor.capacity as usize).saturating_sub(in_flight);
            place.load = in_flight;
        }
        let waiting = heads
            .waiting
            .iter()
            .zip(&targets)
            .map(|(queue, target)| Waiting {
                numbers: queue.iter().map(|(number, _)| *number).collect(),
                most: app.wake.dispatch_share(target),
            })
            .collect();
        let queues = heads.waiting.into_iter().map(Vec::into_iter).collect();
        Ok(Self { seen_at: heads.seen_at, targets, queues, waiting, places })
    }

    fn left(&self, app: &App, serving: &[&Processor]) -> Left {
        let waits = |queue: usize| !self.waiting[queue].numbers.is_empty();
        let busy = |place: &Place| waits(place.own) || waits(place.shared);
        let waiting = self.places.iter().zip(serving).filter(|(place, _)| busy(place));
        let mut targets = self.targets.iter().enumerate();
        Left {
            waiting: waiting.map(|(_, processor)| processor.id.clone()).collect(),
            places: targets
                .any(|(queue, target)| waits(queue) && app.wake.dispatch_share(target) == 0),
            claimable: self.places.iter().any(|place| place.room > 0 && busy(place)),
        }
    }

    /// What to claim for whom, and the room for each, taken before anything is claimed: work handed over
    /// meanwhile must not leave a claim without.
    ///
    /// Each processor gets a run of a queue's head, in the order of the asks, because a claim takes nothing
    /// but the head of a queue.
    fn deal(
        mut self,
        app: &App,
        serving: &[&Processor],
    ) -> (Vec<ClaimAsk>, HashMap<ActionId, Room>) {
        let most = PASS.min(app.wake.free_dispatches());
        let shares = fair::deal(&self.places, &self.waiting, most);
        let mut rooms = HashMap::new();
        let mut asks = Vec::new();
        for ((processor, place), share) in serving.iter().zip(&self.places).zip(shares) {
            let mut run = |queue: usize, count: usize| -> Vec<(u64, ActionId)> {
                let target = self.targets[queue];
                let taken = self.queues[queue].by_ref().take(count);
                taken
                    .map_while(|(number, id)| {
                        rooms.insert(id.clone(), app.wake.dispatch_room(target)?);
                        Some((number, id))
                    })
                    .collect()
            };
            let (own, shared) = (run(place.own, share.own), run(place.shared, share.shared));
            let actions: Vec<_> = fair::take_turns(own, shared)
                .into_iter()
                .map(|(number, id)| (id, number, new_token()))
                .collect();
            asks.extend(actions.chunks(BATCH).map(|actions| ClaimAsk {
                processor: Candidate { id: processor.id.clone(), name: processor.name.clone() },
                seen_at: self.seen_at,
                actions: actions.to_vec(),
            }));
        }
        (asks, rooms)
    }
}

/// An attempt without its input can only fail: no processor can be asked.
async fn give_up(app: &App, action: &Action, token: &TokenHash) {
    tracing::error!(action_id = %action.id, step = action.step, "the step's input is gone");
    let message = "the step's input is not in the store any more";
    let failed = Failed {
        failure: Failure::new("payload_missing", message),
        retryable: false,
        retry_after_ms: None,
    };
    let request = Request::new(app, action);
    let settled = insist(until(PATIENCE), || {
        settle::fail(app, action, Why::Token(token), &request, &failed, None)
    });
    if let Err(error) = Box::pin(settled).await {
        tracing::warn!(action_id = %action.id, %error, "an attempt was left to its lease");
    }
}

/// How long one attempt's dispatch waits for an answer: as configured, or the lease if that is shorter.
pub(super) fn dispatch_wait(app: &App, lease_ms: u64) -> Duration {
    Duration::from_millis(app.config.limits.dispatch_wait_ms.min(lease_ms))
}
