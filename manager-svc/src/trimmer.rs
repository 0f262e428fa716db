//! What this process remembers of forgetting ended actions, from one tick to the next. Nothing is missed when it is
//! gone.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How many entries are looked at in a round: as many as a few scripts take, which hold up nobody for long.
pub(crate) const WINDOW: usize = 500;
/// How often what was passed over is looked at again.
const AGAIN: Duration = Duration::from_secs(60);

/// The memory.
#[derive(Debug, Default)]
pub(crate) struct Trimmer(Mutex<State>);

/// See [`Trimmer`].
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct State {
    /// When it is looked again; at once when there is more to forget.
    pub(crate) due: Option<Instant>,
    /// How many entries of `done` and `failed` are passed over: they cannot be forgotten yet, what is behind them
    /// may be.
    pub(crate) passed: [Passed; 2],
    /// The next page of hosts.
    pub(crate) cursor: u64,
}

/// What is passed over in an index.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Passed {
    pub(crate) entries: usize,
    since: Option<Instant>,
}

impl Trimmer {
    /// Where it stands, to be read or replaced.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Passed {
    /// Some entries stay where they are. At the end of what may be forgotten it begins anew: at once when it is not
    /// far to the front, else now and then.
    pub(crate) fn pass(&mut self, stay: usize, more: bool) {
        if more {
            self.entries += stay;
            self.since.get_or_insert_with(Instant::now);
        } else if self.entries <= WINDOW || self.since.is_none_or(|at| at.elapsed() >= AGAIN) {
            *self = Self::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_is_passed_over_until_the_end_and_looked_at_again_from_the_front() {
        let mut passed = Passed::default();
        passed.pass(WINDOW, true);
        assert_eq!(passed.entries, WINDOW);
        passed.pass(3, false);
        assert_eq!(passed.entries, 0);
        passed.pass(WINDOW, true);
        passed.pass(1, true);
        // Far from the front it is not begun anew each time.
        passed.pass(0, false);
        assert_eq!(passed.entries, WINDOW + 1);
        passed.since = Instant::now().checked_sub(AGAIN);
        passed.pass(0, false);
        assert_eq!(passed.entries, 0);
    }
}
