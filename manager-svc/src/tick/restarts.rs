//! Processors that started anew: what their earlier starts held will never end, and is handed back at once.
//!
//! A check or a registration writes the later start; whoever renews its copy of the processors finds it there, also a
//! process that has just begun. So nothing is told or remembered that a crash could lose.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use tokio::time::Instant;

use super::{Budget, TickReport};
use crate::app::{App, new_nonce};
use crate::domain::{Action, Failure};
use crate::store::{BATCH, Back, Error, Processor, Settled};

/// How long after it an attempt that was handed back is ready for certain: a millisecond, rounded up.
const READY_AGAIN: Duration = Duration::from_millis(2);
/// How many are handed back at a time: enough to share round trips.
const TOGETHER: usize = 32;

/// Hands back what processors held before their last start: once for each change of one.
pub(super) async fn hand_back(
    app: &App,
    budget: Budget,
    report: &mut TickReport,
) -> Result<(), Error> {
    let processors = app.registry.processors();
    let mut starts = app.checks.starts.lock().await;
    if starts.copy.as_ref().is_some_and(|copy| Arc::ptr_eq(copy, &processors)) {
        return Ok(());
    }
    for processor in processors.iter() {
        let Some(started_at) = processor.started_at else { continue };
        if starts.seen.get(&processor.id) == Some(&started_at) {
            continue;
        }
        if processor.in_flight > 0 && !of(app, processor, started_at, budget, report).await? {
            // The next copy brings it here again, and does not keep the others waiting.
            continue;
        }
        starts.seen.insert(processor.id.clone(), started_at);
    }
    starts.seen.retain(|id, _| {
        processors.binary_search_by(|processor| processor.id.as_str().cmp(id)).is_ok()
    });
    starts.copy = Some(processors);
    Ok(())
}

/// Hands back what one processor held; answers whether that is all.
async fn of(
    app: &App,
    processor: &Processor,
    started_at: u64,
    budget: Budget,
    report: &mut TickReport,
) -> Result<bool, Error> {
    let (mut returned, mut whole) = (0, true);
    // A set that cannot be read must not keep the others waiting: leases bring back what is in it.
    let pending = super::stage("restarts", app.store.pending(&processor.id).await)?;
    for page in pending.chunks(BATCH) {
        if Instant::now() >= budget.until {
            whole = false;
            break;
        }
        let actions = app.store.actions(page).await?.into_iter().flatten();
        let lost = actions.filter(|action| {
            let running =
                action.attempt.as_ref().filter(|running| running.processor == processor.id);
            running.and_then(|running| running.started_at).is_some_and(|at| at < started_at)
        });
        let given: Vec<_> = stream::iter(lost)
            .map(|action| async move { give_back(app, &action).await })
            .buffer_unordered(TOGETHER)
            .collect()
            .await;
        for given in given {
            match given {
                Ok(given) => returned += usize::from(given),
                Err(error @ Error::Away(_)) => return Err(error),
                Err(_) => whole = false,
            }
        }
    }
    if returned > 0 {
        report.returned += returned;
        tracing::info!(processor = processor.id, returned, "a processor started anew");
        // Whoever serves the targets may take them, once the store's clock is past the moment at which they are
        // ready again.
        tokio::time::sleep(READY_AGAIN).await;
        app.wake.nudge();
    }
    Ok(whole)
}

async fn give_back(app: &App, action: &Action) -> Result<bool, Error> {
    let Some(running) = &action.attempt else { return Ok(false) };
    let failure = Failure::new(
        "processor_restarted",
        format!("`{}` started anew while the attempt was running", running.processor),
    );
    let nonce = new_nonce();
    let given = app.store.give_back(action, &running.token, &nonce, Back::Restart, &failure).await;
    match given.inspect_err(|error| {
        tracing::warn!(action_id = %action.id, %error, "an attempt could not be handed back");
    })? {
        Settled::Accepted(_) => Ok(true),
        // It ended meanwhile, belongs to an instance that drains, or came back too often: its lease decides.
        Settled::Duplicate | Settled::Stale | Settled::Unknown | Settled::PayloadMissing => {
            Ok(false)
        }
    }
}
