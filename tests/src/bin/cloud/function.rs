//! The functions: each a few processes, started when they are needed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use kit::binary;
use tokio::sync::Semaphore;

use crate::inventory;
use crate::runtime::Instance;

/// How many processes of one function run at a time; more events wait.
const CONCURRENCY: usize = 6;

/// Why an invocation has no answer.
#[derive(Debug)]
pub(crate) enum InvokeError {
    /// It took too long; the process was killed.
    TimedOut,
    /// It failed, or its process died.
    Failed(String),
}

impl std::fmt::Display for InvokeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TimedOut => f.write_str("it took too long"),
            Self::Failed(why) => f.write_str(why),
        }
    }
}

/// All functions.
pub(crate) struct Functions {
    dir: PathBuf,
    env: OnceLock<Vec<(String, String)>>,
    pools: BTreeMap<String, Pool>,
}

struct Pool {
    program: PathBuf,
    timeout: Duration,
    places: Semaphore,
    idle: Mutex<Vec<Instance>>,
}

impl Functions {
    pub(crate) fn new(dir: &Path) -> Self {
        let built = std::env::var_os("CLOUD_FUNCTIONS").map(PathBuf::from);
        let pools = inventory::timeouts()
            .into_iter()
            .map(|(name, seconds)| {
                let program = match &built {
                    Some(dir) => dir.join(&name),
                    None => binary(&name),
                };
                let pool = Pool {
                    program,
                    timeout: Duration::from_secs(seconds),
                    places: Semaphore::new(CONCURRENCY),
                    idle: Mutex::default(),
                };
                (name, pool)
            })
            .collect();
        Self { dir: dir.to_owned(), env: OnceLock::new(), pools }
    }

    /// Says what every process is told: this process's configuration, and where it is.
    pub(crate) fn configure(&self, url: &str, control: &str, secrets: &[(String, String)]) {
        let own = ["BATON_BIND", "BATON_DATA_DIR", "BATON_PUBLIC_URL"];
        let mut env: Vec<(String, String)> = std::env::vars()
            .filter(|(name, _)| {
                name.starts_with("BATON_") || name == "REDIS_URL" || name == "REDIS_PASSWORD"
            })
            .filter(|(name, _)| !own.contains(&name.as_str()))
            .filter(|(name, _)| secrets.iter().all(|(secret, _)| secret != name))
            .collect();
        env.extend_from_slice(secrets);
        // What the local server allows by itself, and a function only when it is told.
        for name in ["BATON_PROCESSOR_CIDRS", "BATON_RESPONSE_CIDRS"] {
            if env.iter().all(|(set, _)| set != name) {
                env.push((name.to_owned(), "127.0.0.0/8 ::1/128".to_owned()));
            }
        }
        let public = std::env::var("BATON_PUBLIC_URL").unwrap_or_else(|_| url.to_owned());
        for (name, value) in [
            ("BATON_PUBLIC_URL", public.as_str()),
            ("BATON_TICK_FUNCTION", "tick"),
            ("AWS_ENDPOINT_URL_LAMBDA", control),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "local"),
            ("AWS_SECRET_ACCESS_KEY", "local"),
        ] {
            env.push((name.to_owned(), value.to_owned()));
        }
        let _ = self.env.set(env);
    }

    /// How long a function may take.
    pub(crate) fn timeout(&self, name: &str) -> Duration {
        self.pools.get(name).map_or(Duration::ZERO, |pool| pool.timeout)
    }

    /// Has a function handle an event, within its own limit and the caller's.
    pub(crate) async fn invoke(
        &self,
        name: &str,
        event: Bytes,
        limit: Duration,
    ) -> Result<Bytes, InvokeError> {
        let failed = |why: &str| InvokeError::Failed(why.to_owned());
        let pool = self.pools.get(name).ok_or_else(|| failed("there is no such function"))?;
        let _place = pool.places.acquire().await.map_err(|_| failed("stopping"))?;
        let idle = pool.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut instance = match idle {
            Some(instance) => instance,
            None => {
                let env = self.env.get().ok_or_else(|| failed("not configured yet"))?;
                // One log for all, which is what a test shows.
                let log = self.dir.join(format!("baton.{}.log", std::process::id()));
                Instance::start(name, &pool.program, env, &log).await
            }
        };
        let answer = instance.handle(event, limit.min(pool.timeout)).await;
        match &answer {
            Ok(_) => pool.idle.lock().unwrap_or_else(PoisonError::into_inner).push(instance),
            Err(error) => {
                eprintln!("{name}: {error}");
                instance.kill();
            }
        }
        answer
    }

    /// Lets what runs end, and kills the processes.
    pub(crate) async fn stop(&self) {
        for pool in self.pools.values() {
            let all = u32::try_from(CONCURRENCY).unwrap_or(u32::MAX);
            let ended = pool.places.acquire_many(all);
            let _ = tokio::time::timeout(Duration::from_secs(8), ended).await;
            pool.places.close();
            let idle =
                std::mem::take(&mut *pool.idle.lock().unwrap_or_else(PoisonError::into_inner));
            idle.into_iter().for_each(Instance::kill);
        }
    }
}
