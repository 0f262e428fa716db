//! Telling the loop of this process that there is work it can claim.

use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::FutureExt as _;
use tokio::sync::Notify;

/// What wakes the loop.
#[derive(Debug, Default)]
pub(super) struct Claimable {
    nudge: Notify,
    backlog: AtomicBool,
}

impl Claimable {
    /// There is work that can be claimed.
    pub(super) fn nudge(&self) {
        self.nudge.notify_one();
    }

    /// Something has room again: worth a look only when something was left waiting.
    pub(super) fn freed(&self) {
        if self.backlog.load(Ordering::Relaxed) {
            self.nudge();
        }
    }

    /// Notes whether the last look left something waiting.
    pub(super) fn set_backlog(&self, backlog: bool) {
        self.backlog.store(backlog, Ordering::Relaxed);
    }

    /// Whether somebody said so since this was asked or waited for last.
    pub(super) fn was_nudged(&self) -> bool {
        self.nudge.notified().now_or_never().is_some()
    }

    /// Waits until somebody says that there is work; what was said before counts.
    pub(super) async fn nudged(&self) {
        self.nudge.notified().await;
    }
}
