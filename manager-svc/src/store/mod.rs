//! The store: Redis, and nothing else knows it.
//!
//! An action's record is a HASH; where it stands is exactly one entry in one ZSET:
//!
//! ```text
//! delayed ──due──► input:<target> ──claim──► pending:<processor> ──settle──► input:<next> … done | failed
//!    ▲                 (by sequence)             (by lease)    │                        └► output:<host>
//!    └────────────────────── retry ────────────────────────────┘                             (by due time)
//! ```
//!
//! Every transition is one script, named for what it does, and sent in one pipeline with the payload it
//! makes current. Scripts answer small integers that become enums here: an expected refusal is a value.
//! Each may be sent again after a dropped connection: it answers as it did the first time.

mod claim;
mod codec;
mod deliver;
mod end;
mod forget;
mod invariants;
mod keys;
mod lease;
mod list;
mod login;
mod look;
mod marks;
mod pool;
mod processors;
mod read;
mod repair;
mod reply;
mod script;
mod settle;
mod submit;
mod ticker;

use std::sync::Arc;
use std::time::Instant;

use deadpool_redis::redis::aio::ConnectionLike;
use deadpool_redis::redis::{Cmd, ErrorKind, Pipeline, RedisError, ServerErrorKind, Value};
use tokio::sync::Mutex;

pub use claim::{Assignment, Candidate, ClaimAsk, Claimed, Claims, HandOver};
pub use codec::CodecError;
pub use deliver::{ClaimedDelivery, DeliveryAsk, DeliveryEnd};
pub use forget::{Ended, Oldest, REMEMBERED_MS, Remains};
pub use invariants::Violation;
pub use lease::Back;
pub use list::{Begin, Index, Place};
pub use login::{Issue, Login, LoginError, Logins};
pub use look::{Heads, Look};
pub use marks::{MARKS_LAST_MS, Marks, Memory};
pub use processors::{
    CheckAsk, Checked, Drained, Found, Processor, ProcessorStatus, Registered, Registration, Seen,
    Switch, Switched,
};
pub use read::{QueueSizes, StoreInfo};
pub use repair::{Reconciler, RepairRules, Repaired};
pub use settle::{Advanced, Ending, Finished, Output, Settled, StepEnd, Why};
pub use submit::{IdempotencyKey, NewAction, Submitted};

/// How many items one script may take.
pub const BATCH: usize = 100;

/// What went wrong between us and the store. An expected refusal is a value, never one of these.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Redis cannot be reached, or did not answer in time; what was sent may have been done.
    #[error("the store is away: {0}")]
    Away(#[source] RedisError),
    /// Redis refuses writes: its memory is full.
    #[error("the store is full: {0}")]
    Full(#[source] RedisError),
    /// Redis answered with an error, which points to a bug or a wrong server.
    #[error("the store refused a command: {0}")]
    Refused(#[source] RedisError),
    /// Redis answered something that a script never returns.
    #[error("the store answered what nobody understands: {0}")]
    Answer(&'static str),
    /// A stored record does not read back.
    #[error(transparent)]
    Record(#[from] CodecError),
}

impl From<RedisError> for Error {
    fn from(error: RedisError) -> Self {
        if error.code() == Some("OOM") {
            Self::Full(error)
        } else if error.is_io_error()
            || error.is_timeout()
            || error.is_connection_dropped()
            || error.is_connection_refusal()
            || error.is_cluster_error()
            || error.kind() == ErrorKind::ClusterConnectionNotFound
            // The next login may be a good one: keys are rotated, tokens are renewed.
            || error.kind() == ErrorKind::AuthenticationFailed
            || matches!(
                error.code(),
                Some(
                    "LOADING"
                        | "MISCONF"
                        | "NOREPLICAS"
                        | "BUSY"
                        | "CLUSTERDOWN"
                        | "MASTERDOWN"
                        | "READONLY"
                        | "TRYAGAIN"
                )
            )
        {
            Self::Away(error)
        } else {
            Self::Refused(error)
        }
    }
}

/// A connection pool and the scripts. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pool: pool::Pool,
    cluster: bool,
    /// When the scripts were last loaded.
    loaded: Arc<Mutex<Instant>>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("cluster", &self.cluster).finish_non_exhaustive()
    }
}

impl Store {
    /// Connects, and loads the scripts.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses the URL's credentials.
    pub async fn connect(url: &str) -> Result<Self, Error> {
        Self::connect_as(url, None).await
    }

    /// Connects with logins that are issued for a short time, instead of what the URL says, and loads the scripts.
    ///
    /// # Errors
    /// When the server cannot be reached, none was issued, or the server refuses it.
    pub async fn connect_as(url: &str, logins: Option<Logins>) -> Result<Self, Error> {
        let (pool, cluster) = pool::connect(url, logins).await?;
        let loaded = Arc::new(Mutex::new(Instant::now()));
        let store = Self { pool, cluster, loaded };
        store.load_scripts().await?;
        Ok(store)
    }

    /// Whether the store is reached, by a round trip.
    ///
    /// # Errors
    /// When it is not.
    pub async fn ping(&self) -> Result<(), Error> {
        self.clock().await.map(|_| ())
    }

    /// The store's clock, in milliseconds since the Unix epoch.
    ///
    /// # Errors
    /// When the store is away.
    pub async fn clock(&self) -> Result<u64, Error> {
        let value = self.one(script::READ_CLOCK.call(&[keys::SEQ])).await?;
        reply::number(&value)
    }

    async fn load_scripts(&self) -> Result<(), Error> {
        let mut connection = self.checkout().await?;
        for (_, script) in script::ALL {
            // One by one: on a cluster each goes to every primary.
            let loaded = connection.req_packed_command(&script.load()).await;
            loaded.map_err(|error| self.failed(&connection, error))?;
        }
        Ok(())
    }

    async fn checkout(&self) -> Result<deadpool::managed::Object<pool::Manager>, Error> {
        use deadpool::managed::PoolError;
        self.pool.get().await.map_err(|error| match error {
            PoolError::Backend(error) => Error::from(error),
            _ => Error::Answer("the pool is closed"),
        })
    }

    /// Sends one command.
    async fn one(&self, cmd: Cmd) -> Result<Value, Error> {
        let mut pipeline = Pipeline::with_capacity(1);
        pipeline.add_command(cmd);
        let mut answers = self.all(&pipeline).await?;
        let answer = answers.pop().ok_or(Error::Answer("no answer"))?;
        reply::checked(answer)
    }

    /// Asks the shard that holds everything, for commands without a key.
    async fn ask(&self, words: &[&str]) -> Result<Value, Error> {
        let mut cmd = Cmd::new();
        for word in words {
            cmd.arg(word);
        }
        let mut connection = self.checkout().await?;
        let answer = connection.ask_shard(keys::SEQ, cmd).await;
        answer.map_err(|error| self.failed(&connection, error))
    }

    /// Sends commands in one write; errors stay inside the answers, so that one refused command does not
    /// hide what the others did.
    async fn all(&self, pipeline: &Pipeline) -> Result<Vec<Value>, Error> {
        let count = pipeline.len();
        let mut connection = self.checkout().await?;
        let sent = Instant::now();
        let answers = connection.req_packed_commands(pipeline, 0, count).await;
        let answers = answers.map_err(|error| self.failed(&connection, error))?;
        if !answers.iter().any(forgotten) {
            return Ok(answers);
        }
        // A server that restarted, failed over or flushed its scripts. The first of those who find out loads
        // them, the others wait. All of it may be sent again: what did run answers as it did.
        let mut loaded = self.loaded.lock().await;
        if *loaded < sent {
            self.load_scripts().await?;
            *loaded = Instant::now();
        }
        drop(loaded);
        let answers = connection.req_packed_commands(pipeline, 0, count).await;
        answers.map_err(|error| self.failed(&connection, error))
    }

    /// Notes what went wrong on a connection.
    fn failed(&self, connection: &pool::Connection, error: RedisError) -> Error {
        self.pool.manager().replace_refused(connection, &error);
        error.into()
    }

    /// Sends payloads, then the transition that needs them, in one write; answers the transition's reply.
    /// A payload that could not be written is found missing by the transition.
    async fn with_payloads(&self, payloads: Vec<Cmd>, transition: Cmd) -> Result<Value, Error> {
        let mut pipeline = Pipeline::with_capacity(payloads.len() + 1);
        for payload in payloads {
            pipeline.add_command(payload);
        }
        pipeline.add_command(transition);
        let mut answers = self.all(&pipeline).await?;
        reply::checked(answers.pop().ok_or(Error::Answer("no answer"))?)
    }
}

fn forgotten(value: &Value) -> bool {
    match value {
        Value::ServerError(error) => error.kind() == Some(ServerErrorKind::NoScript),
        _ => false,
    }
}

/// Writes a payload under its own name. `NX`: sent again, it must not put a TTL on a payload in use.
fn set_payload(key: &str, data: &[u8]) -> Cmd {
    let mut cmd = Cmd::with_capacity(6, key.len() + data.len() + 32);
    cmd.arg("SET").arg(key).arg(data).arg("NX").arg("PX").arg(600_000);
    cmd
}
