//! What is different for a function: it makes nothing up, keeps nothing, and finds its secrets elsewhere.

use super::lookup::Lookup;
use super::{Config, ConfigError, LogConfig, LogFormat, Variables, parse};

/// The longest data item of a function, in bytes: escaped into an event, it may take twice as many, and Lambda
/// carries 6 MB.
const MAX_DATA_BYTES: usize = 5 * 1024 * 1024 / 2;

/// What functions alone have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CloudConfig {
    /// `BATON_SECRET_ARN`: a secret whose fields are variables.
    pub secret_arn: Option<String>,
    /// `BATON_REDIS_IAM_…`: Redis is logged in to with a signed token.
    pub redis_iam: Option<RedisIam>,
    /// `BATON_TICK_FUNCTION`: the function that a nudge invokes; without it only the cron starts ticks.
    pub tick_function: Option<String>,
}

/// Who logs in to Redis with a signed token, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisIam {
    /// `BATON_REDIS_IAM_USER`: the user's id.
    pub user: String,
    /// `BATON_REDIS_IAM_CACHE`: the name of the cache, replication group or cluster.
    pub cache: String,
    /// `BATON_REDIS_IAM_KIND`: which service it is of.
    pub kind: RedisIamKind,
}

/// A service that takes signed tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedisIamKind {
    /// `elasticache`: ElastiCache with nodes.
    ElastiCache,
    /// `elasticache-serverless`: ElastiCache Serverless.
    ElastiCacheServerless,
    /// `memorydb`: MemoryDB.
    MemoryDb,
}

impl CloudConfig {
    /// Its variables.
    pub(super) const NAMES: &[&'static str] = &[
        "BATON_SECRET_ARN",
        "BATON_REDIS_IAM_USER",
        "BATON_REDIS_IAM_CACHE",
        "BATON_REDIS_IAM_KIND",
        "BATON_TICK_FUNCTION",
    ];

    fn read(l: &mut Lookup<impl Fn(&str) -> Option<String>>) -> Self {
        let text = |text: &str| parse::name(text).map(Some);
        let secret_arn = l.read("BATON_SECRET_ARN", None, text);
        let user = l.read("BATON_REDIS_IAM_USER", None, text);
        let cache = l.read("BATON_REDIS_IAM_CACHE", None, text);
        let kind = l.read("BATON_REDIS_IAM_KIND", None, |t| parse::iam_kind(t).map(Some));
        let tick_function = l.read("BATON_TICK_FUNCTION", None, text);
        let redis_iam = match (user, cache) {
            (Some(user), Some(cache)) => {
                Some(RedisIam { user, cache, kind: kind.unwrap_or(RedisIamKind::ElastiCache) })
            }
            (None, None) if kind.is_none() => None,
            _ => {
                let remedy = "set both BATON_REDIS_IAM_USER and BATON_REDIS_IAM_CACHE, or no BATON_REDIS_IAM_ variable";
                l.problem(
                    "BATON_REDIS_IAM_USER",
                    "needs BATON_REDIS_IAM_CACHE, and it the user",
                    remedy,
                );
                None
            }
        };
        Self { secret_arn, redis_iam, tick_function }
    }
}

impl Config {
    /// Reads a function's configuration. Other than for the local server, `REDIS_URL`, `BATON_PUBLIC_URL`, both secrets
    /// and, unless the API is on loopback, keys must be set, logs are JSON, and no network but the public one is allowed
    /// unless it is named: on Lambda, loopback leads to the interface that functions are driven by.
    ///
    /// # Errors
    /// Names every variable that is missing, unknown or has a bad value, with the remedy.
    pub fn for_function(variables: &Variables) -> Result<Self, ConfigError> {
        let mut lookup = Lookup::new(|name: &str| variables.get(name).map(str::to_owned));
        let mut config = Self::read(&mut lookup, Self::function_defaults());
        config.cloud = CloudConfig::read(&mut lookup);
        let servers = ["BATON_BIND", "BATON_DATA_DIR"];
        lookup.refuse_foreign(&servers, "is for the local server, not for functions");
        lookup.refuse_unknown(variables.names());
        config.refuse_hazards(&mut lookup);
        config.refuse_function_hazards(&mut lookup, variables);
        let problems = lookup.problems();
        if problems.is_empty() { Ok(config) } else { Err(ConfigError(problems)) }
    }

    fn function_defaults() -> Self {
        let mut config = Self::default();
        config.egress.processor_cidrs.clear();
        config.egress.response_cidrs.clear();
        config.log = LogConfig { format: LogFormat::Json, ..config.log };
        config
    }

    fn refuse_function_hazards(
        &self,
        l: &mut Lookup<impl Fn(&str) -> Option<String>>,
        variables: &Variables,
    ) {
        for (name, remedy) in [
            ("REDIS_URL", "name the Redis that every function shares"),
            ("BATON_PUBLIC_URL", "write the URL of the API, where processors report"),
            ("BATON_PROCESSOR_SECRETS", "write `whsec_` and base64 of 24 to 64 random bytes"),
            ("BATON_WEBHOOK_SECRETS", "write `whsec_` and base64 of 24 to 64 random bytes"),
        ] {
            if variables.get(name).is_none() {
                l.problem(name, "is missing, and a function makes up none", remedy);
            }
        }
        // Where the API is, is all that a function knows of who reaches it.
        let url = self.server.public_url.as_deref();
        if self.access.is_open() && !url.is_some_and(parse::is_on_loopback) {
            let problem = "is missing, and so are the other keys: anybody might do everything";
            let remedy = "set BATON_CALLER_KEYS, BATON_OPERATOR_KEYS and BATON_PROCESSOR_KEYS";
            l.problem("BATON_CALLER_KEYS", problem, remedy);
        }
        if self.limits.max_data_bytes > MAX_DATA_BYTES {
            let problem = "is more than an event carries";
            l.problem("BATON_MAX_DATA_BYTES", problem, &format!("write at most {MAX_DATA_BYTES}"));
        }
        if self.cloud.redis_iam.is_some() {
            // The services take tokens over TLS only, and a token is not to be told to anybody else.
            if self.redis.url.as_ref().is_some_and(|url| !url.starts_with("rediss://")) {
                let problem = "is not `rediss://`, and a signed token is sent over TLS only";
                l.problem("REDIS_URL", problem, "write `rediss://`");
            }
            if variables.get("REDIS_PASSWORD").is_some() {
                let problem = "is set, and BATON_REDIS_IAM_USER too";
                l.problem("REDIS_PASSWORD", problem, "say one way to log in");
            }
        }
    }
}
