//! Configuration: all by environment, read once, refused in words. The README's table lists every variable.

mod lookup;
mod parse;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use baton_wire::signature::Secrets;
use ipnet::IpNet;

use lookup::Lookup;

/// Everything that can be configured.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// The store.
    pub redis: RedisConfig,
    /// The local server.
    pub server: ServerConfig,
    /// Logging.
    pub log: LogConfig,
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
}

/// The store.
#[derive(Clone, Default)]
pub struct RedisConfig {
    /// `REDIS_URL`: `redis://`, `rediss://` or `redis+unix://`. Without it the local server runs its own.
    pub url: Option<String>,
}

impl std::fmt::Debug for RedisConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The URL may carry a password.
        f.debug_struct("RedisConfig").field("url", &self.url.as_ref().map(|_| "redacted")).finish()
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
}

impl Default for EgressConfig {
    fn default() -> Self {
        let loopback = || {
            vec![
                parse::net([127, 0, 0, 0].into(), 8),
                parse::net(std::net::Ipv6Addr::LOCALHOST.into(), 128),
            ]
        };
        Self { processor_cidrs: loopback(), response_cidrs: loopback(), ports: vec![443, 8443] }
    }
}

/// Sizes and numbers.
#[derive(Debug, Clone)]
pub struct LimitsConfig {
    /// `BATON_MAX_DATA_BYTES`: the longest data item or output, in bytes; at most 4 MiB.
    pub max_data_bytes: usize,
    /// `BATON_MAX_QUEUED`: the most actions without outcome.
    pub max_queued: u64,
    /// `BATON_DISPATCH_WAIT_MS`: how long a dispatch waits for an answer, in milliseconds.
    pub dispatch_wait_ms: u64,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self { max_data_bytes: 256 * 1024, max_queued: 1_000_000, dispatch_wait_ms: 25_000 }
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
    /// `BATON_RETENTION_MS`: in milliseconds.
    pub retention_ms: u64,
}

impl Default for RetentionConfig {
    fn default() -> Self {
        Self { retention_ms: 24 * 3_600_000 }
    }
}

/// What is wrong with the environment: every problem, one line each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct ConfigError(Vec<String>);

impl Config {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// Names every variable that is unknown or has a bad value, with the remedy.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn from_env() -> Result<Self, ConfigError> {
        let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        Self::from_lookup(|name| std::env::var(name).ok(), names)
    }

    /// Reads from any lookup; `names` are the variables that are set.
    ///
    /// # Errors
    /// Names every variable that is unknown or has a bad value, with the remedy.
    pub fn from_lookup(
        get: impl Fn(&str) -> Option<String>,
        names: impl IntoIterator<Item = String>,
    ) -> Result<Self, ConfigError> {
        let mut lookup = Lookup::new(get);
        let config = Self::read(&mut lookup);
        lookup.refuse_unknown(names);
        config.refuse_hazards(&mut lookup);
        let problems = lookup.problems();
        if problems.is_empty() { Ok(config) } else { Err(ConfigError(problems)) }
    }

    fn read(l: &mut Lookup<impl Fn(&str) -> Option<String>>) -> Self {
        let d = Self::default();
        Self {
            redis: RedisConfig {
                url: l.read("REDIS_URL", None, |t| parse::redis_url(t).map(Some)),
            },
            server: ServerConfig {
                bind: l.read("BATON_BIND", d.server.bind, parse::address),
                public_url: l.read("BATON_PUBLIC_URL", None, |t| parse::http_url(t).map(Some)),
                data_dir: l.read("BATON_DATA_DIR", d.server.data_dir, |t| Ok(PathBuf::from(t))),
            },
            log: LogConfig {
                filter: l.read("BATON_LOG", d.log.filter, parse::filter),
                format: l.read("BATON_LOG_FORMAT", d.log.format, parse::log_format),
            },
            secrets: SecretsConfig {
                processor: l.read("BATON_PROCESSOR_SECRETS", None, |t| parse::secrets(t).map(Some)),
                webhook: l.read("BATON_WEBHOOK_SECRETS", None, |t| parse::secrets(t).map(Some)),
            },
            egress: EgressConfig {
                processor_cidrs: l.read(
                    "BATON_PROCESSOR_CIDRS",
                    d.egress.processor_cidrs,
                    parse::nets,
                ),
                response_cidrs: l.read(
                    "BATON_RESPONSE_CIDRS",
                    d.egress.response_cidrs,
                    parse::nets,
                ),
                ports: l.read("BATON_EGRESS_PORTS", d.egress.ports, parse::ports),
            },
            limits: LimitsConfig {
                max_data_bytes: l.read("BATON_MAX_DATA_BYTES", d.limits.max_data_bytes, |t| {
                    parse::within(t, 1, 4 * 1024 * 1024)
                }),
                max_queued: l.read("BATON_MAX_QUEUED", d.limits.max_queued, |t| {
                    parse::within(t, 1, u64::MAX)
                }),
                dispatch_wait_ms: l.read(
                    "BATON_DISPATCH_WAIT_MS",
                    d.limits.dispatch_wait_ms,
                    |t| parse::within(t, 100, 25_000),
                ),
            },
            health: HealthConfig {
                interval_ms: l.read("BATON_HEALTH_INTERVAL_MS", d.health.interval_ms, |t| {
                    parse::within(t, 100, 3_600_000)
                }),
            },
            delivery: DeliveryConfig {
                schedule_ms: l.read(
                    "BATON_DELIVERY_SCHEDULE_MS",
                    d.delivery.schedule_ms,
                    parse::schedule,
                ),
                timeout_ms: d.delivery.timeout_ms,
            },
            retention: RetentionConfig {
                retention_ms: l.read("BATON_RETENTION_MS", d.retention.retention_ms, |t| {
                    parse::within(t, 1_000, 365 * 24 * 3_600_000)
                }),
            },
        }
    }

    fn refuse_hazards(&self, l: &mut Lookup<impl Fn(&str) -> Option<String>>) {
        if !self.server.bind.ip().is_loopback() {
            l.problem(
                "BATON_BIND",
                "listens beyond loopback, and requests are not authenticated",
                "bind to 127.0.0.1 and put a proxy that authenticates in front",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let get = |name: &str| {
            pairs.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
        };
        Config::from_lookup(get, pairs.iter().map(|(name, _)| (*name).to_owned()))
    }

    #[test]
    fn an_empty_environment_gives_the_defaults() {
        let config = read(&[("PATH", "/bin"), ("HOME", "/")]).unwrap();
        assert_eq!(config.server.bind.to_string(), "127.0.0.1:8080");
        assert_eq!(config.limits.max_data_bytes, 262_144);
        assert_eq!(config.delivery.schedule_ms[..3], [0, 5_000, 300_000]);
    }

    #[test]
    fn every_variable_is_read() {
        let config = read(&[
            ("REDIS_URL", "rediss://user:secret@cache:6380/0"),
            ("BATON_BIND", "[::1]:0"),
            ("BATON_PUBLIC_URL", "https://baton.example.com/"),
            ("BATON_DATA_DIR", "/var/lib/baton"),
            ("BATON_LOG", "debug,hyper=warn"),
            ("BATON_LOG_FORMAT", "json"),
            ("BATON_PROCESSOR_SECRETS", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
            ("BATON_WEBHOOK_SECRETS", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
            ("BATON_PROCESSOR_CIDRS", "10.0.0.0/8, fd00::/8"),
            ("BATON_RESPONSE_CIDRS", ""),
            ("BATON_EGRESS_PORTS", "443"),
            ("BATON_MAX_DATA_BYTES", "4194304"),
            ("BATON_MAX_QUEUED", "5"),
            ("BATON_DISPATCH_WAIT_MS", "500"),
            ("BATON_HEALTH_INTERVAL_MS", "1000"),
            ("BATON_DELIVERY_SCHEDULE_MS", "0 100 200"),
            ("BATON_RETENTION_MS", "60000"),
        ])
        .unwrap();
        assert_eq!(config.egress.processor_cidrs.len(), 2);
        assert!(config.egress.response_cidrs.is_empty());
        assert_eq!(config.delivery.schedule_ms, [0, 100, 200]);
        assert_eq!(config.server.public_url.as_deref(), Some("https://baton.example.com"));
        let debug = format!("{config:?}");
        assert!(!debug.contains("secret@") && !debug.contains("MfKQ"), "{debug}");
    }

    #[test]
    fn every_problem_is_named_with_its_remedy() {
        let error = read(&[
            ("REDIS_URL", "http://cache"),
            ("BATON_BIND", "0.0.0.0:8080"),
            ("BATON_PUBLIC_URL", "baton.example.com"),
            ("BATON_LOG_FORMAT", "xml"),
            ("BATON_PROCESSOR_SECRETS", "hush"),
            ("BATON_PROCESSOR_CIDRS", "10.0.0.0/40"),
            ("BATON_EGRESS_PORTS", "https"),
            ("BATON_MAX_DATA_BYTES", "9999999"),
            ("BATON_DELIVERY_SCHEDULE_MS", "-1"),
            ("BATON_MAX_DATA", "1"),
        ])
        .unwrap_err()
        .to_string();
        assert_eq!(error.lines().count(), 10, "{error}");
        for part in ["10.0.0.0/40", "`json`", "beyond loopback", "`BATON_MAX_DATA_BYTES`?"] {
            assert!(error.contains(part), "{part}: {error}");
        }
        assert!(!error.contains("hush"), "a secret is shown: {error}");
    }
}
