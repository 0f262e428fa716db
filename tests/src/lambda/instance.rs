//! The Runtime API of one process: it asks for the next event, and posts what became of it.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use tokio::sync::{Mutex as AsyncMutex, mpsc, oneshot, watch};
use tokio::time::{Instant, timeout_at};

use super::functions::InvokeError;
use crate::child::{Child, freeze, thaw};
use crate::server::{Reply, Request, Server};

/// Where the answer to an event goes, or why there is none.
type Answered = oneshot::Sender<Result<Bytes, String>>;

/// One event on its way.
struct Invocation {
    id: String,
    event: Bytes,
    deadline: Duration,
    chain: u32,
    done: Answered,
}

/// What answers a request to the Lambda API, made by an invocation that has this number in its chain.
type Invoke = Box<dyn Fn(&Request, u32) -> Reply + Send + Sync>;

/// What the process and its invoker share.
struct Shared {
    next: AsyncMutex<mpsc::Receiver<Invocation>>,
    running: Mutex<Option<(String, Answered)>>,
    pid: AtomicU32,
    /// The number in its chain of the invocation that runs or ran last.
    chain: AtomicU32,
    /// When it first asked for an event.
    ready: watch::Sender<Option<Instant>>,
    invoke: Invoke,
}

/// A process of a function.
pub struct Instance {
    process: Child,
    events: mpsc::Sender<Invocation>,
    ready: watch::Receiver<Option<Instant>>,
    started: Instant,
    _api: Server,
}

impl std::fmt::Debug for Instance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Instance").field("process", &self.process).finish_non_exhaustive()
    }
}

impl Instance {
    /// Starts it; it may still be initialising. `invoke` answers what it asks of the Lambda API.
    pub async fn start(
        name: &str,
        program: &Path,
        env: &[(String, String)],
        log: &Path,
        invoke: impl Fn(&Request, u32) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let (events, next) = mpsc::channel(1);
        let (ready, readiness) = watch::channel(None);
        let shared = Arc::new(Shared {
            next: AsyncMutex::new(next),
            running: Mutex::new(None),
            pid: AtomicU32::new(0),
            chain: AtomicU32::new(1),
            ready,
            invoke: Box::new(invoke),
        });
        let api = {
            let shared = Arc::clone(&shared);
            Server::start(move |request| serve(Arc::clone(&shared), request)).await
        };
        let mut command = Command::new(program);
        command.env_clear().envs(env.iter().map(|(name, value)| (name, value)));
        for inherited in ["PATH", "HOME", "SSL_CERT_FILE", "SSL_CERT_DIR"] {
            command.envs(std::env::var_os(inherited).map(|value| (inherited, value)));
        }
        command
            .env("AWS_LAMBDA_RUNTIME_API", api.url().trim_start_matches("http://"))
            // Of its own too, so that it is known which invocation asks.
            .env("AWS_ENDPOINT_URL_LAMBDA", api.url())
            .env("AWS_LAMBDA_FUNCTION_NAME", name)
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("_HANDLER", "bootstrap");
        let started = Instant::now();
        let process = Child::spawn(name, &mut command, log);
        shared.pid.store(process.pid(), Ordering::Relaxed);
        Self { process, events, ready: readiness, started, _api: api }
    }

    /// When it was started.
    #[must_use]
    pub fn started(&self) -> Instant {
        self.started
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Waits until it asks for its first event; answers when that was.
    pub async fn ready(&mut self) -> Instant {
        let ready = self.ready.wait_for(Option::is_some).await;
        ready.ok().and_then(|at| *at).expect("the Runtime API lives as long as its process")
    }

    /// Has it handle one event, the nth of its chain. A process that does not end in time, or dies, is no good
    /// any more.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn handle(
        &mut self,
        event: Bytes,
        limit: Duration,
        chain: u32,
    ) -> Result<Bytes, InvokeError> {
        let (done, answered) = oneshot::channel();
        let deadline = SystemTime::now() + limit;
        let deadline = deadline.duration_since(UNIX_EPOCH).unwrap_or_default();
        let id = format!("{:032x}", rand::random::<u128>());
        let until = Instant::now() + limit;
        let invocation = Invocation { id, event, deadline, chain, done };
        if self.events.send(invocation).await.is_err() {
            return Err(InvokeError::Failed("the Runtime API is gone".to_owned()));
        }
        let mut answered = std::pin::pin!(answered);
        loop {
            let look = (Instant::now() + Duration::from_millis(200)).min(until);
            match timeout_at(look, &mut answered).await {
                Ok(Ok(Ok(answer))) => return Ok(answer),
                Ok(Ok(Err(error))) => return Err(InvokeError::Failed(error)),
                Ok(Err(_)) => return Err(InvokeError::Failed("it was not answered".to_owned())),
                Err(_) if Instant::now() >= until => return Err(InvokeError::TimedOut),
                Err(_) => {}
            }
            if let Some(status) = self.process.status() {
                return Err(InvokeError::Failed(format!("the process ended: {status}")));
            }
        }
    }

    /// Kills it.
    pub fn kill(mut self) {
        self.process.kill9();
    }
}

async fn serve(shared: Arc<Shared>, request: Request) -> Reply {
    let path = request.uri.path().to_owned();
    if path.starts_with("/2015-03-31/functions/") {
        return (shared.invoke)(&request, shared.chain.load(Ordering::Relaxed));
    }
    let Some(rest) = path.strip_prefix("/2018-06-01/runtime/") else {
        return Reply::status(404);
    };
    match rest.split('/').collect::<Vec<_>>()[..] {
        ["invocation", "next"] => next(&shared).await,
        ["invocation", id, end @ ("response" | "error")] => {
            let running = shared.running.lock().unwrap_or_else(PoisonError::into_inner).take();
            let Some((current, done)) = running.filter(|(current, _)| current == id) else {
                return Reply::status(400);
            };
            drop(current);
            let answer = if end == "response" {
                Ok(request.body)
            } else {
                Err(String::from_utf8_lossy(&request.body).into_owned())
            };
            let _ = done.send(answer);
            Reply::accepted()
        }
        ["init", "error"] => Reply::accepted(),
        _ => Reply::status(404),
    }
}

async fn next(shared: &Shared) -> Reply {
    shared
        .ready
        .send_if_modified(|ready| ready.is_none() && ready.replace(Instant::now()).is_none());
    let mut queue = shared.next.lock().await;
    let pid = shared.pid.load(Ordering::Relaxed);
    let invocation = match queue.try_recv() {
        Ok(invocation) => invocation,
        Err(_) => {
            // Between events nothing of the process runs.
            freeze(pid);
            let Some(invocation) = queue.recv().await else { return Reply::Silence };
            thaw(pid);
            invocation
        }
    };
    let Invocation { id, event, deadline, chain, done } = invocation;
    shared.chain.store(chain, Ordering::Relaxed);
    *shared.running.lock().unwrap_or_else(PoisonError::into_inner) = Some((id.clone(), done));
    Reply::json(&())
        .with_body(event)
        .with("lambda-runtime-aws-request-id", &id)
        .with("lambda-runtime-deadline-ms", &deadline.as_millis().to_string())
        .with(
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:us-east-1:000000000000:function:local",
        )
        .with("lambda-runtime-trace-id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0")
}
