//! Looking at a part of the store: every time the next slice of each index, and what is under suspicion.

use std::collections::{BTreeMap, BTreeSet};

use deadpool_redis::redis::{Pipeline, Value};

use super::super::look::readable;
use super::super::{BATCH, Error, Store, codec, keys, reply, script};
use super::judge::{Life, Record, Seen, UNREADABLE};
use super::queue::Queue;
use super::{Reconciler, Subject};
use crate::domain::ActionId;

/// How many queues one look walks through, and how many of each one's entries it sees.
const QUEUES: usize = 16;
/// See [`QUEUES`].
const ENTRIES: usize = 16;
/// How many keys a scan for what no index lists goes through.
const SCANNED: &str = "200";

/// What was seen in one look.
#[derive(Debug, Default)]
pub(super) struct Picture {
    pub(super) now: u64,
    /// By id, or what else stands for one.
    pub(super) actions: BTreeMap<String, Seen>,
    /// Of the queues that were walked those that a list may name: whether one does, and whether it is empty.
    pub(super) queues: Vec<(Queue, bool, bool)>,
    /// Keys of payloads without TTL that no record names.
    pub(super) payloads: Vec<String>,
    /// Every payload that was looked at for that.
    pub(super) scanned: Vec<String>,
}

impl Store {
    pub(super) async fn picture(&self, memory: &mut Reconciler) -> Result<Picture, Error> {
        let mut picture = Picture::default();
        let (actions, payloads) = self.scan(memory).await?;
        picture.now = self.find_queues(memory).await?;
        let mut met: BTreeMap<String, BTreeSet<Queue>> = BTreeMap::new();
        for id in actions {
            met.entry(id).or_default();
        }
        let (mut walked, mut asked) = (memory.next_queues(QUEUES), BTreeSet::from_iter(payloads));
        for (subject, queues) in memory.suspects() {
            match subject {
                Subject::Action(id) => met.entry(id).or_default().extend(queues),
                Subject::Queue(queue) => _ = walked.insert(queue),
                Subject::Payload(key) => _ = asked.insert(key),
            }
        }
        self.walk(memory, walked, &mut met, &mut picture).await?;
        self.records(met, memory, &mut picture).await?;
        picture.scanned = asked.into_iter().collect();
        picture.payloads = self.unnamed(&picture.scanned).await?;
        Ok(picture)
    }

    /// The next few of all keys, for what no index lists: ids of actions, keys of payloads, and queues.
    async fn scan(&self, memory: &mut Reconciler) -> Result<(Vec<String>, Vec<String>), Error> {
        let words = ["SCAN", memory.scan.as_str(), "MATCH", keys::ALL, "COUNT", SCANNED];
        let answer = self.link.ask(&words).await;
        let read = answer.and_then(|answer| {
            let items = reply::list(&answer)?;
            let cursor = reply::text(reply::at(items, 0)?)?.to_owned();
            Ok((cursor, known_texts(reply::at(items, 1)?)?))
        });
        let (cursor, names) = readable("scan", read)?;
        memory.scan = if cursor.is_empty() { "0".to_owned() } else { cursor };
        let (mut actions, mut payloads) = (Vec::new(), Vec::new());
        for name in names {
            if let Some(id) = name.strip_prefix(keys::ACTIONS) {
                actions.push(id.to_owned());
            } else if name.starts_with(keys::PAYLOADS) {
                payloads.push(name);
            } else {
                memory.add_queues(Queue::of_key(&name).into_iter());
            }
        }
        Ok((actions, payloads))
    }

    /// Adds the queues that are listed, and the next that targets and processors may have. Answers the store's
    /// clock.
    async fn find_queues(&self, memory: &mut Reconciler) -> Result<u64, Error> {
        let mut pipeline = Pipeline::with_capacity(4);
        pipeline.add_command(script::READ_CLOCK.call(&[keys::SEQ]));
        pipeline.cmd("SMEMBERS").arg(keys::TARGETS);
        for (key, rank) in [(keys::RECEIVERS, memory.receivers), (keys::KNOWN, memory.known)] {
            pipeline.cmd("ZRANGE").arg(key).arg(rank).arg(rank + BATCH - 1);
        }
        let answers = self.link.all(&pipeline).await?;
        let names =
            |at: usize, index| readable(index, reply::at(&answers, at).and_then(known_texts));
        let (receivers, known) = (names(2, keys::RECEIVERS)?, names(3, keys::KNOWN)?);
        memory.receivers = next_rank(memory.receivers, receivers.len(), BATCH);
        memory.known = next_rank(memory.known, known.len(), BATCH);
        let pending = known.iter().cloned().map(Queue::Pending);
        let input = known.iter().cloned().chain(names(1, keys::TARGETS)?).map(Queue::Input);
        memory.add_queues(pending.chain(input).chain(receivers.into_iter().map(Queue::Output)));
        reply::number(reply::at(&answers, 0)?)
    }

    /// Sees the next entries of each index, and of some queues.
    async fn walk(
        &self,
        memory: &mut Reconciler,
        mut walked: BTreeSet<Queue>,
        met: &mut BTreeMap<String, BTreeSet<Queue>>,
        picture: &mut Picture,
    ) -> Result<(), Error> {
        walked.extend(Queue::INDEXES);
        let most = |queue: &Queue| if Queue::INDEXES.contains(queue) { BATCH } else { ENTRIES };
        let mut pipeline = Pipeline::with_capacity(3 * walked.len());
        for queue in &walked {
            let (key, rank) = (queue.key(), memory.rank(queue));
            pipeline.cmd("ZRANGE").arg(&key).arg(rank).arg(rank + most(queue) - 1);
            pipeline.cmd("EXISTS").arg(&key);
            match queue.listed_as() {
                Some(("input", name)) => pipeline.cmd("SISMEMBER").arg(keys::TARGETS).arg(name),
                Some((_, name)) => pipeline.cmd("ZSCORE").arg(keys::RECEIVERS).arg(name),
                None => pipeline.cmd("EXISTS").arg(keys::NONE),
            };
        }
        let answers = self.link.all(&pipeline).await?;
        for (queue, answers) in walked.into_iter().zip(answers.chunks_exact(3)) {
            let entries = readable(&queue.to_string(), known_texts(&answers[0]))?;
            let is_there = matches!(&answers[1], Value::Int(1));
            let is_listed = matches!(&answers[2], Value::Int(1) | Value::BulkString(_));
            let next = next_rank(memory.rank(&queue), entries.len(), most(&queue));
            memory.walked(&queue, (is_there || is_listed).then_some(next));
            for id in entries {
                met.entry(id).or_default().insert(queue.clone());
            }
            if queue.listed_as().is_some() {
                picture.queues.push((queue, is_listed, is_there));
            }
        }
        Ok(())
    }

    /// Reads the records, and where they stand: in what they were met in, and in what they speak of.
    async fn records(
        &self,
        met: BTreeMap<String, BTreeSet<Queue>>,
        memory: &mut Reconciler,
        picture: &mut Picture,
    ) -> Result<(), Error> {
        if met.is_empty() {
            return Ok(());
        }
        let mut pipeline = Pipeline::with_capacity(2 * met.len());
        for name in met.keys() {
            let key = action_key(name);
            pipeline.cmd("HGETALL").arg(&key).cmd("PTTL").arg(&key);
        }
        let answers = self.link.all(&pipeline).await?;
        let mut members: BTreeMap<Queue, Vec<String>> = BTreeMap::new();
        let mut extra = Pipeline::new();
        for ((name, queues), answers) in met.into_iter().zip(answers.chunks_exact(2)) {
            let seen =
                Seen { record: record(&answers[0])?, life: life(&answers[1]), ..Seen::default() };
            let said = said_queues(&name, &seen);
            for queue in
                queues.into_iter().chain(said).chain(Queue::INDEXES).collect::<BTreeSet<_>>()
            {
                members.entry(queue).or_default().push(name.clone());
            }
            let data = format!("{}{name}:{}", keys::PAYLOADS, seen.field("data"));
            let idempotency = match seen.field("idempotency") {
                "" => keys::NONE.to_owned(),
                known => keys::idempotency(known),
            };
            let holder = seen.field("held").split(' ').next().unwrap_or_default();
            extra.cmd("PTTL").arg(data).cmd("PTTL").arg(idempotency);
            extra.cmd("EXISTS").arg(keys::processor(holder));
            picture.actions.insert(name, seen);
        }
        for (queue, ids) in &members {
            extra.cmd("ZMSCORE").arg(queue.key()).arg(ids);
        }
        let answers = self.link.all(&extra).await?;
        let (lives, scores) = answers.split_at((3 * picture.actions.len()).min(answers.len()));
        for (seen, lives) in picture.actions.values_mut().zip(lives.chunks_exact(3)) {
            (seen.data, seen.idempotency) = (life(&lives[0]), life(&lives[1]));
            seen.holder_known = matches!(&lives[2], Value::Int(1));
        }
        for ((queue, ids), scores) in members.into_iter().zip(scores) {
            let scores = readable(&queue.to_string(), reply::list(scores).map(<[Value]>::to_vec))?;
            for (id, score) in ids.into_iter().zip(scores) {
                let Ok(score) = reply::text(&score) else { continue };
                memory.add_queues(std::iter::once(queue.clone()));
                if let Some(seen) = picture.actions.get_mut(&id) {
                    seen.places.insert(queue.clone(), score.to_owned());
                }
            }
        }
        Ok(())
    }

    /// Of these payloads those without TTL that no record names.
    async fn unnamed(&self, payloads: &[String]) -> Result<Vec<String>, Error> {
        let mut pipeline = Pipeline::with_capacity(2 * payloads.len());
        for key in payloads {
            let (id, _) = payload_parts(key);
            pipeline.cmd("PTTL").arg(key).cmd("HGET").arg(action_key(id)).arg("data");
        }
        if payloads.is_empty() {
            return Ok(Vec::new());
        }
        let answers = self.link.all(&pipeline).await?;
        let unnamed = payloads.iter().zip(answers.chunks_exact(2)).filter(|(key, answers)| {
            let named = reply::text(&answers[1]).is_ok_and(|nonce| nonce == payload_parts(key).1);
            life(&answers[0]) == Life::Endless && !named
        });
        Ok(unnamed.map(|(key, _)| key.clone()).collect())
    }
}

/// The key of a record by what should be an id.
pub(super) fn action_key(name: &str) -> String {
    ActionId::parse(name).map_or(keys::NONE.to_owned(), |id| keys::action(&id))
}

/// The id and the nonce in the key of a payload.
pub(super) fn payload_parts(key: &str) -> (&str, &str) {
    key.strip_prefix(keys::PAYLOADS).and_then(|rest| rest.split_once(':')).unwrap_or_default()
}

/// The queues that a record speaks of.
fn said_queues(name: &str, seen: &Seen) -> BTreeSet<Queue> {
    let mut said = BTreeSet::new();
    let Record::Fields(fields) = &seen.record else { return said };
    let mut add = |queue: fn(String) -> Queue, name: &str| {
        if !name.is_empty() {
            said.insert(queue(name.to_owned()));
        }
    };
    add(Queue::Input, fields.get("job").and_then(|job| job.split(' ').nth(1)).unwrap_or_default());
    add(Queue::Pending, seen.field("held").split(' ').next().unwrap_or_default());
    add(Queue::Output, seen.field("host"));
    let pairs: Vec<_> = fields.iter().map(|(f, v)| (f.as_str(), v.as_str())).collect();
    if let Some(action) = ActionId::parse(name).ok().and_then(|id| codec::decode(&id, &pairs).ok())
    {
        action.jobs.iter().for_each(|job| add(Queue::Input, job.target.as_str()));
    }
    said
}

fn record(answer: &Value) -> Result<Record, Error> {
    let items = match reply::list(answer) {
        Ok([]) => return Ok(Record::Missing),
        Ok(items) => items,
        Err(error @ Error::Away(_)) => return Err(error),
        Err(_) => return Ok(Record::Foreign),
    };
    let text = |value: &Value| reply::text(value).unwrap_or(UNREADABLE).to_owned();
    Ok(Record::Fields(items.chunks_exact(2).map(|pair| (text(&pair[0]), text(&pair[1]))).collect()))
}

fn life(answer: &Value) -> Life {
    match answer {
        Value::Int(-1) => Life::Endless,
        Value::Int(ttl) if *ttl >= 0 => Life::Expires,
        _ => Life::Absent,
    }
}

/// What can be read of a list of texts: what is none was not written by us, and cannot be named.
fn known_texts(value: &Value) -> Result<Vec<String>, Error> {
    let texts = reply::list(value)?.iter().filter_map(|item| reply::text(item).ok());
    Ok(texts.map(str::to_owned).collect())
}

/// Where the next slice begins: from the front again after the last.
fn next_rank(rank: usize, seen: usize, most: usize) -> usize {
    if seen < most { 0 } else { rank + seen }
}
