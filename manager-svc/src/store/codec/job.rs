//! The stored form of the jobs: JSON.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::json;
use crate::domain::job::{DEFAULT_MAX_ATTEMPTS, DEFAULT_TIMEOUT_MS};
use crate::domain::{Job, Jobs, OnFailure, Target};

/// A job's options; one without any is stored as its target alone.
#[derive(Default, Serialize, Deserialize)]
struct StoredJob {
    target: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    params: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    timeout_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    max_attempts: Option<u32>,
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    skip: bool,
}

/// The jobs as the record keeps them.
pub(in crate::store) fn encode_jobs(jobs: &Jobs) -> String {
    let stored: Vec<Box<RawValue>> = jobs
        .iter()
        .filter_map(|job| {
            let stored = StoredJob {
                target: job.target.as_str().to_owned(),
                params: job.params.clone(),
                timeout_ms: Some(job.timeout_ms).filter(|ms| *ms != DEFAULT_TIMEOUT_MS),
                max_attempts: Some(job.max_attempts).filter(|n| *n != DEFAULT_MAX_ATTEMPTS),
                skip: job.on_failure == OnFailure::Skip,
            };
            let plain = stored.params.is_none()
                && stored.timeout_ms.is_none()
                && stored.max_attempts.is_none()
                && !stored.skip;
            let text = if plain { json(&stored.target) } else { json(&stored) };
            RawValue::from_string(text).ok()
        })
        .collect();
    json(&stored)
}

pub(super) fn decode_jobs(text: &str) -> Option<Jobs> {
    let stored: Vec<&RawValue> = serde_json::from_str(text).ok()?;
    let jobs = stored
        .into_iter()
        .map(|text| {
            let job = if text.get().starts_with('"') {
                let target = serde_json::from_str(text.get()).ok()?;
                StoredJob { target, ..StoredJob::default() }
            } else {
                serde_json::from_str(text.get()).ok()?
            };
            Some(Job {
                target: Target::parse(&job.target).ok()?,
                params: job.params,
                timeout_ms: job.timeout_ms.unwrap_or(DEFAULT_TIMEOUT_MS),
                max_attempts: job.max_attempts.unwrap_or(DEFAULT_MAX_ATTEMPTS),
                on_failure: if job.skip { OnFailure::Skip } else { OnFailure::Fail },
            })
        })
        .collect::<Option<Vec<_>>>()?;
    Jobs::new(jobs)
}
