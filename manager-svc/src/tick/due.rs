//! What is due: delays and backoffs that end, leases and deadlines that are over, processors that leave.

use futures_util::{StreamExt as _, stream};
use tokio::time::Instant;

use super::claim::dispatch_wait;
use super::{Budget, TickReport, start};
use crate::again::{PATIENCE, insist, until};
use crate::app::App;
use crate::domain::{Action, ActionId, Failure};
use crate::settle::{self, Failed, Request};
use crate::store::{BATCH, Error, Look, ProcessorStatus, Settled, Why};

/// Puts delayed actions whose time has come into their queues.
pub(super) async fn delayed(app: &App, look: &Look, report: &mut TickReport) -> Result<(), Error> {
    let due = due(&look.delayed, look.now);
    if due.is_empty() {
        return Ok(());
    }
    let records = app.store.actions(&due).await?;
    let targets: Vec<_> = due
        .into_iter()
        .zip(records)
        .filter_map(|(id, action)| Some((id, action?.job().target.as_str().to_owned())))
        .collect();
    app.store.promote(&targets).await?;
    report.promoted += targets.len();
    Ok(())
}

/// Ends actions whose deadline is over.
pub(super) async fn deadlines(
    app: &App,
    look: &Look,
    report: &mut TickReport,
) -> Result<(), Error> {
    let due = due(&look.deadlines, look.now);
    if due.is_empty() {
        return Ok(());
    }
    let actions = app.store.actions(&due).await?.into_iter().flatten().map(|action| {
        let why = crate::view::why_it_waits(&action, &app.registry.processors());
        let message = match action.attempt {
            Some(_) => "the action's time was up while an attempt was running".to_owned(),
            None => format!("the action's time was up while it waited: {why}"),
        };
        (action, Ground::Deadline, Failure::expired(message))
    });
    report.expired += settle_all(app, actions).await?;
    Ok(())
}

/// Takes attempts from processors that stayed silent for the whole lease.
pub(super) async fn lapses(
    app: &App,
    budget: Budget,
    report: &mut TickReport,
) -> Result<(), Error> {
    let now = app.store.clock().await?;
    let processors = app.registry.processors();
    let overdue = processors
        .iter()
        .filter(|p| p.first_lease.as_ref().is_some_and(|(ends, _)| *ends <= now))
        .map(|p| p.id.as_str())
        .collect::<Vec<_>>();
    while !overdue.is_empty() && Instant::now() < budget.until {
        let over = app.store.lapsed(&overdue, now).await?;
        let ids: Vec<_> = over.iter().map(|(_, id)| id.clone()).collect();
        let actions = app.store.actions(&ids).await?;
        let mut lapsed = Vec::with_capacity(over.len());
        for ((ends, _), action) in over.iter().zip(actions) {
            let Some(action) = action else { continue };
            if let Some(failure) = silence(app, &action, *ends) {
                lapsed.push((action, Ground::Lease, failure));
            }
        }
        let settled = settle_all(app, lapsed.into_iter()).await?;
        report.lapsed += settled;
        // What cannot be settled comes again at every look: the next tick may have more luck.
        if settled == 0 || ids.len() < BATCH {
            break;
        }
    }
    Ok(())
}

/// What an attempt failed of whose lease is over; nothing when none runs.
fn silence(app: &App, action: &Action, lease_ends: u64) -> Option<Failure> {
    let called = action.attempt.as_ref()?.claimed_at;
    let wait = u64::try_from(dispatch_wait(app, action.job().timeout_ms).as_millis()).ok()?;
    let message = format!(
        "no result in the reply, awaited until {}, nor by `/complete`, awaited until {lease_ends} \
         (milliseconds since the Unix epoch)",
        called + wait,
    );
    Some(Failure::new("no_reply_no_completion", message))
}

/// What is over.
#[derive(Clone, Copy)]
enum Ground {
    Lease,
    Deadline,
}

/// Settles what is over, a few at a time; answers how many were. One that fails does not stop the others.
async fn settle_all(
    app: &App,
    over: impl Iterator<Item = (Action, Ground, Failure)>,
) -> Result<usize, Error> {
    /// At a time: enough to share round trips.
    const TOGETHER: usize = 32;
    let settled = stream::iter(over)
        .map(|(action, ground, failure)| async move {
            let failed = Failed { failure, retryable: true, retry_after_ms: None };
            let settled = settle_one(app, &action, ground, &failed).await;
            settled.inspect_err(|error| {
                tracing::warn!(action_id = %action.id, %error, "what is over could not be settled");
            })
        })
        .buffer_unordered(TOGETHER)
        .collect::<Vec<_>>()
        .await;
    let mut count = 0;
    for settled in settled {
        match settled {
            Ok(true) => count += 1,
            Err(Error::Away(_)) => return settled.map(usize::from),
            Ok(false) | Err(_) => {}
        }
    }
    Ok(count)
}

async fn settle_one(
    app: &App,
    action: &Action,
    ground: Ground,
    failed: &Failed,
) -> Result<bool, Error> {
    let why = match (ground, &action.attempt) {
        (Ground::Deadline, _) => Why::Deadline,
        (Ground::Lease, Some(running)) => Why::Lease(&running.token),
        (Ground::Lease, None) => return Ok(false),
    };
    let request = Request::new(app, action);
    // The same request until it is answered: what its script claimed is known to nobody else.
    let settled =
        insist(until(PATIENCE), || settle::fail(app, action, why, &request, failed, None));
    match Box::pin(settled).await? {
        Settled::Accepted(follow) => {
            if let Some(work) = request.into_work(follow) {
                start(app, work);
            }
            Ok(true)
        }
        // Somebody settled it since we looked.
        Settled::Duplicate | Settled::Stale | Settled::Unknown | Settled::PayloadMissing => {
            Ok(false)
        }
    }
}

/// Removes draining processors whose pending work is done, and forgets targets that nobody is registered as.
pub(super) async fn leavers(app: &App) -> Result<(), Error> {
    for processor in app.registry.processors().iter() {
        if processor.status == ProcessorStatus::Draining && processor.in_flight == 0 {
            super::stage(
                "drain",
                app.store.drain(processor, Some(processor.epoch)).await.map(drop),
            )?;
        }
    }
    let now = app.store.clock().await?;
    app.store.forget_targets(now).await
}

fn due(entries: &[(u64, ActionId)], now: u64) -> Vec<ActionId> {
    entries.iter().take_while(|(at, _)| *at <= now).map(|(_, id)| id.clone()).collect()
}
