//! Registration and health checks: `GET {url}/meta` and `OPTIONS {url}/process`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use baton_wire::processor::ProcessorMeta;
use http::{HeaderValue, Method, StatusCode};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect;
use reqwest::{Client, Response};
use rustls::ClientConfig;
use url::Url;

use super::check::{self, UrlError};
use super::connect::{self, ConnectError};
use super::names::Names;
use super::policy::{Policy, Reach};
use super::{Egress, client, reply};

/// The longest `/meta`, in bytes.
const MAX_META_BYTES: usize = 64 * 1024;
/// Why a processor did not pass a check.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// Its URL is not one that may be called.
    #[error("the URL {0}")]
    Url(UrlError),
    /// Its host has no address that may be called.
    #[error("the host has no address that may be called")]
    Refused,
    /// No connection, or one that ended early; why, in words.
    #[error("it could not be reached: {0}")]
    Unreachable(String),
    /// No answer in time.
    #[error("it did not answer in time")]
    TimedOut,
    /// It redirects.
    #[error("it redirects ({0}): redirects are not followed")]
    Redirect(u16),
    /// Another status than the one that was needed.
    #[error("it answered {0}")]
    Status(u16),
    /// `/meta` is longer than 64 KiB.
    #[error("its answer is longer than {MAX_META_BYTES} bytes")]
    TooLarge,
    /// `/meta` is not what it should be; why, in words.
    #[error("its answer is not a processor's `/meta`: {0}")]
    NotMeta(String),
}

/// Asks the policy about each resolved address. A resolver learns neither scheme nor port, so there
/// is one for each reach.
struct Resolver {
    names: Names,
    policy: Arc<Policy>,
    reach: Reach,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (names, policy, reach) = (self.names.clone(), Arc::clone(&self.policy), self.reach);
        Box::pin(async move {
            // Port 0 stands for the one in the URL.
            let permitted = connect::resolve(&names, &policy, reach, name.as_str(), 0).await?;
            Ok(Box::new(permitted.into_iter()) as Box<dyn Iterator<Item = SocketAddr> + Send>
                as Addrs)
        })
    }
}

/// The reqwest half: a client for each reach.
pub(super) struct Prober {
    clients: [(Reach, Client); 2],
    policy: Arc<Policy>,
}

impl Prober {
    pub(super) fn new(
        policy: Arc<Policy>,
        names: &Names,
        tls: &ClientConfig,
        agent: &HeaderValue,
    ) -> Result<Self, reqwest::Error> {
        let build = |reach| {
            let resolver = Resolver { names: names.clone(), policy: Arc::clone(&policy), reach };
            let client = Client::builder()
                .tls_backend_preconfigured(tls.clone())
                .dns_resolver(Arc::new(resolver))
                .user_agent(agent.clone())
                .redirect(redirect::Policy::none())
                .no_proxy()
                .referer(false)
                // A check that connects anew also finds out that nobody listens any more.
                .pool_max_idle_per_host(0)
                .build()?;
            Ok((reach, client))
        };
        let clients = [build(Reach::Public)?, build(Reach::Allowed)?];
        Ok(Self { clients, policy })
    }

    fn client(&self, reach: Reach) -> &Client {
        let [(first, one), (_, other)] = &self.clients;
        if *first == reach { one } else { other }
    }

    /// Sends a request without a body. A literal address never meets the resolver, so the URL is
    /// checked again as it was when it was accepted: the policy may have changed since.
    async fn send(
        &self,
        method: Method,
        url: &str,
        path: &str,
        timeout: Duration,
    ) -> Result<Response, ProbeError> {
        let url = check::processor_url(url, &self.policy).map_err(|error| match error {
            UrlError::Address => ProbeError::Refused,
            error => ProbeError::Url(error),
        })?;
        let url =
            Url::parse(&format!("{url}{path}")).map_err(|_| ProbeError::Url(UrlError::Invalid))?;
        let https = url.scheme() == "https";
        let (host, port) = (url.host_str(), url.port_or_known_default());
        let (host, port) = host.zip(port).ok_or(ProbeError::Url(UrlError::Invalid))?;
        let client = self.client(self.policy.reach(https, host, port));
        let sent = client.request(method, url).timeout(timeout).send().await;
        let response = sent.map_err(|error| name_failure(&error))?;
        let status = response.status();
        if status.is_redirection() {
            return Err(ProbeError::Redirect(status.as_u16()));
        }
        Ok(response)
    }
}

impl Egress {
    /// Asks a processor who it is. `timeout` bounds the whole call.
    ///
    /// # Errors
    /// When it cannot be reached, or answers anything but a `/meta`.
    pub async fn fetch_meta(
        &self,
        url: &str,
        timeout: Duration,
    ) -> Result<ProcessorMeta, ProbeError> {
        let mut response = self.0.prober.send(Method::GET, url, "/meta", timeout).await?;
        if response.status() != StatusCode::OK {
            return Err(ProbeError::Status(response.status().as_u16()));
        }
        if response.content_length().is_some_and(|length| length > MAX_META_BYTES as u64) {
            return Err(ProbeError::TooLarge);
        }
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|error| name_failure(&error))? {
            if body.len() + piece.len() > MAX_META_BYTES {
                return Err(ProbeError::TooLarge);
            }
            body.extend_from_slice(&piece);
        }
        serde_json::from_slice(&body)
            .map_err(|error| ProbeError::NotMeta(reply::clean(&error.to_string(), 200)))
    }

    /// Asks whether a processor has `/process`: any answer but 404 and a redirect will do.
    ///
    /// # Errors
    /// When it cannot be reached, answers 404, or redirects.
    pub async fn probe_process(&self, url: &str, timeout: Duration) -> Result<(), ProbeError> {
        let response = self.0.prober.send(Method::OPTIONS, url, "/process", timeout).await?;
        match response.status() {
            StatusCode::NOT_FOUND => Err(ProbeError::Status(404)),
            _ => Ok(()),
        }
    }
}

fn name_failure(error: &reqwest::Error) -> ProbeError {
    if error.is_timeout() {
        return ProbeError::TimedOut;
    }
    client::find::<ConnectError>(error).map_or_else(
        || ProbeError::Unreachable(client::describe(error)),
        |error| match error {
            ConnectError::Refused => ProbeError::Refused,
            ConnectError::NoHost
            | ConnectError::Resolve
            | ConnectError::Tcp(_)
            | ConnectError::TimedOut => ProbeError::Unreachable(error.to_string()),
        },
    )
}
