//! A stop: told by a signal, or by the end of the scheduler, and over within a bound.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::Instant;

/// How long a stop may take.
const STOP_WITHIN: Duration = Duration::from_secs(10);
/// What is left of it for the embedded Redis.
const STORE_STOPS_WITHIN: Duration = Duration::from_secs(2);

/// When the stop began, once it has. Clones are the same stop.
#[derive(Debug, Clone)]
pub(super) struct Stop(watch::Sender<Option<Instant>>);

impl Stop {
    /// One that nobody has told yet.
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(None))
    }

    /// Begins at the first SIGTERM or SIGINT; a second one ends the process at once.
    pub(super) fn on_signals() -> io::Result<Self> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let stop = Self::new();
        let told = stop.clone();
        tokio::spawn(async move {
            let mut next = async || {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
            };
            next().await;
            told.begin();
            next().await;
            tracing::warn!("told to stop twice: exiting at once");
            std::process::exit(130);
        });
        Ok(stop)
    }

    /// Begins, unless it has begun.
    pub(super) fn begin(&self) {
        self.0.send_if_modified(|begun| {
            let first = begun.is_none();
            begun.get_or_insert_with(Instant::now);
            first
        });
    }

    /// Waits until it begins.
    pub(super) async fn begun(&self) {
        // The sender lives as long as `self`, so waiting cannot fail.
        let _ = self.0.subscribe().wait_for(Option::is_some).await;
    }

    /// When all of it must be over: counted from now when it has not begun.
    pub(super) fn deadline(&self) -> Instant {
        self.0.borrow().unwrap_or_else(Instant::now) + STOP_WITHIN
    }

    /// When requests and calls must be over.
    pub(super) fn calls_deadline(&self) -> Instant {
        self.deadline() - STORE_STOPS_WITHIN
    }
}

/// Begins the stop when the scheduler ends: a server that dispatches nothing must not go on accepting. The
/// scheduler itself ends at a stop only, or by a panic, which is the error.
pub(super) fn supervise(
    scheduler: JoinHandle<()>,
    stop: Stop,
) -> JoinHandle<Result<(), JoinError>> {
    tokio::spawn(async move {
        let ended = scheduler.await;
        if let Err(error) = &ended {
            tracing::error!(%error, "the scheduler broke off");
        }
        stop.begin();
        ended
    })
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    #[tokio::test]
    async fn a_scheduler_that_panics_stops_the_server_and_says_why() {
        let stop = Stop::new();
        let scheduler = tokio::spawn(async { panic!("a broken record") });
        let ended = supervise(scheduler, stop.clone());
        stop.begun().await;
        let error = ended.await.unwrap().unwrap_err();
        assert!(error.to_string().contains("a broken record"), "{error}");
    }

    #[tokio::test]
    async fn a_scheduler_that_runs_stops_nothing() {
        let stop = Stop::new();
        let ended = supervise(tokio::spawn(pending()), stop.clone());
        tokio::select! {
            biased;
            () = stop.begun() => panic!("stopped"),
            () = tokio::task::yield_now() => {}
        }
        ended.abort();
    }

    #[test]
    fn the_bound_is_counted_from_when_it_was_told_first() {
        let stop = Stop::new();
        stop.begin();
        let deadline = stop.deadline();
        stop.begin();
        assert_eq!(stop.deadline(), deadline);
        assert!(deadline <= Instant::now() + STOP_WITHIN);
        assert_eq!(stop.calls_deadline() + STORE_STOPS_WITHIN, deadline);
    }
}
