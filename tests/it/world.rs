//! What most scenarios begin with: a Redis, a manager on it, and a receiver.

use baton_wire::processor::RegisterOut;
use kit::{
    Baton, BatonSpec, Call, Gate, Keyspace, Processor, ProcessorSpec, Receiver, Redis, Reply,
};
use manager_svc::store::Store;
use serde_json::{Value, json};

/// A Redis, a manager and a receiver of its webhooks.
pub(crate) struct World {
    pub(crate) baton: Baton,
    pub(crate) receiver: Receiver,
    pub(crate) redis: Redis,
}

impl World {
    /// With the defaults, but without health checks, which would change the store at any moment.
    pub(crate) async fn start() -> Self {
        Self::with(&[]).await
    }

    /// With more environment.
    pub(crate) async fn with(env: &[(&str, &str)]) -> Self {
        let redis = Redis::any().await;
        let spec = BatonSpec::on(&redis.url()).env("BATON_HEALTH_INTERVAL_MS", "3600000");
        let spec = env.iter().fold(spec, |spec, (name, value)| spec.env(name, value));
        let baton = spec.start().await;
        let receiver = Receiver::start(baton.webhook_secrets()).await;
        Self { baton, receiver, redis }
    }

    /// A processor's description that demands this manager's signature.
    pub(crate) fn spec(&self, id: &str) -> ProcessorSpec {
        ProcessorSpec::new(id).secrets(self.baton.processor_secrets())
    }

    /// A registered processor that answers what `work` says.
    pub(crate) async fn processor<F, R>(&self, spec: ProcessorSpec, work: F) -> Processor
    where
        F: Fn(Call) -> R + Send + Sync + 'static,
        R: Future<Output = Reply> + Send + 'static,
    {
        let processor = Processor::start(spec, work).await;
        let _: RegisterOut = processor.register(&self.baton).await;
        processor
    }

    /// A registered processor that adds its id to a list and answers at once.
    pub(crate) async fn adder(&self, id: &str) -> Processor {
        let name = id.to_owned();
        let processor = Processor::sync(self.spec(id), move |data| add(&data, &name)).await;
        processor.register(&self.baton).await;
        processor
    }

    /// A registered processor that adds its id to a list and reports later.
    pub(crate) async fn late_adder(&self, id: &str) -> Processor {
        let name = id.to_owned();
        let processor = Processor::asynchronous(self.spec(id), move |data| add(&data, &name)).await;
        processor.register(&self.baton).await;
        processor
    }

    /// A registered processor that answers what it gets, but nothing before the gate opens.
    pub(crate) async fn gated(&self, id: &str, capacity: u32, gate: &Gate) -> Processor {
        self.gated_of(id, &format!("{id}-kind"), capacity, gate).await
    }

    /// The same, with a name.
    pub(crate) async fn gated_of(
        &self,
        id: &str,
        name: &str,
        capacity: u32,
        gate: &Gate,
    ) -> Processor {
        let gate = gate.clone();
        let work = self.processor(self.spec(id).name(name).capacity(capacity), move |call| {
            let gate = gate.clone();
            async move {
                gate.pass().await;
                Reply::json(&call.data())
            }
        });
        work.await
    }

    /// The actions that are pending at some processors.
    pub(crate) async fn pending(&self, processors: &[&str]) -> Vec<String> {
        let mut pending = Vec::new();
        for id in processors {
            let key = format!("{{p0}}:pending:{id}");
            pending.extend(self.redis.query::<Vec<String>>(&["ZRANGE", &key, "0", "-1"]).await);
        }
        pending
    }

    /// Everything the store holds, but for which tick lingers: that comes and goes by itself.
    pub(crate) async fn keyspace(&self) -> Keyspace {
        self.redis.keyspace().await.without(|key, _| key == "{p0}:ticker")
    }

    /// The store's clock, in milliseconds since the Unix epoch.
    pub(crate) async fn clock(&self) -> u64 {
        let (seconds, micros): (u64, u64) = self.redis.query(&["TIME"]).await;
        seconds * 1_000 + micros / 1_000
    }

    /// Asserts that every invariant of the store holds, while the manager stands still.
    pub(crate) async fn assert_sound(&self) {
        self.baton.pause();
        let store = Store::connect(&self.redis.url()).await.unwrap();
        let mut found = store.violations().await.unwrap();
        if !found.is_empty() {
            // Redis may have been working on what it was sent before the manager stood still.
            let again = store.violations().await.unwrap();
            found.retain(|violation| again.contains(violation));
        }
        self.baton.resume();
        assert!(found.is_empty(), "{found:#?}");
    }
}

/// The list with one entry more.
pub(crate) fn add(data: &Value, entry: &str) -> Value {
    let mut list = data.as_array().cloned().unwrap_or_default();
    list.push(json!(entry));
    Value::Array(list)
}
