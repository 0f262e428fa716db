//! A manager with healthy processors and a receiver, for what is measured without faults.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use baton_wire::processor::RegisterIn;
use http::StatusCode;
use kit::{Baton, BatonSpec, Redis, Reply, Server};
use tokio::sync::Semaphore;
use tokio::time::{Instant, interval, sleep, timeout};

use crate::caller::Caller;

/// How many attempts a healthy processor takes at a time.
const CAPACITY: u32 = 512;
/// How long the last outcomes may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Everything that one measurement needs.
pub(crate) struct Stage {
    pub(crate) redis: Redis,
    pub(crate) baton: Baton,
    caller: Caller,
    receiver: Server,
    taken: Arc<AtomicU64>,
    /// One permit for each action that may still be under way.
    window: Arc<Semaphore>,
    _processors: Vec<Server>,
}

/// What is submitted, apart from its data.
#[derive(Debug, Clone)]
pub(crate) struct Kind {
    /// The targets of its jobs.
    pub(crate) targets: Vec<String>,
    pub(crate) response_url: String,
}

impl Stage {
    /// Starts it, with more environment for the manager, or says why the manager refuses that.
    pub(crate) async fn start(env: &[(&str, &str)]) -> Result<Self, String> {
        let redis = Redis::durable().await;
        let spec = BatonSpec::on(&redis.socket_url()).env("BATON_LOG", "warn");
        let spec = env.iter().fold(spec, |spec, (name, value)| spec.env(name, value));
        let baton = spec.try_start().await?;
        let (taken, window) = (Arc::new(AtomicU64::new(0)), Arc::new(Semaphore::new(0)));
        let (count, free) = (Arc::clone(&taken), Arc::clone(&window));
        let receiver = Server::start(move |_| {
            count.fetch_add(1, SeqCst);
            free.add_permits(1);
            async { Reply::status(204) }
        });
        let receiver = receiver.await;
        let mut stage = Self {
            redis,
            baton,
            caller: Caller::new(),
            receiver,
            taken,
            window,
            _processors: Vec::new(),
        };
        for id in ["ash", "birch"] {
            let server = stage.register(id, CAPACITY, || Reply::status(204)).await;
            stage._processors.push(server);
        }
        Ok(stage)
    }

    /// Starts and registers a processor that answers every attempt with this.
    pub(crate) async fn register(
        &self,
        id: &str,
        capacity: u32,
        answer: impl Fn() -> Reply + Clone + Send + Sync + 'static,
    ) -> Server {
        let meta = format!(r#"{{"id":"{id}","name":"{id}-kind"}}"#);
        let server = Server::start(move |request| {
            let (meta, answer) = (meta.clone(), answer.clone());
            async move {
                match (request.method.as_str(), request.uri.path()) {
                    ("POST", _) => answer(),
                    ("GET", _) => Reply::raw(200, meta),
                    _ => Reply::status(204),
                }
            }
        })
        .await;
        let registration = RegisterIn {
            id: id.to_owned(),
            name: format!("{id}-kind"),
            url: server.url(),
            capacity: Some(capacity),
        };
        self.baton.register(&registration).await.expect("the processor is accepted");
        server
    }

    /// What healthy processors do and the receiver takes.
    pub(crate) fn healthy(&self) -> Kind {
        let targets = ["ash", "birch"].map(str::to_owned).to_vec();
        Kind { targets, response_url: format!("{}/hook", self.receiver.url()) }
    }

    /// How many outcomes the receiver has taken.
    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(SeqCst)
    }

    /// Keeps so many healthy actions under way for a time; answers how many came back a second.
    pub(crate) async fn throughput(&self, window: u32, time: Duration) -> f64 {
        let kind = self.healthy();
        self.window.add_permits(window as usize);
        let (start, before) = (Instant::now(), self.taken());
        let done = async {
            while start.elapsed() < time {
                let permits = self.window.acquire().await.expect("the window is never closed");
                permits.forget();
                let (caller, url) = (self.caller.clone(), self.baton.url().to_owned());
                let body = body(&kind, 1);
                tokio::spawn(async move { submit(&caller, &url, body).await });
            }
        };
        done.await;
        let rate = (self.taken() - before) as f64 / start.elapsed().as_secs_f64();
        let all = timeout(PATIENCE, self.window.acquire_many(window)).await;
        all.expect("what was submitted comes back").expect("the window is never closed").forget();
        rate
    }

    /// Submits so many, in arrays of at most 100.
    pub(crate) async fn submit(&self, kind: &Kind, mut actions: usize) {
        while actions > 0 {
            let batch = actions.min(100);
            actions -= batch;
            submit(&self.caller, self.baton.url(), body(kind, batch)).await;
        }
    }

    /// Offers healthy actions at a fixed rate until so many have been offered in all; answers when all of
    /// them have come back.
    pub(crate) async fn offer(&self, offered: &mut u64, until: u64, rate: u64) {
        const BATCH: usize = 50;
        let kind = self.healthy();
        let mut beats = interval(Duration::from_secs_f64(BATCH as f64 / rate as f64));
        let under_way = Arc::new(AtomicUsize::new(0));
        while *offered < until {
            beats.tick().await;
            let (caller, url) = (self.caller.clone(), self.baton.url().to_owned());
            let (body, under_way) = (body(&kind, BATCH), Arc::clone(&under_way));
            under_way.fetch_add(1, SeqCst);
            tokio::spawn(async move {
                submit(&caller, &url, body).await;
                under_way.fetch_sub(1, SeqCst);
            });
            *offered += BATCH as u64;
        }
        let deadline = Instant::now() + PATIENCE;
        while self.taken() < *offered || under_way.load(SeqCst) > 0 {
            assert!(Instant::now() < deadline, "{} of {offered} came back", self.taken());
            sleep(Duration::from_millis(10)).await;
        }
    }
}

/// One action, or an array of them.
fn body(kind: &Kind, actions: usize) -> String {
    let jobs = serde_json::to_string(&kind.targets).expect("targets are JSON");
    let url = &kind.response_url;
    let one =
        format!(r#"{{"data":{{"item":"of the soak"}},"jobs":{jobs},"response_url":"{url}"}}"#);
    if actions == 1 { one } else { format!("[{}]", vec![one; actions].join(",")) }
}

async fn submit(caller: &Caller, url: &str, body: String) {
    let answer = caller.post(&format!("{url}/action"), None, body).await;
    let (status, text) = answer.expect("the manager answers");
    assert_eq!(status, StatusCode::ACCEPTED, "{}", String::from_utf8_lossy(&text));
}
