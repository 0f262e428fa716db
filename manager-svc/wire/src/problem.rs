//! Errors: RFC 9457 `application/problem+json` with a stable `code`.

use serde::{Deserialize, Serialize};

/// The media type of [`Problem`] (RFC 9457, section 3).
pub const MEDIA_TYPE: &str = "application/problem+json";

/// The body of every error answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// A URI reference that names the kind of problem: `/errors#<code>`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in words, the same for every occurrence.
    pub title: String,
    /// The HTTP status, repeated.
    pub status: u16,
    /// The stable code, listed in `docs/errors.md`.
    pub code: String,
    /// This occurrence in words, with the remedy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The fields that were refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

/// One refused field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// Where it is, as in `jobs[1].timeout_ms`; empty for the whole body.
    pub path: String,
    /// What is wrong with it, and what would be right.
    pub message: String,
}

/// Why a step, an attempt or an action failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepError {
    /// A stable code: Baton's own (`docs/errors.md`) or the one a processor reported.
    pub code: String,
    /// The failure in words.
    pub message: String,
    /// The step it happened at, from 0. In an attempt of the timeline this and what follows are absent: they are
    /// what the timeline says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<u32>,
    /// The id of the processor it happened at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processor: Option<String>,
    /// How many attempts the step had used in this run; of a skipped step, in all runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// What the step's last failed attempt had met, where something else ended the action: its expiry, or somebody
    /// who cancelled it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<LastError>,
}

/// What an attempt met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastError {
    /// A stable code: Baton's own (`docs/errors.md`) or the one a processor reported.
    pub code: String,
    /// The failure in words.
    pub message: String,
}
