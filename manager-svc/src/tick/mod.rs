//! The scheduler: one bounded function. The local server loops over it, Lambda calls it, tests step it.

mod attempt;
mod claim;
mod deliver;
mod due;
mod health;
mod linger;
mod outcomes;
mod raw;
mod reconcile;
mod restarts;
mod trim;

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::Instant;

use crate::app::App;
use crate::store::{Error, Look};
use crate::wake::Work;

pub use linger::{Occasion, linger};

/// How much one run may do. The calls that it begins go on after it.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// When to stop claiming.
    pub until: Instant,
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
    /// Attempts handed back because their processor started anew.
    pub returned: usize,
    /// Health checks begun.
    pub checks: usize,
    /// Ended actions forgotten.
    pub trimmed: usize,
    /// Violations of the store's invariants that were repaired.
    pub repaired: usize,
    /// When something is due next, in milliseconds from the end of the run; absent when nothing is.
    pub next_in_ms: Option<u64>,
    /// Whether something was left that can be claimed now: a processor has room for it, or its receiver's turn
    /// has come.
    pub claimable: bool,
    /// When work becomes ready next that can be claimed then, in milliseconds from the end of the run: not a health
    /// check, the end of a lease or a later delivery.
    pub ready_in_ms: Option<u64>,
}

/// Runs until nothing can be done now, or the budget is used up.
///
/// # Errors
/// When the store is away: what was claimed comes back by its lease.
pub async fn run(app: &App, budget: Budget) -> Result<TickReport, Error> {
    let mut report = TickReport::default();
    loop {
        let (before, moved) = (report.done(), report.promoted + report.expired);
        pass(app, budget, &mut report).await?;
        if report.done() == before {
            return Ok(report);
        }
        if Instant::now() >= budget.until {
            // What a pass moves comes after its look: only another one could tell.
            report.claimable |= report.promoted + report.expired > moved;
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
        stage("gone", health::forget_gone(app).await)?;
    }
    stage("restarts", restarts::hand_back(app, budget, report).await)?;
    stage("trim", trim::bound_memory(app, budget, report).await)?;
    stage("repairs", reconcile::repairs(app, report).await)?;
    app.wake.begin_look();
    let look = app.store.look().await?;
    stage("deadlines", due::deadlines(app, &look, report).await)?;
    stage("delays", due::delayed(app, &look, report).await)?;
    stage("health", health::begin_checks(app, &look, report).await)?;
    let may_claim = Instant::now() < budget.until;
    let queued = stage("attempts", claim::attempts(app, &look, may_claim, report).await)?;
    let due = stage("deliveries", outcomes::deliveries(app, &look, may_claim, report).await)?;
    app.wake.end_look(queued.waiting, queued.places || due.places);
    report.claimable = queued.claimable || due.claimable;
    report.ready_in_ms = next_ready(app, &look);
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

/// What a claim stage left.
#[derive(Debug, Default)]
struct Left {
    /// The processors for which something waits, for whatever reason.
    waiting: HashSet<String>,
    /// Whether places of this process were missing.
    places: bool,
    /// Something could be claimed now.
    claimable: bool,
}

fn next_ready(app: &App, look: &Look) -> Option<u64> {
    let held = app.registry.processors();
    let served = held.iter().filter(|p| look.targets.iter().any(|target| p.serves(target)));
    let delayed = look.delayed.iter().map(|(at, _)| *at);
    let next = served.map(|p| p.held_until).chain(delayed).filter(|at| *at > look.now).min();
    next.map(|at| at - look.now)
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
    /// Adds what another run did; what is left is what that one left.
    pub(crate) fn add(&mut self, more: Self) {
        let Self { next_in_ms, claimable, ready_in_ms, .. } = more;
        *self = Self {
            promoted: self.promoted + more.promoted,
            claimed: self.claimed + more.claimed,
            lapsed: self.lapsed + more.lapsed,
            expired: self.expired + more.expired,
            delivering: self.delivering + more.delivering,
            returned: self.returned + more.returned,
            checks: self.checks + more.checks,
            trimmed: self.trimmed + more.trimmed,
            repaired: self.repaired + more.repaired,
            next_in_ms,
            claimable,
            ready_in_ms,
        };
    }

    fn has_work_within(&self, ms: u64) -> bool {
        self.claimable || self.ready_in_ms.is_some_and(|ready| ready <= ms)
    }

    fn done(&self) -> usize {
        self.promoted
            + self.claimed
            + self.lapsed
            + self.expired
            + self.delivering
            + self.returned
            + self.trimmed
    }
}

/// The local server's loop: runs when there is work, when something is due, and now and then anyway.
pub async fn run_forever(app: &App, stop: impl Future<Output = ()>) {
    /// The safety net: work of other processes, and what a missed wake would leave.
    const POLL: Duration = Duration::from_secs(1);
    let mut stop = std::pin::pin!(stop);
    loop {
        let budget = Budget { until: Instant::now() + POLL };
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
