//! A tick that is a process of its own: started by a cron beat or a nudge, it runs, lingers while there is work,
//! and hands off what it leaves.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

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
/// How soon the store is looked at again after something was done, and how late after quiet looks, each of which doubles
/// the pause: a handler elsewhere whose work finds the key held starts no tick, and cannot wake this one.
const LOOK: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(100));
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
    app.wake.set_ending(false);
    let mut report = TickReport::default();
    let worked = work(app, occasion, last_claim, nudger, &mut report).await;
    // Whatever became of that: what is open now carries somebody's work.
    let drained = drain(app, occasion, last_claim, nudger, &mut report).await;
    worked.and(drained).map(|()| report)
}

async fn work(
    app: &App,
    occasion: Occasion,
    last_claim: Instant,
    nudger: &Nudger,
    report: &mut TickReport,
) -> Result<(), Error> {
    let budget = Budget { until: last_claim };
    let tick = new_nonce();
    if app.store.take_ticker(&tick).await? {
        let until = last_claim.min(Instant::now() + LINGER);
        let lingered = while_there_is_work(app, budget, until, &tick, report).await;
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
    Ok(())
}

/// Waits for the calls that are open, and has another tick go on with what they make room for or leave: nobody else
/// may have seen it. This one claims nothing more, for a call that is open at the end is frozen with the process.
async fn drain(
    app: &App,
    occasion: Occasion,
    last_claim: Instant,
    nudger: &Nudger,
    report: &mut TickReport,
) -> Result<(), Error> {
    let mut drained = Ok(());
    while !app.calls.is_empty() {
        tokio::select! {
            () = last_call(app) => {}
            () = app.wake.nudged() => {}
            () = sleep_until(last_claim), if !app.wake.is_ending() => {
                // Else one step after another would go on where there is no time for it.
                app.wake.set_ending(true);
                continue;
            }
            () = sleep_until(occasion.deadline) => {
                tracing::warn!("calls are still open at the end: leases bring back what they carry");
                break;
            }
        }
        match run(app, Budget { until: Instant::now() }).await {
            Ok(left) => {
                report.add(left);
                if left.has_work_within(SOON_MS) {
                    hand_off(app, occasion, nudger).await;
                }
                drained = Ok(());
            }
            // The calls that are still open are worth waiting for all the same.
            Err(error) => drained = Err(error),
        }
    }
    drained
}

async fn while_there_is_work(
    app: &App,
    budget: Budget,
    until: Instant,
    tick: &crate::domain::Nonce,
    report: &mut TickReport,
) -> Result<(), Error> {
    let mut renewed = Instant::now();
    let mut quiet = LOOK.0;
    loop {
        // No longer than the key holds without being renewed.
        let beat = Budget { until: budget.until.min(Instant::now() + RENEW) };
        let looked = run(app, beat).await?;
        quiet = if looked.done() > 0 { LOOK.0 } else { LOOK.1.min(2 * quiet) };
        report.add(looked);
        let soon = report.ready_in_ms.filter(|ms| *ms <= SOON_MS).map(Duration::from_millis);
        let waits = report.claimable || soon.is_some() || !app.calls.is_empty();
        if !waits || Instant::now() >= until {
            return Ok(());
        }
        let pause = soon.unwrap_or(quiet).min(quiet).max(Duration::from_millis(1));
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
