//! One exchange on the hot path: build the request, sign it, send it, name what went wrong.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::io;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use baton_wire::process::IDEMPOTENCY_KEY;
use baton_wire::signature::{Secrets, WEBHOOK_ID, WEBHOOK_SIGNATURE, WEBHOOK_TIMESTAMP};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, HeaderName, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri};
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;

use super::body::{Payload, Sent};
use super::connect::{ConnectError, Connector};
use super::names::Names;
use super::policy::Policy;
use super::reply;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const IDEMPOTENCY_KEY_NAME: HeaderName = HeaderName::from_static(IDEMPOTENCY_KEY);
const WEBHOOK_ID_NAME: HeaderName = HeaderName::from_static(WEBHOOK_ID);
const WEBHOOK_TIMESTAMP_NAME: HeaderName = HeaderName::from_static(WEBHOOK_TIMESTAMP);
const WEBHOOK_SIGNATURE_NAME: HeaderName = HeaderName::from_static(WEBHOOK_SIGNATURE);

/// Below what common servers wait, so that they seldom close a connection that is being used.
const IDLE: Duration = Duration::from_secs(30);
/// As many as calls may run to one host at a time.
const IDLE_PER_HOST: usize = 1024;
/// The most that a reply's head may take, and that one read takes of its body.
const BUFFER_BYTES: usize = 64 * 1024;
/// How many parsed URLs are kept. There are few processors; response URLs may be many.
const MAX_TARGETS: usize = 1024;

/// The client for one kind of peer: a policy, a set of secrets, and connections of its own, so that
/// none is used under another policy than it was made under.
pub(super) struct Client {
    http: legacy::Client<Connector, Payload>,
    policy: Arc<Policy>,
    secrets: Secrets,
    agent: HeaderValue,
    path: &'static str,
    targets: RwLock<HashMap<String, Target>>,
}

/// A URL, parsed.
#[derive(Clone)]
struct Target {
    uri: Uri,
    host: HeaderValue,
}

/// What is sent.
pub(super) struct Outgoing<'a> {
    pub(super) url: &'a str,
    pub(super) body: Bytes,
    pub(super) webhook_id: &'a str,
    pub(super) idempotency_key: Option<&'a str>,
    pub(super) traceparent: Option<&'a str>,
    pub(super) now_secs: u64,
}

/// Why there is no reply.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum SendError {
    /// The URL, or what a header was to carry, cannot be sent.
    Request,
    /// It has no address that the policy permits.
    Refused,
    /// Nothing was written; why, in words.
    Unreachable(String),
    /// The connection ended after something was written.
    Lost,
    /// What came back is not HTTP.
    Malformed,
}

impl Client {
    /// `path` is appended to every URL.
    pub(super) fn new(
        policy: Arc<Policy>,
        names: Names,
        tls: Arc<ClientConfig>,
        secrets: Secrets,
        agent: HeaderValue,
        path: &'static str,
    ) -> Self {
        let http = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_PER_HOST)
            .http1_max_buf_size(BUFFER_BYTES)
            .set_host(false)
            .build(Connector::new(Arc::clone(&policy), names, tls));
        Self { http, policy, secrets, agent, path, targets: RwLock::default() }
    }

    pub(super) fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The signed request, and the mark that tells whether it has been written.
    pub(super) fn request(&self, out: Outgoing<'_>) -> Result<(Request<Payload>, Sent), SendError> {
        let target = self.target(out.url)?;
        let value = |text: &str| HeaderValue::from_str(text).map_err(|_| SendError::Request);
        let signature = self.secrets.sign(out.webhook_id, out.now_secs, &out.body);
        let signature = HeaderValue::try_from(signature).map_err(|_| SendError::Request)?;
        // Room for every header at once: growing on the way would hash them all again.
        let mut headers = HeaderMap::with_capacity(12);
        headers.insert(HOST, target.host);
        headers.insert(USER_AGENT, self.agent.clone());
        headers.insert(CONTENT_TYPE, JSON);
        headers.insert(WEBHOOK_ID_NAME, value(out.webhook_id)?);
        headers.insert(WEBHOOK_TIMESTAMP_NAME, out.now_secs.into());
        headers.insert(WEBHOOK_SIGNATURE_NAME, signature);
        if let Some(key) = out.idempotency_key {
            headers.insert(IDEMPOTENCY_KEY_NAME, value(key)?);
        }
        // A trace is worth no failure.
        if let Some(Ok(trace)) = out.traceparent.map(HeaderValue::from_str) {
            headers.insert(TRACEPARENT, trace);
        }
        let (payload, sent) = Payload::new(out.body);
        let mut request = Request::new(payload);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = target.uri;
        *request.headers_mut() = headers;
        Ok((request, sent))
    }

    /// Sends it and waits for the head of the reply.
    pub(super) async fn send(
        &self,
        request: Request<Payload>,
        sent: &Sent,
    ) -> Result<Response<Incoming>, SendError> {
        self.http.request(request).await.map_err(|error| name_failure(&error, sent.get()))
    }

    fn target(&self, url: &str) -> Result<Target, SendError> {
        let known = self.targets.read().unwrap_or_else(PoisonError::into_inner).get(url).cloned();
        if let Some(target) = known {
            return Ok(target);
        }
        let target = Target::parse(format!("{url}{}", self.path)).ok_or(SendError::Request)?;
        let mut targets = self.targets.write().unwrap_or_else(PoisonError::into_inner);
        if targets.len() >= MAX_TARGETS {
            targets.clear();
        }
        targets.insert(url.to_owned(), target.clone());
        Ok(target)
    }
}

impl Target {
    fn parse(url: String) -> Option<Self> {
        let uri = Uri::try_from(url).ok()?;
        uri.scheme()?;
        let authority = uri.authority()?.as_str();
        if authority.contains('@') {
            return None;
        }
        Some(Self { host: HeaderValue::from_str(authority).ok()?, uri })
    }
}

fn name_failure(error: &legacy::Error, sent: bool) -> SendError {
    if let Some(error) = find::<ConnectError>(error) {
        return match error {
            ConnectError::Refused => SendError::Refused,
            ConnectError::NoHost
            | ConnectError::Resolve
            | ConnectError::Tcp(_)
            | ConnectError::TimedOut => SendError::Unreachable(error.to_string()),
        };
    }
    if find::<hyper::Error>(error).is_some_and(hyper::Error::is_parse) {
        return SendError::Malformed;
    }
    if sent { SendError::Lost } else { SendError::Unreachable(describe(error)) }
}

/// Why a connection failed, without naming its peer.
pub(super) fn describe(error: &(dyn StdError + 'static)) -> String {
    if let Some(error) = find::<rustls::Error>(error) {
        return reply::clean(&format!("TLS: {error}"), 300);
    }
    match find::<io::Error>(error) {
        Some(error) => error.kind().to_string(),
        None => "the connection was closed".into(),
    }
}

/// The first error of a type among the causes. An `io::Error` does not name what it wraps as its
/// source, so it is opened.
pub(super) fn find<'e, E: StdError + 'static>(
    error: &'e (dyn StdError + 'static),
) -> Option<&'e E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match inner {
            Some(inner) => Some(inner as &(dyn StdError + 'static)),
            None => error.source(),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parsed_urls_are_kept_up_to_a_bound() {
        let client = Client::new(
            Arc::new(Policy::default()),
            Names::System,
            Arc::new(super::super::connect::tls_config().unwrap()),
            Secrets::parse(super::super::testing::SECRET).unwrap(),
            HeaderValue::from_static("baton/test"),
            "/process",
        );
        let kept = |client: &Client| client.targets.read().unwrap().len();
        for number in 0..MAX_TARGETS {
            let url = format!("http://127.0.0.1:9000/{number}");
            for _ in 0..2 {
                let target = client.target(&url).unwrap();
                assert_eq!(target.uri, *format!("{url}/process"));
                assert_eq!(target.host, "127.0.0.1:9000");
            }
        }
        assert_eq!(kept(&client), MAX_TARGETS);
        client.target("http://127.0.0.1:9000/more").unwrap();
        assert!(kept(&client) <= MAX_TARGETS);
    }

    #[test]
    fn the_cause_inside_an_io_error_is_found() {
        let tls = io::Error::other(io::Error::other(rustls::Error::DecryptError));
        assert_eq!(describe(&tls), "TLS: cannot decrypt peer's message");
        assert_eq!(describe(&io::Error::from(io::ErrorKind::ConnectionReset)), "connection reset");
    }
}
