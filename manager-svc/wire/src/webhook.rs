//! What is posted to a response URL.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::action::StepOut;
use crate::problem::StepError;

/// The body of a delivery (Standard Webhooks 1.0: `type`, `timestamp`, `data`).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WebhookOut {
    /// `action.succeeded`, `action.partial`, `action.failed` or `action.cancelled`.
    #[serde(rename = "type")]
    pub kind: String,
    /// When the outcome was reached: ISO 8601, UTC.
    pub timestamp: String,
    /// The outcome.
    pub data: WebhookData,
}

/// The outcome of an action.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WebhookData {
    /// The action's id.
    pub action_id: String,
    /// The data after the last step; of a failed or cancelled action the input of the step that it had come to. A
    /// skipped step leaves the data as it was.
    pub result: Box<RawValue>,
    /// Why it ended without success: absent from `action.succeeded` alone. It names the step, its processor, its
    /// attempts and the last error; of a partial action those of the last step that was skipped. `steps` names every
    /// one of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<StepError>,
    /// The timeline.
    pub steps: Vec<StepOut>,
    /// The caller's marks.
    pub labels: BTreeMap<String, String>,
}
