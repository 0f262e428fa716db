//! What a process remembers from look to look: how far it has come, and what is under suspicion.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::time::{Duration, Instant};

use super::queue::Queue;

/// How many queues are remembered; more are found again.
const MOST_QUEUES: usize = 10_000;
/// How many suspicions are kept; what does not fit is suspected when the first are gone.
const MOST_SUSPICIONS: usize = 1_000;
/// How many suspicions one look goes into, the oldest first.
const SUSPECTS: usize = 200;

/// What a violation is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    /// An id.
    Action(String),
    /// What a list says of a queue.
    Queue(Queue),
    /// A payload's key.
    Payload(String),
}

#[derive(Debug)]
struct Suspicion {
    what: String,
    version: String,
    since: u64,
    places: Vec<Queue>,
}

/// The memory of the reconciler of one process. Nothing is lost with it but time.
#[derive(Debug)]
pub struct Reconciler {
    pub(super) scan: String,
    pub(super) receivers: usize,
    pub(super) known: usize,
    /// Where the next slice of each queue begins.
    ranks: BTreeMap<Queue, usize>,
    last: Option<Queue>,
    suspicions: BTreeMap<Subject, Suspicion>,
    ran: Option<Instant>,
}

impl Default for Reconciler {
    fn default() -> Self {
        Self {
            scan: "0".to_owned(),
            receivers: 0,
            known: 0,
            ranks: BTreeMap::new(),
            last: None,
            suspicions: BTreeMap::new(),
            ran: None,
        }
    }
}

impl Reconciler {
    /// Whether the last look was at least so long ago; if so, the next one counts from now on.
    pub fn is_due(&mut self, every: Duration) -> bool {
        let due = self.ran.is_none_or(|ran| ran.elapsed() >= every);
        if due {
            self.ran = Some(Instant::now());
        }
        due
    }

    pub(super) fn add_queues(&mut self, queues: impl Iterator<Item = Queue>) {
        for queue in queues {
            if self.ranks.len() < MOST_QUEUES {
                self.ranks.entry(queue).or_insert(0);
            }
        }
    }

    /// The next queues in turn.
    pub(super) fn next_queues(&mut self, most: usize) -> BTreeSet<Queue> {
        let after = self.last.clone().map_or(Bound::Unbounded, Bound::Excluded);
        let rest = self.ranks.range((after, Bound::Unbounded));
        let next: Vec<_> =
            rest.chain(&self.ranks).map(|(queue, _)| queue).take(most).cloned().collect();
        self.last = next.last().cloned();
        next.into_iter().collect()
    }

    pub(super) fn rank(&self, queue: &Queue) -> usize {
        self.ranks.get(queue).copied().unwrap_or_default()
    }

    /// A queue was walked, as far as this; one that is neither there nor listed is forgotten.
    pub(super) fn walked(&mut self, queue: &Queue, next: Option<usize>) {
        match next {
            Some(rank) => _ = self.ranks.insert(queue.clone(), rank),
            None => _ = self.ranks.remove(queue),
        }
    }

    /// What to look at again, with where it stood.
    pub(super) fn suspects(&self) -> Vec<(Subject, Vec<Queue>)> {
        let mut suspects: Vec<_> = self.suspicions.iter().collect();
        suspects.sort_by_key(|(_, suspicion)| suspicion.since);
        let first = suspects.into_iter().take(SUSPECTS);
        first.map(|(subject, suspicion)| (subject.clone(), suspicion.places.clone())).collect()
    }

    /// Nothing is wrong with this.
    pub(super) fn clear(&mut self, subject: &Subject) {
        self.suspicions.remove(subject);
    }

    /// Something is wrong with this; answers whether it was so, at the same version, in an earlier look that is
    /// at least `after_ms` ago.
    pub(super) fn confirms(
        &mut self,
        subject: &Subject,
        what: &str,
        version: &str,
        places: impl Iterator<Item = Queue>,
        now: u64,
        after_ms: u64,
    ) -> bool {
        if let Some(known) = self.suspicions.get(subject)
            && known.what == what
            && known.version == version
        {
            return now >= known.since.saturating_add(after_ms);
        }
        if self.suspicions.len() < MOST_SUSPICIONS || self.suspicions.contains_key(subject) {
            let (what, version) = (what.to_owned(), version.to_owned());
            let suspicion = Suspicion { what, version, since: now, places: places.collect() };
            self.suspicions.insert(subject.clone(), suspicion);
        }
        false
    }
}
