//! Bounded memory: what has ended is forgotten by age, by count, and above the memory mark; and what submitting is
//! refused for is marked.
//!
//! An action has ended when it has an outcome and its delivery is settled. It is forgotten when that was
//! `BATON_RETENTION_MS` ago; when more than `BATON_RETENTION_MAX` are kept and it was `BATON_RETENTION_MIN_AGE_MS`
//! ago; and at once while memory is above the mark. By count and above the mark `done` goes before `failed`, the
//! oldest first. What is still to be delivered stays, and does not hold up what is behind it.

use std::time::Duration;

use tokio::time::Instant;

use super::{Budget, TickReport};
use crate::app::App;
use crate::config::RetentionConfig;
use crate::domain::ActionId;
use crate::store::{Ended, Error, Oldest, Remains};
use crate::trimmer::{Passed, WINDOW};

/// The memory mark, in percent of the store's limit: above it ended actions are forgotten whatever their age.
const MARK: u64 = 80;
/// Above it forgetting is too slow, and submitting is refused while it goes on.
const URGENT: u64 = 90;
/// How many rounds are made before claims have their turn again.
const ROUNDS: usize = 4;
/// How often it is looked whether there is something to forget, when there was not.
const BEAT: Duration = Duration::from_secs(1);

/// Forgets what has ended, and writes the marks.
pub(super) async fn bound_memory(
    app: &App,
    budget: Budget,
    report: &mut TickReport,
) -> Result<(), Error> {
    let mut state = *app.trimmer.state();
    if state.due.is_some_and(|due| Instant::now() < due) {
        return Ok(());
    }
    let before = report.trimmed;
    let mut memory = app.store.memory().await?;
    let mut more = true;
    for _ in 0..ROUNDS {
        let above = memory.is_above(MARK);
        let (trimmed, left) = round(app, above, &mut state.passed).await?;
        report.trimmed += trimmed;
        more = left;
        if above && trimmed > 0 {
            memory = app.store.memory().await?;
        }
        if !more || Instant::now() >= budget.until {
            break;
        }
    }
    // Passing over what stays is no progress, and can wait for the next beat.
    let at_once = more && report.trimmed > before;
    // Submitting is refused only when forgetting is not enough.
    let refuse = memory.is_above(URGENT) || memory.is_above(MARK) && !at_once;
    let most = app.config.limits.max_queued_per_host;
    let (_, cursor) = app.store.mark(refuse, most, state.cursor).await?;
    state.cursor = cursor;
    state.due = (!at_once).then(|| Instant::now() + BEAT);
    *app.trimmer.state() = state;
    Ok(())
}

/// One round over both indexes. Answers how many actions were forgotten, and whether there may be more.
async fn round(app: &App, above: bool, passed: &mut [Passed; 2]) -> Result<(usize, bool), Error> {
    let from = passed.map(|passed| passed.entries);
    let (now, [done, failed]) = app.store.oldest_ended(from, WINDOW).await?;
    let retention = &app.config.retention;
    let excess = (done.size + failed.size).saturating_sub(retention.max);
    let limits = Limits { now, retention, above, excess };
    let first = one_index(app, Ended::Done, &done, limits, &mut passed[0]).await?;
    let limits = if first.more {
        // Not yet the turn of what failed, but by age.
        Limits { above: false, excess: 0, ..limits }
    } else {
        let trimmed = u64::try_from(first.trimmed).unwrap_or(u64::MAX);
        Limits { excess: excess.saturating_sub(trimmed), ..limits }
    };
    let second = one_index(app, Ended::Failed, &failed, limits, &mut passed[1]).await?;
    Ok((first.trimmed + second.trimmed, first.more || second.more))
}

/// An entry, by when the outcome was reached, with what is left of it.
type Seen = (u64, ActionId, Remains);

struct Trimmed {
    trimmed: usize,
    more: bool,
}

async fn one_index(
    app: &App,
    index: Ended,
    oldest: &Oldest,
    limits: Limits<'_>,
    passed: &mut Passed,
) -> Result<Trimmed, Error> {
    let old_enough: Vec<_> = limits.old_enough(oldest).cloned().collect();
    let ids: Vec<ActionId> = old_enough.iter().map(|(_, id)| id.clone()).collect();
    let remains = if ids.is_empty() { Vec::new() } else { app.store.remains(&ids).await? };
    let seen = old_enough.into_iter().zip(remains).map(|((score, id), of)| (score, id, of));
    let (over, excess) = limits.over(seen.collect());
    // The last one that was looked at might be followed by others.
    let last = oldest.first.last();
    let more = oldest.looked_at == WINDOW
        && last.is_some_and(|(at, _)| at.saturating_add(limits.least_age(excess)) <= limits.now);
    let left = if over.is_empty() { 0 } else { app.store.forget(index, &over).await? };
    let trimmed = over.len().saturating_sub(left);
    passed.pass(oldest.looked_at - trimmed.min(oldest.looked_at), more);
    Ok(Trimmed { trimmed, more })
}

/// What decides whether an action is forgotten.
#[derive(Debug, Clone, Copy)]
struct Limits<'c> {
    now: u64,
    retention: &'c RetentionConfig,
    /// Whether memory is above the mark.
    above: bool,
    /// How many more are kept than should be.
    excess: u64,
}

impl Limits<'_> {
    /// How long ago an action must have ended.
    fn least_age(&self, excess: u64) -> u64 {
        if self.above {
            0
        } else if excess > 0 {
            self.retention.min_age_ms.min(self.retention.retention_ms)
        } else {
            self.retention.retention_ms
        }
    }

    /// The entries that may be over: nobody ended before the outcome was reached.
    fn old_enough<'o>(&self, oldest: &'o Oldest) -> impl Iterator<Item = &'o (u64, ActionId)> {
        let (now, least) = (self.now, self.least_age(self.excess));
        oldest.first.iter().take_while(move |(outcome, _)| outcome.saturating_add(least) <= now)
    }

    /// Those that are, and how many more are kept than should be without them.
    fn over(&self, mut seen: Vec<Seen>) -> (Vec<Seen>, u64) {
        let mut excess = self.excess;
        let is_over = |(_, _, remains): &Seen| {
            let over = match remains {
                Remains::Nothing => true,
                Remains::Ended { at, .. } => at.saturating_add(self.least_age(excess)) <= self.now,
                Remains::Open => false,
            };
            excess -= u64::from(over).min(excess);
            over
        };
        seen.retain(is_over);
        (seen, excess)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Nonce;

    const RETENTION: RetentionConfig =
        RetentionConfig { retention_ms: 1_000, max: 10, min_age_ms: 100 };
    const NOW: u64 = 10_000;

    fn id(n: usize) -> ActionId {
        ActionId::from_random(n as u128)
    }

    fn ended(at: u64) -> Remains {
        Remains::Ended { at, version: "1".to_owned(), data: Nonce::from_random(1) }
    }

    /// The places of those that are forgotten, given for each how long ago the outcome was, and what remains.
    fn forgotten(excess: u64, above: bool, entries: &[(u64, Remains)]) -> (Vec<usize>, u64) {
        let limits = Limits { now: NOW, retention: &RETENTION, above, excess };
        let ago = |(n, (ago, _)): (usize, &(u64, Remains))| (NOW - ago, id(n));
        let first: Vec<_> = entries.iter().enumerate().map(ago).collect();
        let oldest = Oldest { size: 99, looked_at: first.len(), first };
        let old_enough = limits.old_enough(&oldest).cloned();
        let seen = old_enough.zip(entries).map(|((at, id), (_, of))| (at, id, of.clone()));
        let (over, excess) = limits.over(seen.collect());
        let place = |(_, of, _): &Seen| (0..entries.len()).find(|n| id(*n) == *of).unwrap();
        (over.iter().map(place).collect(), excess)
    }

    #[test]
    fn below_the_count_only_what_is_older_than_the_retention_is_forgotten() {
        let entries = [
            (1_500, ended(NOW - 1_001)),
            (1_400, ended(NOW - 1_000)),
            (1_300, ended(NOW - 999)),
            (1_200, Remains::Nothing),
            (1_100, Remains::Open),
            (1_000, ended(NOW - 1_000)),
            (999, ended(NOW - 999)),
        ];
        assert_eq!(forgotten(0, false, &entries), (vec![0, 1, 3, 5], 0));
    }

    #[test]
    fn beyond_the_count_only_as_many_are_forgotten_as_there_are_too_many_and_none_that_is_too_young()
     {
        let entries = [
            (500, Remains::Open),
            (400, ended(NOW - 90)),
            (300, ended(NOW - 300)),
            (200, ended(NOW - 100)),
            (100, ended(NOW - 100)),
            (99, ended(NOW - 99)),
        ];
        assert_eq!(forgotten(2, false, &entries), (vec![2, 3], 0));
        assert_eq!(forgotten(9, false, &entries), (vec![2, 3, 4], 6));
    }

    #[test]
    fn above_the_mark_all_that_has_ended_is_forgotten() {
        let entries = [(500, Remains::Open), (1, ended(NOW)), (0, ended(NOW))];
        assert_eq!(forgotten(0, true, &entries), (vec![1, 2], 0));
    }
}
