//! Redis servers of a test's own: one, or a cluster of three shards.

use redis::{ErrorKind, FromRedisValue, ServerErrorKind};

use crate::keyspace::Keyspace;
use crate::node::{Mode, Node};
use crate::wait::Patience;

/// The shards of a cluster.
const SHARDS: u16 = 3;
/// The slots of a cluster.
const SLOTS: u16 = 16_384;
/// A Redis server, or a cluster of three, that dies with this value.
#[derive(Debug)]
pub struct Redis {
    nodes: Vec<Node>,
}

impl Redis {
    /// A single server that keeps nothing on disk.
    pub async fn start() -> Self {
        Self { nodes: vec![Node::start(Mode::Volatile).await] }
    }

    /// A single server with the settings of the embedded default: an append-only file.
    pub async fn durable() -> Self {
        Self { nodes: vec![Node::start(Mode::Durable).await] }
    }

    /// A single server that answers a write only when it is on the disk.
    pub async fn synchronous() -> Self {
        Self { nodes: vec![Node::start(Mode::Synchronous).await] }
    }

    /// A cluster of three shards without replicas, ready for every key.
    pub async fn cluster() -> Self {
        let mut nodes = Vec::new();
        for _ in 0..SHARDS {
            nodes.push(Node::start(Mode::Shard).await);
        }
        let cluster = Self { nodes };
        cluster.join().await;
        cluster
    }

    /// What the whole suite runs on: a cluster when `KIT_STORE=cluster`, else a single server.
    pub async fn any() -> Self {
        if std::env::var("KIT_STORE").is_ok_and(|store| store == "cluster") {
            return Self::cluster().await;
        }
        Self::start().await
    }

    /// Whether it is a cluster.
    #[must_use]
    pub fn is_cluster(&self) -> bool {
        self.nodes.len() > 1
    }

    /// Its URL, for `REDIS_URL`: one shard names the others.
    #[must_use]
    pub fn url(&self) -> String {
        self.nodes[0].url()
    }

    /// The URL of the Unix socket of a single server.
    #[must_use]
    pub fn socket_url(&self) -> String {
        assert!(!self.is_cluster(), "a cluster has several sockets");
        self.nodes[0].socket_url()
    }

    /// The port of a single server.
    #[must_use]
    pub fn port(&self) -> u16 {
        assert!(!self.is_cluster(), "a cluster has several ports");
        self.nodes[0].port
    }

    /// The ports of all its servers; the first is the one that its URL names.
    pub(crate) fn ports(&self) -> Vec<u16> {
        self.nodes.iter().map(|node| node.port).collect()
    }

    /// Runs a command on every server, for settings.
    pub async fn on_every_server(&self, parts: &[&str]) {
        for node in &self.nodes {
            let answer = node.query::<redis::Value>(parts).await;
            answer.unwrap_or_else(|error| panic!("{parts:?}: {error}"));
        }
    }

    /// The process id of a single server.
    #[must_use]
    pub fn pid(&self) -> u32 {
        assert!(!self.is_cluster(), "a cluster has several processes");
        self.nodes[0].process.pid()
    }

    /// Stops every server where it stands (SIGSTOP): connections stay, answers do not come.
    pub fn pause(&self) {
        self.nodes.iter().for_each(|node| node.process.pause());
    }

    /// Lets the servers go on.
    pub fn resume(&self) {
        self.nodes.iter().for_each(|node| node.process.resume());
    }

    /// Kills the servers; their ports refuse connections from now on.
    pub fn kill9(&mut self) {
        self.nodes.iter_mut().for_each(|node| node.process.kill9());
    }

    /// Starts a killed single server again on its port, with what its append-only file holds.
    pub async fn restart(&mut self) {
        assert!(!self.is_cluster(), "only a single server is restarted");
        self.nodes[0].restart().await;
    }

    /// Runs a command. On a cluster the shard that owns its key answers.
    pub async fn query<T: FromRedisValue>(&self, parts: &[&str]) -> T {
        self.try_query(parts).await.unwrap_or_else(|error| panic!("{parts:?}: {error}"))
    }

    /// Runs a command.
    ///
    /// # Errors
    /// What Redis answers.
    pub async fn try_query<T: FromRedisValue>(&self, parts: &[&str]) -> redis::RedisResult<T> {
        let mut answer = None;
        for node in &self.nodes {
            let next = node.query(parts).await;
            let moved = next
                .as_ref()
                .is_err_and(|error| error.kind() == ErrorKind::Server(ServerErrorKind::Moved));
            if !moved {
                return next;
            }
            answer = Some(next);
        }
        answer.expect("there is at least one node")
    }

    /// Everything it holds.
    pub async fn keyspace(&self) -> Keyspace {
        let mut all = Keyspace::default();
        for node in &self.nodes {
            all.add(&mut node.connect().await.expect("Redis can be reached")).await;
        }
        all
    }

    /// A number from `INFO stats`, as `total_reads_processed`, summed over the nodes.
    pub async fn stat(&self, name: &str) -> u64 {
        let mut sum = 0;
        for node in &self.nodes {
            let info: String =
                node.query(&["INFO", "stats"]).await.expect("Redis describes itself");
            let value = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            let value: u64 =
                value.and_then(|text| text.trim().parse().ok()).expect("a known number");
            sum += value;
        }
        sum
    }

    async fn join(&self) {
        let step = SLOTS / SHARDS;
        for (index, node) in (0..SHARDS).zip(&self.nodes) {
            let first = index * step;
            let last = if index + 1 == SHARDS { SLOTS - 1 } else { first + step - 1 };
            let (first, last) = (first.to_string(), last.to_string());
            let () =
                node.query(&["CLUSTER", "ADDSLOTSRANGE", &first, &last]).await.expect("its slots");
            let epoch = (index + 1).to_string();
            let () = node.query(&["CLUSTER", "SET-CONFIG-EPOCH", &epoch]).await.expect("its epoch");
        }
        for node in &self.nodes[1..] {
            let (port, bus) = (node.port.to_string(), node.bus_port.to_string());
            let meet = ["CLUSTER", "MEET", "127.0.0.1", &port, &bus];
            let () = self.nodes[0].query(&meet).await.expect("a node can be met");
        }
        for node in &self.nodes {
            let known = format!("cluster_known_nodes:{SHARDS}\r");
            let mut patience = Patience::new("the cluster is complete");
            loop {
                let info: String = node.query(&["CLUSTER", "INFO"]).await.unwrap_or_default();
                if info.contains("cluster_state:ok") && info.contains(&known) {
                    break;
                }
                patience.pause().await;
            }
        }
    }
}
