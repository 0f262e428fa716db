//! Nudges where no loop runs: starting a tick in a process of its own, once for all who ask at a time.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use crate::app::App;

/// How long a start may take to be accepted.
const START_WITHIN: Duration = Duration::from_millis(300);

/// Starts a tick, by whatever means; the answer says whether it will run. `handoffs` travels along with it.
pub type Start =
    dyn Fn(u32) -> Pin<Box<dyn Future<Output = Result<(), StartError>> + Send>> + Send + Sync;

/// Why a tick was not started.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StartError(pub String);

/// Starts ticks for work that was committed.
pub struct Nudger(Option<Box<Start>>);

impl fmt::Debug for Nudger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nudger")
    }
}

impl Nudger {
    /// A nudger that starts ticks in this way.
    #[must_use]
    pub fn new(start: Box<Start>) -> Self {
        Self(Some(start))
    }

    /// A nudger that cannot start any: the cron alone does.
    #[must_use]
    pub fn none() -> Self {
        Self(None)
    }

    /// Starts a tick, unless one lingers or is starting. What goes wrong is logged and costs time only: the next
    /// cron beat sees to the work.
    pub async fn nudge(&self, app: &App, handoffs: u32) {
        let Some(start) = &self.0 else { return };
        match app.store.announce_tick().await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                tracing::warn!(%error, "a tick could not be announced");
                return;
            }
        }
        let failed = match tokio::time::timeout(START_WITHIN, start(handoffs)).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        tracing::warn!(error = failed, "a tick could not be started");
        if let Err(error) = app.store.withdraw_tick().await {
            tracing::warn!(%error, "an announced tick could not be withdrawn");
        }
    }

    /// The same, if a handler of this process has committed work since it was asked last.
    pub async fn nudge_for_handler(&self, app: &App) {
        if app.wake.was_nudged() {
            self.nudge(app, 0).await;
        }
    }
}
