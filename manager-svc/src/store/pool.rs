//! Connections: clones of one multiplexed connection that reconnects by itself, handed out by deadpool.
//!
//! One connection, because its pipeline merges the calls of many actions into few reads and writes; a pool
//! of many costs the server three times the CPU. No PING at checkout (`recycle` has nothing to ask: the
//! connection reconnects by itself), and explicit timeouts. A cluster is recognised by asking the server.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use deadpool::managed;
use deadpool_redis::redis::aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig};
use deadpool_redis::redis::cluster::ClusterClientBuilder;
use deadpool_redis::redis::cluster_async::ClusterConnection;
use deadpool_redis::redis::cluster_routing::{Route, RoutingInfo, SingleNodeRoutingInfo, SlotAddr};
use deadpool_redis::redis::io::tcp::TcpSettings;
use deadpool_redis::redis::{
    Client, Cmd, ConnectionInfo, ErrorKind, InfoDict, IntoConnectionInfo, Pipeline,
    ProtocolVersion, RedisError, RedisFuture, Value,
};

use super::login::Logins;

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long an answer may take. A script runs for microseconds; this is for a server that went away.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long sent bytes may stay unacknowledged before the connection is given up.
const SILENT_PEER: Duration = Duration::from_secs(5);
/// How many callers may hold a clone at once; more wait. Far above what one process has in flight.
const CHECKOUTS: usize = 16_384;

pub(super) type Pool = managed::Pool<Manager>;

/// A clone of the one connection.
#[derive(Clone)]
pub(super) struct Connection {
    link: Link,
    /// How many connections of this process came before it.
    generation: u64,
}

#[derive(Clone)]
enum Link {
    Standalone(ConnectionManager),
    Cluster(ClusterConnection),
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        match &mut self.link {
            Link::Standalone(connection) => connection.req_packed_command(cmd),
            Link::Cluster(connection) => connection.req_packed_command(cmd),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match &mut self.link {
            Link::Standalone(connection) => connection.req_packed_commands(pipeline, offset, count),
            Link::Cluster(connection) => connection.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        0
    }
}

impl Connection {
    /// Asks the shard that holds a key, for commands that name none.
    pub(super) async fn ask_shard(&mut self, key: &str, cmd: Cmd) -> Result<Value, RedisError> {
        match &mut self.link {
            Link::Standalone(connection) => connection.req_packed_command(&cmd).await,
            Link::Cluster(connection) => {
                let route = Route::with_key(key, SlotAddr::Master);
                let node = SingleNodeRoutingInfo::SpecificNode(route);
                connection.route_command(cmd, RoutingInfo::SingleNode(node)).await
            }
        }
    }
}

/// What deadpool asks for connections.
pub(super) struct Manager {
    current: Mutex<Connection>,
    /// Makes another one, which connects when it is used.
    again: Again,
}

type Again = Box<dyn Fn() -> Result<ConnectionManager, RedisError> + Send + Sync>;

impl Manager {
    fn current(&self) -> Connection {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces a connection whose login was refused. By itself it tries again after an I/O error only, so that one
    /// refusal would be the answer to every command from then on, although the next login may be a good one.
    /// (A cluster's connections do try again.)
    pub(super) fn replace_refused(&self, used: &Connection, error: &RedisError) {
        if error.kind() != ErrorKind::AuthenticationFailed {
            return;
        }
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.generation != used.generation || matches!(current.link, Link::Cluster(_)) {
            return;
        }
        // Fails only for settings that would have failed at the start.
        if let Ok(connection) = (self.again)() {
            let generation = current.generation + 1;
            *current = Connection { link: Link::Standalone(connection), generation };
        }
    }
}

impl managed::Manager for Manager {
    type Type = Connection;
    type Error = RedisError;

    async fn create(&self) -> Result<Connection, RedisError> {
        Ok(self.current())
    }

    async fn recycle(
        &self,
        connection: &mut Connection,
        _: &managed::Metrics,
    ) -> managed::RecycleResult<RedisError> {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.generation != connection.generation {
            *connection = current.clone();
        }
        Ok(())
    }
}

/// Connects to a standalone server or, when the server says that it is part of one, a cluster. `logins` are asked
/// at each connect instead of what the URL says.
pub(super) async fn connect(url: &str, logins: Option<Logins>) -> Result<(Pool, bool), RedisError> {
    let tcp = TcpSettings::default()
        .set_nodelay(true)
        // A peer that vanished without a word must not be waited for.
        .set_user_timeout(SILENT_PEER);
    let info: ConnectionInfo = url.into_connection_info()?.set_tcp_settings(tcp);
    // Whatever the URL asks for: answers are read as the older protocol gives them.
    let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP2);
    let info = info.set_redis_settings(settings);
    let client = Client::open(info.clone())?;
    let mut config = ConnectionManagerConfig::new()
        .set_connection_timeout(Some(CONNECT_TIMEOUT))
        .set_response_timeout(Some(RESPONSE_TIMEOUT))
        .set_number_of_retries(1)
        .set_max_delay(Duration::from_millis(500));
    if let Some(logins) = logins.clone() {
        config = config.set_credentials_provider(logins);
    }
    let again: Again =
        Box::new(move || ConnectionManager::new_lazy_with_config(client.clone(), config.clone()));
    let mut connection = again()?;
    let mut ask = Cmd::new();
    ask.arg("INFO");
    let answer: InfoDict = ask.query_async(&mut connection).await?;
    require_new_enough(&answer.get::<String>("redis_version").unwrap_or_default())?;
    let cluster = answer.get::<i32>("cluster_enabled") == Some(1);
    let link = if cluster {
        let mut builder = ClusterClientBuilder::new([info])
            .connection_timeout(CONNECT_TIMEOUT)
            .response_timeout(RESPONSE_TIMEOUT)
            .retries(3);
        if let Some(logins) = logins {
            builder = builder.set_credentials_provider(logins);
        }
        Link::Cluster(builder.build()?.get_async_connection().await?)
    } else {
        Link::Standalone(connection)
    };
    let current = Mutex::new(Connection { link, generation: 0 });
    let pool = Pool::builder(Manager { current, again }).max_size(CHECKOUTS).build();
    // Building fails only when a timeout is set without a runtime, and none is set.
    let pool = pool.map_err(|error| std::io::Error::other(error.to_string()))?;
    Ok((pool, cluster))
}

/// The scripts need what came with Redis 7.0; Valkey tells the version of Redis that it is compatible with.
fn require_new_enough(version: &str) -> Result<(), RedisError> {
    let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major.is_some_and(|major| major >= 7) {
        return Ok(());
    }
    let told =
        format!("it says `{version:.32}`; Redis 7.0 or Valkey 7.2 is the oldest that will do");
    Err((ErrorKind::Client, "the server is too old", told).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_is_too_old_is_refused_in_words() {
        for version in ["7.0.0", "7.2.4", "8.0.1", "10.1"] {
            assert!(require_new_enough(version).is_ok(), "{version}");
        }
        for version in ["6.2.14", "", "unstable"] {
            let error = require_new_enough(version).unwrap_err().to_string();
            assert!(error.contains(version) && error.contains("7.0"), "{error}");
        }
    }
}
