//! The functions on a Redis whose commands are watched, and ticks of the test's own.

use std::process::Command as Process;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use baton_wire::signature::Secrets;
use kit::{Child, Client, Command, DataDir, Processor, ProcessorSpec, Proxy, Redis, binary};
use kit::{Reply, action, eventually, until};
use manager_svc::app::{self, App};
use manager_svc::config::Config;
use manager_svc::nudge::Nudger;
use manager_svc::store::Store;
use manager_svc::tick::{Occasion, take_work};
use serde_json::{Value, json};
use tokio::time::Instant;

pub(crate) const TICKER: &str = "{p0}:ticker";
const SECRET: &str = "whsec_dGlja3MgaW4gYSB0ZXN0IG9mIHRoZWlyIG93bg==";

/// The functions, without a cron beat.
pub(crate) struct World {
    pub(crate) client: Client,
    pub(crate) proxy: Proxy,
    pub(crate) redis: Redis,
    seen: Seen,
    _process: Child,
    _dir: DataDir,
}

/// The commands that a proxy saw.
#[derive(Clone, Default)]
pub(crate) struct Seen(Arc<Mutex<Vec<Command>>>);

impl Seen {
    /// A proxy that notes what passes.
    pub(crate) async fn proxy(&self, redis: &Redis) -> Proxy {
        let seen = self.clone();
        Proxy::rewriting(redis.port(), move |command| {
            seen.0.lock().unwrap().push(command.clone());
            false
        })
        .await
    }

    pub(crate) fn count(&self, test: impl Fn(&Command) -> bool) -> usize {
        self.0.lock().unwrap().iter().filter(|command| test(command)).count()
    }

    /// The ticks that asked for the key.
    fn ticks(&self) -> usize {
        let seen = self.0.lock().unwrap();
        let names = seen.iter().filter(|c| is_hold(c)).map(|c| c.text(4).to_owned());
        names.collect::<std::collections::BTreeSet<_>>().len()
    }

    pub(crate) fn clear(&self) {
        self.0.lock().unwrap().clear();
    }
}

/// Whether a tick takes its key, or renews it.
pub(crate) fn is_hold(command: &Command) -> bool {
    command.is("EVALSHA") && command.text(3) == TICKER && !command.text(5).is_empty()
}

/// Whether a tick deletes its key.
pub(crate) fn is_release(command: &Command) -> bool {
    command.is("EVALSHA")
        && command.text(3) == TICKER
        && command.text(5).is_empty()
        && command.text(4) != "starting"
}

/// Whether a nudge announces a tick.
pub(crate) fn is_announcement(command: &Command) -> bool {
    command.is("SET") && command.text(1) == TICKER
}

impl World {
    pub(crate) async fn start() -> Self {
        let (redis, seen, dir) = (Redis::start().await, Seen::default(), DataDir::new());
        let proxy = seen.proxy(&redis).await;
        let mut command = Process::new(binary("cloud"));
        command
            .env("REDIS_URL", proxy.url())
            .env("BATON_DATA_DIR", dir.path())
            .env("BATON_PROCESSOR_SECRETS", SECRET)
            .env("BATON_WEBHOOK_SECRETS", SECRET)
            .env("CLOUD_CRON_MS", "0");
        let process = Child::spawn_leader("cloud", &mut command, &dir.file("cloud.log"));
        let url = eventually("the functions have a URL", async || dir.read("url")).await;
        let client = Client::new(&url);
        until("the functions are ready", async || client.is_ready().await).await;
        Self { client, proxy, redis, seen, _process: process, _dir: dir }
    }

    /// A registered processor that answers at once.
    pub(crate) async fn processor(&self, id: &str) -> Processor {
        let processor = Processor::sync(ProcessorSpec::new(id), |data| data).await;
        processor.register(&self.client).await;
        processor
    }

    /// A registered processor that takes one attempt at a time, and answers when `gate` is open.
    pub(crate) async fn gated(&self, id: &str, gate: &kit::Gate) -> Processor {
        let gate = gate.clone();
        let processor = Processor::start(ProcessorSpec::new(id).capacity(1), move |_| {
            let gate = gate.clone();
            async move {
                gate.pass().await;
                Reply::json(&Value::Null)
            }
        });
        let processor = processor.await;
        processor.register(&self.client).await;
        processor
    }

    pub(crate) async fn submit(&self, target: &str) -> String {
        self.client.submit(&action(&json!(1), &[target], None)).await
    }

    /// Waits until nobody holds the key, and forgets what was seen so far.
    pub(crate) async fn settle(&self) {
        until("no tick runs", async || self.holder().await.is_none()).await;
        self.seen.clear();
    }

    pub(crate) async fn holder(&self) -> Option<String> {
        self.redis.query(&["GET", TICKER]).await
    }

    pub(crate) fn ticks(&self) -> usize {
        self.seen.ticks()
    }

    pub(crate) fn announcements(&self) -> usize {
        self.seen.count(is_announcement)
    }

    /// Waits until the proxy holds `n` connections in all.
    pub(crate) async fn held(&self, n: usize) {
        until("a command is held", async || self.proxy.holds() == n).await;
    }
}

/// A process of the tick, inside of the test.
pub(crate) async fn process(redis_url: &str) -> App {
    let variables = [("BATON_PROCESSOR_CIDRS", "127.0.0.0/8"), ("REDIS_URL", redis_url)];
    let get = |name: &str| {
        variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    };
    let names = variables.iter().map(|(name, _)| (*name).to_owned());
    let config = Config::from_lookup(get, names).unwrap();
    let secrets = || Secrets::parse(SECRET).unwrap();
    let egress = app::egress(&config, secrets(), secrets(), &[]).unwrap();
    let store = Store::connect(redis_url).await.unwrap();
    let app = App::new(config, store, egress, "http://127.0.0.1:9");
    take_work(&app);
    app
}

/// What Lambda gives a cron beat.
pub(crate) fn beat() -> Occasion {
    Occasion { handoffs: 0, deadline: Instant::now() + Duration::from_secs(119) }
}

/// A nudger that only notes how many hand-offs the ticks it would start had before them.
pub(crate) fn counting() -> (Nudger, Arc<AtomicU32>) {
    let started = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&started);
    let nudger = Nudger::new(Box::new(move |handoffs| {
        count.fetch_add(handoffs, SeqCst);
        Box::pin(std::future::ready(Ok(())))
    }));
    (nudger, started)
}
