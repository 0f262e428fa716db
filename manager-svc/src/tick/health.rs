//! Health: `GET /meta` of each processor when it is due.

use std::time::Duration;

use super::TickReport;
use crate::again::{PATIENCE, insist, until};
use crate::app::{App, new_nonce};
use crate::domain::Nonce;
use crate::store::{Checked, Error, Look, Processor};

/// How many consecutive misses stop new work.
const MISSES_THAT_STOP: u32 = 3;
/// How long a processor may take to answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How many checks one pass begins.
const CHECKS: usize = 64;

/// Begins the checks that are due; they end on their own.
pub(super) async fn begin_checks(
    app: &App,
    look: &Look,
    report: &mut TickReport,
) -> Result<(), Error> {
    let processors = app.registry.processors();
    let due = look.checks.iter().take_while(|(due, _)| *due <= look.now);
    // One without a whole record must not take the place of those behind it.
    let whole =
        due.filter_map(|(due, id)| Some((due, id, processors.iter().find(|p| p.id == *id)?)));
    for (due, id, processor) in whole.take(CHECKS) {
        let nonce = new_nonce();
        let interval = app.config.health.interval_ms;
        if app.store.claim_check(id, &nonce, *due, interval).await? {
            report.checks += 1;
            app.calls.spawn(check(app.clone(), processor.clone(), nonce));
        }
    }
    Ok(())
}

async fn check(app: App, processor: Processor, nonce: Nonce) {
    let found = match app.egress.fetch_meta(&processor.url, TIMEOUT).await {
        Ok(meta) if meta.id == processor.id && meta.name == processor.name => Some(Checked {
            started_at: meta.started_at,
            usage: meta.usage.map(|usage| (usage.cpu_percent, usage.memory_bytes)),
        }),
        Ok(meta) => {
            tracing::warn!(processor = processor.id, found = meta.id, "another processor answers");
            None
        }
        Err(error) => {
            tracing::info!(processor = processor.id, %error, "a health check was missed");
            None
        }
    };
    let record = || app.store.record_check(&processor, &nonce, found, MISSES_THAT_STOP);
    if let Err(error) = insist(until(PATIENCE), record).await {
        tracing::warn!(processor = processor.id, %error, "a health check was not recorded");
    }
}
