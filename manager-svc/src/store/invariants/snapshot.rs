//! A picture of all keys.

use std::collections::{BTreeMap, BTreeSet};

use deadpool_redis::redis::{Cmd, Pipeline, Value};

use super::super::{Error, Store, keys, reply};

/// A sorted set: member and score.
pub(super) type Zset = BTreeMap<String, u64>;

/// What a key holds.
#[derive(Debug)]
pub(super) enum Content {
    Hash(BTreeMap<String, String>),
    Zset(Zset),
    Set(BTreeSet<String>),
    /// Payloads and counters: their values do not matter here.
    String,
}

/// A key's content and time to live in milliseconds.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) content: Content,
    pub(super) ttl: Option<u64>,
}

/// Every key by name.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    keys: BTreeMap<String, Key>,
    /// For each member of a queue the queues it is in.
    containing: BTreeMap<String, Vec<String>>,
}

impl Store {
    pub(super) async fn snapshot(&self) -> Result<Snapshot, Error> {
        let mut snapshot = Snapshot::default();
        for names in self.all_keys().await?.chunks(500) {
            let mut types = Pipeline::with_capacity(names.len());
            for name in names {
                types.cmd("TYPE").arg(name);
            }
            let types = self.link.all(&types).await?;
            let mut contents = Pipeline::with_capacity(2 * names.len());
            for (name, kind) in names.iter().zip(&types) {
                contents.cmd("PTTL").arg(name);
                contents.add_command(read(name, reply::text(kind)?));
            }
            let contents = self.link.all(&contents).await?;
            for ((name, kind), pair) in names.iter().zip(&types).zip(contents.chunks_exact(2)) {
                let ttl = u64::try_from(reply::integer(&pair[0])?).ok();
                if let Some(content) = content(reply::text(kind)?, &pair[1])? {
                    snapshot.add(name.clone(), Key { content, ttl });
                }
            }
        }
        Ok(snapshot)
    }

    /// All keys: they live in one slot, so on a cluster the slot is asked.
    async fn all_keys(&self) -> Result<Vec<String>, Error> {
        let mut names = Vec::new();
        if self.link.is_cluster() {
            let slot = self.link.ask(&["CLUSTER", "KEYSLOT", keys::SEQ]).await?;
            let slot = reply::integer(&slot)?.to_string();
            let answer = self.link.ask(&["CLUSTER", "GETKEYSINSLOT", &slot, "10000000"]).await?;
            for name in reply::list(&answer)? {
                names.push(reply::text(name)?.to_owned());
            }
            return Ok(names);
        }
        let mut cursor = "0".to_owned();
        loop {
            let words = ["SCAN", &cursor, "MATCH", keys::ALL, "COUNT", "1000"];
            let answer = self.link.ask(&words).await?;
            let items = reply::list(&answer)?;
            for name in reply::list(reply::at(items, 1)?)? {
                names.push(reply::text(name)?.to_owned());
            }
            reply::text(reply::at(items, 0)?)?.clone_into(&mut cursor);
            if cursor == "0" {
                // A scan may name a key twice.
                names.sort();
                names.dedup();
                return Ok(names);
            }
        }
    }
}

fn read(name: &str, kind: &str) -> Cmd {
    let mut cmd = Cmd::new();
    match kind {
        "hash" => cmd.arg("HGETALL").arg(name),
        "zset" => cmd.arg("ZRANGE").arg(name).arg(0).arg(-1).arg("WITHSCORES"),
        "set" => cmd.arg("SMEMBERS").arg(name),
        _ => cmd.arg("EXISTS").arg(name),
    };
    cmd
}

fn content(kind: &str, value: &Value) -> Result<Option<Content>, Error> {
    Ok(match kind {
        "hash" => Some(Content::Hash(
            reply::fields(value)?.into_iter().map(|(f, v)| (f.to_owned(), v.to_owned())).collect(),
        )),
        "zset" => Some(Content::Zset(
            reply::scored(value)?.into_iter().map(|(score, member)| (member, score)).collect(),
        )),
        "set" => Some(Content::Set(
            reply::list(value)?
                .iter()
                .map(|member| reply::text(member).map(str::to_owned))
                .collect::<Result<_, _>>()?,
        )),
        "string" => Some(Content::String),
        // It expired since it was listed.
        _ => None,
    })
}

impl Snapshot {
    fn add(&mut self, name: String, key: Key) {
        let queue = ["input:", "pending:", "output:"]
            .iter()
            .any(|prefix| name.strip_prefix("{p0}:").is_some_and(|rest| rest.starts_with(prefix)));
        if let (true, Content::Zset(zset)) = (queue, &key.content) {
            for member in zset.keys() {
                self.containing.entry(member.clone()).or_default().push(name.clone());
            }
        }
        self.keys.insert(name, key);
    }

    pub(super) fn get(&self, name: &str) -> Option<&Key> {
        self.keys.get(name)
    }

    /// Records by action id, with their TTL.
    pub(super) fn actions(&self) -> BTreeMap<String, (BTreeMap<String, String>, Option<u64>)> {
        self.with_prefix("action:")
            .filter_map(|(name, key)| match &key.content {
                Content::Hash(record) => {
                    Some((name["{p0}:action:".len()..].to_owned(), (record.clone(), key.ttl)))
                }
                Content::Zset(_) | Content::Set(_) | Content::String => None,
            })
            .collect()
    }

    pub(super) fn with_prefix<'s>(
        &'s self,
        prefix: &str,
    ) -> impl Iterator<Item = (&'s str, &'s Key)> + use<'s> {
        let start = format!("{{p0}}:{prefix}");
        self.keys
            .range(start.clone()..)
            .take_while(move |(name, _)| name.starts_with(&start))
            .map(|(name, key)| (name.as_str(), key))
    }

    pub(super) fn zset(&self, name: &str) -> Option<&Zset> {
        match &self.keys.get(name)?.content {
            Content::Zset(zset) => Some(zset),
            Content::Hash(_) | Content::Set(_) | Content::String => None,
        }
    }

    pub(super) fn score(&self, name: &str, member: &str) -> Option<u64> {
        self.zset(name)?.get(member).copied()
    }

    /// The members of a set or sorted set.
    pub(super) fn members(&self, name: &str) -> BTreeSet<String> {
        match self.keys.get(name).map(|key| &key.content) {
            Some(Content::Set(set)) => set.clone(),
            Some(Content::Zset(zset)) => zset.keys().cloned().collect(),
            Some(Content::Hash(_) | Content::String) | None => BTreeSet::new(),
        }
    }

    /// Of the queues with this prefix, those that hold the member, without the prefix.
    pub(super) fn containing(&self, prefix: &str, member: &str) -> Vec<&str> {
        let start = format!("{{p0}}:{prefix}");
        self.containing
            .get(member)
            .into_iter()
            .flatten()
            .filter_map(|name| name.strip_prefix(&start))
            .collect()
    }
}
