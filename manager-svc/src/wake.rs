//! How committed work reaches a loop in the same process: at once, and only if one has room.
//!
//! A handler never dispatches. It asks for [`Room`]; where a loop runs and has some, the store may claim
//! the next attempt in the same script, and the loop goes on with it. Without a loop (a Lambda function)
//! there is never room, and the work waits in its queue.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};

use crate::store::{Claimed, ClaimedDelivery};

/// How many attempts one process dispatches at a time.
pub(crate) const DISPATCHES: usize = 1024;
/// How many outcomes one process delivers at a time.
pub(crate) const DELIVERIES: usize = 512;

/// A place for one dispatch or one delivery; given back when dropped.
#[derive(Debug)]
pub(crate) struct Room(#[expect(dead_code, reason = "held, not read")] OwnedSemaphorePermit);

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
    dispatches: Arc<Semaphore>,
    deliveries: Arc<Semaphore>,
    claimable: Notify,
    backlog: AtomicBool,
    ended: watch::Sender<u64>,
}

impl std::fmt::Debug for Wake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wake").field("loop", &self.take.get().is_some()).finish_non_exhaustive()
    }
}

impl Default for Wake {
    fn default() -> Self {
        Self {
            take: OnceLock::new(),
            dispatches: Arc::new(Semaphore::new(DISPATCHES)),
            deliveries: Arc::new(Semaphore::new(DELIVERIES)),
            claimable: Notify::new(),
            backlog: AtomicBool::new(false),
            ended: watch::Sender::new(0),
        }
    }
}

impl Wake {
    /// Says who takes claimed work in this process. Once; a second call changes nothing.
    pub(crate) fn install(&self, take: impl Fn(Work) + Send + Sync + 'static) {
        let _ = self.take.set(Box::new(take));
    }

    /// Room for an attempt, for whoever may start work in this process.
    #[must_use]
    pub(crate) fn dispatch_room(&self) -> Option<Room> {
        self.take.get()?;
        Arc::clone(&self.dispatches).try_acquire_owned().ok().map(Room)
    }

    /// Room for a delivery, for whoever may start one in this process.
    #[must_use]
    pub(crate) fn delivery_room(&self) -> Option<Room> {
        self.take.get()?;
        Arc::clone(&self.deliveries).try_acquire_owned().ok().map(Room)
    }

    /// How many more attempts this process may dispatch.
    #[must_use]
    pub(crate) fn free_dispatches(&self) -> usize {
        self.dispatches.available_permits()
    }

    /// How many more outcomes this process may deliver.
    #[must_use]
    pub(crate) fn free_deliveries(&self) -> usize {
        self.deliveries.available_permits()
    }

    /// Hands claimed work over.
    pub(crate) fn hand(&self, work: Work) {
        if let Some(take) = self.take.get() {
            take(work);
        }
    }

    /// No more room: what is claimed ends, nothing new begins.
    pub(crate) fn close(&self) {
        self.dispatches.close();
        self.deliveries.close();
    }

    /// Whether new work may not begin any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.dispatches.is_closed()
    }

    /// There is work that can be claimed.
    pub(crate) fn nudge(&self) {
        self.claimable.notify_one();
    }

    /// A processor has room again: worth a look only when something was left waiting.
    pub(crate) fn freed(&self) {
        if self.backlog.load(Ordering::Relaxed) {
            self.nudge();
        }
    }

    /// Notes whether the last look left something waiting.
    pub(crate) fn set_backlog(&self, backlog: bool) {
        self.backlog.store(backlog, Ordering::Relaxed);
    }

    /// Waits until somebody says that there is work; what was said before counts.
    pub(crate) async fn nudged(&self) {
        self.claimable.notified().await;
    }

    /// An action reached its outcome: whoever waits for one looks again.
    pub(crate) fn outcome(&self) {
        self.ended.send_modify(|count| *count += 1);
    }

    /// Sees every outcome that this process reaches from now on.
    #[must_use]
    pub(crate) fn outcomes(&self) -> watch::Receiver<u64> {
        self.ended.subscribe()
    }
}
