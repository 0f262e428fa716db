//! The Runtime API of one process: it asks for the next event, and posts what became of it.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use kit::{Child, Reply, Request, Server, freeze, thaw};
use tokio::sync::{Mutex as AsyncMutex, mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use crate::function::InvokeError;

/// Where the answer to an event goes, or why there is none.
type Answered = oneshot::Sender<Result<Bytes, String>>;

/// One event on its way.
struct Invocation {
    id: String,
    event: Bytes,
    deadline: Duration,
    done: Answered,
}

/// What the process and its invoker share.
struct Shared {
    next: AsyncMutex<mpsc::Receiver<Invocation>>,
    running: Mutex<Option<(String, Answered)>>,
    pid: AtomicU32,
}

/// A process of a function.
pub(crate) struct Instance {
    process: Child,
    invoke: mpsc::Sender<Invocation>,
    _api: Server,
}

impl Instance {
    /// Starts it; it may still be initialising.
    pub(crate) async fn start(
        name: &str,
        program: &Path,
        env: &[(String, String)],
        log: &Path,
    ) -> Self {
        let (invoke, next) = mpsc::channel(1);
        let shared = Arc::new(Shared {
            next: AsyncMutex::new(next),
            running: Mutex::new(None),
            pid: AtomicU32::new(0),
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
            .env("AWS_LAMBDA_FUNCTION_NAME", name)
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("_HANDLER", "bootstrap");
        let process = Child::spawn(name, &mut command, log);
        shared.pid.store(process.pid(), Ordering::Relaxed);
        Self { process, invoke, _api: api }
    }

    /// Has it handle one event. A process that does not end in time, or dies, is no good any more.
    pub(crate) async fn handle(
        &mut self,
        event: Bytes,
        limit: Duration,
    ) -> Result<Bytes, InvokeError> {
        let (done, answered) = oneshot::channel();
        let deadline = SystemTime::now() + limit;
        let deadline = deadline.duration_since(UNIX_EPOCH).unwrap_or_default();
        let id = format!("{:032x}", rand::random::<u128>());
        let until = Instant::now() + limit;
        let invocation = Invocation { id, event, deadline, done };
        if self.invoke.send(invocation).await.is_err() {
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
    pub(crate) fn kill(mut self) {
        self.process.kill9();
    }
}

async fn serve(shared: Arc<Shared>, request: Request) -> Reply {
    let path = request.uri.path().to_owned();
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
    let Invocation { id, event, deadline, done } = invocation;
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
