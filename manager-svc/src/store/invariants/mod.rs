//! The invariants of the store, checked over a picture of all keys.
//!
//! 1. An action without outcome is in `live`, by its deadline, and in exactly one of `input:<target>`,
//!    `delayed`, `pending:<processor>`. One with an outcome is in exactly one of `done` and `failed`, and in
//!    `output:<host>` while its delivery is pending. `targets` and `receivers` list exactly the non-empty
//!    input and output queues.
//! 2. A processor's pending set holds exactly the attempts that name it, by the end of their leases.
//! 3. The step is within the jobs, and every step before it succeeded once, or failed where its job lets it be skipped.
//! 4. A settled delivery is in no output queue.
//! 5. Nothing live has a TTL, everything ended has one; a payload that no record names has one.

mod snapshot;

use std::collections::{BTreeMap, BTreeSet};

use snapshot::{Key, Snapshot, Zset};

use super::{Error, Store, keys};

/// What does not hold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// The number of the invariant, 1 to 5.
    pub invariant: u8,
    /// The action, or the key.
    pub of: String,
    /// In words.
    pub what: String,
}

impl Store {
    /// Checks every invariant over all keys. Exact only while nobody writes: for tests and inspection.
    ///
    /// # Errors
    /// When the store is away.
    pub async fn violations(&self) -> Result<Vec<Violation>, Error> {
        let snapshot = self.snapshot().await?;
        let mut found = Checker { snapshot: &snapshot, found: BTreeSet::new() };
        found.check();
        Ok(found.found.into_iter().collect())
    }
}

struct Checker<'s> {
    snapshot: &'s Snapshot,
    found: BTreeSet<Violation>,
}

type Record = BTreeMap<String, String>;

impl Checker<'_> {
    fn say(&mut self, invariant: u8, of: &str, what: impl Into<String>) {
        self.found.insert(Violation { invariant, of: of.to_owned(), what: what.into() });
    }

    fn check(&mut self) {
        let records = self.snapshot.actions();
        let mut named = BTreeSet::new();
        for (id, (record, ttl)) in &records {
            self.place(id, record);
            self.step(id, record);
            self.life(id, record, *ttl);
            named.insert(format!("{{p0}}:data:{id}:{}", field(record, "data")));
        }
        self.members_have_records(&records);
        self.listed(keys::TARGETS, "input:");
        self.listed(keys::RECEIVERS, "output:");
        for (key, Key { ttl, .. }) in self.snapshot.with_prefix("data:") {
            if ttl.is_none() && !named.contains(key) {
                self.say(5, key, "no record names this payload, and it has no TTL");
            }
        }
    }

    /// Invariants 1, 2 and 4: where the action stands.
    fn place(&mut self, id: &str, record: &Record) {
        let status = field(record, "status");
        let outcome = !matches!(status, "queued" | "running");
        let waiting = self.snapshot.containing("input:", id);
        let pending = self.snapshot.containing("pending:", id);
        let output = self.snapshot.containing("output:", id);
        let delayed = self.snapshot.score(keys::DELAYED, id).is_some();
        let places = waiting.len() + pending.len() + usize::from(delayed);
        let live = self.snapshot.score(keys::LIVE, id);
        let ends = [keys::DONE, keys::FAILED]
            .map(|key| usize::from(self.snapshot.score(key, id).is_some()));
        if outcome {
            if live.is_some() || places > 0 {
                self.say(1, id, format!("has the outcome {status}, but still waits or runs"));
            }
            let expected = if status == "failed" { [0, 1] } else { [1, 0] };
            if ends != expected {
                self.say(
                    1,
                    id,
                    format!("has the outcome {status}, but [done, failed] hold {ends:?}"),
                );
            }
        } else {
            let deadline = field(record, "deadline");
            if live.is_none_or(|score| score.to_string() != deadline) {
                self.say(1, id, format!("is not in live by its deadline {deadline}"));
            }
            if places != 1 {
                self.say(
                    1,
                    id,
                    format!("is in {places} of input, delayed and pending, not in one"),
                );
            }
            if ends != [0, 0] || !output.is_empty() {
                self.say(1, id, "has no outcome, but is in done, failed or output");
            }
            self.held(id, record, &waiting, &pending);
        }
        let due = outcome && field(record, "delivery") == "pending";
        let host = field(record, "host");
        match output.as_slice() {
            [] if due => self.say(1, id, "its delivery is pending, but it is in no output queue"),
            [] => {}
            [queue] if due && *queue == host => {}
            _ if due => self.say(1, id, "is in the wrong output queue, or in several"),
            _ => self.say(4, id, "its delivery is settled, but it is in an output queue"),
        }
    }

    fn held(&mut self, id: &str, record: &Record, waiting: &[&str], pending: &[&str]) {
        let target = field(record, "job").split_once(' ').map_or("", |(_, target)| target);
        if waiting.iter().any(|queue| *queue != target) {
            self.say(1, id, format!("waits in {waiting:?}, but its target is {target}"));
        }
        let running = !field(record, "token").is_empty();
        let held: Vec<&str> = field(record, "held").split(' ').collect();
        let processor = held[0];
        if running != (pending == [processor]) {
            self.say(
                2,
                id,
                format!("running is {running} at {processor}, but pending at {pending:?}"),
            );
        }
        if let [holder] = pending {
            let lease = self.snapshot.score(&keys::pending(holder), id).unwrap_or_default();
            let claimed: u64 = held.last().and_then(|at| at.parse().ok()).unwrap_or(u64::MAX);
            if lease < claimed {
                self.say(2, id, "is pending with a lease that ended before the claim");
            }
        }
    }

    /// Invariant 3.
    fn step(&mut self, id: &str, record: &Record) {
        let step: usize = field(record, "step").parse().unwrap_or(usize::MAX);
        let jobs: Vec<serde_json::Value> =
            serde_json::from_str(field(record, "jobs")).unwrap_or_default();
        if step >= jobs.len() {
            self.say(3, id, format!("is at step {step} of {}", jobs.len()));
            return;
        }
        for (before, job) in jobs.iter().enumerate().take(step) {
            let of_step = format!("{before}\t");
            let lines = record
                .iter()
                .filter(|(name, line)| name.starts_with("a:") && line.starts_with(&of_step));
            let (failed, settled): (Vec<_>, Vec<_>) =
                lines.partition(|(_, line)| line.split('\t').nth(4).is_some());
            let skips = job.get("skip").is_some_and(|skip| skip == true);
            let skipped = skips && settled.is_empty() && !failed.is_empty();
            if settled.len() != 1 && !skipped {
                self.say(3, id, format!("step {before} was settled {} times", settled.len()));
            }
        }
    }

    /// Invariant 5.
    fn life(&mut self, id: &str, record: &Record, ttl: Option<u64>) {
        let outcome = !matches!(field(record, "status"), "queued" | "running");
        let ended = outcome && field(record, "delivery") != "pending";
        if ended != ttl.is_some() {
            self.say(5, id, format!("ended is {ended}, but its record's TTL is {ttl:?}"));
        }
        let payload = format!("{{p0}}:data:{id}:{}", field(record, "data"));
        match self.snapshot.get(&payload) {
            None => self.say(5, id, "its payload is missing"),
            Some(key) if ended != key.ttl.is_some() => {
                self.say(
                    5,
                    id,
                    format!("ended is {ended}, but its payload's TTL is {:?}", key.ttl),
                );
            }
            Some(_) => {}
        }
        if let Some(known) = record.get("idempotency").filter(|_| !ended) {
            let key = self.snapshot.get(&keys::idempotency(known));
            if key.is_none_or(|key| key.ttl.is_some()) {
                self.say(5, id, "has not ended, but its idempotency record is gone or has a TTL");
            }
        }
    }

    /// Every member of an index has a record. `done` and `failed` are trimmed a little after their records
    /// expire.
    fn members_have_records(&mut self, records: &BTreeMap<String, (Record, Option<u64>)>) {
        let mut indexes: Vec<&str> = vec![keys::LIVE, keys::DELAYED];
        for prefix in ["input:", "pending:", "output:"] {
            indexes.extend(self.snapshot.with_prefix(prefix).map(|(key, _)| key));
        }
        for index in indexes {
            let members: Vec<String> = self
                .snapshot
                .zset(index)
                .map(|zset: &Zset| zset.keys().cloned().collect())
                .unwrap_or_default();
            for id in members.iter().filter(|id| !records.contains_key(*id)) {
                self.say(1, id, format!("is in {index}, but has no record"));
            }
        }
    }

    /// A list names exactly the queues that are not empty.
    fn listed(&mut self, list: &str, prefix: &str) {
        let listed = self.snapshot.members(list);
        let queues: BTreeSet<String> = self
            .snapshot
            .with_prefix(prefix)
            .map(|(key, _)| key["{p0}:".len() + prefix.len()..].to_owned())
            .collect();
        for queue in listed.symmetric_difference(&queues) {
            self.say(1, queue, format!("{list} and the non-empty queues {prefix}* differ"));
        }
    }
}

fn field<'r>(record: &'r Record, name: &str) -> &'r str {
    record.get(name).map_or("", String::as_str)
}
