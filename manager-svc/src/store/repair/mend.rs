//! Making a damaged record readable: what cannot be read goes, and an action without outcome ends with it.

use std::collections::BTreeMap;

use super::super::codec;
use super::stand::has_outcome;
use crate::domain::action::DeliveryStatus;
use crate::domain::{ActionId, Failure};

/// The jobs of an action whose jobs are lost.
const LOST_JOBS: &str = r#"["unknown"]"#;

/// A record as it is to be.
#[derive(Debug, Default)]
pub(super) struct Mended {
    pub(super) fields: BTreeMap<String, String>,
    /// Whether the action ends by it.
    pub(super) ends: bool,
}

/// Mends a record; nothing when that is beyond us.
pub(super) fn mend(
    id: &ActionId,
    damaged: &BTreeMap<String, String>,
    field: &str,
    now: u64,
) -> Option<Mended> {
    let mut fields = damaged.clone();
    let mut decoded = None;
    // Each turn takes one field away, or puts the jobs in.
    for _ in 0..=damaged.len() + 1 {
        let pairs: Vec<_> = fields.iter().map(|(f, v)| (f.as_str(), v.as_str())).collect();
        match codec::decode(id, &pairs) {
            Ok(action) => {
                decoded = Some(action);
                break;
            }
            Err(error) if error.field() == "jobs" => {
                fields.insert("jobs".to_owned(), LOST_JOBS.to_owned());
            }
            Err(error) => _ = fields.remove(error.field()),
        }
    }
    let action = decoded?;
    let number = |fields: &BTreeMap<String, String>, name: &str| {
        fields.get(name).and_then(|text| text.parse::<u64>().ok())
    };
    let reaches = action.receiver.as_ref().is_some_and(|receiver| !receiver.host.is_empty());
    let ends = !has_outcome(action.status);
    let mut set = |name: &str, value: String| _ = fields.insert(name.to_owned(), value);
    if ends {
        let message = format!("the action's record was damaged at `{field}`");
        set("status", "failed".to_owned());
        set("error", codec::encode_failure(&Failure::new("record_damaged", message)));
        set("token", String::new());
        set("ended", now.to_string());
        set("delivery", if reaches { "pending" } else { "none" }.to_owned());
        set("d_token", String::new());
        set("d_tries", "0".to_owned());
        set("d_due", now.to_string());
        // What redriving goes by, were somebody to try it.
        let step = if action.jobs.get(action.step).is_some() { action.step } else { 0 };
        set("step", step.to_string());
        let job = action.jobs.get(step).unwrap_or_else(|| action.jobs.first());
        set("job", format!("{} {}", job.timeout_ms, job.target));
    } else if action.delivery.status == DeliveryStatus::Pending && !reaches {
        set("delivery", "exhausted".to_owned());
        set("d_error", "the record does not say where the outcome is to be sent".to_owned());
    }
    let version = number(&fields, "v").unwrap_or_default() + 1;
    fields.insert("v".to_owned(), version.to_string());
    for (name, value) in [
        ("ended", now.to_string()),
        ("d_due", now.to_string()),
        ("deadline", now.to_string()),
        ("created", now.to_string()),
        ("run", "1".to_owned()),
        ("tries", "0".to_owned()),
        ("dispatches", "0".to_owned()),
    ] {
        if number(&fields, name).is_none() {
            fields.insert(name.to_owned(), value);
        }
    }
    for (name, value) in [("d_token", ""), ("delivery", "none"), ("data", "")] {
        fields.entry(name.to_owned()).or_insert_with(|| value.to_owned());
    }
    Some(Mended { fields, ends })
}
