//! `POST /action` and `GET /action/{id}`.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::problem::StepError;

/// One action to run: a data item, the jobs it passes, and where the result goes.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActionIn {
    /// The data item: any JSON. `null` is data.
    pub data: Box<RawValue>,
    /// The steps, in order: the output of one is the input of the next.
    pub jobs: Vec<JobIn>,
    /// Where the outcome is posted. Without it the outcome waits for `GET /action/{id}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_url: Option<String>,
    /// How long to wait before the first step may start, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u64>,
    /// How long the whole action may take, in milliseconds, counted after the delay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_ms: Option<u64>,
    /// The caller's own marks: shown, filtered by, and sent along with the outcome.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// One step. In JSON either `"target"` alone or an object with the target and its options.
#[derive(Debug, Clone, Serialize)]
pub struct JobIn {
    /// A processor's id, or a name that several processors share.
    pub target: String,
    /// Handed to the processor as they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub params: Option<Box<RawValue>>,
    /// How long an attempt may stay silent, in milliseconds: its lease.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// How many attempts the step has before it fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_attempts: Option<u32>,
    /// What a failure of the step does to the action.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<OnFailure>,
}

/// What a step that used up its attempts does to the action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// The action ends as `failed`.
    Fail,
    /// The data stays as it was and the next step starts; the action ends as `partial`, unless a later step fails
    /// it, it expires or is cancelled. Only what its attempts met is skipped: expiry and cancelling end the action.
    Skip,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JobObject {
    target: String,
    #[serde(default)]
    params: Option<Box<RawValue>>,
    #[serde(default)]
    timeout_ms: Option<u64>,
    #[serde(default)]
    max_attempts: Option<u32>,
    #[serde(default)]
    on_failure: Option<OnFailure>,
}

impl<'de> Deserialize<'de> for JobIn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // By hand, because an untagged enum would buffer the value and lose the raw `params`.
        struct JobVisitor;

        impl<'de> Visitor<'de> for JobVisitor {
            type Value = JobIn;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a target, or an object with a target")
            }

            fn visit_str<E>(self, target: &str) -> Result<JobIn, E> {
                Ok(JobIn::to(target))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<JobIn, A::Error> {
                let job = JobObject::deserialize(MapAccessDeserializer::new(map))?;
                Ok(JobIn {
                    target: job.target,
                    params: job.params,
                    timeout_ms: job.timeout_ms,
                    max_attempts: job.max_attempts,
                    on_failure: job.on_failure,
                })
            }
        }

        deserializer.deserialize_any(JobVisitor)
    }
}

impl JobIn {
    /// A job with default options.
    #[must_use]
    pub fn to(target: &str) -> Self {
        Self {
            target: target.to_owned(),
            params: None,
            timeout_ms: None,
            max_attempts: None,
            on_failure: None,
        }
    }
}

/// The answer to an accepted action: 202.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionAccepted {
    /// The action's id, `act_…`.
    pub action_id: String,
    /// Its status at this moment: a repeated request with the same idempotency key may find it further on, and
    /// `ended` when the action was forgotten meanwhile. The key is remembered longer than the action.
    pub status: Status,
}

/// The answer to an accepted array of actions: 202, in the order of the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionsAccepted {
    /// One entry per action.
    pub actions: Vec<ActionAccepted>,
}

/// Where an action is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Accepted; no attempt has been dispatched yet.
    Queued,
    /// At least one attempt has been dispatched.
    Running,
    /// Every step succeeded.
    Succeeded,
    /// It reached its end, but at least one step was skipped.
    Partial,
    /// A step failed, or the action expired.
    Failed,
    /// It was cancelled.
    Cancelled,
    /// It has an outcome, but its record has expired, and with it which one. Only a repeated submission says so:
    /// everything else answers 404 by then.
    Ended,
}

impl Status {
    /// Whether this is an outcome: nothing more happens to the data.
    #[must_use]
    pub fn is_outcome(self) -> bool {
        match self {
            Self::Queued | Self::Running => false,
            Self::Succeeded | Self::Partial | Self::Failed | Self::Cancelled | Self::Ended => true,
        }
    }
}

/// How far the outcome has come on its way to the response URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryStatus {
    /// There is no response URL, or no outcome yet.
    None,
    /// To be sent, or to be sent again.
    Pending,
    /// The receiver answered 2xx.
    Delivered,
    /// The schedule is used up, or the receiver answered 410.
    Exhausted,
}

/// `GET /action/{id}`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ActionOut {
    /// The action's id.
    pub action_id: String,
    /// Where it is in its life.
    pub status: Status,
    /// The number of the run: 1, and one more for each redrive.
    pub run: u32,
    /// The current data: the input of the current step, or the result.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::present")]
    pub data: Option<Box<RawValue>>,
    /// Why it ended without success, once it has an outcome: as in
    /// [`WebhookData::error`](crate::webhook::WebhookData::error).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<StepError>,
    /// The caller's marks.
    pub labels: BTreeMap<String, String>,
    /// When it was accepted, in milliseconds since the Unix epoch.
    pub created_at: u64,
    /// When it expires, in milliseconds since the Unix epoch.
    pub expires_at: u64,
    /// When its outcome was reached, in milliseconds since the Unix epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<u64>,
    /// The steps, in order.
    pub steps: Vec<StepOut>,
    /// Why it waits, in words, while it has no outcome and no attempt is running.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting: Option<String>,
    /// How its delivery stands.
    pub delivery: DeliveryOut,
}

/// One step of an action's timeline.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StepOut {
    /// The step's number, from 0.
    pub step: u32,
    /// What the job names.
    pub target: String,
    /// Where the step is.
    pub status: StepStatus,
    /// The attempts so far, oldest first.
    pub attempts: Vec<AttemptOut>,
}

/// Where a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepStatus {
    /// Earlier steps come first.
    Waiting,
    /// Its turn has come: it is queued, or backing off.
    Ready,
    /// An attempt is running.
    Running,
    /// Its output was accepted.
    Succeeded,
    /// Its attempts are used up, or it failed for good.
    Failed,
    /// It failed, and the action went on with the data as it was.
    Skipped,
    /// The action ended before it came to this step.
    NotReached,
}

/// One attempt of a step.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AttemptOut {
    /// The id of the processor it was dispatched to.
    pub processor: String,
    /// When it was claimed, in milliseconds since the Unix epoch.
    pub started_at: u64,
    /// When it was settled, in milliseconds since the Unix epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<u64>,
    /// `running`, `succeeded` or `failed`.
    pub status: AttemptStatus,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<StepError>,
}

/// How an attempt stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptStatus {
    /// Dispatched, its lease runs.
    Running,
    /// Its output was accepted.
    Succeeded,
    /// It failed, or its lease ended.
    Failed,
}

/// How the delivery of an action stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeliveryOut {
    /// How far it has come.
    pub status: DeliveryStatus,
    /// How often the outcome of this run was sent.
    pub attempts: u32,
    /// When it will be sent next, in milliseconds since the Unix epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_at: Option<u64>,
    /// What the last attempt met.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}
