//! The scheduler: one bounded function. The local server loops over it, Lambda calls it, tests step it.

mod attempt;
mod claim;
mod deliver;
mod due;
mod health;
mod outcomes;
mod raw;

use std::time::Duration;

use tokio::time::Instant;

use crate::app::App;
use crate::store::{Error, Look};
use crate::wake::Work;

/// How much one run may do.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// When to stop claiming.
    pub until: Instant,
    /// Whether to wait for the calls that are under way: a function must, a server goes on.
    pub finish_calls: bool,
}

/// What one run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct TickReport {
    /// Delayed actions that were to become ready.
    pub promoted: usize,
    /// Attempts dispatched.
    pub claimed: usize,
    /// Attempts whose lease was over.
    pub lapsed: usize,
    /// Actions whose deadline was over.
    pub expired: usize,
    /// Deliveries begun.
    pub delivering: usize,
    /// Health checks begun.
    pub checks: usize,
    /// When something is due next, in milliseconds from the end of the run; absent when nothing is.
    pub next_in_ms: Option<u64>,
}

/// Runs until nothing can be done now, or the budget is used up.
///
/// # Errors
/// When the store is away: what was claimed comes back by its lease.
pub async fn run(app: &App, budget: Budget) -> Result<TickReport, Error> {
    let mut report = TickReport::default();
    loop {
        let before = report.done();
        pass(app, budget, &mut report).await?;
        if budget.finish_calls {
            finish_calls(app, budget.until).await;
        }
        if report.done() == before || Instant::now() >= budget.until {
            return Ok(report);
        }
    }
}

/// Takes claimed work into this process from now on, and goes on with it at once.
pub fn take_work(app: &App) {
    let weak = app.downgrade();
    app.wake.install(move |work| {
        if let Some(app) = weak.upgrade() {
            start(&app, work);
        }
    });
}

/// One look at every index, and what follows from it.
async fn pass(app: &App, budget: Budget, report: &mut TickReport) -> Result<(), Error> {
    if app.registry.is_stale() {
        stage("registry", app.registry.renew(&app.store).await.map(drop))?;
        stage("leases", due::lapses(app, budget, report).await)?;
        stage("leavers", due::leavers(app).await)?;
    }
    let look = app.store.look().await?;
    stage("deadlines", due::deadlines(app, &look, report).await)?;
    stage("delays", due::delayed(app, &look, report).await)?;
    stage("health", health::begin_checks(app, &look, report).await)?;
    let queued = stage("attempts", claim::attempts(app, &look, report).await)?;
    let due = stage("deliveries", outcomes::deliveries(app, &look, report).await)?;
    app.wake.set_backlog(queued || due);
    report.next_in_ms = next_due(app, &look);
    Ok(())
}

/// A stage that fails is reported and leaves the others their turn; only without a store there is none.
fn stage<T: Default>(name: &str, done: Result<T, Error>) -> Result<T, Error> {
    match done {
        Err(Error::Away(_)) | Ok(_) => done,
        Err(error) => {
            tracing::error!(stage = name, %error, "a part of the scheduler's work could not be done");
            Ok(T::default())
        }
    }
}

fn start(app: &App, work: Work) {
    match work {
        Work::Attempt(claimed, room) => {
            app.calls.spawn(attempt::carry(app.clone(), claimed, room));
        }
        Work::Delivery(claimed, room) => {
            app.calls.spawn(deliver::send(app.clone(), claimed, room));
        }
    }
}

async fn finish_calls(app: &App, until: Instant) {
    app.calls.close();
    let _ = tokio::time::timeout_at(until, app.calls.wait()).await;
    app.calls.reopen();
}

fn next_due(app: &App, look: &Look) -> Option<u64> {
    let processors = app.registry.processors();
    let leases = processors.iter().filter_map(|p| p.first_lease.as_ref().map(|(at, _)| *at));
    let holds = processors.iter().map(|p| p.held_until);
    [
        look.delayed.first().map(|(at, _)| *at),
        look.deadlines.first().map(|(at, _)| *at),
        look.checks.first().map(|(at, _)| *at),
        look.receivers.iter().map(|(at, _)| *at).find(|at| *at > look.now),
    ]
    .into_iter()
    .flatten()
    .chain(leases)
    .chain(holds)
    // What is due and was not done now (another process has it, or it is damaged) waits for the next look.
    .filter(|at| *at > look.now)
    .map(|at| at - look.now)
    .min()
}

impl TickReport {
    fn done(&self) -> usize {
        self.promoted + self.claimed + self.lapsed + self.expired + self.delivering
    }
}

/// The local server's loop: runs when there is work, when something is due, and now and then anyway.
pub async fn run_forever(app: &App, stop: impl Future<Output = ()>) {
    /// The safety net: work of other processes, and what a missed wake would leave.
    const POLL: Duration = Duration::from_secs(1);
    let mut stop = std::pin::pin!(stop);
    loop {
        let budget = Budget { until: Instant::now() + POLL, finish_calls: false };
        let wait = match run(app, budget).await {
            Ok(report) => Duration::from_millis(report.next_in_ms.unwrap_or(u64::MAX)).min(POLL),
            Err(error) => {
                tracing::warn!(%error, "the scheduler could not run");
                POLL
            }
        };
        tokio::select! {
            () = &mut stop => return,
            () = app.wake.nudged() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}
