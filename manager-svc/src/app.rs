//! What every handler and the tick share.

use std::sync::Arc;

use baton_wire::signature::Secrets;
use tokio_util::task::TaskTracker;

use crate::checks::Checks;
use crate::config::{Config, EgressConfig};
use crate::domain::{ActionId, Nonce, Token};
use crate::egress::{self, Egress, Policy, Settings};
use crate::registry::Registry;
use crate::store::{Reconciler, Store};
use crate::trimmer::Trimmer;
use crate::usage::Sampler;
use crate::wake::Wake;

/// The state of one manager process; nothing in it outlives the process or is missed after it.
#[derive(Debug, Clone)]
pub struct App(Arc<Inner>);

/// What [`App`] shares.
#[derive(Debug)]
pub struct Inner {
    /// The configuration.
    pub config: Config,
    /// Redis.
    pub store: Store,
    /// Outgoing calls.
    pub egress: Egress,
    /// What is known of the processors.
    pub(crate) registry: Registry,
    /// What the health checks of this process found.
    pub(crate) checks: Checks,
    /// The way to this process's loop.
    pub(crate) wake: Wake,
    /// How far ended actions are forgotten.
    pub(crate) trimmer: Trimmer,
    /// Calls that are under way.
    pub calls: TaskTracker,
    /// How far the search for violations has come, and what it suspects.
    pub(crate) reconciler: tokio::sync::Mutex<Reconciler>,
    /// What this process uses.
    pub(crate) usage: Sampler,
    /// This process, `mgr_…`.
    pub id: String,
    /// Where processors report to: no slash at the end.
    pub complete_url: String,
}

impl App {
    /// Puts the parts together. `public_url` is where others reach this manager.
    #[must_use]
    pub fn new(config: Config, store: Store, egress: Egress, public_url: &str) -> Self {
        Self(Arc::new(Inner {
            config,
            store,
            egress,
            registry: Registry::default(),
            checks: Checks::default(),
            wake: Wake::default(),
            trimmer: Trimmer::default(),
            calls: TaskTracker::new(),
            reconciler: tokio::sync::Mutex::default(),
            usage: Sampler::default(),
            id: format!("mgr_{}", Nonce::from_random(rand::random()).as_str()),
            complete_url: format!("{}/complete", public_url.trim_end_matches('/')),
        }))
    }

    /// Nothing new begins; what is claimed may end.
    pub fn stop_claiming(&self) {
        self.wake.close();
    }

    /// A processor answered this process: whatever it missed before was not its own fault.
    pub(crate) fn note_answer(&self) {
        self.checks.note_answer();
        if self.wake.set_sick(false) {
            tracing::info!("a processor answers: this manager claims work again");
            self.wake.nudge();
        }
    }

    /// A reference that does not keep the app alive.
    #[must_use]
    pub fn downgrade(&self) -> WeakApp {
        WeakApp(Arc::downgrade(&self.0))
    }
}

/// An [`App`] that does not keep it alive: for what the app itself holds.
#[derive(Debug, Clone)]
pub struct WeakApp(std::sync::Weak<Inner>);

impl WeakApp {
    /// The app, while somebody else keeps it.
    #[must_use]
    pub fn upgrade(&self) -> Option<App> {
        self.0.upgrade().map(App)
    }
}

impl std::ops::Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

/// Outgoing calls as they are configured, signed with these secrets; `own_urls` are where this manager is reached,
/// which no response URL may be.
///
/// # Errors
/// When the system's TLS cannot be used.
pub fn egress(
    config: &Config,
    processor_secrets: Secrets,
    webhook_secrets: Secrets,
    own_urls: &[&str],
) -> Result<Egress, egress::Error> {
    let EgressConfig { processor_cidrs, response_cidrs, ports, processor_hosts, response_hosts } =
        config.egress.clone();
    let own_origins = own_urls.iter().filter_map(|url| url::Url::parse(url).ok());
    Egress::new(Settings {
        processor: Policy {
            allowed: processor_cidrs,
            ports: ports.clone(),
            hosts: processor_hosts,
        },
        response: Policy { allowed: response_cidrs, ports, hosts: response_hosts },
        processor_secrets,
        webhook_secrets,
        own_origins: own_origins.map(|url| url.origin()).collect(),
        max_reply_bytes: config.limits.max_data_bytes,
        user_agent: concat!("baton/", env!("CARGO_PKG_VERSION")).to_owned(),
    })
}

/// A new action's id.
#[must_use]
pub fn new_action_id() -> ActionId {
    ActionId::from_random(rand::random())
}

/// A new attempt's or delivery's token.
#[must_use]
pub fn new_token() -> Token {
    Token::from_random(rand::random())
}

/// A new request's nonce.
#[must_use]
pub fn new_nonce() -> Nonce {
    Nonce::from_random(rand::random())
}
