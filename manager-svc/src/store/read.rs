//! Reading records, queue sizes, and what the server says of itself.

use bytes::Bytes;
use deadpool_redis::redis::{Cmd, InfoDict, Pipeline};

use super::look::readable;
use super::{Error, Store, codec, keys, reply};
use crate::domain::{Action, ActionId, Nonce};

/// How much waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueSizes {
    /// In all input queues.
    pub input: u64,
    /// In all pending sets.
    pub pending: u64,
    /// Waiting for a delay or a backoff.
    pub delayed: u64,
    /// In all output queues.
    pub output: u64,
    /// Failed and kept.
    pub failed: u64,
    /// Without outcome.
    pub live: u64,
    /// How long the oldest ready action has been ready, in milliseconds.
    pub oldest_ms: Option<u64>,
}

/// What the server says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreInfo {
    /// Whether it is a cluster.
    pub cluster: bool,
    /// Its version, with its name.
    pub version: String,
    /// Memory in use, in bytes.
    pub memory_bytes: u64,
    /// Its memory limit in bytes, if it has one.
    pub memory_limit_bytes: Option<u64>,
    /// What it keeps.
    pub kept: Kept,
    /// What it does when memory is full.
    pub eviction: Option<String>,
}

/// What a server keeps beyond its memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// It does not tell: a managed store refuses `CONFIG`, and what `INFO` says of files is not all that it does.
    Untold,
    /// Nothing but snapshots.
    Snapshots,
    /// An append-only file, synced as `appendfsync` says.
    AppendOnly(String),
}

impl Store {
    /// An action's record.
    ///
    /// # Errors
    /// When the store is away, or the record is damaged.
    pub async fn action(&self, id: &ActionId) -> Result<Option<Action>, Error> {
        let mut cmd = Cmd::new();
        cmd.arg("HGETALL").arg(keys::action(id));
        let answer = self.link.one(cmd).await?;
        let fields = reply::fields(&answer)?;
        if fields.is_empty() { Ok(None) } else { Ok(Some(codec::decode(id, &fields)?)) }
    }

    /// Several records, in one round trip; one that is damaged is reported, and does not hide the others.
    ///
    /// # Errors
    /// When the store is away.
    pub async fn actions(&self, ids: &[ActionId]) -> Result<Vec<Option<Action>>, Error> {
        let mut pipeline = Pipeline::with_capacity(ids.len());
        for id in ids {
            pipeline.cmd("HGETALL").arg(keys::action(id));
        }
        let answers = self.link.all(&pipeline).await?;
        ids.iter()
            .zip(&answers)
            .map(|(id, answer)| {
                let fields = readable(id.as_str(), reply::fields(answer))?;
                Ok(codec::decode_if_whole(id, &fields))
            })
            .collect()
    }

    /// A payload.
    ///
    /// # Errors
    /// When the store is away.
    pub async fn payload(&self, id: &ActionId, nonce: &Nonce) -> Result<Option<Bytes>, Error> {
        let mut cmd = Cmd::new();
        cmd.arg("GET").arg(keys::data(id, nonce));
        reply::payload(self.link.one(cmd).await?)
    }

    /// Queue sizes, given the ids of the processors: three or four round trips.
    ///
    /// # Errors
    /// When the store is away.
    pub async fn queue_sizes(&self, processors: &[String]) -> Result<QueueSizes, Error> {
        let look = self.look().await?;
        let mut hosts = Cmd::new();
        hosts.arg("ZRANGE").arg(keys::RECEIVERS).arg(0).arg(-1);
        let hosts = reply::texts(&self.link.one(hosts).await?)?;
        let mut pipeline = Pipeline::new();
        for key in [keys::DELAYED, keys::LIVE, keys::FAILED] {
            pipeline.cmd("ZCARD").arg(key);
        }
        let pending = processors.iter().map(|id| keys::pending(id));
        let input = look.targets.iter().map(|target| keys::input(target));
        let output = hosts.iter().map(|host| keys::output(host));
        let groups = [pending.collect::<Vec<_>>(), input.collect(), output.collect()];
        for key in groups.iter().flatten() {
            pipeline.cmd("ZCARD").arg(key);
        }
        for key in &groups[1] {
            pipeline.cmd("ZRANGE").arg(key).arg(0).arg(0);
        }
        let answers = self.link.all(&pipeline).await?;
        let mut sizes = answers.iter().map(reply::number);
        let mut take = |count: usize| sizes.by_ref().take(count).sum::<Result<u64, _>>();
        let (delayed, live, failed) = (take(1)?, take(1)?, take(1)?);
        let (pending, input, output) =
            (take(groups[0].len())?, take(groups[1].len())?, take(groups[2].len())?);
        let mut oldest = Vec::new();
        for head in &answers[answers.len() - groups[1].len()..] {
            for id in reply::list(head)? {
                oldest.extend(ActionId::parse(reply::text(id)?).ok());
            }
        }
        let records = if oldest.is_empty() { Vec::new() } else { self.actions(&oldest).await? };
        let oldest_ms =
            records.iter().flatten().map(|action| look.now.saturating_sub(action.ready_at)).max();
        Ok(QueueSizes { input, pending, delayed, output, failed, live, oldest_ms })
    }

    /// What the server says of itself.
    ///
    /// # Errors
    /// When the store is away.
    pub async fn info(&self) -> Result<StoreInfo, Error> {
        let answer = self.link.ask(&["INFO"]).await?;
        let info: InfoDict = deadpool_redis::redis::from_redis_value(answer)
            .map_err(|_| Error::Answer("INFO was expected"))?;
        let (name, version) = match info.get::<String>("valkey_version") {
            Some(version) => ("Valkey", version),
            None => ("Redis", info.get::<String>("redis_version").unwrap_or_default()),
        };
        Ok(StoreInfo {
            cluster: self.link.is_cluster(),
            version: format!("{name} {version}"),
            memory_bytes: info.get("used_memory").unwrap_or_default(),
            memory_limit_bytes: info.get("maxmemory").filter(|limit| *limit > 0),
            kept: match self.setting("appendfsync").await? {
                None => Kept::Untold,
                Some(synced) if info.get("aof_enabled") == Some(1) => Kept::AppendOnly(synced),
                Some(_) => Kept::Snapshots,
            },
            eviction: info.get("maxmemory_policy"),
        })
    }

    /// A setting of the server; none where it refuses `CONFIG`, or does not know it.
    async fn setting(&self, name: &str) -> Result<Option<String>, Error> {
        let answer = match self.link.ask(&["CONFIG", "GET", name]).await {
            Err(Error::Refused(_)) => return Ok(None),
            answer => answer?,
        };
        reply::list(&answer)?.get(1).map(|value| reply::text(value).map(str::to_owned)).transpose()
    }
}
