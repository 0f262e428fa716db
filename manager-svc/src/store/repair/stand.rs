//! What a record says of where its action stands.

use std::collections::BTreeMap;

use super::super::codec;
use super::queue::Queue;
use crate::domain::action::{DeliveryStatus, Status};
use crate::domain::{Action, ActionId};

/// How far clocks of one store may be apart, as after a failover, in milliseconds.
pub(super) const SKEW_MS: u64 = 5_000;

/// Where queues hold an action: its score in each, as text.
pub(super) type Places = BTreeMap<Queue, String>;

/// A record with all that its place depends on.
#[derive(Debug)]
pub(super) struct Stand {
    pub(super) action: Action,
    pub(super) has_outcome: bool,
    target: String,
    timeout_ms: u64,
    sequence: u64,
    beat_ends: u64,
}

impl Stand {
    /// Reads a record; else answers the field that cannot be read, or is not there.
    pub(super) fn read(id: &ActionId, fields: &BTreeMap<String, String>) -> Result<Self, String> {
        let pairs: Vec<_> = fields.iter().map(|(f, v)| (f.as_str(), v.as_str())).collect();
        let action = codec::decode(id, &pairs).map_err(|error| error.field().to_owned())?;
        let text = |name: &str| fields.get(name).map(String::as_str);
        let number = |name: &str| -> Result<u64, String> {
            text(name).and_then(|text| text.parse().ok()).ok_or_else(|| name.to_owned())
        };
        let pair = |name: &str| {
            let pair = text(name).and_then(|text| text.split_once(' '));
            pair.ok_or_else(|| name.to_owned())
        };
        let has_outcome = has_outcome(action.status);
        number("v")?;
        text("status").ok_or("status")?;
        if has_outcome {
            number("ended")?;
            if action.delivery.status == DeliveryStatus::Pending {
                text("d_token").ok_or("d_token")?;
                number("d_due")?;
                let host = action.receiver.as_ref().map_or("", |receiver| &receiver.host);
                (!host.is_empty()).then_some(()).ok_or("host")?;
            }
            return Ok(Self {
                action,
                has_outcome,
                target: String::new(),
                timeout_ms: 0,
                sequence: 0,
                beat_ends: 0,
            });
        }
        for name in ["tries", "dispatches", "deadline"] {
            number(name)?;
        }
        action.jobs.get(action.step).ok_or("step")?;
        if action.attempt.as_ref().is_some_and(|running| running.processor.is_empty()) {
            return Err("held".to_owned());
        }
        let (timeout, target) = pair("job")?;
        let (sequence, _) = pair("queued")?;
        Ok(Self {
            has_outcome,
            timeout_ms: timeout.parse().map_err(|_| "job")?,
            target: target.to_owned(),
            sequence: sequence.parse().map_err(|_| "queued")?,
            beat_ends: pair("beat").map_or(0, |(_, ends)| ends.parse().unwrap_or_default()),
            action,
        })
    }

    /// Whether nothing is left to happen: only then it has a TTL.
    pub(super) fn has_ended(&self) -> bool {
        self.has_outcome && self.action.delivery.status != DeliveryStatus::Pending
    }

    /// Where it belongs, given where it is: a place that is legal in between is left to it.
    pub(super) fn belongs(&self, places: &Places, now: u64, retention_ms: u64) -> Places {
        let mut belongs = Places::new();
        let mut at = |queue: Queue, score: u64| belongs.insert(queue, score.to_string());
        if self.has_outcome {
            let index = match self.action.status {
                Status::Failed => Queue::Failed,
                Status::Succeeded
                | Status::Partial
                | Status::Cancelled
                | Status::Queued
                | Status::Running => Queue::Done,
            };
            let ended = self.action.ended_at.unwrap_or(now);
            if let (Some(receiver), false) = (&self.action.receiver, self.has_ended()) {
                let due = self.action.delivery.due_at.unwrap_or(now);
                at(Queue::Output(receiver.host.clone()), due);
            }
            match places.get(&index) {
                Some(score) => _ = belongs.insert(index, score.clone()),
                // What is older may have been forgotten by its age.
                None if ended.saturating_add(retention_ms) > now => _ = at(index, ended),
                None => {}
            }
            return belongs;
        }
        at(Queue::Live, self.action.expires_at);
        if let Some(running) = &self.action.attempt {
            let pending = Queue::Pending(running.processor.clone());
            let end = self.lease_end(places.get(&pending), now);
            at(pending, end);
            return belongs;
        }
        let ready = self.action.ready_at;
        let input = Queue::Input(self.target.clone());
        let (delayed, queued) = (places.contains_key(&Queue::Delayed), places.contains_key(&input));
        // Due and not promoted yet, it may be in either; without a sequence number only promoting it helps.
        let waits = ready > now + SKEW_MS || delayed && (ready > now || !queued);
        if waits || self.sequence == 0 {
            at(Queue::Delayed, ready);
        } else {
            at(input, self.sequence);
        }
        belongs
    }

    /// When the lease of its attempt ends: as its place says, if that can be.
    fn lease_end(&self, found: Option<&String>, now: u64) -> u64 {
        let claimed = self.action.attempt.as_ref().map_or(0, |running| running.claimed_at);
        let latest = now.saturating_add(self.timeout_ms).saturating_add(SKEW_MS);
        let found = found.and_then(|score| score.parse::<u64>().ok());
        let said = claimed.saturating_add(self.timeout_ms).max(self.beat_ends).min(latest);
        found.filter(|end| (claimed..=latest).contains(end)).unwrap_or(said)
    }

    /// Whether the lease of its attempt is over.
    pub(super) fn lease_is_over(&self, places: &Places, now: u64) -> bool {
        self.action.attempt.as_ref().is_some_and(|running| {
            let pending = Queue::Pending(running.processor.clone());
            self.lease_end(places.get(&pending), now) < now
        })
    }
}

/// Whether a status is an outcome.
pub(super) fn has_outcome(status: Status) -> bool {
    match status {
        Status::Queued | Status::Running => false,
        Status::Succeeded | Status::Partial | Status::Failed | Status::Cancelled => true,
    }
}
