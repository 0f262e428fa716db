//! The processors: what they are and how they conduct themselves.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, SystemTime};

use baton_wire::processor::RegisterIn;
use kit::{Client, Reply, Request, Server};
use serde::Deserialize;
use tokio::time::sleep;

use crate::attempt::Attempt;
use crate::caller::Caller;
use crate::data::Data;
use crate::effects::Effects;
use crate::ledger::Ledger;
use crate::plan::{self, INSTANCES, KINDS};

/// How many attempts each takes at a time.
const CAPACITY: u32 = 256;
/// The managers of a run.
pub(crate) const MANAGERS: usize = 2;

/// What all processors share.
#[derive(Debug)]
pub(crate) struct Shop {
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) effects: Arc<Effects>,
    pub(crate) caller: Caller,
    /// Where `/complete` goes, by manager: who is asked shows who claimed.
    pub(crate) doors: Vec<String>,
    /// The attempts under way, by the manager that claimed them.
    pub(crate) held: [AtomicUsize; MANAGERS],
}

/// One processor.
#[derive(Debug)]
pub(crate) struct Processor {
    kind: usize,
    id: String,
    server: Server,
    started_at: Arc<AtomicU64>,
}

/// A dispatch, as much of it as a processor needs.
#[derive(Debug, Deserialize)]
struct Dispatch {
    action_id: String,
    step: usize,
    attempt: u32,
    token: String,
    data: Data,
    /// The number of the action.
    params: u64,
    complete_url: String,
    lease_ms: u64,
}

impl Processor {
    /// Starts all of them.
    pub(crate) async fn start_all(shop: &Arc<Shop>) -> Vec<Self> {
        let mut all = Vec::new();
        for kind in 0..KINDS.len() {
            for instance in 0..INSTANCES {
                all.push(Self::start(kind, plan::id(kind, instance), shop).await);
            }
        }
        all
    }

    async fn start(kind: usize, id: String, shop: &Arc<Shop>) -> Self {
        let (started_at, shop) = (Arc::new(AtomicU64::new(now_ms())), Arc::clone(shop));
        let (boot, name) = (Arc::clone(&started_at), id.clone());
        let server = Server::start(move |request| {
            let (shop, boot) = (Arc::clone(&shop), Arc::clone(&boot));
            let meta = meta(&name, kind, boot.load(SeqCst));
            async move {
                match (request.method.as_str(), request.uri.path()) {
                    ("POST", "/process") => process(&shop, kind, &request).await,
                    ("GET", "/meta") => Reply::raw(200, meta),
                    ("OPTIONS", "/process") => Reply::status(204),
                    _ => Reply::status(404),
                }
            }
        });
        Self { kind, id, server: server.await, started_at }
    }

    /// What it registers with.
    pub(crate) async fn register(&self, manager: &Client) {
        let registration = RegisterIn {
            id: self.id.clone(),
            name: KINDS[self.kind].to_owned(),
            url: self.server.url(),
            capacity: Some(CAPACITY),
        };
        manager.register(&registration).await.expect("the processor is accepted");
    }

    /// Whether it is one of those that die.
    pub(crate) fn is_mortal(&self) -> bool {
        self.kind == plan::MORTAL
    }

    /// Dies, and comes back after a time.
    pub(crate) async fn die(&mut self, time: Duration) {
        self.server.stop().await;
        sleep(time).await;
        self.started_at.store(now_ms(), SeqCst);
        self.server.restart().await;
    }
}

fn meta(id: &str, kind: usize, started_at: u64) -> String {
    format!(r#"{{"id":"{id}","name":"{}","started_at":{started_at}}}"#, KINDS[kind])
}

async fn process(shop: &Arc<Shop>, kind: usize, request: &Request) -> Reply {
    let dispatch: Dispatch = match serde_json::from_slice(&request.body) {
        Ok(dispatch) => dispatch,
        Err(error) => {
            let text = String::from_utf8_lossy(&request.body);
            shop.ledger.wrong(0, &format!("or another one was dispatched as {text}: {error}"));
            return Reply::status(422);
        }
    };
    let number = dispatch.params;
    let plan = plan::action(shop.ledger.seed(), number);
    let Some(step) = plan.steps.get(dispatch.step).copied().filter(|step| step.kind == kind) else {
        shop.ledger.wrong(number, &format!("came to {} as step {}", KINDS[kind], dispatch.step));
        return Reply::status(422);
    };
    shop.ledger.attempt(number, &dispatch.action_id, dispatch.step, dispatch.attempt);
    let manager = shop.doors.iter().position(|door| dispatch.complete_url.starts_with(door));
    let attempt = Attempt {
        shop: Arc::clone(shop),
        manager: manager.unwrap_or_default(),
        number,
        action_id: dispatch.action_id,
        at: dispatch.step,
        step,
        attempt: dispatch.attempt,
        token: dispatch.token,
        data: dispatch.data,
        url: dispatch.complete_url,
        lease: Duration::from_millis(dispatch.lease_ms),
    };
    attempt.conduct().await
}

/// The time in milliseconds since the Unix epoch.
pub(crate) fn now_ms() -> u64 {
    let elapsed = SystemTime::UNIX_EPOCH.elapsed().expect("the clock is past 1970");
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}
