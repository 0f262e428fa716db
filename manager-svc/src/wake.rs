//! How committed work reaches a loop in the same process: at once, and only if one has room.
//!
//! A handler never dispatches. It asks for [`Room`]; where a loop runs and has some, the store may claim
//! the next attempt in the same script, and the loop goes on with it. Without a loop (a Lambda function)
//! there is never room, and the work waits in its queue.

mod claimable;
mod places;
mod waiters;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use crate::domain::ActionId;
use crate::store::{Claimed, ClaimedDelivery};
use claimable::Claimable;
use places::Places;
use waiters::{Waiter, Waiters};

pub(crate) use places::Room;

/// How many attempts one process dispatches at a time.
pub(crate) const DISPATCHES: usize = 1024;
/// How many outcomes one process delivers at a time.
pub(crate) const DELIVERIES: usize = 512;

/// Claimed work on its way to a loop.
#[derive(Debug)]
pub(crate) enum Work {
    /// An attempt to dispatch.
    Attempt(Box<Claimed>, Room),
    /// An outcome to deliver.
    Delivery(Box<ClaimedDelivery>, Room),
}

type Take = Box<dyn Fn(Work) + Send + Sync>;

/// The connection between handlers and the loop of this process, if there is one.
pub(crate) struct Wake {
    take: OnceLock<Take>,
    dispatches: Places,
    deliveries: Places,
    claimable: Arc<Claimable>,
    waiters: Waiters,
    /// No processor can be reached from this process.
    sick: AtomicBool,
    /// This process has no time for anything new.
    ending: AtomicBool,
}

impl std::fmt::Debug for Wake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wake").field("loop", &self.take.get().is_some()).finish_non_exhaustive()
    }
}

impl Default for Wake {
    fn default() -> Self {
        let claimable = Arc::<Claimable>::default();
        Self {
            take: OnceLock::new(),
            dispatches: Places::new(DISPATCHES, Arc::clone(&claimable)),
            deliveries: Places::new(DELIVERIES, Arc::clone(&claimable)),
            claimable,
            waiters: Waiters::default(),
            sick: AtomicBool::new(false),
            ending: AtomicBool::new(false),
        }
    }
}

impl Wake {
    /// Says who takes claimed work in this process. Once; a second call changes nothing.
    pub(crate) fn install(&self, take: impl Fn(Work) + Send + Sync + 'static) {
        let _ = self.take.set(Box::new(take));
    }

    /// Room for an attempt of a job with this target, for whoever may start work in this process.
    #[must_use]
    pub(crate) fn dispatch_room(&self, target: &str) -> Option<Room> {
        self.take.get().filter(|_| !self.is_sick() && !self.is_ending())?;
        self.dispatches.take(target)
    }

    /// Room for a delivery to this host, for whoever may start one in this process.
    #[must_use]
    pub(crate) fn delivery_room(&self, host: &str) -> Option<Room> {
        self.take.get().filter(|_| !self.is_sick() && !self.is_ending())?;
        self.deliveries.take(host)
    }

    /// How many more attempts this process may dispatch.
    #[must_use]
    pub(crate) fn free_dispatches(&self) -> usize {
        self.dispatches.free()
    }

    /// How many of them may be of jobs with this target.
    #[must_use]
    pub(crate) fn dispatch_share(&self, target: &str) -> usize {
        self.dispatches.share(target)
    }

    /// How many more outcomes this process may deliver to this host.
    #[must_use]
    pub(crate) fn delivery_share(&self, host: &str) -> usize {
        self.deliveries.share(host)
    }

    /// Hands claimed work over.
    pub(crate) fn hand(&self, work: Work) {
        if let Some(take) = self.take.get() {
            take(work);
        }
    }

    /// No more room: what is claimed ends, nothing new begins, and nobody waits for an outcome any more.
    pub(crate) fn close(&self) {
        self.dispatches.close();
        self.deliveries.close();
        self.waiters.close();
    }

    /// Whether new work may not begin any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.dispatches.is_closed()
    }

    /// Notes whether this process reaches any processor; answers whether that is news. While it reaches none it
    /// has no room, and claims nothing.
    pub(crate) fn set_sick(&self, sick: bool) -> bool {
        self.sick.swap(sick, Ordering::Relaxed) != sick
    }

    /// Whether this process reaches no processor.
    #[must_use]
    pub(crate) fn is_sick(&self) -> bool {
        self.sick.load(Ordering::Relaxed)
    }

    /// Notes whether this process ends soon: it has no room then, and what is claimed may end.
    pub(crate) fn set_ending(&self, ending: bool) {
        self.ending.store(ending, Ordering::Relaxed);
    }

    /// Whether this process ends soon.
    #[must_use]
    pub(crate) fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Relaxed)
    }

    /// There is work that can be claimed.
    pub(crate) fn nudge(&self) {
        self.claimable.nudge();
    }

    /// A processor has room again: worth a look only when something was left waiting for it. A process without a
    /// loop cannot know whether something waits: it asks for the look each time.
    pub(crate) fn freed(&self, processor: &str) {
        if self.take.get().is_none() {
            self.nudge();
        } else {
            self.claimable.freed(processor);
        }
    }

    /// A look begins: what gets room from now on may not be seen by it.
    pub(crate) fn begin_look(&self) {
        self.claimable.begin_look();
    }

    /// Notes what the look left waiting: for which processors, and whether places of this process were missing.
    pub(crate) fn end_look(&self, processors: HashSet<String>, places: bool) {
        self.claimable.end_look(processors, places);
    }

    /// Waits until somebody says that there is work; what was said before counts.
    pub(crate) async fn nudged(&self) {
        self.claimable.nudged().await;
    }

    /// Whether somebody said so since this was asked or waited for last.
    pub(crate) fn was_nudged(&self) -> bool {
        self.claimable.was_nudged()
    }

    /// An action reached its outcome: whoever waits for it looks again.
    pub(crate) fn outcome(&self, action: &ActionId) {
        self.waiters.wake(action);
    }

    /// Waits from now on for this process to reach the outcome of an action, or to be closed.
    #[must_use]
    pub(crate) fn await_outcome(&self, action: &ActionId) -> Waiter<'_> {
        self.waiters.join(action)
    }
}
