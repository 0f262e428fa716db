//! How often each fault took effect, as seen by those that caused it.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

/// The counters of one run.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// Attempts that a processor failed.
    pub(crate) failures: AtomicUsize,
    /// Attempts that a processor left without any word.
    pub(crate) hangs: AtomicUsize,
    /// Completions and heartbeats that were refused because the lease was over.
    pub(crate) late: AtomicUsize,
    /// Second completions, which changed nothing.
    pub(crate) doubles: AtomicUsize,
    /// Attempts that lasted longer than their lease, by heartbeats.
    pub(crate) renewed: AtomicUsize,
    /// Deliveries that a receiver refused.
    pub(crate) refusals: AtomicUsize,
    /// Deliveries that a receiver did not answer.
    pub(crate) receiver_hangs: AtomicUsize,
    /// Processors that died and came back.
    pub(crate) deaths: AtomicUsize,
    /// Managers killed.
    pub(crate) kills: AtomicUsize,
    /// Managers killed while a processor worked on what they had claimed.
    pub(crate) kills_with_leases: AtomicUsize,
    /// Submits that were made again because no answer, or a refusal for now, came.
    pub(crate) resubmits: AtomicUsize,
    /// Times Redis was killed.
    pub(crate) redis_kills: AtomicUsize,
}

impl Effects {
    /// Counts one more.
    pub(crate) fn count(&self, counter: &AtomicUsize) {
        counter.fetch_add(1, SeqCst);
    }
}
