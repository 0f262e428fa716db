//! One Redis server process.

use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use redis::FromRedisValue;
use redis::aio::MultiplexedConnection;

use crate::child::Child;
use crate::data_dir::DataDir;
use crate::wait::Patience;

/// How often a server is started on other ports before it counts as broken.
const TRIES: usize = 5;

/// Which settings a server is started with, apart from those every test needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Nothing is written to disk.
    Volatile,
    /// An append-only file, synchronised every second, as the embedded default has.
    Durable,
    /// The same, synchronised before anything is answered.
    Synchronous,
    /// One shard of a cluster.
    Shard,
}

/// A server with its process and directory.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) process: Child,
    pub(crate) port: u16,
    pub(crate) bus_port: u16,
    mode: Mode,
    dir: DataDir,
}

impl Node {
    pub(crate) async fn start(mode: Mode) -> Self {
        for _ in 0..TRIES {
            let (port, bus_port) = (free_port(), free_port());
            let dir = DataDir::new();
            let process = launch(mode, port, bus_port, &dir);
            let mut node = Self { process, port, bus_port, mode, dir };
            if node.comes_up().await {
                return node;
            }
        }
        panic!("redis-server does not start; is it on PATH?")
    }

    pub(crate) async fn restart(&mut self) {
        self.process.kill9();
        self.process = launch(self.mode, self.port, self.bus_port, &self.dir);
        assert!(self.comes_up().await, "Redis does not start again:\n{}", self.process.log());
    }

    /// Whether it answers; no, when it exits instead, as it does when a port was taken meanwhile.
    /// The socket is asked, which is in a directory of its own: on the port somebody else might.
    async fn comes_up(&mut self) -> bool {
        let client = redis::Client::open(self.socket_url()).expect("a socket's URL");
        let mut patience = Patience::new("Redis answers or exits");
        while self.process.status().is_none() {
            if let Ok(mut connection) = client.get_multiplexed_async_connection().await {
                let pong = redis::cmd("PING").query_async::<String>(&mut connection).await;
                if pong.is_ok() {
                    return true;
                }
            }
            patience.pause().await;
        }
        false
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn socket_url(&self) -> String {
        format!("redis+unix://{}", self.dir.file("socket").display())
    }

    pub(crate) async fn connect(&self) -> redis::RedisResult<MultiplexedConnection> {
        let client = redis::Client::open(self.url())?;
        let config = redis::AsyncConnectionConfig::new()
            .set_connection_timeout(Some(Duration::from_secs(5)))
            .set_response_timeout(Some(Duration::from_secs(30)));
        client.get_multiplexed_async_connection_with_config(&config).await
    }

    pub(crate) async fn query<T: FromRedisValue>(&self, parts: &[&str]) -> redis::RedisResult<T> {
        let mut connection = self.connect().await?;
        let mut command = redis::Cmd::new();
        command.arg(parts);
        command.query_async(&mut connection).await
    }
}

fn launch(mode: Mode, port: u16, bus_port: u16, dir: &DataDir) -> Child {
    let mut command = Command::new("redis-server");
    let port = port.to_string();
    command.args(["--port", &port, "--bind", "127.0.0.1", "--unixsocket", "socket"]);
    command.args(["--save", "", "--loglevel", "notice", "--dir"]).arg(dir.path());
    match mode {
        Mode::Volatile => command.args(["--appendonly", "no"]),
        // As the embedded Redis is set up.
        Mode::Durable | Mode::Synchronous => command
            .args(["--appendonly", "yes", "--appendfsync"])
            .arg(if mode == Mode::Synchronous { "always" } else { "everysec" })
            .args(["--auto-aof-rewrite-min-size", "512mb", "--rdbcompression", "no"])
            .args(["--latency-tracking", "no"]),
        Mode::Shard => command
            .args(["--appendonly", "no", "--cluster-enabled", "yes", "--cluster-port"])
            .arg(bus_port.to_string()),
    };
    command.current_dir(dir.path());
    Child::spawn("redis-server", &mut command, &dir.file("redis.log"))
}

/// A loopback port that was free a moment ago.
fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free loopback port");
    listener.local_addr().expect("a bound listener has an address").port()
}
