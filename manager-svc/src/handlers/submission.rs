//! From `POST /action` to actions to be accepted: every limit, and the path of what breaks one.

use std::collections::BTreeMap;

use axum::http::HeaderMap;
use baton_wire::action::{self as wire, ActionIn, JobIn};
use baton_wire::json;
use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::app::{App, new_action_id, new_nonce};
use crate::domain::action::{DEFAULT_EXPIRES_IN_MS, Status};
use crate::domain::job::{self, Job, Jobs};
use crate::domain::{Action, Delivery, OnFailure, Receiver, Target};
use crate::error::{ApiError, Kind};
use crate::store::{BATCH, IdempotencyKey, NewAction};

use super::body;

const MAX_TIME_MS: u64 = 30 * 24 * 3_600_000;
const MAX_LABELS: usize = 16;
const MAX_LABEL_BYTES: usize = 256;
const MAX_IDEMPOTENCY_KEY: usize = 255;

/// What a body asks for.
pub(super) struct Submission {
    pub(super) actions: Vec<NewAction>,
    /// Whether it was an array, and is answered by one.
    pub(super) many: bool,
}

/// Reads a body: one action or an array of them.
pub(super) fn read(app: &App, headers: &HeaderMap, text: &[u8]) -> Result<Submission, ApiError> {
    let many = text.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    let traceparent = traceparent(headers);
    let inputs: Vec<ActionIn> =
        if many { body::parse(text, "")? } else { vec![body::parse(text, "")?] };
    if inputs.is_empty() || inputs.len() > BATCH {
        let message = format!("has {} actions: 1 to {BATCH} are right", inputs.len());
        return Err(ApiError::field(Kind::InvalidRequest, "", message));
    }
    let actions = inputs
        .into_iter()
        .enumerate()
        .map(|(index, input)| {
            let at = Path(if many { format!("[{index}].") } else { String::new() });
            action(app, input, traceparent.clone(), &at)
        })
        .collect::<Result<_, _>>()?;
    Ok(Submission { actions, many })
}

/// Reads the `Idempotency-Key` header and hashes the body.
pub(super) fn idempotency(
    headers: &HeaderMap,
    text: &[u8],
) -> Result<Option<IdempotencyKey>, ApiError> {
    let Some(header) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    let key = header.as_bytes();
    if key.is_empty() || key.len() > MAX_IDEMPOTENCY_KEY {
        let message = format!("must have 1 to {MAX_IDEMPOTENCY_KEY} bytes");
        return Err(ApiError::field(Kind::InvalidRequest, "header Idempotency-Key", message));
    }
    Ok(Some(IdempotencyKey { key: hash(key), body: hash(text) }))
}

fn hash(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(Sha256::digest(bytes))
}

/// Where in the body we are.
struct Path(String);

impl Path {
    fn refuse(&self, field: &str, message: impl Into<String>) -> ApiError {
        ApiError::field(Kind::InvalidRequest, format!("{}{field}", self.0), message)
    }
}

fn action(
    app: &App,
    input: ActionIn,
    traceparent: Option<String>,
    at: &Path,
) -> Result<NewAction, ApiError> {
    let cap = app.config.limits.max_data_bytes;
    let data = input.data.get();
    if data.len() > cap {
        let message = format!("has {} bytes: at most {cap} are right", data.len());
        return Err(ApiError::field(Kind::DataTooLarge, format!("{}data", at.0), message));
    }
    shallow(data, "data", at)?;
    let jobs = jobs(input.jobs, at)?;
    let receiver = receiver(app, input.response_url.as_deref(), at)?;
    labels(&input.labels, at)?;
    let delay_ms = time(input.delay_ms, "delay_ms", 0, 0, at)?;
    let expires_in_ms = time(input.expires_in_ms, "expires_in_ms", DEFAULT_EXPIRES_IN_MS, 1, at)?;
    let data = Bytes::from(Box::<str>::from(input.data).into_string());
    let action = Action {
        id: new_action_id(),
        version: 1,
        status: Status::Queued,
        run: 1,
        step: 0,
        jobs,
        data: new_nonce(),
        tries: 0,
        attempt: None,
        created_at: 0,
        ready_at: 0,
        expires_at: 0,
        expires_in_ms,
        ended_at: None,
        error: None,
        receiver,
        labels: input.labels,
        traceparent,
        idempotency: None,
        delivery: Delivery::default(),
        attempts: Vec::new(),
        settled: Vec::new(),
    };
    Ok(NewAction { action, data, delay_ms })
}

fn jobs(inputs: Vec<JobIn>, at: &Path) -> Result<Jobs, ApiError> {
    if inputs.len() > job::MAX_JOBS {
        let message = format!("has {} jobs: at most {} are right", inputs.len(), job::MAX_JOBS);
        return Err(at.refuse("jobs", message));
    }
    let bytes: usize =
        inputs.iter().filter_map(|job| job.params.as_ref()).map(|params| params.get().len()).sum();
    if bytes > job::MAX_PARAMS_BYTES {
        let most = job::MAX_PARAMS_BYTES;
        return Err(at.refuse("jobs", format!("have {bytes} bytes of params: at most {most}")));
    }
    let jobs = inputs
        .into_iter()
        .enumerate()
        .map(|(index, input)| {
            let at = Path(format!("{}jobs[{index}].", at.0));
            one_job(input, &at)
        })
        .collect::<Result<Vec<_>, _>>()?;
    Jobs::new(jobs).ok_or_else(|| at.refuse("jobs", "is empty: name at least one target"))
}

fn one_job(input: JobIn, at: &Path) -> Result<Job, ApiError> {
    let target =
        Target::parse(&input.target).map_err(|error| at.refuse("target", error.to_string()))?;
    if let Some(params) = &input.params {
        shallow(params.get(), "params", at)?;
    }
    let timeout_ms = input.timeout_ms.unwrap_or(job::DEFAULT_TIMEOUT_MS);
    if !(job::MIN_TIMEOUT_MS..=job::MAX_TIMEOUT_MS).contains(&timeout_ms) {
        let (least, most) = (job::MIN_TIMEOUT_MS, job::MAX_TIMEOUT_MS);
        return Err(at.refuse("timeout_ms", format!("must be {least} to {most} milliseconds")));
    }
    let max_attempts = input.max_attempts.unwrap_or(job::DEFAULT_MAX_ATTEMPTS);
    if !(1..=job::MAX_ATTEMPTS).contains(&max_attempts) {
        return Err(at.refuse("max_attempts", format!("must be 1 to {}", job::MAX_ATTEMPTS)));
    }
    let on_failure = match input.on_failure {
        Some(wire::OnFailure::Skip) => OnFailure::Skip,
        Some(wire::OnFailure::Fail) | None => OnFailure::Fail,
    };
    Ok(Job { target, params: input.params, timeout_ms, max_attempts, on_failure })
}

/// Others must be able to read what is passed on.
fn shallow(text: &str, field: &str, at: &Path) -> Result<(), ApiError> {
    if json::is_too_deep(text) {
        return Err(at.refuse(field, format!("nests deeper than {} levels", json::MAX_DEPTH)));
    }
    Ok(())
}

fn receiver(app: &App, url: Option<&str>, at: &Path) -> Result<Option<Receiver>, ApiError> {
    let Some(url) = url else {
        return Ok(None);
    };
    let checked = app
        .egress
        .check_response_url(url)
        .map_err(|error| at.refuse("response_url", error.to_string()))?;
    Ok(Some(Receiver { url: checked.url, host: checked.host }))
}

fn labels(labels: &BTreeMap<String, String>, at: &Path) -> Result<(), ApiError> {
    if labels.len() > MAX_LABELS {
        let message = format!("has {} labels: at most {MAX_LABELS} are right", labels.len());
        return Err(at.refuse("labels", message));
    }
    for (name, value) in labels {
        if name.is_empty() || name.len() > MAX_LABEL_BYTES || value.len() > MAX_LABEL_BYTES {
            let message =
                format!("names must have 1 to {MAX_LABEL_BYTES} bytes, values at most that");
            return Err(at.refuse(&format!("labels.{name:.32}"), message));
        }
    }
    Ok(())
}

fn time(
    given: Option<u64>,
    field: &str,
    default: u64,
    least: u64,
    at: &Path,
) -> Result<u64, ApiError> {
    let ms = given.unwrap_or(default);
    if (least..=MAX_TIME_MS).contains(&ms) {
        Ok(ms)
    } else {
        Err(at.refuse(field, format!("must be {least} to {MAX_TIME_MS} milliseconds")))
    }
}

/// A `traceparent` that is one (W3C Trace Context, section 3.2); anything else is not carried on.
fn traceparent(headers: &HeaderMap) -> Option<String> {
    let text = headers.get("traceparent")?.to_str().ok()?;
    let parts: Vec<&str> = text.split('-').collect();
    let hex = |part: &str, length: usize| {
        part.len() == length && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    let fits = parts.len() == 4
        && parts[0] == "00"
        && hex(parts[1], 32)
        && hex(parts[2], 16)
        && hex(parts[3], 2);
    fits.then(|| text.to_owned())
}
