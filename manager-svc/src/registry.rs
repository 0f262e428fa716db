//! What this process knows of the processors: a copy that a tick renews, so that choosing candidates costs
//! no round trip. The scripts check every candidate again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use crate::clock;
use crate::store::{Candidate, Error, Processor, Store};

/// How many candidates a script is given; more cost more than they find.
const CANDIDATES: usize = 4;
/// How old the copy may be before a tick renews it.
const FRESH: Duration = Duration::from_secs(1);

/// The copy.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    known: RwLock<Option<(Instant, Arc<Vec<Processor>>)>>,
    expired: AtomicBool,
}

impl Registry {
    /// The processors, as last read.
    #[must_use]
    pub(crate) fn processors(&self) -> Arc<Vec<Processor>> {
        let known = self.known.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        known.as_ref().map(|(_, processors)| Arc::clone(processors)).unwrap_or_default()
    }

    /// Whether the copy is too old to go by.
    #[must_use]
    pub(crate) fn is_stale(&self) -> bool {
        let known = self.known.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let old = known.as_ref().is_none_or(|(at, _)| at.elapsed() >= FRESH);
        old || self.expired.load(Ordering::Relaxed)
    }

    /// A processor changed: the copy is to be renewed before it is gone by again.
    pub(crate) fn expire(&self) {
        self.expired.store(true, Ordering::Relaxed);
    }

    /// Reads the processors anew.
    ///
    /// # Errors
    /// When the store is away; the old copy stays.
    pub(crate) async fn renew(&self, store: &Store) -> Result<Arc<Vec<Processor>>, Error> {
        // Before the read: what changes from now on is not in it.
        self.expired.store(false, Ordering::Relaxed);
        let processors = Arc::new(store.processors().await.inspect_err(|_| self.expire())?);
        let mut known = self.known.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        *known = Some((Instant::now(), Arc::clone(&processors)));
        Ok(processors)
    }

    /// Whether a processor with this id or name is registered.
    #[must_use]
    pub(crate) fn serves(&self, target: &str) -> bool {
        self.processors().iter().any(|p| p.serves(target))
    }

    /// Processors that may take the target's next attempt: at most four, chosen at random when there are more.
    #[must_use]
    pub(crate) fn candidates(&self, target: &str) -> Vec<Candidate> {
        let processors = self.processors();
        let serving: Vec<&Processor> = processors
            .iter()
            .filter(|p| p.serves(target) && p.takes_work(clock::now_ms()))
            .collect();
        let start = if serving.len() > 1 { rand::random_range(0..serving.len()) } else { 0 };
        serving
            .iter()
            .cycle()
            .skip(start)
            .take(serving.len().min(CANDIDATES))
            .map(|p| Candidate { id: p.id.clone(), name: p.name.clone() })
            .collect()
    }
}
