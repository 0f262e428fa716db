//! Connections: clones of one multiplexed connection that reconnects by itself, handed out by deadpool.
//!
//! One connection, because its pipeline merges the calls of many actions into few reads and writes; a pool
//! of many costs the server three times the CPU. No PING at checkout (`recycle` has nothing to ask: the
//! connection reconnects by itself), and explicit timeouts. A cluster is recognised by asking the server.

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
pub(super) enum Connection {
    Standalone(ConnectionManager),
    Cluster(ClusterConnection),
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Standalone(connection) => connection.req_packed_command(cmd),
            Self::Cluster(connection) => connection.req_packed_command(cmd),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Standalone(connection) => connection.req_packed_commands(pipeline, offset, count),
            Self::Cluster(connection) => connection.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        0
    }
}

impl Connection {
    /// Asks the shard that holds a key, for commands that name none.
    pub(super) async fn ask_shard(&mut self, key: &str, cmd: Cmd) -> Result<Value, RedisError> {
        match self {
            Self::Standalone(connection) => connection.req_packed_command(&cmd).await,
            Self::Cluster(connection) => {
                let route = Route::with_key(key, SlotAddr::Master);
                let node = SingleNodeRoutingInfo::SpecificNode(route);
                connection.route_command(cmd, RoutingInfo::SingleNode(node)).await
            }
        }
    }
}

/// What deadpool asks for connections.
pub(super) struct Manager {
    connection: Connection,
}

impl managed::Manager for Manager {
    type Type = Connection;
    type Error = RedisError;

    async fn create(&self) -> Result<Connection, RedisError> {
        Ok(self.connection.clone())
    }

    async fn recycle(
        &self,
        _: &mut Connection,
        _: &managed::Metrics,
    ) -> managed::RecycleResult<RedisError> {
        Ok(())
    }
}

/// Connects to a standalone server or, when the server says that it is part of one, a cluster.
pub(super) async fn connect(url: &str) -> Result<(Pool, bool), RedisError> {
    let tcp = TcpSettings::default()
        .set_nodelay(true)
        // A peer that vanished without a word must not be waited for.
        .set_user_timeout(SILENT_PEER);
    let info: ConnectionInfo = url.into_connection_info()?.set_tcp_settings(tcp);
    // Whatever the URL asks for: answers are read as the older protocol gives them.
    let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP2);
    let info = info.set_redis_settings(settings);
    let client = Client::open(info.clone())?;
    let config = ConnectionManagerConfig::new()
        .set_connection_timeout(Some(CONNECT_TIMEOUT))
        .set_response_timeout(Some(RESPONSE_TIMEOUT))
        .set_number_of_retries(1)
        .set_max_delay(Duration::from_millis(500));
    let mut connection = ConnectionManager::new_with_config(client, config).await?;
    let mut ask = Cmd::new();
    ask.arg("INFO");
    let answer: InfoDict = ask.query_async(&mut connection).await?;
    require_new_enough(&answer.get::<String>("redis_version").unwrap_or_default())?;
    let cluster = answer.get::<i32>("cluster_enabled") == Some(1);
    let connection = if cluster {
        let client = ClusterClientBuilder::new([info])
            .connection_timeout(CONNECT_TIMEOUT)
            .response_timeout(RESPONSE_TIMEOUT)
            .retries(3)
            .build()?;
        Connection::Cluster(client.get_async_connection().await?)
    } else {
        Connection::Standalone(connection)
    };
    let pool = Pool::builder(Manager { connection }).max_size(CHECKOUTS).build();
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
