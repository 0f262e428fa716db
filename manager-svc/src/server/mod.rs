//! `baton serve`: every endpoint and the scheduler in one process.
//!
//! A start claims the port, then the Redis, then serves; a stop goes the other way, within a bound.

mod embedded;
mod listen;
mod secrets;
mod stop;

use std::path::{Path, PathBuf};
use std::{fs, io};

use tokio::net::TcpListener;
use tokio::task::JoinError;

use crate::app::App;
use crate::config::Config;
use crate::egress::{self, Egress};
use crate::store::{self, Store};
use crate::{app, logging, router, tick};

use embedded::Embedded;
use listen::Patience;
use stop::{Stop, supervise};

/// Why the server did not start, or stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The data directory cannot be used.
    #[error("BATON_DATA_DIR {path}: {source}")]
    DataDir {
        /// Which directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The address cannot be bound.
    #[error("BATON_BIND {bind}: {source}; is another server running there?")]
    Bind {
        /// Which address.
        bind: std::net::SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The embedded Redis did not start.
    #[error(transparent)]
    Embedded(#[from] embedded::Error),
    /// The store cannot be reached.
    #[error("REDIS_URL: {0}")]
    Store(#[from] store::Error),
    /// A kept secret cannot be used.
    #[error(transparent)]
    Secrets(#[from] secrets::Error),
    /// Outgoing calls cannot be set up.
    #[error(transparent)]
    Egress(#[from] egress::Error),
    /// Signals cannot be listened to.
    #[error("signals: {0}")]
    Signals(#[source] io::Error),
    /// The scheduler ended by itself.
    #[error(
        "the scheduler broke off, so the server stopped: {0}; start it again: what was under way comes back"
    )]
    Scheduler(#[source] JoinError),
}

/// Runs the local server until it is told to stop.
///
/// # Errors
/// Says in words what keeps it from starting, or has stopped it before it was told to.
pub async fn run(config: Config) -> Result<(), Error> {
    logging::init(&config.log);
    raise_open_files();
    let data_dir = config.server.data_dir.clone();
    make_data_dir(&data_dir)?;
    let stop = Stop::on_signals().map_err(Error::Signals)?;
    let bind = config.server.bind;
    let listener = TcpListener::bind(bind).await.map_err(|source| Error::Bind { bind, source })?;
    let address = listener.local_addr().map_err(|source| Error::Bind { bind, source })?;
    let local_url = format!("http://{address}");

    let (redis_url, embedded) = match &config.redis.url {
        Some(url) => (url.clone(), None),
        None => match Embedded::start(&data_dir, &stop).await? {
            Some(embedded) => (embedded.url(), Some(embedded)),
            None => return Ok(()),
        },
    };
    let served = serve(config, &redis_url, listener, &local_url, &data_dir, &stop).await;
    let left = match embedded {
        Some(embedded) => embedded.stop(stop.deadline()).await,
        None => Ok(()),
    };
    served?;
    Ok(left?)
}

/// As many open files as the system allows: dispatches, deliveries and clients are a connection each, and the
/// usual soft limit of 1024 is fewer than that.
fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, limit = limit.current, "open files stay limited");
    }
}

async fn serve(
    config: Config,
    redis_url: &str,
    listener: TcpListener,
    local_url: &str,
    data_dir: &Path,
    stop: &Stop,
) -> Result<(), Error> {
    let store = Store::connect(redis_url).await?;
    let public_url = config.server.public_url.clone().unwrap_or_else(|| local_url.to_owned());
    let egress = egress(&config, local_url, &public_url, data_dir)?;
    let app = App::new(config, store, egress, &public_url);
    tick::take_work(&app);

    let scheduler = tokio::spawn({
        let (app, stop) = (app.clone(), stop.clone());
        async move { tick::run_forever(&app, stop.begun()).await }
    });
    let scheduler = supervise(scheduler, stop.clone());
    publish_url(data_dir, local_url)?;
    tracing::info!(public_url, "baton listens on {local_url}");
    let router = router::whole(app.clone());
    let requests = listen::accept(listener, router, Patience::default(), stop.begun()).await;
    tracing::info!("stopping: what is under way may end");
    // Also answers the long polls.
    app.stop_claiming();
    withdraw_url(data_dir, local_url);
    app.calls.close();
    let mut ended = None;
    let scheduler = async { ended = Some(scheduler.await) };
    let all = async { tokio::join!(scheduler, requests.end(), app.calls.wait()) };
    if tokio::time::timeout_at(stop.calls_deadline(), all).await.is_err() {
        tracing::warn!("some calls were cut off: their leases bring the work back");
    }
    match ended {
        Some(Ok(Err(broke))) => Err(Error::Scheduler(broke)),
        _ => Ok(()),
    }
}

fn egress(
    config: &Config,
    local_url: &str,
    public_url: &str,
    data_dir: &Path,
) -> Result<Egress, Error> {
    let secret = |configured: &Option<_>, name: &str| match configured {
        Some(secrets) => Ok(Clone::clone(secrets)),
        None => {
            let path = data_dir.join(name);
            tracing::info!(path = %path.display(), "the secret is in this file");
            secrets::keep(&path)
        }
    };
    let processor = secret(&config.secrets.processor, "processor.secret")?;
    let webhook = secret(&config.secrets.webhook, "webhook.secret")?;
    Ok(app::egress(config, processor, webhook, &[local_url, public_url])?)
}

fn make_data_dir(path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    let found = made.and_then(|()| fs::metadata(path));
    let found = found.map_err(|source| Error::DataDir { path: path.to_owned(), source })?;
    if found.permissions().mode() & 0o077 != 0 {
        // Not changed by us: it may be a directory that others use too.
        tracing::warn!(path = %path.display(), "others can look into BATON_DATA_DIR: chmod 700 it");
    }
    Ok(())
}

/// Writes where the server listens, for scripts that bound port 0; whole or not at all.
fn publish_url(data_dir: &Path, url: &str) -> Result<(), Error> {
    let aside = data_dir.join(format!("url.{:016x}.new", rand::random::<u64>()));
    fs::write(&aside, url)
        .and_then(|()| fs::rename(&aside, data_dir.join("url")))
        .map_err(|source| Error::DataDir { path: data_dir.to_owned(), source })
}

/// Takes it back, unless another server on this directory has written its own since.
fn withdraw_url(data_dir: &Path, url: &str) {
    let path = data_dir.join("url");
    if fs::read_to_string(&path).is_ok_and(|published| published == url) {
        let _ = fs::remove_file(path);
    }
}
