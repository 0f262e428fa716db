//! From variables to a [`Config`]: which variable each value has, and what it may be.

use super::lookup::Lookup;
use super::{
    AccessConfig, CloudConfig, Config, DeliveryConfig, EgressConfig, HealthConfig, LimitsConfig,
    LogConfig, RedisConfig, RetentionConfig, SecretsConfig, ServerConfig, Variables, parse,
};

/// What is wrong with the environment: every problem, one line each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct ConfigError(pub(super) Vec<String>);

impl Config {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// Names every variable that is unknown or has a bad value, with the remedy.
    pub fn from_env() -> Result<Self, ConfigError> {
        let variables = Variables::of_process();
        Self::from_lookup(|name| variables.get(name).map(str::to_owned), variables.names())
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
        let config = Self::read(&mut lookup, Self::default());
        lookup.refuse_foreign(CloudConfig::NAMES, "is for functions, not for the local server");
        lookup.refuse_unknown(names);
        config.refuse_hazards(&mut lookup);
        let problems = lookup.problems();
        if problems.is_empty() { Ok(config) } else { Err(ConfigError(problems)) }
    }

    /// Reads what the server and functions share; `d` are the values of what is not set.
    pub(super) fn read(l: &mut Lookup<impl Fn(&str) -> Option<String>>, d: Self) -> Self {
        Self {
            redis: RedisConfig {
                url: Self::redis_url(l),
                durability: l
                    .read("BATON_REDIS_DURABILITY", None, |t| parse::durability(t).map(Some)),
            },
            server: ServerConfig {
                bind: l.read("BATON_BIND", d.server.bind, parse::address),
                public_url: l.read("BATON_PUBLIC_URL", None, |t| parse::http_url(t).map(Some)),
                data_dir: l.read("BATON_DATA_DIR", d.server.data_dir, parse::directory),
            },
            log: LogConfig {
                filter: l.read("BATON_LOG", d.log.filter, parse::filter),
                format: l.read("BATON_LOG_FORMAT", d.log.format, parse::log_format),
            },
            access: AccessConfig::read(l),
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
                processor_hosts: l.read("BATON_PROCESSOR_HOSTS", Vec::new(), parse::hosts),
                response_hosts: l.read("BATON_RESPONSE_HOSTS", Vec::new(), parse::hosts),
            },
            limits: LimitsConfig {
                max_data_bytes: l.read("BATON_MAX_DATA_BYTES", d.limits.max_data_bytes, |t| {
                    parse::within(t, 1, 4 * 1024 * 1024)
                }),
                max_queued: l.read("BATON_MAX_QUEUED", d.limits.max_queued, |t| {
                    parse::within(t, 1, u64::MAX)
                }),
                max_queued_per_host: l.read(
                    "BATON_MAX_QUEUED_PER_HOST",
                    d.limits.max_queued_per_host,
                    |t| parse::within(t, 1, u64::MAX),
                ),
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
            retention: Self::retention(l, &d.retention),
            cloud: d.cloud,
        }
    }

    fn redis_url(l: &mut Lookup<impl Fn(&str) -> Option<String>>) -> Option<String> {
        let url = l.read("REDIS_URL", None, |t| parse::redis_url(t).map(Some));
        let password = l.read("REDIS_PASSWORD", None, |t| parse::password(t).map(Some));
        match (url, password) {
            (Some(url), Some(password)) => {
                parse::with_password(&url, &password).map(Some).unwrap_or_else(|problem| {
                    l.problem("REDIS_PASSWORD", problem, "write it into REDIS_URL alone");
                    None
                })
            }
            (None, Some(_)) => {
                l.problem("REDIS_PASSWORD", "is set without REDIS_URL", "set both or neither");
                None
            }
            (url, None) => url,
        }
    }

    fn retention(
        l: &mut Lookup<impl Fn(&str) -> Option<String>>,
        d: &RetentionConfig,
    ) -> RetentionConfig {
        const YEAR: u64 = 365 * 24 * 3_600_000;
        let retention_ms =
            l.read("BATON_RETENTION_MS", d.retention_ms, |t| parse::within(t, 1_000, YEAR));
        RetentionConfig {
            retention_ms,
            max: l.read("BATON_RETENTION_MAX", d.max, |t| parse::within(t, 0, u64::MAX)),
            // Whoever says only how long at most has not said that it is longer at least.
            min_age_ms: l.read("BATON_RETENTION_MIN_AGE_MS", d.min_age_ms.min(retention_ms), |t| {
                parse::within(t, 0, YEAR)
            }),
        }
    }

    pub(super) fn refuse_hazards(&self, l: &mut Lookup<impl Fn(&str) -> Option<String>>) {
        self.access.refuse_shared(l);
        if self.access.is_open() && !self.server.bind.ip().is_loopback() {
            l.problem(
                "BATON_BIND",
                "listens beyond loopback, where without keys anybody may do everything",
                "set BATON_CALLER_KEYS, BATON_OPERATOR_KEYS and BATON_PROCESSOR_KEYS, or bind to 127.0.0.1",
            );
        }
        if self.retention.min_age_ms > self.retention.retention_ms {
            l.problem(
                "BATON_RETENTION_MIN_AGE_MS",
                "is above BATON_RETENTION_MS, after which ended actions are forgotten",
                "lower it, or raise BATON_RETENTION_MS",
            );
        }
    }
}
