//! Who gets what of the waiting: how many actions each processor takes from which of its queues.

/// A processor that takes work.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// How many more attempts it takes.
    pub room: usize,
    /// How many it has in flight.
    pub load: usize,
    /// The queue of its id, as an index.
    pub own: usize,
    /// The queue of its name, as an index.
    pub shared: usize,
}

/// What waits for one target.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// The first sequence numbers, in order.
    pub numbers: Vec<u64>,
    /// How many may be taken.
    pub most: usize,
}

/// How many actions a processor takes from the head of each of its queues.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Share {
    /// From the queue of its id.
    pub own: usize,
    /// From the queue of its name.
    pub shared: usize,
}

/// Deals what waits one by one, each to the least loaded processor that may take it; a processor's two queues
/// take turns, the one with the older head begins. At most `most` in all.
#[must_use]
pub fn deal(places: &[Place], queues: &[Waiting], most: usize) -> Vec<Share> {
    let mut shares = vec![Share::default(); places.len()];
    let mut taken = vec![0; queues.len()];
    let mut shared_last: Vec<Option<bool>> = vec![None; places.len()];
    let head = |taken: &[usize], queue: usize| {
        let Waiting { numbers, most } = &queues[queue];
        (taken[queue] < *most).then(|| numbers.get(taken[queue]).copied()).flatten()
    };
    for _ in 0..most {
        let next = places
            .iter()
            .enumerate()
            .filter(|(at, place)| shares[*at].own + shares[*at].shared < place.room)
            .filter(|(_, place)| {
                head(&taken, place.own).is_some() || head(&taken, place.shared).is_some()
            })
            .min_by_key(|(at, place)| place.load + shares[*at].own + shares[*at].shared);
        let Some((at, place)) = next else { break };
        let from_shared = match (head(&taken, place.own), head(&taken, place.shared)) {
            // A processor named as its id has one queue.
            _ if place.own == place.shared => false,
            (Some(own), Some(shared)) => match shared_last[at] {
                Some(last) => !last,
                None => shared < own,
            },
            (own, _) => own.is_none(),
        };
        shared_last[at] = Some(from_shared);
        if from_shared {
            shares[at].shared += 1;
            taken[place.shared] += 1;
        } else {
            shares[at].own += 1;
            taken[place.own] += 1;
        }
    }
    shares
}

/// Merges what was taken from two queues (each ordered by sequence number): they take turns, and the one with
/// the older head begins.
#[must_use]
pub fn take_turns<T>(own: Vec<(u64, T)>, shared: Vec<(u64, T)>) -> Vec<(u64, T)> {
    let shared_first = match (own.first(), shared.first()) {
        (Some((a, _)), Some((b, _))) => b < a,
        (None, _) | (_, None) => false,
    };
    let mut merged = Vec::with_capacity(own.len() + shared.len());
    let (first, second) = if shared_first { (shared, own) } else { (own, shared) };
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    loop {
        let before = merged.len();
        merged.extend(first.next());
        merged.extend(second.next());
        if merged.len() == before {
            return merged;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(room: usize, load: usize, own: usize, shared: usize) -> Place {
        Place { room, load, own, shared }
    }

    fn waiting(numbers: impl IntoIterator<Item = u64>) -> Waiting {
        Waiting { numbers: numbers.into_iter().collect(), most: 100 }
    }

    fn none() -> Waiting {
        waiting([])
    }

    fn dealt(places: &[Place], queues: &[Waiting], most: usize) -> Vec<(usize, usize)> {
        deal(places, queues, most).iter().map(|share| (share.own, share.shared)).collect()
    }

    #[test]
    fn idle_processors_of_one_name_share_what_waits_for_it_evenly() {
        let places = [place(10, 0, 0, 2), place(10, 0, 1, 2)];
        assert_eq!(dealt(&places, &[none(), none(), waiting(1..=10)], 100), [(0, 5), (0, 5)]);
    }

    #[test]
    fn the_least_loaded_gets_more_until_all_are_alike() {
        let places = [place(7, 3, 0, 2), place(10, 0, 1, 2)];
        assert_eq!(dealt(&places, &[none(), none(), waiting(1..=5)], 100), [(0, 1), (0, 4)]);
        assert_eq!(dealt(&places, &[none(), none(), waiting(1..=5)], 2), [(0, 0), (0, 2)]);
    }

    #[test]
    fn nobody_gets_more_than_it_has_room_for() {
        let places = [place(2, 8, 0, 2), place(0, 0, 1, 2)];
        assert_eq!(dealt(&places, &[none(), none(), waiting(1..=9)], 100), [(0, 2), (0, 0)]);
    }

    #[test]
    fn a_processors_two_queues_take_turns_and_the_older_head_begins() {
        let queues = [waiting([5, 6, 7]), waiting([1, 9])];
        assert_eq!(dealt(&[place(10, 0, 0, 1)], &queues, 3), [(1, 2)]);
        assert_eq!(dealt(&[place(10, 0, 0, 1)], &queues, 100), [(3, 2)]);
    }

    #[test]
    fn a_queues_own_bound_holds_and_leaves_the_rest_to_others() {
        let greedy = Waiting { numbers: (1..=50).collect(), most: 3 };
        let places = [place(100, 0, 0, 0), place(100, 0, 1, 1)];
        assert_eq!(dealt(&places, &[greedy, waiting(60..=64)], 100), [(3, 0), (5, 0)]);
    }

    #[test]
    fn two_queues_merge_in_turns() {
        let merged = |own: Vec<(u64, char)>, shared: Vec<(u64, char)>| {
            take_turns(own, shared).into_iter().map(|(_, item)| item).collect::<String>()
        };
        let own = vec![(5, 'a'), (6, 'b'), (7, 'c')];
        let shared = vec![(1, 'x'), (9, 'y')];
        assert_eq!(merged(own.clone(), shared.clone()), "xaybc");
        assert_eq!(merged(shared, own.clone()), "xaybc");
        assert_eq!(merged(own, vec![]), "abc");
        assert_eq!(merged(vec![], vec![(1, 'a')]), "a");
    }
}
