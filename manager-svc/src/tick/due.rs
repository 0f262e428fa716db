//! What is due: delays and backoffs that end, leases and deadlines that are over, processors that leave.

use super::{TickReport, start};
use crate::app::App;
use crate::domain::{ActionId, Failure};
use crate::settle::{self, Failed, Request};
use crate::store::{Error, Look, ProcessorStatus, Settled, Why};

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
    for action in app.store.actions(&due).await?.into_iter().flatten() {
        let why = crate::view::why_it_waits(&action, &app.registry.processors());
        let message = match action.attempt {
            Some(_) => "the action's time was up while an attempt was running".to_owned(),
            None => format!("the action's time was up while it waited: {why}"),
        };
        let failed = Failed {
            failure: Failure::new("expired", message),
            retryable: false,
            retry_after_ms: None,
        };
        report.expired += settle_due(app, &action, Why::Deadline, &failed).await?;
    }
    Ok(())
}

/// Takes attempts from processors that stayed silent for the whole lease.
pub(super) async fn lapses(app: &App, report: &mut TickReport) -> Result<(), Error> {
    let now = app.store.clock().await?;
    for processor in app.registry.processors().iter() {
        if processor.first_lease.as_ref().is_none_or(|(ends, _)| *ends > now) {
            continue;
        }
        let ids = app.store.lapsed(&processor.id, now).await?;
        for action in app.store.actions(&ids).await?.into_iter().flatten() {
            let Some(running) = action.attempt.clone() else { continue };
            let failure = Failure::new(
                "no_reply_no_completion",
                format!("no reply and no completion within {} ms", action.job().timeout_ms),
            );
            let failed = Failed { failure, retryable: true, retry_after_ms: None };
            report.lapsed += settle_due(app, &action, Why::Lease(&running.token), &failed).await?;
        }
    }
    Ok(())
}

async fn settle_due(
    app: &App,
    action: &crate::domain::Action,
    why: Why<'_>,
    failed: &Failed,
) -> Result<usize, Error> {
    let request = Request::new(app, action, None);
    match Box::pin(settle::fail(app, action, why, &request, failed, None)).await? {
        Settled::Accepted(follow) => {
            if let Some(work) = request.into_work(follow) {
                start(app, work);
            }
            Ok(1)
        }
        // Somebody settled it since we looked.
        Settled::Duplicate | Settled::Stale | Settled::Unknown | Settled::PayloadMissing => Ok(0),
    }
}

/// Removes draining processors whose pending work is done, and forgets what ended long ago.
pub(super) async fn leavers(app: &App) -> Result<(), Error> {
    for processor in app.registry.processors().iter() {
        if processor.status == ProcessorStatus::Draining && processor.in_flight == 0 {
            app.store.drain(processor, Some(processor.epoch)).await?;
        }
    }
    // A record lives for the retention after its delivery ended, which may be a whole schedule (with its
    // jitter) after the outcome that the index is ordered by.
    let schedule: u64 = app.config.delivery.schedule_ms.iter().sum();
    let now = app.store.clock().await?;
    let known_before = now.saturating_sub(app.config.retention.retention_ms);
    app.store.forget_ended(known_before.saturating_sub(2 * schedule), known_before).await
}

fn due(entries: &[(u64, ActionId)], now: u64) -> Vec<ActionId> {
    entries.iter().take_while(|(at, _)| *at <= now).map(|(_, id)| id.clone()).collect()
}
