//! A processor whose behaviour is a closure, and which measures what it is given.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use baton_wire::process::{IDEMPOTENCY_KEY, ProcessIn};
use baton_wire::processor::{ProcessorMeta, RegisterIn, RegisterOut, Usage};
use baton_wire::signature::Secrets;
use http::Method;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::call::{Call, Load};
use crate::client::{Client, http_client};
use crate::receiver::{reach, verify};
use crate::server::{Reply, Request, Server};

/// What a processor is.
#[derive(Debug, Clone)]
pub struct ProcessorSpec {
    meta: ProcessorMeta,
    capacity: Option<u32>,
    secrets: Option<Secrets>,
}

impl ProcessorSpec {
    /// A processor whose name is its id with `-kind` after it, and which verifies no signature.
    #[must_use]
    pub fn new(id: &str) -> Self {
        let usage = Usage { cpu_percent: 1.5, memory_bytes: 4_200_000 };
        let meta = ProcessorMeta {
            id: id.to_owned(),
            name: format!("{id}-kind"),
            usage: Some(usage),
            started_at: None,
        };
        Self { meta, capacity: None, secrets: None }
    }

    /// With the name of the work it does.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.meta.name);
        self
    }

    /// With a capacity to register with.
    #[must_use]
    pub fn capacity(mut self, capacity: u32) -> Self {
        self.capacity = Some(capacity);
        self
    }

    /// Refuses (401) what is not signed with one of these.
    #[must_use]
    pub fn secrets(mut self, secrets: Secrets) -> Self {
        self.secrets = Some(secrets);
        self
    }
}

/// One `/process` request, as it arrived.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// The body.
    pub process: ProcessIn,
    /// The request as it came.
    pub request: Request,
    /// When it came.
    pub at: Instant,
}

impl Arrival {
    /// Its `idempotency-key`, or nothing.
    #[must_use]
    pub fn idempotency_key(&self) -> &str {
        self.request.header(IDEMPOTENCY_KEY).unwrap_or_default()
    }
}

type BoxFuture = std::pin::Pin<Box<dyn Future<Output = Reply> + Send>>;

struct State {
    meta: Mutex<ProcessorMeta>,
    secrets: Option<Secrets>,
    work: Box<dyn Fn(Call) -> BoxFuture + Send + Sync>,
    http: reqwest::Client,
    load: Arc<Load>,
    arrivals: Mutex<Vec<Arrival>>,
    arrived: watch::Sender<usize>,
    meta_asked: watch::Sender<usize>,
    /// What is answered in place of `/meta`, while it is set.
    meta_reply: Mutex<Option<Reply>>,
    refused: Mutex<Vec<String>>,
}

/// A processor stub: `GET /meta`, `OPTIONS /process` and `POST /process`.
pub struct Processor {
    server: Server,
    state: Arc<State>,
    capacity: Option<u32>,
}

impl std::fmt::Debug for Processor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Processor").field("server", &self.server).finish_non_exhaustive()
    }
}

impl Processor {
    /// Starts it; `work` answers each `/process`. It is not registered yet.
    pub async fn start<F, R>(spec: ProcessorSpec, work: F) -> Self
    where
        F: Fn(Call) -> R + Send + Sync + 'static,
        R: Future<Output = Reply> + Send + 'static,
    {
        let state = Arc::new(State {
            meta: Mutex::new(spec.meta),
            secrets: spec.secrets,
            work: Box::new(move |call| Box::pin(work(call))),
            http: http_client(),
            load: Arc::default(),
            arrivals: Mutex::default(),
            arrived: watch::Sender::new(0),
            meta_asked: watch::Sender::new(0),
            meta_reply: Mutex::default(),
            refused: Mutex::default(),
        });
        let handler = Arc::clone(&state);
        let server = Server::start(move |request| Arc::clone(&handler).answer(request)).await;
        Self { server, state, capacity: spec.capacity }
    }

    /// Starts one that answers at once with what `work` makes of the data.
    pub async fn sync(
        spec: ProcessorSpec,
        work: impl Fn(Value) -> Value + Send + Sync + 'static,
    ) -> Self {
        Self::start(spec, move |call| {
            let output = work(call.data());
            async move { Reply::json(&output) }
        })
        .await
    }

    /// Starts one that answers 202 and reports what `work` makes of the data afterwards.
    pub async fn asynchronous(
        spec: ProcessorSpec,
        work: impl Fn(Value) -> Value + Send + Sync + 'static,
    ) -> Self {
        Self::start(spec, move |mut call| {
            let output = work(call.data());
            tokio::spawn(async move { call.succeed_at_last(&output).await });
            async { Reply::accepted() }
        })
        .await
    }

    /// Registers it, which must be accepted.
    pub async fn register(&self, manager: &Client) -> RegisterOut {
        manager.register(&self.registration()).await.expect("the processor is accepted")
    }

    /// What it registers with.
    #[must_use]
    pub fn registration(&self) -> RegisterIn {
        let meta = self.meta();
        RegisterIn { id: meta.id, name: meta.name, url: self.server.url(), capacity: self.capacity }
    }

    /// The server, to stop and restart it.
    pub fn server(&mut self) -> &mut Server {
        &mut self.server
    }

    /// What it says of itself.
    #[must_use]
    pub fn meta(&self) -> ProcessorMeta {
        lock(&self.state.meta).clone()
    }

    /// Changes what it says of itself.
    pub fn set_meta(&self, change: impl FnOnce(&mut ProcessorMeta)) {
        change(&mut lock(&self.state.meta));
    }

    /// Answers `/meta` with this instead; `None` ends it.
    pub fn answer_meta_with(&self, reply: Option<Reply>) {
        *lock(&self.state.meta_reply) = reply;
    }

    /// The requests so far, in the order of their arrival.
    #[must_use]
    pub fn arrivals(&self) -> Vec<Arrival> {
        lock(&self.state.arrivals).clone()
    }

    /// The ids of the actions that arrived, in order, repeats included.
    #[must_use]
    pub fn order(&self) -> Vec<String> {
        self.arrivals().into_iter().map(|arrival| arrival.process.action_id).collect()
    }

    /// How often each step of each action arrived.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<(String, u32), usize> {
        let mut counts = BTreeMap::new();
        for Arrival { process, .. } in self.arrivals() {
            *counts.entry((process.action_id, process.step)).or_default() += 1;
        }
        counts
    }

    /// Waits until `n` requests have arrived.
    pub async fn wait_for(&self, n: usize) {
        reach(&self.state.arrived, n, "requests arrived").await;
    }

    /// Waits until `/meta` was asked `n` times more.
    pub async fn wait_for_checks(&self, n: usize) {
        let asked = *self.state.meta_asked.borrow();
        reach(&self.state.meta_asked, asked + n, "checks").await;
    }

    /// How many requests it has under way, by its own count.
    #[must_use]
    pub fn busy(&self) -> usize {
        self.state.load.now()
    }

    /// The most requests it ever had under way, by its own count.
    #[must_use]
    pub fn most_busy(&self) -> usize {
        self.state.load.most()
    }

    /// Why requests were refused as unverified, in words.
    #[must_use]
    pub fn refused(&self) -> Vec<String> {
        lock(&self.state.refused).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no holder panics")
}

impl State {
    async fn answer(self: Arc<Self>, request: Request) -> Reply {
        match (&request.method, request.uri.path()) {
            (&Method::GET, "/meta") => {
                self.meta_asked.send_modify(|asked| *asked += 1);
                let instead = lock(&self.meta_reply).clone();
                instead.unwrap_or_else(|| Reply::json(&*lock(&self.meta)))
            }
            (&Method::OPTIONS, "/process") => Reply::status(204).with("allow", "OPTIONS, POST"),
            (&Method::POST, "/process") => self.process(request).await,
            _ => Reply::status(404),
        }
    }

    async fn process(&self, request: Request) -> Reply {
        if let Some(secrets) = &self.secrets
            && let Err(reason) = verify(secrets, &request)
        {
            lock(&self.refused).push(reason);
            return Reply::status(401);
        }
        let process: ProcessIn = match serde_json::from_slice(&request.body) {
            Ok(process) => process,
            Err(error) => {
                lock(&self.refused).push(error.to_string());
                return Reply::status(422);
            }
        };
        let call = Call::new(process.clone(), self.http.clone(), &self.load);
        {
            let mut arrivals = lock(&self.arrivals);
            arrivals.push(Arrival { process, request, at: Instant::now() });
            self.arrived.send_replace(arrivals.len());
        }
        (self.work)(call).await
    }
}
