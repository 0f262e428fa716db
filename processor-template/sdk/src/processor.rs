//! A processor from its start to its end.

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::now_ms;
use crate::config::{Config, ConfigError};
use crate::failure::Failure;
use crate::job::Job;
use crate::listen;
use crate::manager::Manager;
use crate::membership;
use crate::output::IntoOutput;
use crate::server;
use crate::shared::Shared;
use crate::usage::Sampler;
use crate::work::{Function, Works};

/// Runs one function as a processor until SIGTERM or SIGINT, configured by the environment
/// ([`Config`]): short for `Processor::new(name, function).run()`.
pub async fn run<F, R, T>(name: &str, function: F) -> ExitCode
where
    F: Fn(Job) -> R + Send + Sync + 'static,
    R: Future<Output = Result<T, Failure>> + Send + 'static,
    T: IntoOutput,
{
    Processor::new(name, function).run().await
}

/// A function and how it is served.
#[must_use]
pub struct Processor {
    name: String,
    function: Function,
    answer_within: Option<Duration>,
    stop_within: Duration,
}

/// Why a processor did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The environment is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// It cannot listen there.
    #[error("cannot listen on {0} (BIND): {1}")]
    Bind(SocketAddr, std::io::Error),
    /// No HTTP client can be built.
    #[error("cannot build the HTTP client: {0}")]
    Client(#[from] reqwest::Error),
    /// The system does not hand out signals.
    #[error("cannot listen for signals: {0}")]
    Signals(std::io::Error),
}

impl Processor {
    /// A processor whose name is `name`, unless `PROCESSOR_NAME` says otherwise.
    pub fn new<F, R, T>(name: &str, function: F) -> Self
    where
        F: Fn(Job) -> R + Send + Sync + 'static,
        R: Future<Output = Result<T, Failure>> + Send + 'static,
        T: IntoOutput,
    {
        let function: Function = Arc::new(move |job| {
            let result = function(job);
            Box::pin(async move { result.await?.into_output() })
        });
        Self {
            name: name.to_owned(),
            function,
            answer_within: Some(Duration::from_secs(10)),
            stop_within: Duration::from_secs(10),
        }
    }

    /// Answers every dispatch with 202 at once and reports each result when it is there: right for
    /// work that always takes long.
    pub fn asynchronous(mut self) -> Self {
        self.answer_within = None;
        self
    }

    /// How long a dispatch may wait for its result before it is answered with 202 and the result is
    /// reported later. Default: 10 s; it should be less than the manager waits (25 s). Half of a
    /// job's lease bounds it too.
    pub fn answer_within(mut self, patience: Duration) -> Self {
        self.answer_within = Some(patience);
        self
    }

    /// How long a stop may take. Default: 10 s. Work that is not done after four fifths of it is
    /// handed back to the manager, which gives it to another processor.
    pub fn stop_within(mut self, grace: Duration) -> Self {
        self.stop_within = grace;
        self
    }

    /// Runs until SIGTERM or SIGINT, configured by the environment ([`Config`]), then drains; a second
    /// signal ends it at once. Logs go to stderr; `RUST_LOG` chooses how much (default: `info`).
    ///
    /// It fails, with the reason in the log, when the environment is wrong or the address is taken.
    pub async fn run(self) -> ExitCode {
        let filter = tracing_subscriber::EnvFilter::try_from_default_env()
            .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
        // An error means that the author has set up logging already.
        let _ = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr)
            .with_ansi(std::io::stderr().is_terminal())
            .try_init();
        match self.run_until_signalled().await {
            Ok(code) => code,
            Err(error) => {
                tracing::error!("{error}");
                ExitCode::FAILURE
            }
        }
    }

    async fn run_until_signalled(self) -> Result<ExitCode, Error> {
        let config = Config::from_env(&self.name)?;
        let mut signals = Signals::new().map_err(Error::Signals)?;
        let stop = CancellationToken::new();
        let serve = self.serve(config, stop.clone().cancelled_owned());
        let signalled = async {
            signals.next().await;
            stop.cancel();
            signals.next().await;
        };
        tokio::select! {
            served = serve => served.map(|()| ExitCode::SUCCESS),
            () = signalled => {
                tracing::warn!("stopped at once, by a second signal");
                Ok(ExitCode::FAILURE)
            }
        }
    }

    /// Serves until `stop` is there, then drains: what [`Processor::run`] does without the
    /// environment, signals and logs, for a program that has its own.
    ///
    /// # Errors
    /// When it cannot start.
    pub async fn serve(self, config: Config, stop: impl Future<Output = ()>) -> Result<(), Error> {
        let bind_error = |error| Error::Bind(config.bind, error);
        let listener = TcpListener::bind(config.bind).await.map_err(bind_error)?;
        let address = listener.local_addr().map_err(bind_error)?;
        let shared = Arc::new(Shared {
            url: config.public_url.clone().unwrap_or_else(|| format!("http://{address}")),
            manager: Manager::new(config.manager_url.clone(), config.authorization.clone())?,
            works: Works::new(self.function, config.capacity),
            answer_within: self.answer_within,
            usage: Sampler::new(),
            started_at: now_ms(),
            epoch: watch::Sender::new(None),
            checked: Notify::new(),
            attempts: TaskTracker::new(),
            draining: CancellationToken::new(),
            hand_back: CancellationToken::new(),
            config,
        });
        let closed = CancellationToken::new();
        let server = listen::serve(
            listener,
            server::routes(Arc::clone(&shared)),
            listen::Patience::default(),
            closed.clone().cancelled_owned(),
        );
        // In a task of its own, so that it accepts before the manager is asked to call back.
        let server = tokio::spawn(server);
        tracing::info!(%address, "listening");
        // It ends only once the processor drains.
        let mut membership = std::pin::pin!(membership::keep(&shared));
        tokio::select! {
            () = stop => {}
            () = &mut membership => {}
        }
        let end = Instant::now() + self.stop_within;
        drain(&shared, membership, end - self.stop_within / 5, end).await;
        closed.cancel();
        // Idle connections close now, answers under way are written; the rest ends with the process.
        let _ = timeout_at(end, server).await;
        tracing::info!("stopped");
        Ok(())
    }
}

impl std::fmt::Debug for Processor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Processor").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Takes no new work and waits for what runs; at `hand_back` the rest is given back to the manager.
async fn drain(
    shared: &Shared,
    membership: impl Future<Output = ()>,
    hand_back: Instant,
    end: Instant,
) {
    shared.draining.cancel();
    shared.attempts.close();
    tracing::info!("stopping: {} attempts under way", shared.attempts.len());
    let finish = async {
        if timeout_at(hand_back, shared.attempts.wait()).await.is_err() {
            tracing::warn!("{} attempts are not done: handed back", shared.attempts.len());
            shared.hand_back.cancel();
            if timeout_at(end, shared.attempts.wait()).await.is_err() {
                tracing::error!("{} attempts end with the process", shared.attempts.len());
            }
        }
    };
    let leave = async {
        membership::end(membership).await;
        membership::leave(shared, hand_back).await;
    };
    tokio::join!(leave, finish);
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        let terminate = signal(SignalKind::terminate())?;
        let interrupt = signal(SignalKind::interrupt())?;
        Ok(Self { terminate, interrupt })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
