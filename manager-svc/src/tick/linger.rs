//! A tick that is a process of its own: started by a cron beat or a nudge, it runs, lingers while there is work,
//! and hands off what it leaves.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::{Budget, TickReport, run};
use crate::app::{App, new_nonce};
use crate::nudge::Nudger;
use crate::store::Error;

/// The longest that a tick lingers.
const LINGER: Duration = Duration::from_secs(60);
/// Work that becomes ready within this time is waited for, in milliseconds.
const SOON_MS: u64 = 5_000;
/// How often the key is renewed.
const RENEW: Duration = Duration::from_secs(1);
/// How many ticks may start one another in a row: Lambda cuts longer chains.
const HANDOFFS: u32 = 8;
/// What is kept of the time for settling what a dispatch brings, and for the last look.
const MARGIN: Duration = Duration::from_secs(2);

/// What starts a tick.
#[derive(Debug, Clone, Copy)]
pub struct Occasion {
    /// How many ticks have started one another in a row before: 0 for a cron beat and for a handler's nudge.
    pub handoffs: u32,
    /// When the process must have ended.
    pub deadline: Instant,
}

/// One tick from its start to its end. One at a time lingers; any other makes one run and ends with its calls.
///
/// # Errors
/// When the store is away: leases bring back what was claimed.
pub async fn linger(app: &App, occasion: Occasion, nudger: &Nudger) -> Result<TickReport, Error> {
    let wait = Duration::from_millis(app.config.limits.dispatch_wait_ms);
    let last_claim = occasion.deadline.checked_sub(wait + MARGIN).unwrap_or(occasion.deadline);
    let budget = Budget { until: last_claim };
    let tick = new_nonce();
    let mut report = TickReport::default();
    if app.store.take_ticker(&tick).await? {
        let until = last_claim.min(Instant::now() + LINGER);
        let lingered = while_there_is_work(app, budget, until, &tick, &mut report).await;
        // First released, then looked once more: whoever commits work from now on starts a tick, and what was
        // committed before is seen.
        app.store.release_ticker(&tick).await?;
        lingered?;
    }
    // What registered a moment ago started no tick of its own, and may be all that the work waits for.
    app.registry.expire();
    report.add(run(app, budget).await?);
    if report.has_work_within(SOON_MS) {
        hand_off(app, occasion, nudger).await;
    }
    if !app.calls.is_empty() {
        app.calls.close();
        let ended = timeout_at(occasion.deadline, app.calls.wait()).await.is_ok();
        app.calls.reopen();
        // What the calls made room for, or left, nobody may have seen.
        if ended {
            report.add(run(app, budget).await?);
            if report.has_work_within(SOON_MS) {
                hand_off(app, occasion, nudger).await;
            }
        }
    }
    Ok(report)
}

async fn while_there_is_work(
    app: &App,
    budget: Budget,
    until: Instant,
    tick: &crate::domain::Nonce,
    report: &mut TickReport,
) -> Result<(), Error> {
    let mut renewed = Instant::now();
    loop {
        // No longer than the key holds without being renewed.
        let beat = Budget { until: budget.until.min(Instant::now() + RENEW) };
        report.add(run(app, beat).await?);
        let soon = report.ready_in_ms.filter(|ms| *ms <= SOON_MS).map(Duration::from_millis);
        let waits = report.claimable || soon.is_some() || !app.calls.is_empty();
        if !waits || Instant::now() >= until {
            return Ok(());
        }
        let pause = soon.unwrap_or(RENEW).min(RENEW).max(Duration::from_millis(1));
        tokio::select! {
            () = app.wake.nudged() => {}
            () = sleep(pause) => {}
            () = last_call(app) => {}
        }
        if renewed.elapsed() >= RENEW / 2 {
            if !app.store.renew_ticker(tick).await? {
                return Ok(());
            }
            renewed = Instant::now();
        }
    }
}

/// Ends when the last open call has; never without one.
async fn last_call(app: &App) {
    if app.calls.is_empty() {
        return std::future::pending().await;
    }
    app.calls.close();
    app.calls.wait().await;
    app.calls.reopen();
}

/// Has another tick go on. After too many in a row the next cron beat does.
async fn hand_off(app: &App, occasion: Occasion, nudger: &Nudger) {
    if occasion.handoffs < HANDOFFS {
        nudger.nudge(app, occasion.handoffs + 1).await;
    } else {
        tracing::warn!("work is left to the next cron beat: too many ticks started one another");
    }
}
