//! Health: `GET /meta` of each processor when it is due.
//!
//! What the checks of one tick found is written down when all of them are known: when every one was missed, it may
//! be this process that reaches nobody, and then they say nothing of the processors.

use std::cmp::Reverse;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep};

use super::TickReport;
use crate::again::{PATIENCE, insist, until};
use crate::app::{App, new_nonce};
use crate::clock;
use crate::domain::Nonce;
use crate::store::{CheckAsk, Checked, Error, Found, Look, Processor, ProcessorStatus};

/// How many consecutive misses stop new work.
const MISSES_THAT_STOP: u32 = 3;
/// How long a processor may take to answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long one that could be asked is looked for, when every check was missed.
const SEARCH: Duration = Duration::from_secs(1);
/// How many are tried for it at a time.
const TRIED: usize = 4;
/// How long a processor may stay silent before it is forgotten, in milliseconds: a day.
const GONE_MS: u64 = 24 * 3_600_000;

/// A claimed check.
#[derive(Debug)]
struct Check {
    processor: Processor,
    nonce: Nonce,
    place: OwnedSemaphorePermit,
}

/// Begins the checks that are due, or to come early, as far as there are places; they end on their own.
pub(super) async fn begin_checks(
    app: &App,
    look: &Look,
    report: &mut TickReport,
) -> Result<(), Error> {
    let suspects = app.checks.take_suspects();
    let processors = app.registry.processors();
    let mut asks = Vec::new();
    let mut chosen = Vec::new();
    for (due, id) in &look.checks {
        if *due > look.now && !suspects.contains(id) {
            continue;
        }
        // One without a whole record must not take the place of those behind it.
        let Some(processor) = processors.iter().find(|p| p.id == *id) else { continue };
        let Some(place) = app.checks.place() else { break };
        asks.push(CheckAsk { id: id.clone(), nonce: new_nonce(), due_seen: *due });
        chosen.push((processor, place));
    }
    let held_back = hold_one_back(&processors, &mut asks, &mut chosen);
    if asks.is_empty() {
        return Ok(());
    }
    let claimed = app.store.claim_checks(&asks, app.config.health.interval_ms).await?;
    let checks: Vec<Check> = chosen
        .into_iter()
        .zip(asks)
        .zip(claimed)
        .filter(|(_, claimed)| *claimed)
        .map(|(((processor, place), ask), _)| Check {
            processor: processor.clone(),
            nonce: ask.nonce,
            place,
        })
        .collect();
    if !checks.is_empty() {
        report.checks += checks.len();
        app.calls.spawn(batch(app.clone(), checks, held_back));
    }
    Ok(())
}

/// Whether the silence of this processor would say something of who asks it: it is there, and was not silent before.
fn tells(processor: &Processor) -> bool {
    matches!(processor.status, ProcessorStatus::Active | ProcessorStatus::Paused)
}

/// When all are due at once, the last one waits for what the others say: if they are silent, it is the one to ask.
fn hold_one_back<P>(
    processors: &[Processor],
    asks: &mut Vec<CheckAsk>,
    chosen: &mut Vec<(&Processor, P)>,
) -> Option<(Processor, CheckAsk)> {
    let telling = chosen.iter().filter(|(processor, _)| tells(processor)).count();
    if telling < 2 || telling < processors.iter().filter(|p| tells(p)).count() {
        return None;
    }
    let last = chosen.iter().rposition(|(processor, _)| tells(processor))?;
    Some((chosen.remove(last).0.clone(), asks.remove(last)))
}

/// Checks that begin together, and the one that was held back.
async fn batch(app: App, checks: Vec<Check>, held_back: Option<(Processor, CheckAsk)>) {
    let begun = Instant::now();
    let asked = checks.into_iter().map(|Check { processor, nonce, place }| async {
        let answered = ask(&app, &processor, &nonce).await;
        drop(place);
        (answered, processor, nonce)
    });
    let asked = join_all(asked).await;
    let answered = asked.iter().any(|(answered, ..)| *answered);
    let missed: Vec<_> = asked.into_iter().filter(|(answered, ..)| !answered).collect();
    // Those that were silent before may be so again: nothing new follows from it.
    let news = missed.iter().any(|(_, processor, _)| tells(processor));
    let counts = answered || !news || {
        let ids: Vec<&str> = missed.iter().map(|(_, processor, _)| processor.id.as_str()).collect();
        reaches_others(&app, &ids, begun).await
    };
    let found = if counts { Found::Miss } else { Found::Nothing };
    join_all(missed.iter().map(|(_, processor, nonce)| record(&app, processor, nonce, found)))
        .await;
    // Unless it was the one to ask, or another pass has begun it.
    if let Some((processor, due)) = held_back
        && matches!(claim(&app, &due).await, Ok(true))
        && !ask(&app, &processor, &due.nonce).await
    {
        record(&app, &processor, &due.nonce, found).await;
    }
    // There are places again, and what came back may take work.
    app.wake.nudge();
}

/// Asks one processor; answers whether it answered, which is written down at once.
async fn ask(app: &App, processor: &Processor, nonce: &Nonce) -> bool {
    let checked = match app.egress.fetch_meta(&processor.url, TIMEOUT).await {
        Ok(meta) if meta.id == processor.id && meta.name == processor.name => Checked {
            started_at: meta.started_at,
            usage: meta.usage.map(|usage| (usage.cpu_percent, usage.memory_bytes)),
        },
        Ok(meta) => {
            tracing::warn!(processor = processor.id, found = meta.id, "another processor answers");
            return false;
        }
        Err(error) => {
            tracing::info!(processor = processor.id, %error, "a health check was missed");
            return false;
        }
    };
    app.note_answer();
    record(app, processor, nonce, Found::Answer(checked)).await;
    if processor.status == ProcessorStatus::Unhealthy || checked.started_at > processor.started_at {
        app.registry.expire();
    }
    true
}

async fn record(app: &App, processor: &Processor, nonce: &Nonce, found: Found) {
    let interval = app.config.health.interval_ms;
    let record = || app.store.record_check(processor, nonce, found, MISSES_THAT_STOP, interval);
    if let Err(error) = insist(until(PATIENCE), record).await {
        tracing::warn!(processor = processor.id, %error, "a health check was not recorded");
    }
}

/// Whether this process still reaches a processor besides those it has just missed; also when there is no other that
/// could show it. If not it is sick: it marks nobody, and claims nothing until a check succeeds.
async fn reaches_others(app: &App, missed: &[&str], begun: Instant) -> bool {
    let processors = app.registry.processors();
    let mut others: Vec<&Processor> = processors
        .iter()
        .filter(|processor| tells(processor) && !missed.contains(&processor.id.as_str()))
        .collect();
    if others.is_empty() || reaches_one(app, &mut others, begun).await {
        return true;
    }
    // Nothing is said of a process that stops, or has lost its store.
    if !app.wake.is_closed() && app.wake.set_sick(true) {
        tracing::error!(
            "no processor can be reached from here: this manager marks none as unhealthy, and claims no work until \
             one answers"
        );
    }
    false
}

/// Asks one of these that is not due, unless one answers meanwhile. Those that cannot be asked are being asked now.
async fn reaches_one(app: &App, others: &mut [&Processor], begun: Instant) -> bool {
    others.sort_by_key(|processor| Reverse(processor.last_seen));
    let end = Instant::now() + SEARCH;
    while !app.checks.answered_since(begun) {
        match claim_one(app, others).await {
            Ok(Some((processor, nonce))) => {
                let answers = ask(app, processor, &nonce).await;
                if !answers {
                    record(app, processor, &nonce, Found::Nothing).await;
                }
                return answers || app.checks.answered_since(begun);
            }
            Ok(None) if Instant::now() < end && !app.wake.is_closed() => {
                sleep(SEARCH / 10).await;
            }
            Ok(None) | Err(_) => return false,
        }
    }
    true
}

async fn claim_one<'p>(
    app: &App,
    others: &[&'p Processor],
) -> Result<Option<(&'p Processor, Nonce)>, Error> {
    let look = app.store.look().await?;
    for processor in others.iter().take(TRIED) {
        let due = look.checks.iter().find(|(_, id)| *id == processor.id);
        let Some((due_seen, id)) = due else { continue };
        let ask = CheckAsk { id: id.clone(), nonce: new_nonce(), due_seen: *due_seen };
        if claim(app, &ask).await? {
            return Ok(Some((processor, ask.nonce)));
        }
    }
    Ok(None)
}

async fn claim(app: &App, ask: &CheckAsk) -> Result<bool, Error> {
    let asks = std::slice::from_ref(ask);
    Ok(app.store.claim_checks(asks, app.config.health.interval_ms).await? == [true])
}

/// Removes processors that have been silent for long. The store decides: here is only looked whether to ask it.
pub(super) async fn forget_gone(app: &App) -> Result<(), Error> {
    let before = clock::now_ms().saturating_sub(GONE_MS);
    for processor in app.registry.processors().iter() {
        let gone = processor.status == ProcessorStatus::Unhealthy && processor.last_seen < before;
        if gone
            && processor.in_flight == 0
            && app.store.forget_processor(processor, GONE_MS).await?
        {
            tracing::info!(
                processor = processor.id,
                "a processor that was silent for long is gone"
            );
            app.registry.expire();
        }
    }
    Ok(())
}
