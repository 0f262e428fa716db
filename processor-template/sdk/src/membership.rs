//! Being known to the manager: register, notice that one is forgotten, leave.

use std::time::Duration;

use baton_wire::processor::{DrainStatus, RegisterIn, RegisterOut};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::backoff::Backoff;
use crate::shared::Shared;

const FIRST_DELAY: Duration = Duration::from_millis(250);
const LONGEST_DELAY: Duration = Duration::from_secs(15);
/// So many intervals without a health check mean that the manager has forgotten this processor.
const MISSED_CHECKS: u32 = 3;
/// What a manager that names no interval is taken to mean.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);

/// Between two questions whether the manager is done with this processor.
const LEAVE_DELAY: Duration = Duration::from_millis(200);
/// How long a stop waits for the answer to a registration.
const LAST_ANSWER: Duration = Duration::from_secs(3);
/// A manager that is away must not hold up a stop.
const LEAVE_TRIES: u32 = 3;

/// Registers, and registers again whenever the manager stops asking for `/meta`, until the processor
/// drains. A registration that is on its way then still gets its answer: without its number the
/// processor could not leave.
pub(crate) async fn keep(shared: &Shared) {
    while let Some(registered) = register(shared).await {
        let interval = Duration::from_millis(registered.health_interval_ms).max(SHORTEST_INTERVAL);
        let silence = interval * MISSED_CHECKS;
        tokio::select! {
            () = shared.draining.cancelled() => return,
            () = forgotten(&shared.checked, silence) => {
                tracing::warn!("no /meta was asked for in {silence:?}: registering again");
            }
        }
    }
}

/// Tries until the manager accepts; `None` when the processor drains first.
async fn register(shared: &Shared) -> Option<RegisterOut> {
    let config = &shared.config;
    let request = RegisterIn {
        id: config.id.clone(),
        name: config.name.clone(),
        url: shared.url.clone(),
        capacity: Some(config.capacity.into()),
    };
    let mut backoff = Backoff::new(FIRST_DELAY, LONGEST_DELAY);
    loop {
        match shared.manager.register(&request).await {
            Ok(registered) => {
                shared.epoch.send_replace(Some(registered.epoch));
                tracing::info!(
                    id = config.id,
                    name = config.name,
                    url = shared.url,
                    epoch = registered.epoch,
                    "registered with {}",
                    config.manager_url
                );
                return Some(registered);
            }
            Err(error) => {
                let delay = backoff.next();
                tracing::warn!(
                    "not registered with {}, next try in {delay:?}: {error}",
                    config.manager_url
                );
                tokio::select! {
                    () = shared.draining.cancelled() => return None,
                    () = sleep(delay) => {}
                }
            }
        }
    }
}

/// Waits until there was no check for that long.
async fn forgotten(checked: &Notify, silence: Duration) {
    while timeout(silence, checked.notified()).await.is_ok() {}
}

/// Waits for the registration that may be on its way; not for long, if the manager hangs.
pub(crate) async fn end(keep: impl Future<Output = ()>) {
    let _ = timeout(LAST_ANSWER, keep).await;
}

/// Tells the manager to send no more work, and asks until it holds nothing for this processor any
/// more: a dispatch that is on its way must still find somebody who declines it. `until` bounds it.
pub(crate) async fn leave(shared: &Shared, until: Instant) {
    let Some(epoch) = *shared.epoch.borrow() else { return };
    let asking = async {
        let mut failures = 0;
        while failures < LEAVE_TRIES {
            match shared.manager.leave(&shared.config.id, epoch).await {
                Ok(DrainStatus::Draining) => failures = 0,
                Ok(DrainStatus::Gone | DrainStatus::Unchanged) => return,
                Err(error) => {
                    failures += 1;
                    tracing::warn!("the manager does not know that this processor leaves: {error}");
                }
            }
            sleep(LEAVE_DELAY).await;
        }
    };
    // Without our word it finds out by its health checks.
    let _ = timeout_at(until, asking).await;
}
