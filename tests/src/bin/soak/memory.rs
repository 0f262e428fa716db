//! Whether Redis needs more memory the more actions have run.

use std::time::Duration;

use tokio::time::sleep;

use crate::stage::Stage;

/// When memory is read, in actions.
const LOOKS: [u64; 3] = [300_000, 600_000, 1_000_000];
/// How many ended actions are kept.
const KEPT: u64 = 50_000;
/// How long they are kept at least, in milliseconds.
const KEPT_MS: u64 = 5_000;
/// How much the readings may differ.
const MOST: f64 = 0.05;

/// Runs a million actions at `rate` a second, and prints what memory they left behind; answers whether it
/// is the same all the while. `scale` is how much less than that is run.
pub(crate) async fn run(rate: u64, scale: u64) -> bool {
    let (kept, least) = (KEPT.to_string(), KEPT_MS.to_string());
    let env = [("BATON_RETENTION_MAX", kept.as_str()), ("BATON_RETENTION_MIN_AGE_MS", &least)];
    let stage = match Stage::start(&env).await {
        Ok(stage) => stage,
        Err(log) => {
            println!("FAILED: the manager does not start:\n{log}");
            return false;
        }
    };
    let empty = used(&stage).await;
    let (mut offered, mut readings) = (0, Vec::new());
    for look in LOOKS {
        stage.offer(&mut offered, look / scale, rate).await;
        // What may be trimmed is trimmed once it is old enough.
        sleep(Duration::from_millis(2 * KEPT_MS)).await;
        let memory = used(&stage).await;
        let ended: u64 = stage.redis.query(&["ZCARD", "{p0}:done"]).await;
        let each = memory.saturating_sub(empty) / ended.max(1);
        println!("{offered:>8} actions: {memory} bytes, {ended} ended kept, {each} bytes each");
        readings.push(memory as f64);
    }
    let (least, most) = (
        readings.iter().copied().fold(f64::MAX, f64::min),
        readings.iter().copied().fold(0.0, f64::max),
    );
    let spread = most / least - 1.0;
    println!("soak-memory: actions={offered} spread={spread:.3}");
    spread <= MOST
}

async fn used(stage: &Stage) -> u64 {
    let info: redis::InfoDict = stage.redis.query(&["INFO", "memory"]).await;
    info.get("used_memory").expect("Redis knows its memory")
}
