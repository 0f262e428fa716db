//! A Redis, a store on it, and what a test needs to set a scene.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use kit::{Redis, ScriptProxy, Scripts, until, with_shim};
use manager_svc::domain::action::Status;
use manager_svc::domain::{
    Action, ActionId, Delivery, Job, Jobs, Nonce, OnFailure, Receiver, Target, Token, TokenHash,
};
use manager_svc::store::{
    Candidate, ClaimAsk, Claimed, DeliveryAsk, Ending, HandOver, NewAction, Output, Processor,
    Registered, Registration, Store, Submitted,
};

/// The lease of every job here, unless a test says otherwise.
pub(crate) const LEASE: u64 = 60_000;
/// How long an action may take.
pub(crate) const EXPIRES: u64 = 1_000_000;
/// Where outcomes go.
pub(crate) const HOST: &str = "h:80";
/// Far from full.
pub(crate) const PLENTY: u64 = 1_000;

/// A Redis and stores on it.
pub(crate) struct World {
    pub(crate) redis: Redis,
    pub(crate) proxy: Option<ScriptProxy>,
    /// The store under test.
    pub(crate) store: Store,
    /// Another way to look at it: never behind the proxy.
    pub(crate) direct: Store,
    /// The letters of the actions, in the order in which they were made.
    pub(crate) names: Mutex<BTreeMap<String, char>>,
    seed: AtomicU64,
}

impl World {
    /// On a single server.
    pub(crate) async fn start() -> Self {
        Self::on(Redis::start().await).await
    }

    /// On three shards.
    pub(crate) async fn on_cluster() -> Self {
        Self::on(Redis::cluster().await).await
    }

    /// On this one.
    pub(crate) async fn on(redis: Redis) -> Self {
        let store = Store::connect(&redis.url()).await.unwrap();
        let (direct, seed) = (store.clone(), AtomicU64::new(1));
        Self { redis, proxy: None, store, direct, names: Mutex::default(), seed }
    }

    /// The same, but every pipeline of the store is sent twice, and no script touches an undeclared key.
    pub(crate) async fn behind_proxy(self) -> Self {
        self.behind(Scripts::edited(|_, source| with_shim(source)).twice()).await
    }

    /// The same with other scripts.
    pub(crate) async fn behind(mut self, scripts: Scripts) -> Self {
        let proxy = ScriptProxy::start(&self.redis, scripts).await;
        self.store = Store::connect(&proxy.url()).await.unwrap();
        self.proxy = Some(proxy);
        self
    }

    /// The same without any key, for the next case.
    pub(crate) async fn emptied(self) -> Self {
        let keyspace = self.redis.keyspace().await;
        let mut command = vec!["UNLINK"];
        command.extend(keyspace.keys());
        if command.len() > 1 {
            let () = self.redis.query(&command).await;
        }
        self.names.lock().unwrap().clear();
        self
    }

    fn random(&self) -> u128 {
        self.seed.fetch_add(1, Ordering::Relaxed).into()
    }

    pub(crate) fn token(&self) -> Token {
        Token::from_random(self.random())
    }

    pub(crate) fn nonce(&self) -> Nonce {
        Nonce::from_random(self.random())
    }

    pub(crate) fn output(&self, data: &'static str) -> Output {
        Output { nonce: self.nonce(), data: Some(Bytes::from_static(data.as_bytes())) }
    }

    pub(crate) fn unchanged(&self) -> Output {
        Output { nonce: self.nonce(), data: None }
    }

    /// The wish to hand over to these processors, ids with names.
    pub(crate) fn hand_over(&self, candidates: &[(&str, &str)]) -> HandOver {
        let candidate = |(id, name): &(&str, &str)| candidate(id, name);
        HandOver {
            candidates: candidates.iter().map(candidate).collect(),
            token: self.token().hash(),
        }
    }

    /// An action over these targets, its data `"in"`, without a receiver.
    pub(crate) fn action(&self, targets: &[&str]) -> NewAction {
        let id = ActionId::from_random(self.random());
        let mut names = self.names.lock().unwrap();
        let next = ('a'..='z').nth(names.len()).unwrap_or('?');
        names.insert(id.as_str().to_owned(), next);
        let jobs = targets.iter().map(|target| Job {
            target: Target::parse(target).unwrap(),
            params: None,
            timeout_ms: LEASE,
            max_attempts: 5,
            on_failure: OnFailure::Fail,
        });
        let action = Action {
            id,
            version: 0,
            status: Status::Queued,
            run: 1,
            step: 0,
            jobs: Jobs::new(jobs.collect()).unwrap(),
            data: self.nonce(),
            tries: 0,
            attempt: None,
            created_at: 0,
            ready_at: 0,
            expires_at: 0,
            expires_in_ms: EXPIRES,
            ended_at: None,
            error: None,
            receiver: None,
            labels: BTreeMap::new(),
            traceparent: None,
            idempotency: None,
            delivery: Delivery::default(),
            attempts: Vec::new(),
            settled: Vec::new(),
        };
        NewAction { action, data: Bytes::from_static(b"\"in\""), delay_ms: 0 }
    }

    /// The same with a receiver.
    pub(crate) fn action_to_host(&self, targets: &[&str]) -> NewAction {
        let mut new = self.action(targets);
        let url = format!("http://{HOST}/hook");
        new.action.receiver = Some(Receiver { url, host: HOST.to_owned() });
        new
    }

    /// Submits it alone, without hand-over.
    pub(crate) async fn submit(&self, new: &NewAction) -> ActionId {
        let answer = self.store.submit(std::slice::from_ref(new), None, PLENTY, None).await;
        assert!(matches!(answer, Ok(Submitted::Accepted { claim: None, .. })), "{answer:?}");
        new.action.id.clone()
    }

    /// Registers a processor with room for `capacity` attempts.
    pub(crate) async fn register(&self, id: &str, name: &str, capacity: u32) {
        let registration = registration(id, name, capacity);
        let answer = self.store.register(&registration, &self.nonce(), 10_000).await.unwrap();
        assert!(matches!(answer, Registered::Added(_)), "{answer:?}");
    }

    pub(crate) async fn processor(&self, id: &str) -> Processor {
        self.direct.processor(id).await.unwrap().unwrap()
    }

    pub(crate) async fn record(&self, id: &ActionId) -> Action {
        self.direct.action(id).await.unwrap().unwrap()
    }

    /// What asks for these for one processor, in this order, as their queues look now.
    pub(crate) async fn ask(&self, id: &str, name: &str, ids: &[&ActionId]) -> ClaimAsk {
        let mut actions = Vec::new();
        for id in ids {
            let key = format!("{{p0}}:action:{id}");
            let queued: Option<String> = self.redis.query(&["HGET", &key, "queued"]).await;
            let seq = queued.and_then(|queued| queued.split(' ').next()?.parse().ok());
            actions.push(((*id).clone(), seq.unwrap_or_default(), self.token()));
        }
        let seen_at = self.direct.clock().await.unwrap();
        ClaimAsk { processor: candidate(id, name), seen_at, actions }
    }

    /// Claims what it can of these, for one processor, in this order.
    pub(crate) async fn claim(&self, id: &str, name: &str, ids: &[&ActionId]) -> Vec<Claimed> {
        let ask = self.ask(id, name, ids).await;
        self.store.claim_attempts(&[ask]).await.unwrap().whole
    }

    /// What asks for the delivery of an outcome as its queue looks now.
    pub(crate) async fn ask_delivery(&self, id: &ActionId) -> [DeliveryAsk; 1] {
        let due = self.record(id).await.delivery.due_at.unwrap_or_default();
        let actions = vec![(id.clone(), due, self.token().hash())];
        [DeliveryAsk { host: HOST.to_owned(), actions, not_before: 0 }]
    }

    /// Submits it and claims it for `p`, which serves `work`.
    pub(crate) async fn claimed(&self, new: &NewAction) -> Claimed {
        let id = self.submit(new).await;
        self.claim("p", "work", &[&id]).await.pop().unwrap()
    }

    /// Waits until the store's clock is past a time.
    pub(crate) async fn pass(&self, time: u64) {
        until("the store's clock goes on", async || self.direct.clock().await.unwrap() > time)
            .await;
    }
}

pub(crate) fn candidate(id: &str, name: &str) -> Candidate {
    Candidate { id: id.to_owned(), name: name.to_owned() }
}

pub(crate) fn registration(id: &str, name: &str, capacity: u32) -> Registration {
    Registration {
        id: Target::parse(id).unwrap(),
        name: Target::parse(name).unwrap(),
        url: format!("http://{id}"),
        capacity,
        started_at: None,
        usage: None,
        seen: None,
    }
}

/// The end of an action whose delivery may be claimed with `token`.
pub(crate) fn ending(token: Option<&TokenHash>) -> Ending<'_> {
    Ending { token, lease_ms: 30_000, retention_ms: 1_000_000 }
}

/// The jobs with another lease.
pub(crate) fn with_lease(mut new: NewAction, lease_ms: u64) -> NewAction {
    let jobs = new.action.jobs.iter().cloned().map(|job| Job { timeout_ms: lease_ms, ..job });
    new.action.jobs = Jobs::new(jobs.collect()).unwrap();
    new
}
