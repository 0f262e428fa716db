//! How long to wait before trying again.

/// The first backoff of a step, in milliseconds.
pub const BASE_MS: u64 = 1_000;
/// The longest backoff of a step, in milliseconds: 5 minutes.
pub const MAX_MS: u64 = 300_000;

/// The backoff after attempt `tries` (from 1) failed: 1 s, doubling to 5 min, less up to half of it by
/// `random`, so that what failed together does not come back together. In milliseconds.
#[must_use]
pub fn after_attempt(tries: u32, random: u64) -> u64 {
    let exponent = tries.saturating_sub(1).min(20);
    jitter_down((BASE_MS << exponent).min(MAX_MS), random)
}

/// When to send an outcome again after send `tries` (from 1) of a schedule of delays failed, in
/// milliseconds from now; `None` when the schedule is used up. `retry_after` (milliseconds) is honoured
/// up to twice the scheduled delay. The schedule's first entry is the delay of the first send.
#[must_use]
pub fn after_send(
    schedule: &[u64],
    tries: u32,
    retry_after: Option<u64>,
    random: u64,
) -> Option<u64> {
    let scheduled = *schedule.get(tries as usize)?;
    let jittered = scheduled + random % (scheduled / 10 + 1);
    Some(jittered.max(retry_after.unwrap_or(0).min(scheduled * 2)))
}

fn jitter_down(ms: u64, random: u64) -> u64 {
    ms - random % (ms / 2 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_doubles_to_its_cap_and_jitters_down_by_half_at_most() {
        for (tries, whole) in [(1, 1_000), (2, 2_000), (5, 16_000), (9, 256_000), (10, 300_000)] {
            assert_eq!(after_attempt(tries, 0), whole);
            for random in [1, 12_345, u64::MAX] {
                let ms = after_attempt(tries, random);
                assert!((whole / 2..=whole).contains(&ms), "{tries}: {ms}");
            }
        }
        assert_eq!(after_attempt(u32::MAX, 0), MAX_MS);
    }

    #[test]
    fn sends_follow_the_schedule_until_it_is_used_up() {
        let schedule = [0, 5_000, 300_000];
        assert_eq!(after_send(&schedule, 1, None, 0), Some(5_000));
        assert_eq!(after_send(&schedule, 2, None, 0), Some(300_000));
        assert_eq!(after_send(&schedule, 3, None, 0), None);
    }

    #[test]
    fn retry_after_counts_up_to_twice_the_scheduled_delay() {
        let schedule = [0, 5_000];
        assert_eq!(after_send(&schedule, 1, Some(7_000), 0), Some(7_000));
        assert_eq!(after_send(&schedule, 1, Some(70_000), 0), Some(10_000));
        assert_eq!(after_send(&schedule, 1, Some(1), 0), Some(5_000));
    }
}
