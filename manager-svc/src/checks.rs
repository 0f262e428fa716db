//! What this process remembers of its health checks from one tick to the next. Nothing is missed when it is gone.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::store::Processor;

/// How many checks one process makes at a time: apart from dispatches and deliveries, which may use up their own.
const CHECKS: usize = 64;

/// The memory.
#[derive(Debug)]
pub(crate) struct Checks {
    places: Arc<Semaphore>,
    answered: Mutex<Option<Instant>>,
    suspects: Mutex<BTreeSet<String>>,
    /// The starts of processors that were followed up.
    pub(crate) starts: tokio::sync::Mutex<Starts>,
}

impl Default for Checks {
    fn default() -> Self {
        Self {
            places: Arc::new(Semaphore::new(CHECKS)),
            answered: Mutex::default(),
            suspects: Mutex::default(),
            starts: tokio::sync::Mutex::default(),
        }
    }
}

/// The starts of processors whose pending attempts were looked at.
#[derive(Debug, Default)]
pub(crate) struct Starts {
    /// The copy of the processors that was gone through last.
    pub(crate) copy: Option<Arc<Vec<Processor>>>,
    /// By processor, when it had started then.
    pub(crate) seen: HashMap<String, u64>,
}

impl Checks {
    /// A place for a check, if there is one.
    #[must_use]
    pub(crate) fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).try_acquire_owned().ok()
    }

    /// A processor answered this process.
    pub(crate) fn note_answer(&self) {
        *lock(&self.answered) = Some(Instant::now());
    }

    /// Whether a processor answered this process at or after a moment.
    #[must_use]
    pub(crate) fn answered_since(&self, moment: Instant) -> bool {
        lock(&self.answered).is_some_and(|at| at >= moment)
    }

    /// A call to a processor did not get through: its next check should come early.
    pub(crate) fn suspect(&self, processor: &str) {
        lock(&self.suspects).insert(processor.to_owned());
    }

    /// Those who are to be checked early; each is named once.
    #[must_use]
    pub(crate) fn take_suspects(&self) -> BTreeSet<String> {
        std::mem::take(&mut *lock(&self.suspects))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_and_come_back() {
        let checks = Checks::default();
        let held: Vec<_> = std::iter::from_fn(|| checks.place()).collect();
        assert_eq!(held.len(), CHECKS);
        drop(held);
        assert!(checks.place().is_some());
    }

    #[test]
    fn an_answer_counts_from_its_moment_on() {
        let checks = Checks::default();
        let before = Instant::now();
        assert!(!checks.answered_since(before));
        checks.note_answer();
        assert!(checks.answered_since(before));
        assert!(!checks.answered_since(Instant::now() + std::time::Duration::from_secs(1)));
    }

    #[test]
    fn a_suspect_is_named_once() {
        let checks = Checks::default();
        checks.suspect("p");
        checks.suspect("p");
        assert_eq!(checks.take_suspects(), BTreeSet::from(["p".to_owned()]));
        assert!(checks.take_suspects().is_empty());
    }
}
