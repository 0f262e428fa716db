//! Repairing what violates the invariants, a little at a time.

use std::time::Duration;

use super::TickReport;
use crate::app::App;
use crate::store::{Error, RepairRules};

/// How often one process looks at a part of the store.
const EVERY: Duration = Duration::from_secs(1);
/// How long after the first look another must find the same, in milliseconds: longer than any answer is waited
/// for, so that what was under way is over.
const AFTER_MS: u64 = 2_000;

/// Looks at the next part of the store, and repairs what earlier looks found too.
pub(super) async fn repairs(app: &App, report: &mut TickReport) -> Result<(), Error> {
    // Another run of this process that is at it will do.
    let Ok(mut memory) = app.reconciler.try_lock() else { return Ok(()) };
    if !memory.is_due(EVERY) {
        return Ok(());
    }
    let retention_ms = app.config.retention.retention_ms;
    let rules = RepairRules { after_ms: AFTER_MS, retention_ms };
    let repaired = app.store.reconcile(&mut memory, rules).await?;
    for one in &repaired {
        let (of, what) = (&one.of, &one.what);
        tracing::warn!(
            of,
            what,
            "the store was repaired: nothing should cause this, please report it as a bug"
        );
    }
    report.repaired += repaired.len();
    Ok(())
}
