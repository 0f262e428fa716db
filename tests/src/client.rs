//! A client of the manager's HTTP interface that reads every answer into its wire type.

use std::sync::Once;
use std::time::Duration;

use baton_wire::RawValue;
use baton_wire::action::{
    ActionAccepted, ActionIn, ActionOut, ActionsAccepted, DeliveryStatus, JobIn,
};
use baton_wire::manager::ManagerMeta;
use baton_wire::process::{CompleteIn, CompleteOut};
use baton_wire::processor::{DrainOut, PauseOut, RegisterIn, RegisterOut};
use bytes::Bytes;
use http::Method;
use serde::Serialize;

use crate::answer::{Answer, Refusal};
use crate::wait::Patience;

/// An HTTP client that uses no proxy and never waits forever.
#[must_use]
pub fn http_client() -> reqwest::Client {
    static PROVIDER: Once = Once::new();
    // Every client is built for TLS, used or not, and that needs a provider. An error means that
    // somebody in this process has installed one already, which is as good.
    PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
    reqwest::Client::builder()
        .no_proxy()
        .connect_timeout(Duration::from_secs(5))
        .timeout(Duration::from_secs(60))
        .build()
        .expect("an HTTP client can be built")
}

/// An action with default options; add others to what it returns.
#[must_use]
pub fn action(data: &impl Serialize, jobs: &[&str], response_url: Option<&str>) -> ActionIn {
    let text = serde_json::to_string(data).expect("the data is JSON");
    ActionIn {
        data: RawValue::from_string(text).expect("serialised JSON is JSON"),
        jobs: jobs.iter().map(|target| JobIn::to(target)).collect(),
        response_url: response_url.map(str::to_owned),
        delay_ms: None,
        expires_in_ms: None,
        labels: std::collections::BTreeMap::new(),
    }
}

/// A client of one manager. Clones share connections.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    key: Option<String>,
}

impl Client {
    /// A client of the manager at `url`.
    #[must_use]
    pub fn new(url: &str) -> Self {
        Self::with(http_client(), url)
    }

    /// A client of the manager at `url` that shares the connections of `http`.
    #[must_use]
    pub fn with(http: reqwest::Client, url: &str) -> Self {
        Self { http, url: url.to_owned(), key: None }
    }

    /// The same, sending this bearer key with each request; without one, none.
    #[must_use]
    pub fn keyed(&self, key: Option<&str>) -> Self {
        Self { key: key.map(str::to_owned), ..self.clone() }
    }

    /// The manager's URL, without a slash at its end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Sends a request; `None` when no answer came.
    pub async fn try_send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Option<Answer> {
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(key) = &self.key {
            request = request.bearer_auth(key);
        }
        let response = request.body(body.into()).send().await.ok()?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Some(Answer { status, headers, body: response.bytes().await.ok()? })
    }

    /// Sends a request; panics when no answer comes.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let answer = self.try_send(method.clone(), path, headers, body).await;
        answer.unwrap_or_else(|| panic!("no answer to {method} {path}"))
    }

    /// POSTs JSON.
    pub async fn post(&self, path: &str, body: &impl Serialize) -> Answer {
        let body = serde_json::to_vec(body).expect("a request is JSON");
        self.send(Method::POST, path, &[JSON], body).await
    }

    /// POSTs JSON; `None` when no answer came.
    pub async fn try_post(&self, path: &str, body: &impl Serialize) -> Option<Answer> {
        let body = serde_json::to_vec(body).expect("a request is JSON");
        self.try_send(Method::POST, path, &[JSON], body).await
    }

    /// GETs.
    pub async fn fetch(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], Bytes::new()).await
    }

    /// `POST /action`; returns the id and the status.
    ///
    /// # Errors
    /// The refusal.
    pub async fn try_submit(&self, action: &ActionIn) -> Result<ActionAccepted, Refusal> {
        let answer = self.post("/action", action).await;
        let accepted: ActionAccepted = answer.read()?;
        let location = format!("/action/{}", accepted.action_id);
        assert_eq!(answer.status, 202);
        assert_eq!(answer.header("location"), Some(location.as_str()));
        Ok(accepted)
    }

    /// `POST /action`, which must be accepted; returns the id.
    pub async fn submit(&self, action: &ActionIn) -> String {
        self.try_submit(action).await.expect("the action is accepted").action_id
    }

    /// `POST /action` with an array.
    ///
    /// # Errors
    /// The refusal.
    pub async fn try_submit_all(&self, actions: &[ActionIn]) -> Result<ActionsAccepted, Refusal> {
        self.post("/action", &actions).await.read()
    }

    /// `POST /action` with an array, which must be accepted; returns the ids in order.
    pub async fn submit_all(&self, actions: &[ActionIn]) -> Vec<String> {
        let accepted = self.try_submit_all(actions).await.expect("the actions are accepted");
        accepted.actions.into_iter().map(|action| action.action_id).collect()
    }

    /// `POST /action` with an `Idempotency-Key`.
    ///
    /// # Errors
    /// The refusal.
    pub async fn submit_once(
        &self,
        key: &str,
        action: &ActionIn,
    ) -> Result<ActionAccepted, Refusal> {
        let body = serde_json::to_vec(action).expect("an action is JSON");
        self.send(Method::POST, "/action", &[JSON, ("idempotency-key", key)], body).await.read()
    }

    /// `GET /action/{id}`.
    ///
    /// # Errors
    /// The refusal.
    pub async fn try_get(&self, id: &str) -> Result<ActionOut, Refusal> {
        self.fetch(&format!("/action/{id}")).await.read()
    }

    /// `GET /action/{id}` of an action that must be known.
    pub async fn get(&self, id: &str) -> ActionOut {
        self.try_get(id).await.expect("the action is known")
    }

    /// Waits, by long polls, until the action has an outcome, and returns it.
    pub async fn outcome(&self, id: &str) -> ActionOut {
        let path = format!("/action/{id}?wait_ms=5000");
        let mut patience = Patience::new(format!("{id} has an outcome"));
        loop {
            let action: ActionOut = self.fetch(&path).await.read().expect("the action is known");
            if action.status.is_outcome() {
                return action;
            }
            patience.pause().await;
        }
    }

    /// Waits until the action has ended: it has an outcome and its delivery is settled.
    pub async fn ended(&self, id: &str) -> ActionOut {
        let mut patience = Patience::new(format!("{id} has ended"));
        loop {
            let action = self.get(id).await;
            let open = action.delivery.status == DeliveryStatus::Pending;
            if action.status.is_outcome() && !open {
                return action;
            }
            patience.pause().await;
        }
    }

    /// `POST /complete`.
    ///
    /// # Errors
    /// The refusal.
    pub async fn complete(&self, report: &CompleteIn) -> Result<CompleteOut, Refusal> {
        self.post("/complete", report).await.read()
    }

    /// `POST /register`.
    ///
    /// # Errors
    /// The refusal.
    pub async fn register(&self, processor: &RegisterIn) -> Result<RegisterOut, Refusal> {
        self.post("/register", processor).await.read()
    }

    /// `DELETE /processors/{id}?epoch=`.
    ///
    /// # Errors
    /// The refusal.
    pub async fn drain(&self, id: &str, epoch: u64) -> Result<DrainOut, Refusal> {
        let path = format!("/processors/{id}?epoch={epoch}");
        self.send(Method::DELETE, &path, &[], Bytes::new()).await.read()
    }

    /// `POST /processors/{id}/pause` or `/resume`.
    ///
    /// # Errors
    /// The refusal.
    pub async fn switch(&self, id: &str, verb: &str) -> Result<PauseOut, Refusal> {
        let path = format!("/processors/{id}/{verb}");
        self.send(Method::POST, &path, &[], Bytes::new()).await.read()
    }

    /// `GET /meta`.
    pub async fn meta(&self) -> ManagerMeta {
        self.fetch("/meta").await.read().expect("the manager describes itself")
    }

    /// Whether `GET /readyz` says 200.
    pub async fn is_ready(&self) -> bool {
        let answer = self.try_send(Method::GET, "/readyz", &[], Bytes::new()).await;
        answer.is_some_and(|answer| answer.status == 200)
    }
}

const JSON: (&str, &str) = ("content-type", "application/json");
