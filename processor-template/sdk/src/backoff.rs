//! Waiting longer after each failure, and not in step with others.

use std::time::Duration;

/// A doubling delay with jitter.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
    max: Duration,
}

impl Backoff {
    /// Starts at `first` and doubles up to `max`.
    pub(crate) fn new(first: Duration, max: Duration) -> Self {
        Self { next: first, max }
    }

    /// The next delay: between half of it and the whole.
    pub(crate) fn next(&mut self) -> Duration {
        let delay = jittered(self.next, rand::random());
        self.next = (self.next * 2).min(self.max);
        delay
    }
}

/// `random` is from 0 to 1.
fn jittered(delay: Duration, random: f64) -> Duration {
    delay.mul_f64(0.5 + random / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_most_and_keep_at_least_half() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(300));
        for whole in [100, 200, 300, 300] {
            let whole = Duration::from_millis(whole);
            let delay = backoff.next();
            assert!(delay >= whole / 2 && delay <= whole, "{delay:?} of {whole:?}");
        }
    }

    #[test]
    fn jitter_spans_half_of_the_delay() {
        let second = Duration::from_secs(1);
        assert_eq!(jittered(second, 0.0), second / 2);
        assert_eq!(jittered(second, 1.0), second);
    }
}
