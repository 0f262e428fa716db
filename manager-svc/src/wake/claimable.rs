//! Telling the loop of this process that there is work it can claim.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt as _;
use tokio::sync::Notify;

/// What wakes the loop.
#[derive(Debug, Default)]
pub(super) struct Claimable {
    nudge: Notify,
    backlog: Mutex<Backlog>,
}

/// What the last look left waiting, and for what.
#[derive(Debug, Default)]
struct Backlog {
    /// The processors for which something waits: one that is busy for long must not make every other end of an
    /// attempt worth a look.
    processors: HashSet<String>,
    /// Whether places of this process were missing.
    places: bool,
    /// The processors that got room since the last look began.
    freed: HashSet<String>,
}

impl Claimable {
    /// There is work that can be claimed.
    pub(super) fn nudge(&self) {
        self.nudge.notify_one();
    }

    /// A processor has room again: worth a look only when something was left waiting for it.
    pub(super) fn freed(&self, processor: &str) {
        let mut backlog = self.lock();
        if backlog.processors.contains(processor) {
            drop(backlog);
            self.nudge();
        } else if !backlog.freed.contains(processor) {
            // A look that is under way may leave something for it.
            backlog.freed.insert(processor.to_owned());
        }
    }

    /// A place of this process is free again: worth a look only when one was missing.
    pub(super) fn place_freed(&self) {
        if self.lock().places {
            self.nudge();
        }
    }

    /// A look begins: what gets room from now on may not be seen by it.
    pub(super) fn begin_look(&self) {
        self.lock().freed.clear();
    }

    /// Notes what the look left waiting: for which processors, and whether places were missing.
    pub(super) fn end_look(&self, processors: HashSet<String>, places: bool) {
        let mut backlog = self.lock();
        let missed = processors.iter().any(|processor| backlog.freed.contains(processor));
        backlog.processors = processors;
        backlog.places = places;
        drop(backlog);
        if missed {
            self.nudge();
        }
    }

    /// Whether somebody said so since this was asked or waited for last.
    pub(super) fn was_nudged(&self) -> bool {
        self.nudge.notified().now_or_never().is_some()
    }

    /// Waits until somebody says that there is work; what was said before counts.
    pub(super) async fn nudged(&self) {
        self.nudge.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, Backlog> {
        self.backlog.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(processor: &str) -> HashSet<String> {
        HashSet::from([processor.to_owned()])
    }

    #[test]
    fn only_a_processor_for_which_something_waits_makes_a_look_worth_it() {
        let claimable = Claimable::default();
        claimable.begin_look();
        claimable.end_look(waiting("full"), false);
        claimable.freed("idle");
        assert!(!claimable.was_nudged());
        claimable.freed("full");
        assert!(claimable.was_nudged());
    }

    #[test]
    fn room_that_a_look_did_not_see_is_looked_at_again() {
        let claimable = Claimable::default();
        claimable.begin_look();
        claimable.freed("full");
        assert!(!claimable.was_nudged());
        claimable.end_look(waiting("full"), false);
        assert!(claimable.was_nudged());
        claimable.begin_look();
        claimable.end_look(waiting("full"), false);
        assert!(!claimable.was_nudged());
    }

    #[test]
    fn a_place_makes_a_look_worth_it_only_while_places_are_missing() {
        let claimable = Claimable::default();
        claimable.end_look(waiting("full"), false);
        claimable.place_freed();
        assert!(!claimable.was_nudged());
        claimable.end_look(HashSet::new(), true);
        claimable.place_freed();
        assert!(claimable.was_nudged());
    }
}
