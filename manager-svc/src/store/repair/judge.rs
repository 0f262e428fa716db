//! What is wrong with one action, and what would be right: a pure function of what was seen of it.

use std::collections::{BTreeMap, BTreeSet};

use super::mend::{Mended, mend};
use super::queue::Queue;
use super::stand::{Places, SKEW_MS, Stand};
use crate::domain::ActionId;

/// Whether a key expires.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Life {
    /// There is no such key.
    #[default]
    Absent,
    /// It has no TTL.
    Endless,
    /// It has one.
    Expires,
}

/// What is found under the name of a record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Record {
    #[default]
    Missing,
    /// Something that no transition can read or write.
    Foreign,
    /// Fields and values; a value that is not text is replaced by one that no field may have.
    Fields(BTreeMap<String, String>),
}

/// What stands for a value that is not text.
pub(super) const UNREADABLE: &str = "\u{fffd}";

/// All that was seen of one action.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    pub(super) record: Record,
    pub(super) life: Life,
    pub(super) places: Places,
    pub(super) data: Life,
    pub(super) idempotency: Life,
    /// Whether the processor that holds its attempt is registered.
    pub(super) holder_known: bool,
}

/// How what is wrong is put right.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Remedy {
    /// Every place in question, with the score that it is to have there, if any.
    pub(super) places: BTreeMap<Queue, Option<String>>,
    /// Fields that go.
    pub(super) remove: Vec<String>,
    /// Fields that are written.
    pub(super) write: BTreeMap<String, String>,
    /// Whether its keys are to expire.
    pub(super) expires: bool,
    /// Whether one action less is open under its idempotency key.
    pub(super) ends: bool,
}

/// A violation: what is wrong, in the words by which it is recognised, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) what: String,
    pub(super) remedy: Remedy,
}

impl Seen {
    /// A field of the record, or nothing.
    pub(super) fn field(&self, name: &str) -> &str {
        match &self.record {
            Record::Fields(fields) => fields.get(name).map_or("", String::as_str),
            Record::Missing | Record::Foreign => "",
        }
    }
}

/// What is wrong with an action, if anything is.
pub(super) fn judge(id: &ActionId, seen: &Seen, now: u64, retention_ms: u64) -> Option<Verdict> {
    let fields = match &seen.record {
        Record::Missing => return ghost(&seen.places, now),
        Record::Foreign if seen.places.is_empty() && seen.life != Life::Endless => return None,
        Record::Foreign => {
            let places = taken_out(seen.places.keys());
            let remedy = Remedy { places, expires: true, ..Remedy::default() };
            return Some(Verdict { what: "its record is none".to_owned(), remedy });
        }
        Record::Fields(fields) => fields,
    };
    let stand = if let Some((field, _)) = fields.iter().find(|(_, value)| *value == UNREADABLE) {
        Err(field.clone())
    } else {
        Stand::read(id, fields)
    };
    match stand {
        Ok(stand) => misplaced(id, &stand, fields, seen, now, retention_ms),
        Err(field) => damaged(id, &field, fields, seen, now, retention_ms),
    }
}

/// An id without a record, given where it is: it is to be taken out there. What is kept of the past is forgotten
/// after the records, by its age; what has none will never be.
pub(super) fn ghost(places: &Places, now: u64) -> Option<Verdict> {
    let of_no_age = |score: &str| score.parse::<u64>().map_or(true, |at| at > now + SKEW_MS);
    let wrong = places.iter().filter(|(queue, score)| !queue.keeps_the_past() || of_no_age(score));
    let places = taken_out(wrong.map(|(queue, _)| queue));
    let (first, _) = places.first_key_value()?;
    let what = format!("is in {first}, but has no record");
    Some(Verdict { what, remedy: Remedy { places, ..Remedy::default() } })
}

fn taken_out<'q>(queues: impl Iterator<Item = &'q Queue>) -> BTreeMap<Queue, Option<String>> {
    queues.map(|queue| (queue.clone(), None)).collect()
}

/// The places where it is, and where it belongs.
fn destinations(places: &Places, belongs: &Places) -> BTreeMap<Queue, Option<String>> {
    let queues: BTreeSet<_> = places.keys().chain(belongs.keys()).collect();
    queues.into_iter().map(|queue| (queue.clone(), belongs.get(queue).cloned())).collect()
}

fn damaged(
    id: &ActionId,
    field: &str,
    fields: &BTreeMap<String, String>,
    seen: &Seen,
    now: u64,
    retention_ms: u64,
) -> Option<Verdict> {
    let mut readable = fields.clone();
    readable.retain(|_, value| value != UNREADABLE);
    let Mended { fields: mended, ends } = mend(id, &readable, field, now)?;
    let stand = Stand::read(id, &mended).ok()?;
    let remedy = Remedy {
        places: destinations(&seen.places, &stand.belongs(&seen.places, now, retention_ms)),
        remove: fields.keys().filter(|name| !mended.contains_key(*name)).cloned().collect(),
        expires: stand.has_ended(),
        ends,
        write: mended.into_iter().filter(|(name, value)| fields.get(name) != Some(value)).collect(),
    };
    Some(Verdict { what: format!("its record is damaged: {field}"), remedy })
}

fn misplaced(
    id: &ActionId,
    stand: &Stand,
    fields: &BTreeMap<String, String>,
    seen: &Seen,
    now: u64,
    retention_ms: u64,
) -> Option<Verdict> {
    let mut changed = fields.clone();
    let mut change = |name: &str, value: &str| changed.insert(name.to_owned(), value.to_owned());
    let mut what = None;
    if stand.action.attempt.is_some() && !stand.has_outcome {
        if !seen.holder_known && stand.lease_is_over(&seen.places, now) {
            // Leases are looked for at registered processors.
            what = Some("is held by a processor that is not registered".to_owned());
            change("token", "");
        } else if seen.field("status") == "queued" {
            what = Some("has an attempt, but is called queued".to_owned());
            change("status", "running");
        }
    }
    let now_stands = if what.is_some() {
        change("v", &(stand.action.version + 1).to_string());
        &Stand::read(id, &changed).ok()?
    } else {
        stand
    };
    let belongs = now_stands.belongs(&seen.places, now, retention_ms);
    let ended = now_stands.has_ended();
    let what = what.or_else(|| place(&seen.places, &belongs)).or_else(|| life(seen, ended))?;
    let remedy = Remedy {
        places: destinations(&seen.places, &belongs),
        write: changed
            .into_iter()
            .filter(|(name, value)| fields.get(name) != Some(value))
            .collect(),
        expires: ended,
        ..Remedy::default()
    };
    Some(Verdict { what, remedy })
}

fn place(places: &Places, belongs: &Places) -> Option<String> {
    let too_much = places.keys().find(|queue| !belongs.contains_key(queue));
    let too_much = || too_much.map(|queue| format!("is in {queue}, where it does not belong"));
    let missing = || belongs.keys().find(|queue| !places.contains_key(queue));
    let missing = || missing().map(|queue| format!("is not in {queue}"));
    let moved = || belongs.iter().find(|(queue, score)| places.get(queue) != Some(score));
    let moved = || moved().map(|(queue, _)| format!("is at the wrong place in {queue}"));
    missing().or_else(too_much).or_else(moved)
}

fn life(seen: &Seen, ended: bool) -> Option<String> {
    if ended {
        let endless = seen.life == Life::Endless || seen.data == Life::Endless;
        return endless.then(|| "has ended, but does not expire".to_owned());
    }
    let expires = [seen.life, seen.data, seen.idempotency].contains(&Life::Expires);
    expires.then(|| "has not ended, but expires".to_owned())
}
