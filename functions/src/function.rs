//! One function's process, from its cold start on.

use std::sync::atomic::{AtomicU64, Ordering};

use manager_svc::app::{self, App};
use manager_svc::config::{Config, ConfigError};
use manager_svc::nudge::Nudger;
use manager_svc::store::{self, Logins, Store};
use manager_svc::{egress, logging};
use tokio::sync::OnceCell;

use crate::ready;

/// Why a function cannot start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// Its configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The secret with the rest of it could not be read.
    #[cfg(feature = "aws")]
    #[error("BATON_SECRET_ARN: {0}")]
    Secret(String),
    /// It asks for what this build cannot do.
    #[error("{0}")]
    Unable(&'static str),
    /// Outgoing calls cannot be set up.
    #[error(transparent)]
    Egress(#[from] egress::Error),
    /// It runs outside of Lambda.
    #[error(
        "AWS_LAMBDA_RUNTIME_API is missing: this program is a Lambda function, started by its runtime"
    )]
    NotLambda,
}

/// Time between two invocations after which the connection may be gone, in milliseconds.
const FROZEN_MS: u64 = 5_000;

/// A process that is configured.
pub(crate) struct Function {
    config: Config,
    logins: Option<Logins>,
    /// What starts a tick.
    pub(crate) nudger: Nudger,
    egress: egress::Egress,
    /// Runs once, when the store is there.
    prepare: fn(&App),
    app: OnceCell<App>,
    last_deadline: AtomicU64,
}

impl Function {
    /// A cold start. A store that is away is tried again at each invocation.
    pub(crate) async fn start(prepare: fn(&App)) -> Result<Self, StartError> {
        let ready::Ready { config, logins, nudger, runtime_api } = ready::ready().await?;
        logging::init(&config.log);
        // The configuration is refused without them.
        let public_url = config.server.public_url.clone().unwrap_or_default();
        let (Some(processor), Some(webhook)) =
            (config.secrets.processor.clone(), config.secrets.webhook.clone())
        else {
            return Err(StartError::Unable("a signing secret is missing"));
        };
        let runtime_api = format!("http://{runtime_api}");
        let egress = app::egress(&config, processor, webhook, &[&public_url, &runtime_api])?;
        let app = OnceCell::new();
        let last_deadline = AtomicU64::new(u64::MAX);
        let function = Self { config, logins, nudger, egress, prepare, app, last_deadline };
        if let Err(error) = function.connected().await {
            tracing::warn!(%error, "the store is away at the start");
        }
        Ok(function)
    }

    /// The state of this process, for an invocation that must end by `deadline_ms` since the Unix epoch.
    ///
    /// # Errors
    /// When the store is away.
    pub(crate) async fn app(&self, deadline_ms: u64) -> Result<&App, store::Error> {
        let app = self.connected().await?;
        let last = self.last_deadline.swap(deadline_ms, Ordering::Relaxed);
        if deadline_ms.saturating_sub(last) > FROZEN_MS {
            // The process was frozen, and the server or the network may have dropped the connection meanwhile: the
            // first command finds out, and the connection is made anew. That is not to be a request's command.
            let _ = app.store.ping().await;
        }
        Ok(app)
    }

    async fn connected(&self) -> Result<&App, store::Error> {
        let connect = async || {
            // The configuration is refused without it.
            let url = self.config.redis.url.as_deref().unwrap_or_default();
            let store = Store::connect_as(url, self.logins.clone()).await?;
            let public_url = self.config.server.public_url.as_deref().unwrap_or_default();
            let app = App::new(self.config.clone(), store, self.egress.clone(), public_url);
            (self.prepare)(&app);
            Ok(app)
        };
        self.app.get_or_try_init(connect).await
    }
}

/// Says why a function ends, as its log shows it.
pub(crate) fn refuse(error: &dyn std::error::Error) -> std::process::ExitCode {
    use std::io::Write as _;
    // Nobody is left to tell when standard error is closed.
    let _ = writeln!(std::io::stderr(), "baton: refused to start\n{error}");
    std::process::ExitCode::FAILURE
}
