//! Places for calls that run at a time, shared fairly among the peers they go to.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::claimable::Claimable;

/// A bounded number of places. No peer takes more than half of what is free, so one that never answers
/// leaves places for the others.
#[derive(Debug)]
pub(super) struct Places(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    held: Mutex<Held>,
    claimable: Arc<Claimable>,
}

#[derive(Debug)]
struct Held {
    free: usize,
    closed: bool,
    by_peer: HashMap<Arc<str>, usize>,
}

impl Places {
    pub(super) fn new(places: usize, claimable: Arc<Claimable>) -> Self {
        let held = Mutex::new(Held { free: places, closed: false, by_peer: HashMap::new() });
        Self(Arc::new(Shared { held, claimable }))
    }

    /// A place for a call to this peer, if it may have one more.
    pub(super) fn take(&self, peer: &str) -> Option<Room> {
        let mut held = self.0.lock();
        if held.share(peer) == 0 {
            return None;
        }
        held.free -= 1;
        let peer = match held.by_peer.get_key_value(peer) {
            Some((known, _)) => Arc::clone(known),
            None => Arc::from(peer),
        };
        *held.by_peer.entry(Arc::clone(&peer)).or_default() += 1;
        Some(Room { places: Arc::clone(&self.0), peer })
    }

    /// How many more places this peer may take.
    pub(super) fn share(&self, peer: &str) -> usize {
        self.0.lock().share(peer)
    }

    /// How many places are free.
    pub(super) fn free(&self) -> usize {
        let held = self.0.lock();
        if held.closed { 0 } else { held.free }
    }

    /// No more places: what has one may end.
    pub(super) fn close(&self) {
        self.0.lock().closed = true;
    }

    pub(super) fn is_closed(&self) -> bool {
        self.0.lock().closed
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// Each place that a peer takes is one more of its own and one fewer that is free, and its own must
    /// stay below what is free.
    fn share(&self, peer: &str) -> usize {
        let own = self.by_peer.get(peer).copied().unwrap_or_default();
        if self.closed { 0 } else { self.free.saturating_sub(own).div_ceil(2) }
    }
}

/// A place for one call; given back when dropped.
#[derive(Debug)]
pub(crate) struct Room {
    places: Arc<Shared>,
    peer: Arc<str>,
}

impl Drop for Room {
    fn drop(&mut self) {
        let mut held = self.places.lock();
        held.free += 1;
        if let Some(own) = held.by_peer.get_mut(&self.peer) {
            *own -= 1;
            if *own == 0 {
                held.by_peer.remove(&self.peer);
            }
        }
        drop(held);
        self.places.claimable.place_freed();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(count: usize) -> Places {
        Places::new(count, Arc::default())
    }

    fn take_all(places: &Places, peer: &str) -> Vec<Room> {
        std::iter::from_fn(|| places.take(peer)).collect()
    }

    #[test]
    fn no_peer_takes_more_than_half_of_what_is_free() {
        let places = places(16);
        assert_eq!(places.share("dead"), 8);
        let dead = take_all(&places, "dead");
        assert_eq!((dead.len(), places.share("dead")), (8, 0));
        let slow = take_all(&places, "slow");
        assert_eq!(slow.len(), 4);
        assert!(places.take("healthy").is_some(), "there is always one left for another");
    }

    #[test]
    fn the_last_place_goes_to_whoever_has_none() {
        let places = places(1);
        let last = places.take("a").unwrap();
        assert!(places.take("b").is_none());
        drop(last);
        assert!(places.take("b").is_some());
    }

    #[test]
    fn what_is_given_back_is_free_again_and_forgotten() {
        let places = places(4);
        drop(take_all(&places, "a"));
        assert_eq!((places.free(), places.share("a")), (4, 2));
        assert!(places.0.lock().by_peer.is_empty());
    }

    #[tokio::test]
    async fn a_place_given_back_is_told_while_something_waits() {
        let claimable = Arc::new(Claimable::default());
        let places = Places::new(2, Arc::clone(&claimable));
        let room = places.take("a");
        claimable.end_look(std::collections::HashSet::new(), true);
        drop(room);
        claimable.nudged().await;
    }

    #[test]
    fn after_a_close_nobody_takes_a_place() {
        let places = places(4);
        let running = places.take("a");
        places.close();
        assert!(places.take("b").is_none() && places.is_closed());
        assert_eq!((places.free(), places.share("a")), (0, 0));
        drop(running);
    }
}
