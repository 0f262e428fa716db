//! The stored form of an action: a HASH.
//!
//! Fixed: `jobs` (JSON), `url`, `host`, `labels` (JSON), `traceparent`, `idempotency`, `created`, `expires_in` (when it
//! is not the default).
//! Where it is: `v` (version), `status`, `run`, `step`, `data` (nonce of the current payload), `job`
//! (`timeout target` of the current step), `queued` (`sequence ready_at`), `tries` (counted attempts of the
//! step), `dispatches` (claims of the run), `deadline`, `ended`, `error` (JSON).
//! The attempt: `token` (hash; empty when none runs), `held` (`processor epoch started_at claimed_at`).
//! Settled: `s:<step>` (`token nonce answer`), `lapsed` (the same, of a lease or deadline that ended),
//! `handed` (the candidate that a submit claimed), `a:<dispatch>` (one tab-separated line per settled
//! attempt: step, processor, claimed, settled, failure), `beat` (`nonce end`, of the last heartbeat).
//! The delivery: `delivery`, `d_token` (of the running send, `=` before a settled one), `d_tries`, `d_due` (of a
//! settled one: when it was), `d_error`.
//! Asked for from outside: `redriven` (`run nonce`), `redelivered` (`version nonce now`); `returns` (`step times`: how
//! often a restart of its processor gave the step back).
//! A repair that changed the record leaves `mended` (`version time`, as they were seen).
//!
//! Few fields of at most 64 bytes, because that is what Redis keeps as one listpack: a third of the
//! memory of a hash table, and nothing to walk when the append-only file is rewritten.

mod job;
mod words;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::action::{DEFAULT_EXPIRES_IN_MS, Running, Status};
use crate::domain::{Action, ActionId, Attempt, Delivery, Failure, Nonce, Receiver, TokenHash};
use job::decode_jobs;
use words::delivery;

pub(super) use job::encode_jobs;
pub(super) use words::{encode_status, status};

/// A record that does not read back.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the record of {id} is damaged: {what}")]
pub struct CodecError {
    id: String,
    what: String,
}

impl CodecError {
    /// The field that does not read back.
    pub(in crate::store) fn field(&self) -> &str {
        &self.what
    }
}

#[derive(Serialize, Deserialize)]
struct StoredFailure {
    code: String,
    message: String,
}

/// Labels as the record keeps them.
pub(in crate::store) fn encode_labels(labels: &BTreeMap<String, String>) -> String {
    json(labels)
}

/// A failure as the record and its timeline keep it: JSON, so without tabs or line ends.
pub(in crate::store) fn encode_failure(failure: &Failure) -> String {
    json(&StoredFailure { code: failure.code.clone(), message: failure.message.clone() })
}

fn json<T: Serialize>(value: &T) -> String {
    // Strings, numbers and raw JSON: nothing in here can fail to serialize.
    serde_json::to_string(value).unwrap_or_default()
}

/// Reads a record that is there and whole. A damaged one points to a bug or to somebody else's write.
pub(in crate::store) fn decode_if_whole(id: &ActionId, fields: &[(&str, &str)]) -> Option<Action> {
    if fields.is_empty() {
        return None;
    }
    decode(id, fields).inspect_err(|error| tracing::error!(action_id = %id, %error, "damaged")).ok()
}

/// Reads a record from its fields and values.
pub(in crate::store) fn decode(
    id: &ActionId,
    fields: &[(&str, &str)],
) -> Result<Action, CodecError> {
    let damaged = |what: &str| CodecError { id: id.as_str().to_owned(), what: what.to_owned() };
    let jobs = fields
        .iter()
        .find(|(name, _)| *name == "jobs")
        .and_then(|(_, value)| decode_jobs(value))
        .ok_or_else(|| damaged("jobs"))?;
    let mut action = Action {
        id: id.clone(),
        version: 0,
        status: Status::Queued,
        run: 1,
        step: 0,
        jobs,
        data: Nonce::from_stored(String::new()),
        tries: 0,
        attempt: None,
        created_at: 0,
        ready_at: 0,
        expires_at: 0,
        expires_in_ms: DEFAULT_EXPIRES_IN_MS,
        ended_at: None,
        error: None,
        receiver: None,
        labels: BTreeMap::new(),
        traceparent: None,
        idempotency: None,
        delivery: Delivery::default(),
        attempts: Vec::new(),
        settled: Vec::new(),
    };
    let mut running = Running {
        token: TokenHash::from_stored(String::new()),
        processor: String::new(),
        started_at: None,
        claimed_at: 0,
    };
    let mut receiver = Receiver { url: String::new(), host: String::new() };
    let mut attempts: Vec<(u64, Attempt)> = Vec::new();
    for &(name, value) in fields {
        let whole = || value.parse::<u64>().map_err(|_| damaged(name));
        let small = || value.parse::<u32>().map_err(|_| damaged(name));
        match name {
            "v" => action.version = whole()?,
            "status" => action.status = status(value).ok_or_else(|| damaged(name))?,
            "run" => action.run = small()?,
            "step" => action.step = small()?,
            "data" => action.data = Nonce::from_stored(value.to_owned()),
            "tries" => action.tries = small()?,
            "created" => action.created_at = whole()?,
            "queued" => {
                let (_, ready) = value.split_once(' ').ok_or_else(|| damaged(name))?;
                action.ready_at = ready.parse().map_err(|_| damaged(name))?;
            }
            "deadline" => action.expires_at = whole()?,
            "expires_in" => action.expires_in_ms = whole()?,
            "ended" => action.ended_at = Some(whole()?),
            "error" => action.error = decode_failure(value),
            "labels" => {
                action.labels = serde_json::from_str(value).map_err(|_| damaged(name))?;
            }
            "url" => value.clone_into(&mut receiver.url),
            "host" => value.clone_into(&mut receiver.host),
            "traceparent" => action.traceparent = Some(value.to_owned()),
            "idempotency" => action.idempotency = Some(value.to_owned()),
            "token" => running.token = TokenHash::from_stored(value.to_owned()),
            "held" => {
                let (processor, rest) = value.split_once(' ').ok_or_else(|| damaged(name))?;
                let (start, claimed) = rest.rsplit_once(' ').ok_or_else(|| damaged(name))?;
                processor.clone_into(&mut running.processor);
                running.started_at = start.split(' ').next_back().and_then(|at| at.parse().ok());
                running.claimed_at = claimed.parse().map_err(|_| damaged(name))?;
            }
            "delivery" => {
                action.delivery.status = delivery(value).ok_or_else(|| damaged(name))?;
            }
            "d_tries" => action.delivery.tries = small()?,
            "d_due" => action.delivery.due_at = Some(whole()?),
            "d_error" => action.delivery.error = Some(value.to_owned()).filter(|v| !v.is_empty()),
            _ => match name.split_once(':') {
                Some(("a", number)) => {
                    let number = number.parse().map_err(|_| damaged(name))?;
                    attempts.push((number, attempt(value).ok_or_else(|| damaged(name))?));
                }
                Some(("s", step)) => {
                    let step = step.parse().map_err(|_| damaged(name))?;
                    let token = value.split(' ').next().unwrap_or_default().to_owned();
                    action.settled.push((step, TokenHash::from_stored(token)));
                }
                // What only scripts read.
                _ => {}
            },
        }
    }
    if !running.token.as_str().is_empty() {
        action.attempt = Some(running);
    }
    if !receiver.url.is_empty() {
        action.receiver = Some(receiver);
    }
    attempts.sort_by_key(|(number, _)| *number);
    action.attempts = attempts.into_iter().map(|(_, attempt)| attempt).collect();
    Ok(action)
}

fn decode_failure(text: &str) -> Option<Failure> {
    let stored: StoredFailure = serde_json::from_str(text).ok()?;
    Some(Failure { code: stored.code, message: stored.message })
}

fn attempt(line: &str) -> Option<Attempt> {
    let mut parts = line.split('\t');
    let step = parts.next()?.parse().ok()?;
    let processor = parts.next()?.to_owned();
    let claimed_at = parts.next()?.parse().ok()?;
    let ended_at = parts.next()?.parse().ok()?;
    let failure = match parts.next() {
        None => None,
        Some(failure) => Some(decode_failure(failure)?),
    };
    Some(Attempt { step, processor, claimed_at, ended_at, failure })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_back_as_it_was_written() {
        let id = ActionId::from_random(1);
        let failure = encode_failure(&Failure::new("boom", "a\ttab and a\nline"));
        let line = format!("0\tcount-1\t5\t9\t{failure}");
        let jobs = r#"["plain",{"target":"count","params":{"n":[1, 2]},"timeout_ms":100}]"#;
        let action = decode(
            &id,
            &[
                ("jobs", jobs),
                ("status", "running"),
                ("token", "h"),
                ("held", "count-2 1 - 12"),
                ("a:10", "0\tcount-3\t10\t11"),
                ("a:1", &line),
                ("s:0", "other n 9 0"),
                ("labels", r#"{"a":"b"}"#),
            ],
        )
        .unwrap();
        assert_eq!(encode_jobs(&action.jobs), jobs);
        assert_eq!(action.attempts[0].failure, Some(Failure::new("boom", "a\ttab and a\nline")));
        assert_eq!(action.attempts[1].failure, None);
        assert_eq!(action.step_of(&TokenHash::from_stored("h".into())), Some(0));
        assert_eq!(action.step_of(&TokenHash::from_stored("other".into())), Some(0));
        assert_eq!(action.step_of(&TokenHash::from_stored("n".into())), None);
    }

    #[test]
    fn a_damaged_record_names_its_action_and_field() {
        let id = ActionId::from_random(1);
        let jobs = ("jobs", r#"["a"]"#);
        for bad in [("jobs", "[]"), ("status", "flying"), ("v", "x"), ("a:1", "0\tp")] {
            let fields = if bad.0 == "jobs" { vec![bad] } else { vec![jobs, bad] };
            let error = decode(&id, &fields).unwrap_err().to_string();
            assert!(error.contains(id.as_str()) && error.contains(bad.0), "{error}");
        }
    }
}
