//! Doing the same thing again while the store is away: every script that is sent again answers as it did,
//! so what was claimed or settled by a call whose answer got lost is not lost with it.

use std::time::Duration;

use tokio::time::Instant;

use crate::domain::Action;
use crate::store::Error;

/// Pauses between repetitions, until an end.
pub(crate) struct Until {
    end: Instant,
    pause: Duration,
}

/// Until the lease of an attempt that was claimed a moment ago is over.
pub(crate) fn until_lease_ends(action: &Action) -> Until {
    until(Duration::from_millis(action.job().timeout_ms))
}

/// Until so much time has passed.
pub(crate) fn until(time: Duration) -> Until {
    Until { end: Instant::now() + time, pause: Duration::from_millis(50) }
}

impl Until {
    /// Pauses; `false` when the end has come.
    pub(crate) async fn pause(&mut self) -> bool {
        if Instant::now() + self.pause >= self.end {
            return false;
        }
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(Duration::from_secs(1));
        true
    }
}

/// How long a caller is kept waiting for a store that is away, before it is told so.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// Makes a call again while the store is away. The call must be the same each time: nonces and tokens too.
pub(crate) async fn insist<T, F: Future<Output = Result<T, Error>>>(
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
