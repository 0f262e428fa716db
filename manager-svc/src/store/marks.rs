//! Marks: what submitting is refused for, so that what was accepted can still complete.
//!
//! The scheduler measures and writes, `submit_actions` reads. The marks live in one hash with a TTL: those of a
//! scheduler that died are over after [`MARKS_LAST_MS`].

use std::collections::BTreeSet;

use deadpool_redis::redis::{Cmd, InfoDict, Pipeline, from_redis_value};

use super::script::{self, Args};
use super::{Error, Store, keys, reply};

/// How long marks last that nobody renews, in milliseconds: two beats of a scheduler that runs once a minute, and
/// then some.
pub const MARKS_LAST_MS: u64 = 150_000;
/// About how many hosts are looked at in one page.
const PAGE: u16 = 1_000;

/// How much memory the store uses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Memory {
    /// What counts against the limit, in bytes.
    pub used: u64,
    /// The limit in bytes, if there is one.
    pub limit: Option<u64>,
}

impl Memory {
    /// Whether more than so many percent of the limit are in use; never without a limit.
    #[must_use]
    pub fn is_above(self, percent: u64) -> bool {
        self.limit.is_some_and(|limit| {
            u128::from(self.used) * 100 > u128::from(limit) * u128::from(percent)
        })
    }
}

/// Whom submitting is refused for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marks {
    /// Everybody: memory is above the mark.
    pub memory: bool,
    /// Those who want their outcome sent to one of these hosts.
    pub hosts: BTreeSet<String>,
}

impl Store {
    /// How much memory the server uses that holds the keys.
    ///
    /// # Errors
    /// When the store is away.
    pub async fn memory(&self) -> Result<Memory, Error> {
        let answer = self.link.ask(&["INFO", "memory"]).await?;
        let info: InfoDict =
            from_redis_value(answer).map_err(|_| Error::Answer("INFO was expected"))?;
        // Buffers of replicas and of the append-only file are not held against the limit.
        let apart: u64 = info.get("mem_not_counted_for_evict").unwrap_or_default();
        Ok(Memory {
            used: info.get::<u64>("used_memory").unwrap_or_default().saturating_sub(apart),
            limit: info.get("maxmemory").filter(|limit| *limit > 0),
        })
    }

    /// The marks that are written now.
    ///
    /// # Errors
    /// When the store is away.
    pub async fn marks(&self) -> Result<Marks, Error> {
        let mut cmd = Cmd::new();
        cmd.arg("HKEYS").arg(keys::MARKS);
        Ok(marks(reply::texts(&self.link.one(cmd).await?)?))
    }

    /// Marks memory as measured, and the hosts with more than `most` outcomes in their queue: of one page of the
    /// hosts from a cursor on (0 is the first), and of those that are marked. Answers the marks and where the next
    /// page begins.
    ///
    /// # Errors
    /// When the store is away: the same call may be made again.
    pub async fn mark(&self, memory: bool, most: u64, cursor: u64) -> Result<(Marks, u64), Error> {
        let mut look = Pipeline::with_capacity(2);
        look.cmd("HKEYS").arg(keys::MARKS);
        look.cmd("ZSCAN").arg(keys::RECEIVERS).arg(cursor).arg("COUNT").arg(PAGE);
        let answers = self.link.all(&look).await?;
        let before = marks(reply::texts(reply::at(&answers, 0)?)?);
        let page = reply::list(reply::at(&answers, 1)?)?;
        let next = reply::number(reply::at(page, 0)?)?;
        let listed = reply::texts(reply::at(page, 1)?)?;
        // Members and their scores take turns.
        let mut hosts: BTreeSet<String> = listed.into_iter().step_by(2).collect();
        hosts.extend(before.hosts.iter().cloned());
        let mut after = Marks { memory, hosts: BTreeSet::new() };
        if !hosts.is_empty() {
            let mut lengths = Pipeline::with_capacity(hosts.len());
            for host in &hosts {
                lengths.cmd("ZCARD").arg(keys::output(host));
            }
            for (host, length) in hosts.into_iter().zip(self.link.all(&lengths).await?) {
                if super::look::readable("output", reply::number(&length))? > most {
                    after.hosts.insert(host);
                }
            }
        }
        if before != Marks::default() || after != Marks::default() {
            let cmd = script::WRITE_MARKS.call(&[keys::MARKS]).with(MARKS_LAST_MS);
            let cmd = after.memory.then_some(MEMORY).into_iter().fold(cmd, Args::with);
            self.link.one(after.hosts.iter().fold(cmd, Args::with)).await?;
        }
        Ok((after, next))
    }
}

/// The field that stands for memory: no host, which has a port.
const MEMORY: &str = "memory";

fn marks(fields: Vec<String>) -> Marks {
    let mut hosts: BTreeSet<String> = fields.into_iter().collect();
    Marks { memory: hosts.remove(MEMORY), hosts }
}
