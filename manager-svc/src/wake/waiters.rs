//! Who waits for the outcome of an action: each is woken by that action alone.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::domain::ActionId;

/// Everybody who waits, by action.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    waiting: Mutex<Waiting>,
    closed: CancellationToken,
}

#[derive(Debug, Default)]
struct Waiting {
    actions: HashMap<ActionId, Group>,
    /// How many groups there have been.
    groups: u64,
}

/// Those who wait for the same outcome.
#[derive(Debug)]
struct Group {
    number: u64,
    members: usize,
    woken: CancellationToken,
}

impl Waiters {
    /// Waits from now on, until the answer is dropped.
    pub(super) fn join(&self, action: &ActionId) -> Waiter<'_> {
        let mut waiting = self.lock();
        let Waiting { actions, groups } = &mut *waiting;
        let group = actions.entry(action.clone()).or_insert_with(|| {
            *groups += 1;
            Group { number: *groups, members: 0, woken: self.closed.child_token() }
        });
        group.members += 1;
        let woken = group.woken.clone();
        Waiter { waiters: self, action: action.clone(), group: group.number, woken }
    }

    /// Wakes those who wait for this action.
    pub(super) fn wake(&self, action: &ActionId) {
        let group = self.lock().actions.remove(action);
        if let Some(group) = group {
            group.woken.cancel();
        }
    }

    /// Wakes everybody, now and whenever they come.
    pub(super) fn close(&self) {
        self.closed.cancel();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One who waits.
#[derive(Debug)]
pub(crate) struct Waiter<'w> {
    waiters: &'w Waiters,
    action: ActionId,
    group: u64,
    woken: CancellationToken,
}

impl Waiter<'_> {
    /// Waits until the action has an outcome that this process reached, or nobody is to wait any more; what
    /// happened since it joined counts.
    pub(crate) async fn woken(&self) {
        self.woken.cancelled().await;
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let mut waiting = self.waiters.lock();
        // A group that was woken is gone, and the action may have another one by now.
        if let Some(group) = waiting.actions.get_mut(&self.action)
            && group.number == self.group
        {
            group.members -= 1;
            if group.members == 0 {
                waiting.actions.remove(&self.action);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(waiters: &Waiters) -> usize {
        waiters.lock().actions.len()
    }

    fn is_woken(waiter: &Waiter<'_>) -> bool {
        waiter.woken.is_cancelled()
    }

    #[tokio::test]
    async fn an_outcome_wakes_those_who_wait_for_that_action_alone() {
        let waiters = Waiters::default();
        let (one, other) = (ActionId::from_random(1), ActionId::from_random(2));
        let (first, second, third) = (waiters.join(&one), waiters.join(&one), waiters.join(&other));
        waiters.wake(&one);
        first.woken().await;
        second.woken().await;
        assert!(!is_woken(&third));
    }

    #[test]
    fn who_joins_after_an_outcome_waits_for_the_next_one() {
        let waiters = Waiters::default();
        let id = ActionId::from_random(1);
        let before = waiters.join(&id);
        waiters.wake(&id);
        let after = waiters.join(&id);
        assert!(!is_woken(&after));
        // One of the group before takes nobody of this one along.
        drop(before);
        waiters.wake(&id);
        assert!(is_woken(&after));
    }

    #[test]
    fn who_has_left_is_forgotten() {
        let waiters = Waiters::default();
        let id = ActionId::from_random(1);
        let (first, second) = (waiters.join(&id), waiters.join(&id));
        drop(first);
        assert_eq!(waiting(&waiters), 1);
        drop(second);
        assert_eq!(waiting(&waiters), 0);
        waiters.wake(&id);
    }

    #[test]
    fn a_close_wakes_everybody_who_waits_or_comes_later() {
        let waiters = Waiters::default();
        let early = waiters.join(&ActionId::from_random(1));
        waiters.close();
        assert!(is_woken(&early) && is_woken(&waiters.join(&ActionId::from_random(2))));
    }
}
