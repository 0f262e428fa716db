//! What each of the tests begins with: an empty store, the deployment, and what the schedule does.

use std::time::Duration;

use kit::{Client, Deployed, Gate, Patience, Processor, ProcessorSpec, Receiver, Reply, until};
use manager_svc::store::Store;
use redis::AsyncCommands as _;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

/// The deployment, and how often its schedule had fired before.
pub(crate) struct Stage {
    deployed: Deployed,
    pub(crate) client: Client,
    redis: redis::aio::MultiplexedConnection,
    fired_before: usize,
}

impl Stage {
    /// Empties the store. No tick runs then that has seen what was in it before.
    pub(crate) async fn start() -> Self {
        let deployed = Deployed::of_run();
        let client = redis::Client::open(deployed.redis_url()).unwrap();
        let redis = client.get_multiplexed_async_connection().await.unwrap();
        let (client, fired_before) = (deployed.client(), deployed.firings());
        let stage = Self { deployed, client, redis, fired_before };
        stage.no_tick_runs().await;
        let () = redis::cmd("FLUSHALL").query_async(&mut stage.redis.clone()).await.unwrap();
        until("the deployment is ready", async || stage.client.is_ready().await).await;
        stage
    }

    fn spec(&self, id: &str) -> ProcessorSpec {
        ProcessorSpec::new(id).secrets(self.deployed.processor_secrets())
    }

    /// A registered processor that adds its id to a list and answers at once.
    pub(crate) async fn adder(&self, id: &str) -> Processor {
        let name = id.to_owned();
        let processor = Processor::sync(self.spec(id), move |data| add(&data, &name)).await;
        processor.register(&self.client).await;
        processor
    }

    /// A registered processor that adds its id to a list and reports later.
    pub(crate) async fn late_adder(&self, id: &str) -> Processor {
        let name = id.to_owned();
        let processor = Processor::asynchronous(self.spec(id), move |data| add(&data, &name)).await;
        processor.register(&self.client).await;
        processor
    }

    /// A registered processor that answers what it gets, but nothing before the gate opens.
    pub(crate) async fn gated(&self, id: &str, gate: &Gate) -> Processor {
        let gate = gate.clone();
        let processor = Processor::start(self.spec(id), move |call| {
            let gate = gate.clone();
            async move {
                gate.pass().await;
                Reply::json(&call.data())
            }
        });
        let processor = processor.await;
        processor.register(&self.client).await;
        processor
    }

    /// A receiver that takes everything.
    pub(crate) async fn receiver(&self) -> Receiver {
        Receiver::start(self.webhook_secrets()).await
    }

    pub(crate) fn webhook_secrets(&self) -> baton_wire::signature::Secrets {
        self.deployed.webhook_secrets()
    }

    /// How often the schedule has fired since the test began.
    pub(crate) fn firings(&self) -> usize {
        self.deployed.firings() - self.fired_before
    }

    /// Waits for more firings than `seen`; answers how many there are then.
    pub(crate) async fn firing_after(&self, seen: usize, patience: Duration) -> usize {
        let deadline = Instant::now() + patience;
        loop {
            let firings = self.firings();
            if firings > seen {
                return firings;
            }
            assert!(Instant::now() < deadline, "the schedule did not fire within {patience:?}");
            self.pause().await;
        }
    }

    /// Waits for the next firing.
    pub(crate) async fn next_firing(&self, patience: Duration) {
        self.firing_after(self.firings(), patience).await;
    }

    /// The processes that run `tick`, whether they do something or wait for an event.
    pub(crate) fn ticks(&self) -> Vec<u32> {
        self.deployed.ticks()
    }

    /// Waits until no tick lingers, or is about to.
    pub(crate) async fn no_tick_runs(&self) {
        let mut patience = Patience::new("no tick lingers");
        while self.redis.clone().exists::<_, bool>("{p0}:ticker").await.unwrap() {
            patience.pause().await;
        }
    }

    /// When the lease of an action ends that a sorted set has, by the store's clock.
    pub(crate) async fn lease_end(&self, key: &str, id: &str) -> u64 {
        let key = format!("{{p0}}:{key}");
        let score: Option<u64> = self.redis.clone().zscore(&key, id).await.unwrap();
        score.unwrap_or_else(|| panic!("{id} is not in {key}"))
    }

    /// The store's clock, in milliseconds since the Unix epoch.
    pub(crate) async fn clock(&self) -> u64 {
        let time = redis::cmd("TIME").query_async(&mut self.redis.clone()).await;
        let (seconds, micros): (u64, u64) = time.unwrap();
        seconds * 1_000 + micros / 1_000
    }

    /// Lets a moment pass between two looks.
    pub(crate) async fn pause(&self) {
        sleep(Duration::from_millis(20)).await;
    }

    /// Asserts that every invariant of the store holds, when no tick lingers any more.
    pub(crate) async fn assert_sound(&self) {
        self.no_tick_runs().await;
        let store = Store::connect(self.deployed.redis_url()).await.unwrap();
        let found = store.violations().await.unwrap();
        assert!(found.is_empty(), "{found:#?}");
    }
}

/// The list with one entry more.
pub(crate) fn add(data: &Value, entry: &str) -> Value {
    let mut list = data.as_array().cloned().unwrap_or_default();
    list.push(json!(entry));
    Value::Array(list)
}

/// Host and port of a receiver, as the store names it.
pub(crate) fn host(receiver: &Receiver) -> String {
    receiver.url().trim_start_matches("http://").trim_end_matches("/hook").to_owned()
}
