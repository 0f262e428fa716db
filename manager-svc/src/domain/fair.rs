//! The order in which a processor's two queues are served.

/// Merges the heads of two queues (each ordered by sequence number): they take turns, and the one with
/// the older head begins. Neither can starve the other, and within a queue the order stays FIFO.
#[must_use]
pub fn take_turns<T>(own: Vec<(u64, T)>, shared: Vec<(u64, T)>, most: usize) -> Vec<(u64, T)> {
    let shared_first = match (own.first(), shared.first()) {
        (Some((a, _)), Some((b, _))) => b < a,
        (None, _) | (_, None) => false,
    };
    let (first, second) = if shared_first { (shared, own) } else { (own, shared) };
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut merged = Vec::with_capacity(most);
    loop {
        let before = merged.len();
        merged.extend(first.next());
        merged.extend(second.next());
        if merged.len() == before || merged.len() >= most {
            merged.truncate(most);
            return merged;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(own: Vec<(u64, char)>, shared: Vec<(u64, char)>, most: usize) -> Vec<char> {
        take_turns(own, shared, most).into_iter().map(|(_, item)| item).collect()
    }

    #[test]
    fn two_queues_take_turns_and_the_older_head_begins() {
        let own = vec![(5, 'a'), (6, 'b'), (7, 'c')];
        let shared = vec![(1, 'x'), (9, 'y')];
        assert_eq!(items(own.clone(), shared.clone(), 9), ['x', 'a', 'y', 'b', 'c']);
        assert_eq!(items(shared, own, 3), ['x', 'a', 'y']);
    }

    #[test]
    fn one_empty_queue_leaves_the_other_as_it_is() {
        assert_eq!(items(vec![(1, 'a'), (2, 'b')], vec![], 9), ['a', 'b']);
        assert_eq!(items(vec![], vec![(1, 'a'), (2, 'b')], 1), ['a']);
        assert!(items(vec![], vec![], 4).is_empty());
    }
}
