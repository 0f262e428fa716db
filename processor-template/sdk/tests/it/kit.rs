//! Starting processors, and dispatching to them as a manager does.

use std::time::{Duration, SystemTime};

use baton_sdk::{Config, Processor};
use baton_wire::RawValue;
use baton_wire::process::ProcessIn;
use baton_wire::signature::Secrets;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::manager::{Manager, PATIENCE};

pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// Longer than any test: neither heartbeats nor health checks come in between.
pub(crate) const LONG: u64 = 600_000;

pub(crate) fn http_client() -> reqwest::Client {
    // An error means that another test has installed it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap()
}

/// A processor that has registered.
pub(crate) struct Running {
    pub(crate) url: String,
    pub(crate) manager: Manager,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<(), baton_sdk::Error>>,
    http: reqwest::Client,
}

impl Running {
    pub(crate) async fn start(processor: Processor) -> Self {
        Self::with_manager(processor, Manager::start(LONG).await, &[]).await
    }

    pub(crate) async fn with_manager(
        processor: Processor,
        mut manager: Manager,
        variables: &[(&str, &str)],
    ) -> Self {
        let (stop, task) = spawn(processor, &manager.url, variables);
        let url = manager.registration().await.body.url;
        Self { url, manager, stop: Some(stop), task, http: http_client() }
    }

    /// Asks it to stop, without waiting.
    pub(crate) fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    /// Waits until it has stopped.
    pub(crate) async fn stopped(self) {
        timeout(PATIENCE, self.task).await.unwrap().unwrap().unwrap();
    }

    /// The attempt of a step, with the manager's `/complete`.
    pub(crate) fn dispatch(&self, data: &str) -> Dispatch {
        let data = RawValue::from_string(data.to_owned()).unwrap();
        Dispatch {
            process: ProcessIn {
                action_id: "act_1".to_owned(),
                step: 0,
                steps: 1,
                attempt: 1,
                token: "tok_1".to_owned(),
                data,
                params: None,
                complete_url: format!("{}/complete", self.manager.url),
                lease_ms: LONG,
                expires_at: now_ms() + LONG,
            },
            url: format!("{}/process", self.url),
            key: "key_1".to_owned(),
            secret: SECRET,
            http: self.http.clone(),
        }
    }
}

/// Starts a processor that stops when the sender is used or dropped.
pub(crate) fn spawn(
    processor: Processor,
    manager_url: &str,
    variables: &[(&str, &str)],
) -> (oneshot::Sender<()>, JoinHandle<Result<(), baton_sdk::Error>>) {
    let config = Config::from_lookup("test", |name| {
        let given = variables.iter().find(|(key, _)| *key == name);
        match name {
            "MANAGER_URL" => Some(manager_url.to_owned()),
            "PROCESSOR_ID" => Some("test-1".to_owned()),
            "PROCESSOR_SECRETS" => Some(SECRET.to_owned()),
            _ => given.map(|(_, value)| (*value).to_owned()),
        }
    });
    let (stop, stopped) = oneshot::channel();
    let serve = processor.serve(config.unwrap(), async { drop(stopped.await) });
    (stop, tokio::spawn(serve))
}

/// A request to `/process`, to be changed and sent.
#[derive(Clone)]
pub(crate) struct Dispatch {
    pub(crate) process: ProcessIn,
    pub(crate) url: String,
    pub(crate) key: String,
    pub(crate) secret: &'static str,
    http: reqwest::Client,
}

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) kind: Option<String>,
    pub(crate) retry_after: Option<String>,
    pub(crate) body: String,
}

impl Answer {
    /// The body's `code`.
    pub(crate) fn code(&self) -> String {
        assert_eq!(self.kind.as_deref(), Some("application/problem+json"), "{self:?}");
        let problem: Value = serde_json::from_str(&self.body).unwrap();
        assert_eq!(problem["status"], self.status);
        problem["code"].as_str().unwrap().to_owned()
    }
}

impl Dispatch {
    pub(crate) fn lease(mut self, lease: Duration) -> Self {
        self.process.lease_ms = u64::try_from(lease.as_millis()).unwrap();
        self
    }

    /// Another attempt of the same step.
    pub(crate) fn attempt(mut self, attempt: u32) -> Self {
        self.process.attempt = attempt;
        self.process.token = format!("tok_{attempt}");
        self
    }

    /// Another action.
    pub(crate) fn action(mut self, id: &str) -> Self {
        self.process.action_id = id.to_owned();
        self.key = format!("key_of_{id}");
        self
    }

    pub(crate) async fn send(self) -> Answer {
        let body = serde_json::to_vec(&self.process).unwrap();
        self.send_body(body).await
    }

    pub(crate) async fn send_body(self, body: Vec<u8>) -> Answer {
        let request = self.request(body);
        let response = self.http.execute(request).await.unwrap();
        let header = |name: &str| {
            response.headers().get(name).map(|value| value.to_str().unwrap().to_owned())
        };
        Answer {
            status: response.status().as_u16(),
            kind: header("content-type"),
            retry_after: header("retry-after"),
            body: response.text().await.unwrap(),
        }
    }

    /// Writes the request to a connection of its own, and reads no answer.
    pub(crate) async fn write(self) -> TcpStream {
        let request = self.request(serde_json::to_vec(&self.process).unwrap());
        let body = request.body().and_then(|body| body.as_bytes()).unwrap();
        let authority = request.url().authority().to_owned();
        let mut text = format!(
            "POST /process HTTP/1.1\r\nhost: {authority}\r\ncontent-length: {}\r\n",
            body.len()
        );
        for (name, value) in request.headers() {
            text.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
        }
        text.push_str("\r\n");
        let mut connection = TcpStream::connect(&authority).await.unwrap();
        connection.write_all(text.as_bytes()).await.unwrap();
        connection.write_all(body).await.unwrap();
        connection
    }

    fn request(&self, body: Vec<u8>) -> reqwest::Request {
        let timestamp = now_ms() / 1000;
        let signature = Secrets::parse(self.secret).unwrap().sign("msg_1", timestamp, &body);
        self.http
            .post(&self.url)
            .header("idempotency-key", &self.key)
            .header("traceparent", "00-trace")
            .header("webhook-id", "msg_1")
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", signature)
            .body(body)
            .build()
            .unwrap()
    }
}

#[expect(clippy::disallowed_methods, reason = "what the manager's clock would say")]
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}
