//! The way to Redis: the connections, the scripts that the server knows, and sending.

use std::sync::Arc;
use std::time::Instant;

use deadpool_redis::redis::aio::ConnectionLike;
use deadpool_redis::redis::{Cmd, Pipeline, RedisError, ServerErrorKind, Value};
use tokio::sync::Mutex;

use super::login::Logins;
use super::{Error, keys, pool, reply, script};

/// A connection pool and the scripts. Cheap to clone.
#[derive(Clone)]
pub(super) struct Link {
    pool: pool::Pool,
    cluster: bool,
    /// When the scripts were last loaded.
    loaded: Arc<Mutex<Instant>>,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("cluster", &self.cluster).finish_non_exhaustive()
    }
}

impl Link {
    /// Connects, and loads the scripts.
    pub(super) async fn connect(url: &str, logins: Option<Logins>) -> Result<Self, Error> {
        let (pool, cluster) = pool::connect(url, logins).await?;
        let link = Self { pool, cluster, loaded: Arc::new(Mutex::new(Instant::now())) };
        link.load_scripts().await?;
        Ok(link)
    }

    /// Whether the server is one of a cluster.
    pub(super) fn is_cluster(&self) -> bool {
        self.cluster
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
    pub(super) async fn one(&self, cmd: Cmd) -> Result<Value, Error> {
        let mut pipeline = Pipeline::with_capacity(1);
        pipeline.add_command(cmd);
        let mut answers = self.all(&pipeline).await?;
        let answer = answers.pop().ok_or(Error::Answer("no answer"))?;
        reply::checked(answer)
    }

    /// Asks the shard that holds everything, for commands without a key.
    pub(super) async fn ask(&self, words: &[&str]) -> Result<Value, Error> {
        let mut cmd = Cmd::new();
        for word in words {
            cmd.arg(word);
        }
        let mut connection = self.checkout().await?;
        let answer = connection.ask_shard(keys::SEQ, cmd).await;
        reply::checked(answer.map_err(|error| self.failed(&connection, error))?)
    }

    /// Sends commands in one write; errors stay inside the answers, so that one refused command does not
    /// hide what the others did.
    pub(super) async fn all(&self, pipeline: &Pipeline) -> Result<Vec<Value>, Error> {
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
}

fn forgotten(value: &Value) -> bool {
    match value {
        Value::ServerError(error) => error.kind() == Some(ServerErrorKind::NoScript),
        _ => false,
    }
}
