//! Every outgoing HTTP call.
//!
//! Two clients stand on one address policy ([`Policy`]): hyper-util's for the hot path (dispatch and
//! delivery), reqwest for registration and health checks. Neither follows redirects, uses a proxy or
//! decompresses; each call has one deadline over connecting, headers and body, and reads at most a
//! stated number of bytes.
//!
//! `address` (which addresses are public) ← `policy` ← `connect` (resolve by `names`, filter, TLS) ← `client`
//! (one exchange) ← `process`, `deliver`. `check` and `origin` judge URLs that others hand in, `probe`
//! is the reqwest half.

use std::fmt;
use std::sync::Arc;

use baton_wire::signature::Secrets;

mod address;
mod body;
mod check;
mod client;
mod connect;
mod deliver;
#[cfg(test)]
mod deliver_tests;
mod names;
mod origin;
mod policy;
mod probe;
#[cfg(test)]
mod probe_tests;
mod process;
#[cfg(test)]
mod process_tests;
#[cfg(test)]
mod rebinding_tests;
mod reply;
#[cfg(test)]
mod table_tests;
#[cfg(test)]
mod testing;

pub use check::{ResponseUrl, UrlError};
pub use deliver::{DeliveryCall, DeliveryReply};
pub use policy::{DEFAULT_PORTS, Policy};
pub use probe::ProbeError;
pub use process::{ProcessCall, ProcessReply};
pub use url::Origin;

use client::Client;
use names::Names;
use probe::Prober;

/// What outgoing calls need to know.
#[derive(Debug)]
pub struct Settings {
    /// Where processors may be.
    pub processor: Policy,
    /// Where response URLs may point.
    pub response: Policy,
    /// What signs calls to processors.
    pub processor_secrets: Secrets,
    /// What signs deliveries.
    pub webhook_secrets: Secrets,
    /// Where this manager listens: refused as a response URL.
    pub own_origins: Vec<Origin>,
    /// The longest output that a processor may answer, in bytes.
    pub max_reply_bytes: usize,
    /// The value of `user-agent`.
    pub user_agent: String,
}

/// Why outgoing calls could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The user agent is no header value.
    #[error("the user agent is not a valid header value")]
    UserAgent,
    /// The TLS library refused its own provider.
    #[error("TLS could not be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// The client for registration and health checks could not be built.
    #[error("the HTTP client could not be built: {0}")]
    Client(#[from] reqwest::Error),
}

/// Makes outgoing calls. Cheap to clone: clones share their connections.
#[derive(Clone)]
pub struct Egress(Arc<Inner>);

struct Inner {
    processors: Client,
    receivers: Client,
    prober: Prober,
    own_origins: Vec<Origin>,
    max_reply_bytes: usize,
}

impl fmt::Debug for Egress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Egress")
            .field("processor", self.0.processors.policy())
            .field("response", self.0.receivers.policy())
            .finish_non_exhaustive()
    }
}

impl Egress {
    /// Sets both clients up and reads the system's root certificates.
    ///
    /// # Errors
    /// When the user agent is no header value or a client cannot be built.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        Self::resolving(settings, Names::System)
    }

    fn resolving(settings: Settings, names: Names) -> Result<Self, Error> {
        let agent =
            http::HeaderValue::try_from(settings.user_agent).map_err(|_| Error::UserAgent)?;
        let tls = connect::tls_config()?;
        let processor = Arc::new(settings.processor);
        let response = Arc::new(settings.response);
        let prober = Prober::new(Arc::clone(&processor), &names, &tls, &agent)?;
        let tls = Arc::new(tls);
        let processors = Client::new(
            processor,
            names.clone(),
            Arc::clone(&tls),
            settings.processor_secrets,
            agent.clone(),
            "/process",
        );
        let receivers = Client::new(response, names, tls, settings.webhook_secrets, agent, "");
        Ok(Self(Arc::new(Inner {
            processors,
            receivers,
            prober,
            own_origins: settings.own_origins,
            max_reply_bytes: settings.max_reply_bytes,
        })))
    }

    /// Reads the URL under which a processor wants to be called; answers it without a trailing
    /// slash.
    ///
    /// # Errors
    /// Says in words what is wrong with it.
    pub fn check_processor_url(&self, text: &str) -> Result<String, UrlError> {
        check::processor_url(text, self.0.processors.policy())
    }

    /// Reads the URL to which a caller wants the outcome posted.
    ///
    /// # Errors
    /// Says in words what is wrong with it.
    pub fn check_response_url(&self, text: &str) -> Result<ResponseUrl, UrlError> {
        check::response_url(text, self.0.receivers.policy(), &self.0.own_origins)
    }
}
