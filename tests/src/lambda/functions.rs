//! The functions: each a few processes, started when they are needed.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use tokio::sync::Semaphore;

use super::instance::Instance;
use super::{MAX_ASYNC_BYTES, MAX_BYTES, MAX_CHAIN};
use crate::server::{Reply, Request};

/// How many processes of one function run at a time; more events wait.
const CONCURRENCY: usize = 6;

/// Why an invocation has no answer.
#[derive(Debug)]
pub enum InvokeError {
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

/// A function's code and limit.
#[derive(Debug, Clone)]
pub struct Program {
    /// What is started.
    pub path: PathBuf,
    /// How long it may take for one event.
    pub timeout: Duration,
}

/// All functions.
#[derive(Debug)]
pub struct Functions {
    env: Vec<(String, String)>,
    log: PathBuf,
    pools: BTreeMap<String, Pool>,
}

#[derive(Debug)]
struct Pool {
    program: Program,
    places: Semaphore,
    idle: Mutex<Vec<Instance>>,
}

impl Functions {
    /// These functions, by name. Every process has this environment, and all of them write one log.
    #[must_use]
    pub fn new(
        programs: BTreeMap<String, Program>,
        env: Vec<(String, String)>,
        log: &Path,
    ) -> Arc<Self> {
        let pool =
            |program| Pool { program, places: Semaphore::new(CONCURRENCY), idle: Mutex::default() };
        let pools = programs.into_iter().map(|(name, program)| (name, pool(program))).collect();
        Arc::new(Self { env, log: log.to_owned(), pools })
    }

    /// Has a function handle an event.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn invoke(self: &Arc<Self>, name: &str, event: Bytes) -> Result<Bytes, InvokeError> {
        self.invoke_in_chain(name, event, 1).await
    }

    /// Has a function handle an event later. Retries are off, as the deployment sets them.
    pub fn start(self: &Arc<Self>, name: &str, event: Bytes) {
        self.start_in_chain(name.to_owned(), event, 1);
    }

    fn start_in_chain(self: &Arc<Self>, name: String, event: Bytes, chain: u32) {
        let functions = Arc::clone(self);
        tokio::spawn(async move {
            let _ = functions.invoke_in_chain(&name, event, chain).await;
        });
    }

    /// The Lambda API as a process sees it, whose invocation has this number in its chain:
    /// `POST /2015-03-31/functions/{name}/invocations`, asynchronous.
    fn invoked_by(self: &Arc<Self>, request: &Request, chain: u32) -> Reply {
        let name = request.uri.path().split('/').nth(3).unwrap_or_default();
        let name = name.rsplit(':').next().unwrap_or_default().to_owned();
        if !self.pools.contains_key(&name) {
            return Reply::raw(404, r#"{"Message":"Function not found"}"#);
        }
        if request.header("x-amz-invocation-type") != Some("Event") {
            return Reply::raw(400, r#"{"Message":"only Event is known here"}"#);
        }
        if request.body.len() > MAX_ASYNC_BYTES {
            return Reply::raw(413, r#"{"Message":"the event is too large"}"#);
        }
        if chain < MAX_CHAIN {
            self.start_in_chain(name, request.body.clone(), chain + 1);
        } else {
            // The caller is not told, as in the cloud.
            self.say(&name, "a chain of invocations was cut");
        }
        Reply::status(202)
    }

    async fn invoke_in_chain(
        self: &Arc<Self>,
        name: &str,
        event: Bytes,
        chain: u32,
    ) -> Result<Bytes, InvokeError> {
        let failed = |why: &str| InvokeError::Failed(why.to_owned());
        let pool = self.pools.get(name).ok_or_else(|| failed("there is no such function"))?;
        if event.len() > MAX_BYTES {
            return Err(failed("the event is too large"));
        }
        let _place = pool.places.acquire().await.map_err(|_| failed("stopping"))?;
        let idle = pool.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut instance = match idle {
            Some(instance) => instance,
            None => {
                // Not owned by its own processes, which are to end with it.
                let functions = Arc::downgrade(self);
                let invoke = move |request: &Request, chain| match functions.upgrade() {
                    Some(functions) => functions.invoked_by(request, chain),
                    None => Reply::Cut,
                };
                Instance::start(name, &pool.program.path, &self.env, &self.log, invoke).await
            }
        };
        let answer = instance.handle(event, pool.program.timeout, chain).await;
        let answer = match answer {
            Ok(answer) if answer.len() > MAX_BYTES => {
                self.keep(pool, instance);
                Err(failed("the reply is too large"))
            }
            Ok(answer) => {
                self.keep(pool, instance);
                Ok(answer)
            }
            Err(error) => {
                instance.kill();
                Err(error)
            }
        };
        answer.inspect_err(|error| self.say(name, &error.to_string()))
    }

    fn keep(&self, pool: &Pool, instance: Instance) {
        pool.idle.lock().unwrap_or_else(PoisonError::into_inner).push(instance);
    }

    /// Writes a line among those of the functions, in their form.
    fn say(&self, name: &str, message: &str) {
        let line = json!({"level": "ERROR", "message": message, "function": name});
        let log = std::fs::File::options().create(true).append(true).open(&self.log);
        // One write, so that no other line gets in between.
        let _ = log.and_then(|mut log| log.write_all(format!("{line}\n").as_bytes()));
    }

    /// Lets what runs end, and kills the processes.
    pub async fn stop(&self) {
        for pool in self.pools.values() {
            let all = u32::try_from(CONCURRENCY).unwrap_or(u32::MAX);
            let ended = pool.places.acquire_many(all);
            let _ = tokio::time::timeout(Duration::from_secs(8), ended).await;
            pool.places.close();
            let mut idle = pool.idle.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *idle).into_iter().for_each(Instance::kill);
        }
    }
}
