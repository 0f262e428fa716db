//! Doing the same thing again while the store is away.

use std::time::Duration;

use tokio::time::Instant;

use crate::domain::Action;
use crate::store::Error;

/// Pauses between repetitions, until an end.
pub(super) struct Until {
    end: Instant,
    pause: Duration,
}

/// Until the lease of an attempt that was claimed a moment ago is over.
pub(super) fn until_lease_ends(action: &Action) -> Until {
    until(Duration::from_millis(action.job().timeout_ms))
}

/// Until so much time has passed.
pub(super) fn until(time: Duration) -> Until {
    Until { end: Instant::now() + time, pause: Duration::from_millis(50) }
}

impl Until {
    /// Pauses; `false` when the end has come.
    pub(super) async fn pause(&mut self) -> bool {
        if Instant::now() + self.pause >= self.end {
            return false;
        }
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(Duration::from_secs(1));
        true
    }
}

/// Makes a call again while the store is away.
pub(super) async fn insist<T, F: Future<Output = Result<T, Error>>>(
    mut until: Until,
    mut call: impl FnMut() -> F,
) -> Result<T, Error> {
    loop {
        match Box::pin(call()).await {
            Err(Error::Away(_) | Error::Full(_)) if until.pause().await => {}
            end => return end,
        }
    }
}
