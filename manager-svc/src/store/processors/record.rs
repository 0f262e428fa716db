//! A processor's record, and reading it.

use deadpool_redis::redis::{Cmd, Pipeline, Value};

use super::super::{Error, Store, keys, reply};

/// A processor's record, and how many attempts it has in flight.
#[derive(Debug, Clone, PartialEq)]
pub struct Processor {
    /// This instance.
    pub id: String,
    /// The kind of work.
    pub name: String,
    /// Where it is reached.
    pub url: String,
    /// How many attempts it takes at a time.
    pub capacity: u32,
    /// The registration's number.
    pub epoch: u64,
    /// Whether it gets new work.
    pub status: ProcessorStatus,
    /// When it registered, in milliseconds since the Unix epoch.
    pub connected_on: u64,
    /// When it last answered, in milliseconds since the Unix epoch.
    pub last_seen: u64,
    /// CPU (percent of a core) and memory (bytes), as it last said.
    pub usage: Option<(f64, u64)>,
    /// How many attempts succeeded.
    pub processed: u64,
    /// How many attempts failed.
    pub failed: u64,
    /// How long its succeeded attempts took, added up, in milliseconds.
    pub sum_ms: u64,
    /// How long its last settled attempt took, in milliseconds.
    pub last_ms: Option<u64>,
    /// The size of its pending set.
    pub in_flight: u64,
    /// Its attempt whose lease ends first: end of the lease and action.
    pub first_lease: Option<(u64, String)>,
    /// Until when it gets no new work because it said that it is busy, in milliseconds since the Unix epoch.
    pub held_until: u64,
    /// When it started, in milliseconds since the Unix epoch, if it says so.
    pub started_at: Option<u64>,
}

impl Processor {
    /// Whether it gets new work at a time of the store's clock, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn takes_work(&self, now: u64) -> bool {
        self.status == ProcessorStatus::Active && self.held_until <= now
    }

    /// Whether a job with this target may go to it.
    #[must_use]
    pub fn serves(&self, target: &str) -> bool {
        self.id == target || self.name == target
    }
}

/// Whether a processor gets new work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessorStatus {
    /// It does.
    Active,
    /// Not until a check succeeds.
    Unhealthy,
    /// Not until an operator says so.
    Paused,
    /// Never again: it leaves.
    Draining,
}

/// What was seen of an id, for a transition to say what it goes by.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Seen {
    /// The record, when there is one and it is whole.
    pub processor: Option<Processor>,
    /// The record's epoch, or that of the last registration that left; 0 for an id that was never registered.
    pub epoch: u64,
    /// The record's name; empty without one.
    pub name: String,
    /// The version of the last pause or resume; 0 when there is none.
    pub switched: u64,
}

impl Store {
    /// What there is of an id, whole or not.
    ///
    /// # Errors
    /// When the store is away.
    pub async fn seen(&self, id: &str) -> Result<Seen, Error> {
        let mut pipeline = Pipeline::with_capacity(2);
        pipeline.cmd("HMGET").arg(keys::processor(id)).arg(&["epoch", "name", "switched"]);
        pipeline.cmd("HGET").arg(keys::LEFT).arg(id);
        read(&mut pipeline, id);
        let answers = self.link.all(&pipeline).await?;
        let fields = reply::list(reply::at(&answers, 0)?)?;
        let text = |value: &Value| reply::text(value).unwrap_or_default().to_owned();
        let first = |text: String| text.split(' ').next().and_then(|number| number.parse().ok());
        let epoch = first(text(reply::at(fields, 0)?)).or_else(|| first(text(&answers[1])));
        Ok(Seen {
            processor: decode_if_whole(id, &answers[2..])?,
            epoch: epoch.unwrap_or_default(),
            name: text(reply::at(fields, 1)?),
            switched: first(text(reply::at(fields, 2)?)).unwrap_or_default(),
        })
    }

    /// One processor, if it is registered and its record is whole.
    ///
    /// # Errors
    /// When the store is away.
    pub async fn processor(&self, id: &str) -> Result<Option<Processor>, Error> {
        Ok(self.processors_of(&[id.to_owned()]).await?.pop())
    }

    /// Every registered processor, by id: two round trips. One whose record is damaged is reported, and does not
    /// hide the others.
    ///
    /// # Errors
    /// When the store is away.
    pub async fn processors(&self) -> Result<Vec<Processor>, Error> {
        let mut cmd = Cmd::new();
        cmd.arg("ZRANGE").arg(keys::PROCESSORS).arg(0).arg(-1);
        let answer = self.link.one(cmd).await?;
        let ids: Vec<String> = reply::list(&answer)?
            .iter()
            .map(|id| reply::text(id).map(str::to_owned))
            .collect::<Result<_, _>>()?;
        let mut processors = self.processors_of(&ids).await?;
        processors.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(processors)
    }

    async fn processors_of(&self, ids: &[String]) -> Result<Vec<Processor>, Error> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipeline = Pipeline::with_capacity(READS * ids.len());
        for id in ids {
            read(&mut pipeline, id);
        }
        let answers = self.link.all(&pipeline).await?;
        let mut processors = Vec::with_capacity(ids.len());
        for (id, answers) in ids.iter().zip(answers.chunks_exact(READS)) {
            processors.extend(decode_if_whole(id, answers)?);
        }
        Ok(processors)
    }

    /// Which of these ids or names were ever registered.
    ///
    /// # Errors
    /// When the store is away.
    pub async fn known(&self, targets: &[&str]) -> Result<Vec<bool>, Error> {
        let mut cmd = Cmd::new();
        cmd.arg("ZMSCORE").arg(keys::KNOWN).arg(targets);
        let answer = self.link.one(cmd).await?;
        Ok(reply::list(&answer)?.iter().map(|score| !matches!(score, Value::Nil)).collect())
    }
}

/// How many commands read one processor.
const READS: usize = 4;

/// The commands that read one processor.
fn read(pipeline: &mut Pipeline, id: &str) {
    pipeline.cmd("HGETALL").arg(keys::processor(id));
    pipeline.cmd("ZCARD").arg(keys::pending(id));
    pipeline.cmd("ZRANGE").arg(keys::pending(id)).arg(0).arg(0).arg("WITHSCORES");
    pipeline.cmd("GET").arg(keys::stats(id));
}

/// The numbers of a processor's statistics, as `BITFIELD` keeps them; none before the first.
fn counters(value: &Value) -> Vec<u64> {
    match value {
        Value::BulkString(bytes) => {
            let (numbers, _) = bytes.as_chunks::<8>();
            numbers.iter().map(|number| u64::from_be_bytes(*number)).collect()
        }
        _ => Vec::new(),
    }
}

/// Reads a record that is there and whole, from its answers. A damaged one points to a bug or to somebody else's
/// write; it gets no work until its processor registers again, which makes it whole.
fn decode_if_whole(id: &str, answers: &[Value]) -> Result<Option<Processor>, Error> {
    match decode(id, answers) {
        Ok(processor) => Ok(processor),
        Err(error @ (Error::Answer(_) | Error::Record(_) | Error::Refused(_))) => {
            tracing::error!(processor = id, %error, "a processor's record is damaged");
            Ok(None)
        }
        Err(error @ (Error::Away(_) | Error::Full(_))) => Err(error),
    }
}

fn decode(id: &str, answers: &[Value]) -> Result<Option<Processor>, Error> {
    let fields = reply::fields(reply::at(answers, 0)?)?;
    if fields.is_empty() {
        return Ok(None);
    }
    let field = |name: &str| fields.iter().find(|(f, _)| *f == name).map(|(_, value)| *value);
    let number = |name: &str| field(name).and_then(|value| value.parse::<u64>().ok());
    let status = match field("status") {
        Some("active") => ProcessorStatus::Active,
        Some("unhealthy") => ProcessorStatus::Unhealthy,
        Some("paused") => ProcessorStatus::Paused,
        Some("draining") => ProcessorStatus::Draining,
        _ => return Err(Error::Answer("a processor without a status")),
    };
    if field("id") != Some(id) {
        return Err(Error::Answer("a processor with another id"));
    }
    let text = |name, missing| field(name).map(str::to_owned).ok_or(Error::Answer(missing));
    let stats = counters(reply::at(answers, 3)?);
    let stat = |index: usize| stats.get(index).copied();
    let cpu = field("cpu").and_then(|cpu| cpu.parse::<f64>().ok());
    Ok(Some(Processor {
        id: id.to_owned(),
        name: text("name", "a processor without a name")?,
        url: text("url", "a processor without a URL")?,
        capacity: field("capacity")
            .and_then(|value| value.parse().ok())
            .ok_or(Error::Answer("a processor without a capacity"))?,
        epoch: number("epoch").ok_or(Error::Answer("a processor without an epoch"))?,
        status,
        connected_on: number("connected_on").unwrap_or_default(),
        last_seen: number("last_seen").unwrap_or_default(),
        usage: cpu.zip(number("memory")),
        processed: stat(0).unwrap_or_default(),
        failed: stat(1).unwrap_or_default(),
        sum_ms: stat(2).unwrap_or_default(),
        last_ms: stat(3),
        in_flight: reply::number(reply::at(answers, 1)?)?,
        first_lease: reply::scored(reply::at(answers, 2)?)?.pop(),
        held_until: number("held_until").unwrap_or_default(),
        started_at: number("started_at"),
    }))
}
