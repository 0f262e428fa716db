//! Repairing what violates the invariants, a bounded part of the store at a time.
//!
//! Each look sees the next slice of every index, and reads the records it meets and where they stand. What the
//! record says is the truth. A look is not a moment: something may move between its round trips. So what seems
//! wrong is a suspicion; only what a later look finds again, at the same version, is repaired, and the script
//! that does it checks version and places once more.

mod judge;
#[cfg(test)]
mod judge_tests;
mod look;
mod memory;
mod mend;
mod queue;
mod stand;

use deadpool_redis::redis::{Cmd, Pipeline};

use super::script::{self, Args};
use super::{BATCH, Error, Store, keys, reply};
use crate::domain::ActionId;
use judge::{Seen, Verdict, ghost, judge};
use look::{action_key, payload_parts};
pub use memory::Reconciler;
use memory::Subject;

/// When something is repaired, and what of it lasts.
#[derive(Debug, Clone, Copy)]
pub struct RepairRules {
    /// How long after the first look a second one must find the same, in milliseconds.
    pub after_ms: u64,
    /// How long an ended action is kept, in milliseconds.
    pub retention_ms: u64,
}

/// A violation that is no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repaired {
    /// The action, the queue or the payload.
    pub of: String,
    /// What was wrong with it, in words.
    pub what: String,
}

impl Store {
    /// Looks at the next part of the store, and repairs what an earlier look found too, at most [`BATCH`] at a
    /// time: about six round trips.
    ///
    /// # Errors
    /// When the store is away. The same call may be made again.
    pub async fn reconcile(
        &self,
        memory: &mut Reconciler,
        rules: RepairRules,
    ) -> Result<Vec<Repaired>, Error> {
        let picture = self.picture(memory).await?;
        let now = picture.now;
        let mut repairs: Vec<(Subject, String, Cmd)> = Vec::new();
        for (name, seen) in &picture.actions {
            let subject = Subject::Action(name.clone());
            let id = ActionId::parse(name).ok();
            let verdict = match &id {
                Some(id) => judge(id, seen, now, rules.retention_ms),
                None => ghost(&seen.places, now),
            };
            let Some(verdict) = verdict else {
                memory.clear(&subject);
                continue;
            };
            let (version, places) = (seen.field("v"), seen.places.keys().cloned());
            if memory.confirms(&subject, &verdict.what, version, places, now, rules.after_ms) {
                let cmd = repair_action(name, seen, &verdict, now, rules.retention_ms);
                repairs.push((subject, verdict.what, cmd));
            }
        }
        for (queue, is_listed, is_there) in picture.queues {
            let subject = Subject::Queue(queue.clone());
            let what = match (is_listed, is_there) {
                (true, false) => "is listed, but empty",
                (false, true) => "is not listed, and not empty",
                _ => {
                    memory.clear(&subject);
                    continue;
                }
            };
            let Some((kind, name)) = queue.listed_as() else { continue };
            if memory.confirms(&subject, what, "", std::iter::empty(), now, rules.after_ms) {
                let keys = [&queue.key(), keys::TARGETS, keys::RECEIVERS, keys::REPAIRED];
                let cmd = script::REPAIR_QUEUE.call(&keys).with(kind).with(name);
                repairs.push((subject, what.to_owned(), cmd));
            }
        }
        for key in &picture.scanned {
            let subject = Subject::Payload(key.clone());
            let what = "no record names it, and it does not expire";
            if !picture.payloads.contains(key) {
                memory.clear(&subject);
            } else if memory.confirms(&subject, what, "", std::iter::empty(), now, rules.after_ms) {
                let (id, nonce) = payload_parts(key);
                let keys = [key.as_str(), &action_key(id), keys::REPAIRED];
                repairs.push((
                    subject,
                    what.to_owned(),
                    script::EXPIRE_PAYLOAD.call(&keys).with(nonce),
                ));
            }
        }
        repairs.truncate(BATCH);
        self.repair(memory, repairs).await
    }

    /// How many violations were repaired since ever, by any process.
    ///
    /// # Errors
    /// When the store is away.
    pub async fn repaired(&self) -> Result<u64, Error> {
        let mut cmd = Cmd::new();
        cmd.arg("GET").arg(keys::REPAIRED);
        match self.link.one(cmd).await? {
            deadpool_redis::redis::Value::Nil => Ok(0),
            count => reply::number(&count),
        }
    }

    async fn repair(
        &self,
        memory: &mut Reconciler,
        repairs: Vec<(Subject, String, Cmd)>,
    ) -> Result<Vec<Repaired>, Error> {
        let mut done = Vec::new();
        if repairs.is_empty() {
            return Ok(done);
        }
        let mut pipeline = Pipeline::with_capacity(repairs.len());
        for (.., cmd) in &repairs {
            pipeline.add_command(cmd.clone());
        }
        let answers = self.link.all(&pipeline).await?;
        for ((subject, what, _), answer) in repairs.into_iter().zip(answers) {
            // What has moved on, or was refused, is looked at as if for the first time.
            memory.clear(&subject);
            let of = match subject {
                Subject::Action(id) => id,
                Subject::Queue(queue) => queue.to_string(),
                Subject::Payload(key) => key,
            };
            match reply::integer(&answer) {
                Ok(1) => done.push(Repaired { of, what }),
                Ok(_) => {}
                Err(error @ Error::Away(_)) => return Err(error),
                Err(error) => tracing::error!(of, what, %error, "a repair was refused"),
            }
        }
        Ok(done)
    }
}

fn repair_action(name: &str, seen: &Seen, verdict: &Verdict, now: u64, retention_ms: u64) -> Cmd {
    let remedy = &verdict.remedy;
    let changes = !remedy.write.is_empty() || !remedy.remove.is_empty();
    let known = seen.field("idempotency");
    let idempotency = if known.is_empty() || remedy.expires && !remedy.ends {
        keys::NONE.to_owned()
    } else {
        keys::idempotency(known)
    };
    let data = format!("{}{name}:{}", keys::PAYLOADS, seen.field("data"));
    let mut keys = vec![
        action_key(name),
        data,
        idempotency,
        keys::TARGETS.to_owned(),
        keys::RECEIVERS.to_owned(),
        keys::REPAIRED.to_owned(),
    ];
    keys.extend(remedy.places.keys().map(queue::Queue::key));
    let mark = if changes { format!("{} {now}", seen.field("v")) } else { String::new() };
    let retention = if remedy.expires { retention_ms.to_string() } else { String::new() };
    let mut cmd = script::REPAIR_ACTION
        .call(&keys)
        .with(name)
        .with(seen.field("v"))
        .with(seen.field("beat"))
        .with(&mark)
        .with(retention)
        .with(remedy.places.len())
        .with(remedy.remove.len());
    for (queue, score) in &remedy.places {
        let (kind, name) = queue.listed_as().unwrap_or_default();
        cmd.arg(score.as_deref().unwrap_or_default()).arg(kind).arg(name);
    }
    cmd.arg(&remedy.remove);
    for (field, value) in &remedy.write {
        cmd.arg(field).arg(value);
    }
    if changes {
        cmd.arg("mended").arg(mark);
    }
    cmd
}
