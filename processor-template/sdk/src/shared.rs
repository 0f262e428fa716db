//! What the parts of a running processor share.

use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::manager::Manager;
use crate::usage::Sampler;
use crate::work::Works;

/// A running processor.
pub(crate) struct Shared {
    pub(crate) config: Config,
    /// Where the manager reaches this processor.
    pub(crate) url: String,
    pub(crate) manager: Manager,
    pub(crate) works: Works,
    /// How long a dispatch may wait for its answer; `None`: not at all.
    pub(crate) answer_within: Option<Duration>,
    pub(crate) usage: Sampler,
    /// In milliseconds since the Unix epoch.
    pub(crate) started_at: u64,
    /// The last registration's number.
    pub(crate) epoch: watch::Sender<Option<u64>>,
    /// Notified by every `GET /meta`.
    pub(crate) checked: Notify,
    /// The attempts under way, until they are answered or reported.
    pub(crate) attempts: TaskTracker,
    /// Takes no new work.
    pub(crate) draining: CancellationToken,
    /// The time to stop is nearly over: what still runs is handed back.
    pub(crate) hand_back: CancellationToken,
}
