//! What is under way, and what has come back: shared by submitter and receiver.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

/// The most actions of one run.
const ROOM: usize = 6_000_000;

/// Every action of the run by its sequence number.
#[derive(Debug)]
pub(crate) struct Board {
    start: Instant,
    /// When each was submitted, in nanoseconds after `start`; 0: not under way.
    submitted: Vec<AtomicU64>,
    next: AtomicUsize,
    arrived: AtomicUsize,
    /// Arrivals that were damaged, or that nobody waited for: repeats among them.
    pub(crate) wrong: AtomicUsize,
    /// From submit to webhook, in nanoseconds, of the current phase.
    latencies: Mutex<Vec<u64>>,
    /// One permit for each action that may still be submitted.
    pub(crate) window: Semaphore,
}

impl Board {
    /// A board for one run, with a closed window.
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            submitted: (0..ROOM).map(|_| AtomicU64::new(0)).collect(),
            next: AtomicUsize::new(0),
            arrived: AtomicUsize::new(0),
            wrong: AtomicUsize::new(0),
            latencies: Mutex::default(),
            window: Semaphore::new(0),
        }
    }

    /// The sequence number of the next action, which is submitted now.
    pub(crate) fn submit(&self) -> usize {
        let sequence = self.next.fetch_add(1, Relaxed);
        assert!(sequence < ROOM, "a run has at most {ROOM} actions: lower BENCH_SECONDS");
        self.submitted[sequence].store(self.now(), Relaxed);
        sequence
    }

    /// Notes an arrival; `None` is one that does not verify.
    pub(crate) fn arrive(&self, sequence: Option<usize>) {
        let slot = sequence.and_then(|sequence| self.submitted.get(sequence));
        let submitted = slot.map_or(0, |slot| slot.swap(0, Relaxed));
        if submitted == 0 {
            self.wrong.fetch_add(1, Relaxed);
            return;
        }
        self.latencies.lock().expect("no holder panics").push(self.now() - submitted);
        self.arrived.fetch_add(1, Relaxed);
        self.window.add_permits(1);
    }

    /// How many have come back so far.
    pub(crate) fn arrived(&self) -> usize {
        self.arrived.load(Relaxed)
    }

    /// Empties and returns the latencies.
    pub(crate) fn take_latencies(&self) -> Vec<Duration> {
        let taken = std::mem::take(&mut *self.latencies.lock().expect("no holder panics"));
        taken.into_iter().map(Duration::from_nanos).collect()
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX).max(1)
    }
}
