//! What operators and callers do with actions that are there: list, cancel, redrive, redeliver.
//!
//! Whatever goes through many actions looks at a bounded number of them per request, newest first, and answers a
//! `cursor` while there are more: opaque, and true also when actions come and go between two requests.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::action::{DeliveryOut, Status};
use crate::problem::StepError;

/// The answer to `DELETE /action/{id}`: 200. Its outcome is delivered like any other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelOut {
    /// The action's id, repeated.
    pub action_id: String,
    /// `cancelled`.
    pub status: Status,
}

/// The answer to `POST /action/{id}/redeliver`: 202.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedeliveryAccepted {
    /// The action's id, repeated.
    pub action_id: String,
    /// The `webhook-id` it is sent under, the same as before: a receiver can tell that it knows the outcome.
    pub webhook_id: String,
}

/// The answer to `GET /actions`: 200.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ActionsOut {
    /// The actions, newest first. There may be fewer than the limit, even none, while there is a cursor: a page ends
    /// also when so many records were looked at that did not match.
    pub actions: Vec<ActionEntry>,
    /// Where the next page begins, for `?cursor=`; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// One action of a list.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ActionEntry {
    /// The action's id.
    pub action_id: String,
    /// Where it is in its life.
    pub status: Status,
    /// The number of the run.
    pub run: u32,
    /// What its jobs name, in order.
    pub targets: Vec<String>,
    /// The current step, from 0: of an action with an outcome the one it ended at.
    pub step: u32,
    /// How many steps it has.
    pub steps: u32,
    /// When it was accepted, in milliseconds since the Unix epoch.
    pub created_at: u64,
    /// When its outcome was reached, in milliseconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<u64>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<StepError>,
    /// The caller's marks.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// How its delivery stands.
    pub delivery: DeliveryOut,
}

/// `POST /failed/redrive`: either `ids` or `filter`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedriveIn {
    /// These actions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ids: Option<Vec<String>>,
    /// All failed actions that match; `{}` matches all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<FailedFilter>,
    /// Only say what would be redriven.
    #[serde(default)]
    pub dry_run: bool,
    /// Where the request before this one ended; with a filter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// Which failed actions: those for which all that is given is true.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FailedFilter {
    /// The job that failed names this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The error's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Failed at least so long ago, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub older_than_ms: Option<u64>,
    /// Failed at most so long ago, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newer_than_ms: Option<u64>,
}

/// The answer to `POST /failed/redrive`: 200.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedriveOut {
    /// How many of those that were looked at can be redriven.
    pub matched: u64,
    /// How many have begun a new run; 0 with `dry_run`.
    pub redriven: u64,
    /// What could not be redriven, and why.
    pub failed: Vec<Refused>,
    /// Where to go on; absent when all were looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// `POST /deliveries/redeliver`: either `ids` or `filter`. No index holds the exhausted deliveries: with a filter the
/// records of all actions with an outcome are looked at, so many per request, and an answer may have a cursor though
/// nothing matched.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedeliverIn {
    /// These actions, whose outcome was delivered or given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ids: Option<Vec<String>>,
    /// All actions that match and whose delivery was given up; `{}` matches all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<ExhaustedFilter>,
    /// Only say what would be redelivered.
    #[serde(default)]
    pub dry_run: bool,
    /// Where the request before this one ended; with a filter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// Which exhausted deliveries: those for which all that is given is true.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExhaustedFilter {
    /// The response URL has this host, of any port (`example.com`), or this host and port (`example.com:443`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The outcome was reached at least so long ago, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub older_than_ms: Option<u64>,
    /// The outcome was reached at most so long ago, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newer_than_ms: Option<u64>,
}

/// The answer to `POST /deliveries/redeliver`: 200.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedeliverOut {
    /// How many of those that were looked at can be sent again.
    pub matched: u64,
    /// How many will be sent again; 0 with `dry_run`.
    pub redelivered: u64,
    /// What could not be sent again, and why.
    pub failed: Vec<Refused>,
    /// Where to go on; absent when all were looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// An action for which a request was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// The action's id.
    pub action_id: String,
    /// Why, by an error code of `docs/errors.md`.
    pub code: String,
}
