//! Configuration: all by environment, read once, refused in words. The README's table lists every variable.

mod function;
#[cfg(test)]
mod function_tests;
mod keys;
mod lookup;
mod parse;
mod read;
#[cfg(test)]
mod tests;
mod variables;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use baton_wire::signature::Secrets;
use ipnet::IpNet;

pub use function::{CloudConfig, RedisIam, RedisIamKind};
pub(crate) use keys::digest;
pub use keys::{AccessConfig, Keys};
pub use read::ConfigError;
pub use variables::Variables;

/// Everything that can be configured.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// The store.
    pub redis: RedisConfig,
    /// The local server.
    pub server: ServerConfig,
    /// Logging.
    pub log: LogConfig,
    /// Who may call.
    pub access: AccessConfig,
    /// What signs outgoing calls.
    pub secrets: SecretsConfig,
    /// Where outgoing calls may go.
    pub egress: EgressConfig,
    /// Sizes and numbers.
    pub limits: LimitsConfig,
    /// Health checks.
    pub health: HealthConfig,
    /// Deliveries.
    pub delivery: DeliveryConfig,
    /// How long ended actions are kept.
    pub retention: RetentionConfig,
    /// What functions alone have: the local server refuses every variable of it.
    pub cloud: CloudConfig,
}

/// The store.
#[derive(Clone, Default)]
pub struct RedisConfig {
    /// `REDIS_URL`: `redis://`, `rediss://` or `redis+unix://`, with the password of `REDIS_PASSWORD` in it. Without
    /// it the local server runs its own.
    pub url: Option<String>,
    /// `BATON_REDIS_DURABILITY`: what a server keeps that does not tell it itself.
    pub durability: Option<Durability>,
}

/// What a store keeps when a machine of it crashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// `sync`: a write is on several machines before it is answered.
    Sync,
    /// `async`: a write is copied to other machines after it is answered.
    Async,
    /// `none`: one machine has it, in memory.
    None,
}

impl Durability {
    /// What a crash or failover loses.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Sync => {
                "a write is on several machines before it is answered, as configured: a crash or failover loses \
                 nothing that was accepted"
            }
            Self::Async => {
                "a write is copied to other machines after it is answered, as configured: a failover loses the \
                 last moments"
            }
            Self::None => "one machine, in memory, as configured: a crash loses everything",
        }
    }
}

impl std::fmt::Debug for RedisConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The URL may carry a password.
        let url = self.url.as_ref().map(|_| "redacted");
        f.debug_struct("RedisConfig")
            .field("url", &url)
            .field("durability", &self.durability)
            .finish()
    }
}

/// The local server.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// `BATON_BIND`: where it listens.
    pub bind: SocketAddr,
    /// `BATON_PUBLIC_URL`: where others reach it; from the bound address when unset.
    pub public_url: Option<String>,
    /// `BATON_DATA_DIR`: where it keeps its secrets, and the embedded Redis its data.
    pub data_dir: PathBuf,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            bind: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080),
            public_url: None,
            data_dir: PathBuf::from(".baton"),
        }
    }
}

/// Logging.
#[derive(Debug, Clone)]
pub struct LogConfig {
    /// `BATON_LOG`: what is logged, as `tracing` filters say it.
    pub filter: String,
    /// `BATON_LOG_FORMAT`: `text` or `json`.
    pub format: LogFormat,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { filter: "info".to_owned(), format: LogFormat::Text }
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines, one object a line.
    Json,
}

/// What signs outgoing calls; the local server makes and keeps its own when unset.
#[derive(Debug, Clone, Default)]
pub struct SecretsConfig {
    /// `BATON_PROCESSOR_SECRETS`: calls to processors.
    pub processor: Option<Secrets>,
    /// `BATON_WEBHOOK_SECRETS`: deliveries.
    pub webhook: Option<Secrets>,
}

/// Where outgoing calls may go.
#[derive(Debug, Clone)]
pub struct EgressConfig {
    /// `BATON_PROCESSOR_CIDRS`: networks where processors may be, besides the public internet by https.
    pub processor_cidrs: Vec<IpNet>,
    /// `BATON_RESPONSE_CIDRS`: the same for response URLs.
    pub response_cidrs: Vec<IpNet>,
    /// `BATON_EGRESS_PORTS`: the https ports allowed elsewhere.
    pub ports: Vec<u16>,
    /// `BATON_PROCESSOR_HOSTS`: the only hosts where processors may be elsewhere; empty: any.
    pub processor_hosts: Vec<String>,
    /// `BATON_RESPONSE_HOSTS`: the same for response URLs.
    pub response_hosts: Vec<String>,
}

impl Default for EgressConfig {
    fn default() -> Self {
        let loopback = || {
            vec![
                parse::net([127, 0, 0, 0].into(), 8),
                parse::net(std::net::Ipv6Addr::LOCALHOST.into(), 128),
            ]
        };
        Self {
            processor_cidrs: loopback(),
            response_cidrs: loopback(),
            ports: vec![443, 8443],
            processor_hosts: Vec::new(),
            response_hosts: Vec::new(),
        }
    }
}

/// Sizes and numbers.
#[derive(Debug, Clone)]
pub struct LimitsConfig {
    /// `BATON_MAX_DATA_BYTES`: the longest data item or output, in bytes; at most 4 MiB.
    pub max_data_bytes: usize,
    /// `BATON_MAX_QUEUED`: the most actions without outcome.
    pub max_queued: u64,
    /// `BATON_MAX_QUEUED_PER_HOST`: the most outcomes that wait for one receiver host.
    pub max_queued_per_host: u64,
    /// `BATON_DISPATCH_WAIT_MS`: how long a dispatch waits for an answer, in milliseconds.
    pub dispatch_wait_ms: u64,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            max_data_bytes: 256 * 1024,
            max_queued: 1_000_000,
            max_queued_per_host: 100_000,
            dispatch_wait_ms: 25_000,
        }
    }
}

/// Health checks.
#[derive(Debug, Clone)]
pub struct HealthConfig {
    /// `BATON_HEALTH_INTERVAL_MS`: how often a processor is asked, in milliseconds.
    pub interval_ms: u64,
}

impl Default for HealthConfig {
    fn default() -> Self {
        Self { interval_ms: 10_000 }
    }
}

/// Deliveries.
#[derive(Debug, Clone)]
pub struct DeliveryConfig {
    /// `BATON_DELIVERY_SCHEDULE_MS`: the delays before each send, in milliseconds; the first is 0.
    /// The default is the schedule that Standard Webhooks 1.0 recommends.
    pub schedule_ms: Vec<u64>,
    /// How long one send may take, in milliseconds.
    pub timeout_ms: u64,
}

impl Default for DeliveryConfig {
    fn default() -> Self {
        const SECOND: u64 = 1_000;
        const MINUTE: u64 = 60 * SECOND;
        const HOUR: u64 = 60 * MINUTE;
        Self {
            schedule_ms: vec![
                0,
                5 * SECOND,
                5 * MINUTE,
                30 * MINUTE,
                2 * HOUR,
                5 * HOUR,
                10 * HOUR,
                14 * HOUR,
                20 * HOUR,
                24 * HOUR,
            ],
            timeout_ms: 20 * SECOND,
        }
    }
}

/// How long ended actions are kept.
#[derive(Debug, Clone)]
pub struct RetentionConfig {
    /// `BATON_RETENTION_MS`: how long at most, in milliseconds.
    pub retention_ms: u64,
    /// `BATON_RETENTION_MAX`: how many at most, of those that ended longer ago than `min_age_ms`.
    pub max: u64,
    /// `BATON_RETENTION_MIN_AGE_MS`: how long at least, in milliseconds, while memory is below its mark.
    pub min_age_ms: u64,
}

impl Default for RetentionConfig {
    fn default() -> Self {
        Self { retention_ms: 24 * 3_600_000, max: 100_000, min_age_ms: 600_000 }
    }
}
