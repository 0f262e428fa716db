//! Being known to the manager: register, notice that one is forgotten, leave.

use std::time::Duration;

use baton_wire::processor::{RegisterIn, RegisterOut};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use crate::backoff::Backoff;
use crate::shared::Shared;

const FIRST_DELAY: Duration = Duration::from_millis(250);
const LONGEST_DELAY: Duration = Duration::from_secs(15);
/// So many intervals without a health check mean that the manager has forgotten this processor.
const MISSED_CHECKS: u32 = 3;
/// What a manager that names no interval is taken to mean.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);

/// Registers, and registers again whenever the manager stops asking for `/meta`. Never ends.
pub(crate) async fn keep(shared: &Shared) {
    loop {
        let registered = register(shared).await;
        let interval = Duration::from_millis(registered.health_interval_ms).max(SHORTEST_INTERVAL);
        forgotten(&shared.checked, interval * MISSED_CHECKS).await;
        tracing::warn!(
            "the manager has not asked for /meta in {:?}: registering again",
            interval * MISSED_CHECKS
        );
    }
}

/// Tries until the manager accepts.
async fn register(shared: &Shared) -> RegisterOut {
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
                return registered;
            }
            Err(error) => {
                let delay = backoff.next();
                tracing::warn!(
                    "not registered with {}, next try in {delay:?}: {error}",
                    config.manager_url
                );
                sleep(delay).await;
            }
        }
    }
}

/// Waits until there was no check for that long.
async fn forgotten(checked: &Notify, silence: Duration) {
    while timeout(silence, checked.notified()).await.is_ok() {}
}

/// Tells the manager to send no more work, until it has heard, or the time is over.
pub(crate) async fn leave(shared: &Shared, until: Instant) {
    let Some(epoch) = *shared.epoch.borrow() else { return };
    let tries = async {
        let mut backoff = Backoff::new(FIRST_DELAY, LONGEST_DELAY);
        while let Err(error) = shared.manager.leave(&shared.config.id, epoch).await {
            tracing::warn!("the manager does not know that this processor leaves: {error}");
            sleep(backoff.next()).await;
        }
    };
    // Without our word it finds out by its health checks.
    let _ = tokio::time::timeout_at(until, tries).await;
}
