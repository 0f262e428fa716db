//! Awaiting conditions that nobody announces.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How long a condition may take before the test counts as failed. It bounds a hang; nothing is
/// measured by it.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The pauses between two looks at a condition.
#[derive(Debug)]
pub struct Patience {
    what: String,
    deadline: Instant,
    pause: Duration,
}

impl Patience {
    /// Begins to wait for `what`.
    #[must_use]
    pub fn new(what: impl Into<String>) -> Self {
        let deadline = Instant::now() + PATIENCE;
        Self { what: what.into(), deadline, pause: Duration::from_millis(2) }
    }

    /// Lets a moment pass; panics when [`PATIENCE`] is used up.
    pub async fn pause(&mut self) {
        assert!(Instant::now() < self.deadline, "not within {PATIENCE:?}: {}", self.what);
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(Duration::from_millis(50));
    }
}

/// Asks until the condition holds; panics with `what` when it does not within [`PATIENCE`].
pub async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let mut patience = Patience::new(what);
    while !condition().await {
        patience.pause().await;
    }
}

/// Asks until there is an answer; panics with `what` when there is none within [`PATIENCE`].
pub async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let mut patience = Patience::new(what);
    loop {
        match ask().await {
            Some(answer) => return answer,
            None => patience.pause().await,
        }
    }
}
