//! The manager's `GET /meta`.

use serde::{Deserialize, Serialize};

use crate::processor::Usage;

/// The manager's `GET /meta`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ManagerMeta {
    /// This manager process.
    pub id: String,
    /// `baton`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What it uses at the moment.
    pub usage: Usage,
    /// How much waits, and for how long.
    pub queues: Queues,
    /// The store, and what it promises.
    pub store: StoreMeta,
    /// How often the store held what it never should and was repaired, since ever: any is a bug to report.
    pub repaired: u64,
    /// Every registered processor, by id.
    pub processors: Vec<ProcessorOut>,
}

/// Queue sizes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queues {
    /// Actions ready for a processor.
    pub input: u64,
    /// Attempts dispatched and not settled.
    pub pending: u64,
    /// Actions waiting for a delay or a backoff to end.
    pub delayed: u64,
    /// Outcomes to be delivered.
    pub output: u64,
    /// Actions that failed and are kept for inspection.
    pub failed: u64,
    /// Actions without an outcome.
    pub live: u64,
    /// How long the oldest ready action has been ready, in milliseconds; absent when none is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_ms: Option<u64>,
    /// Receiver hosts that too many outcomes wait for: submitting with a `response_url` there is refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub full_receivers: Vec<String>,
}

/// The store and its durability.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreMeta {
    /// `standalone` or `cluster`.
    pub kind: String,
    /// The server's version.
    pub version: String,
    /// Memory in use, in bytes.
    pub memory_bytes: u64,
    /// The server's memory limit in bytes; absent when it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_limit_bytes: Option<u64>,
    /// Whether so much of that is in use by what has not ended that submitting is refused.
    #[serde(default)]
    pub above_mark: bool,
    /// In words: what a crash or failover could lose.
    pub durability: String,
}

/// A registered processor, as the manager sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProcessorOut {
    /// This instance.
    pub id: String,
    /// The kind of work.
    pub name: String,
    /// Where it is reached.
    pub url: String,
    /// Whether it gets new work.
    pub status: ProcessorStatus,
    /// What it last said it uses.
    pub usage: Option<Usage>,
    /// How long its last settled attempt took, in milliseconds.
    pub last_ms: Option<u64>,
    /// How long its succeeded attempts took on average, in milliseconds.
    pub average_ms: Option<u64>,
    /// How many attempts succeeded.
    pub processed: u64,
    /// How many attempts failed.
    pub failed: u64,
    /// How many attempts are pending.
    pub in_flight: u64,
    /// How many attempts it takes at a time.
    pub capacity: u32,
    /// When it registered, in milliseconds since the Unix epoch.
    pub connected_on: u64,
    /// When it last answered, in milliseconds since the Unix epoch.
    pub last_seen: u64,
}

/// Whether a processor gets new work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProcessorStatus {
    /// It does.
    Active,
    /// Three consecutive checks were missed: not until one succeeds.
    Unhealthy,
    /// An operator stopped claims: not until it is resumed, whatever checks and registrations say.
    Paused,
    /// It leaves when its pending work is done.
    Draining,
}
