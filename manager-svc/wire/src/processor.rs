//! Processors coming, pausing and going, and a processor's `GET /meta`.

use serde::{Deserialize, Serialize};

use crate::manager::ProcessorStatus;

/// `POST /register`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegisterIn {
    /// This instance. Never equal to another processor's name.
    pub id: String,
    /// The kind of work, shared by every instance that does it.
    pub name: String,
    /// Where the manager reaches it: `{url}/meta`, `{url}/process`.
    pub url: String,
    /// How many attempts it takes at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<u32>,
}

/// The answer to `POST /register`: 201, or 200 when the processor was known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisterOut {
    /// The processor's id, repeated.
    pub id: String,
    /// The registration's number: `DELETE /processors/{id}?epoch=` with an older one does nothing.
    pub epoch: u64,
    /// How often the manager asks `/meta`, in milliseconds.
    pub health_interval_ms: u64,
}

/// The answer to `DELETE /processors/{id}`: 200.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainOut {
    /// The processor's id, repeated.
    pub id: String,
    /// `draining` while attempts are pending, `gone` when none was; `unchanged` for an older epoch.
    pub status: DrainStatus,
    /// How many attempts are still pending.
    pub in_flight: u64,
}

/// What a drain found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DrainStatus {
    /// No new work; it is removed when its pending work is done.
    Draining,
    /// Nothing was pending: it is removed.
    Gone,
    /// The epoch is older than the registration: nothing was done.
    Unchanged,
}

/// The answer to `POST /processors/{id}/pause` and `/resume`: 200, also when it was so already. A pause holds until
/// it is resumed, over health checks and registrations; only a processor that left comes back active.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PauseOut {
    /// The processor's id, repeated.
    pub id: String,
    /// How it stands now. One that was resumed is `active`; one that was not paused may be `unhealthy` still.
    pub status: ProcessorStatus,
    /// How many attempts are still pending: a pause lets them go on.
    pub in_flight: u64,
}

/// A processor's `GET /meta`. Only `id` and `name` are required.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProcessorMeta {
    /// Must equal the registered id.
    pub id: String,
    /// Must equal the registered name.
    pub name: String,
    /// What it uses at the moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// When it started, in milliseconds since the Unix epoch. Without it a restart goes unnoticed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<u64>,
}

/// Resource usage of one process.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// Share of one core, in percent: two busy cores are 200.
    pub cpu_percent: f64,
    /// Resident memory in bytes.
    pub memory_bytes: u64,
}
