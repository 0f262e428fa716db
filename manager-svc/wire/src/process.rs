//! `POST {processor}/process` and `POST /complete`.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The header that names a step of a run; the same over its attempts.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// What a processor is asked to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ProcessIn {
    /// The action this is a step of.
    pub action_id: String,
    /// The step's number, from 0.
    pub step: u32,
    /// How many steps the action has.
    pub steps: u32,
    /// The attempt's number, from 1.
    pub attempt: u32,
    /// The only credential that `POST /complete` needs.
    pub token: String,
    /// The data item.
    pub data: Box<RawValue>,
    /// The job's parameters; absent when it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub params: Option<Box<RawValue>>,
    /// Where to report completion.
    pub complete_url: String,
    /// How long the attempt may stay silent, in milliseconds.
    pub lease_ms: u64,
    /// When the action expires, in milliseconds since the Unix epoch.
    pub expires_at: u64,
}

/// `POST /complete`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompleteIn {
    /// The action, as given in [`ProcessIn`].
    pub action_id: String,
    /// The attempt's token, as given in [`ProcessIn`].
    pub token: String,
    /// What is reported.
    pub status: CompleteStatus,
    /// The output. Absent: the data stays as it was. `null` is data.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::present")]
    pub data: Option<Box<RawValue>>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorIn>,
    /// Whether a failure may be tried again: yes, unless it says no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retryable: Option<bool>,
    /// The earliest time for the next attempt, in milliseconds from now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

/// What a processor reports of its attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CompleteStatus {
    /// The step is done.
    Succeeded,
    /// The attempt failed.
    Failed,
    /// Still working: renews the lease.
    Running,
}

/// A failure as a processor reports it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorIn {
    /// A code of the processor's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The failure in words.
    pub message: String,
}

/// The answer to `POST /complete`: 200.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompleteOut {
    /// Whether this report or an earlier one settled the attempt.
    pub outcome: CompleteOutcome,
    /// When the renewed lease ends, in milliseconds since the Unix epoch; only for `running`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_ends_at: Option<u64>,
}

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CompleteOutcome {
    /// It was applied.
    Accepted,
    /// The same token had settled the attempt before; nothing changed.
    Duplicate,
}
