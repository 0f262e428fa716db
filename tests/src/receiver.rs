//! A response URL: verifies what it gets, and remembers it.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::SystemTime;

use baton_wire::signature::{Secrets, WEBHOOK_ID};
use baton_wire::webhook::WebhookOut;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use crate::server::{Reply, Request, Server};
use crate::wait::PATIENCE;

/// One verified arrival.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Its `webhook-id`.
    pub webhook_id: String,
    /// Its body.
    pub body: WebhookOut,
    /// The request as it came.
    pub request: Request,
    /// When it came.
    pub at: Instant,
    /// How often this `webhook-id` has come, from 1.
    pub attempt: usize,
    /// Whether it was answered with 2xx.
    pub taken: bool,
}

impl Delivery {
    /// The result it carries.
    #[must_use]
    pub fn result(&self) -> Value {
        serde_json::from_str(self.body.data.result.get()).expect("a raw value is JSON")
    }
}

type Answer = Box<dyn Fn(&Delivery) -> Reply + Send + Sync>;

#[derive(Default)]
struct Seen {
    all: Vec<Delivery>,
    counts: HashMap<String, usize>,
    taken: HashSet<String>,
    refused: Vec<String>,
}

struct State {
    secrets: Secrets,
    answer: Answer,
    seen: Mutex<Seen>,
    /// How many different `webhook-id`s were answered with 2xx.
    taken: watch::Sender<usize>,
    arrived: watch::Sender<usize>,
}

/// A webhook receiver. What does not verify is answered with 401 and kept apart.
pub struct Receiver {
    server: Server,
    state: Arc<State>,
}

impl std::fmt::Debug for Receiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Receiver").field("server", &self.server).finish_non_exhaustive()
    }
}

impl Receiver {
    /// A receiver that answers 204.
    pub async fn start(secrets: Secrets) -> Self {
        Self::scripted(secrets, |_| Reply::status(204)).await
    }

    /// A receiver that answers what `answer` says.
    pub async fn scripted(
        secrets: Secrets,
        answer: impl Fn(&Delivery) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let (taken, arrived) = (watch::Sender::new(0), watch::Sender::new(0));
        let (answer, seen) = (Box::new(answer), Mutex::default());
        let state = Arc::new(State { secrets, answer, seen, taken, arrived });
        let handler = Arc::clone(&state);
        let server = Server::start(move |request| {
            let reply = handler.receive(request);
            async { reply }
        });
        Self { server: server.await, state }
    }

    /// The response URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}/hook", self.server.url())
    }

    /// The server, to stop and restart it.
    pub fn server(&mut self) -> &mut Server {
        &mut self.server
    }

    /// Every verified arrival so far, oldest first.
    #[must_use]
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.state.lock().all.clone()
    }

    /// The verified arrivals of one action, oldest first.
    #[must_use]
    pub fn of(&self, action_id: &str) -> Vec<Delivery> {
        let mut all = self.deliveries();
        all.retain(|delivery| delivery.body.data.action_id == action_id);
        all
    }

    /// Why arrivals were refused as unverified, in words.
    #[must_use]
    pub fn refused(&self) -> Vec<String> {
        self.state.lock().refused.clone()
    }

    /// How many different `webhook-id`s were taken with 2xx.
    #[must_use]
    pub fn taken(&self) -> usize {
        *self.state.taken.borrow()
    }

    /// Waits until `n` different `webhook-id`s were taken with 2xx.
    pub async fn wait_for(&self, n: usize) {
        reach(&self.state.taken, n, "webhooks taken").await;
    }

    /// Waits until `n` verified requests have come, whatever they were answered.
    pub async fn wait_for_arrivals(&self, n: usize) {
        reach(&self.state.arrived, n, "webhooks arrived").await;
    }
}

/// Waits until a counter has reached `n`. As long as it grows, there is hope.
pub(crate) async fn reach(counter: &watch::Sender<usize>, n: usize, what: &str) {
    let mut counter = counter.subscribe();
    while *counter.borrow_and_update() < n {
        let changed = timeout(PATIENCE, counter.changed()).await;
        assert!(
            changed.is_ok(),
            "{} of {n} {what}, and no more for {PATIENCE:?}",
            *counter.borrow()
        );
    }
}

impl State {
    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().expect("no holder panics")
    }

    fn receive(&self, request: Request) -> Reply {
        let (webhook_id, body) = match self.check(&request) {
            Ok(checked) => checked,
            Err(reason) => {
                self.lock().refused.push(reason);
                return Reply::status(401);
            }
        };
        let mut seen = self.lock();
        let count = seen.counts.entry(webhook_id.clone()).or_default();
        *count += 1;
        let attempt = *count;
        let at = Instant::now();
        let mut delivery = Delivery { webhook_id, body, request, at, attempt, taken: false };
        let reply = (self.answer)(&delivery);
        delivery.taken = matches!(&reply, Reply::Answer(status, ..) if status.is_success());
        if delivery.taken {
            seen.taken.insert(delivery.webhook_id.clone());
        }
        seen.all.push(delivery);
        self.taken.send_replace(seen.taken.len());
        self.arrived.send_replace(seen.all.len());
        reply
    }

    fn check(&self, request: &Request) -> Result<(String, WebhookOut), String> {
        verify(&self.secrets, request)?;
        let body = serde_json::from_slice(&request.body).map_err(|error| error.to_string())?;
        let id = request.header(WEBHOOK_ID).ok_or("a message without an id")?;
        Ok((id.to_owned(), body))
    }
}

/// Verifies the signature of a request.
pub(crate) fn verify(secrets: &Secrets, request: &Request) -> Result<(), String> {
    let now = SystemTime::UNIX_EPOCH.elapsed().expect("the clock is past 1970").as_secs();
    let checked = secrets.verify(|name| request.header(name), &request.body, now);
    checked.map_err(|error| error.to_string())
}
