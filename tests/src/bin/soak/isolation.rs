//! Whether a dead target, a dead receiver and a full queue slow what has nothing to do with them.

use std::time::Duration;

use kit::Reply;

use crate::stage::{Kind, Stage};

/// An odd number: the median decides.
const ROUNDS: usize = 7;
/// How long one side of a round is measured.
const TIME: Duration = Duration::from_secs(2);
/// How many healthy actions are under way at most.
const WINDOW: u32 = 128;
/// How many wait for what does not come, of each sort.
const WAITING: usize = 3_000;
/// The share of the healthy throughput that must be left.
const LEAST: f64 = 0.9;

/// Measures, and prints one line for programs; answers whether enough is left.
pub(crate) async fn run() -> bool {
    let env = [("BATON_HEALTH_INTERVAL_MS", "1000")];
    let quiet = Stage::start(&env).await.expect("the manager starts");
    let troubled = Stage::start(&env).await.expect("the manager starts");
    let _full = trouble(&troubled).await;
    quiet.throughput(WINDOW, TIME / 3).await;
    troubled.throughput(WINDOW, TIME / 3).await;
    let mut ratios = Vec::new();
    for round in 1..=ROUNDS {
        // The one that is not measured stands still, so that it takes nothing from the other.
        troubled.baton.pause();
        let without = quiet.throughput(WINDOW, TIME).await;
        troubled.baton.resume();
        let with = troubled.throughput(WINDOW, TIME).await;
        println!("round {round} of {ROUNDS}: {without:.0}/s without, {with:.0}/s with");
        ratios.push(with / without);
    }
    let queues = troubled.baton.meta().await.queues;
    println!("still waiting at the end: {queues:?}");
    // What is troubled must have been so all the while: nothing of it can end.
    let waited = queues.live + queues.output >= 3 * WAITING as u64;
    ratios.sort_unstable_by(f64::total_cmp);
    let ratio = ratios[ratios.len() / 2];
    println!("soak-isolation: ratio={ratio:.2}");
    waited && ratio >= LEAST
}

/// Makes trouble that stays: a target whose processor is gone, a receiver that is gone, and a target whose
/// only processor is busy with its first attempt.
async fn trouble(stage: &Stage) -> kit::Server {
    let healthy = stage.healthy();
    let mut gone = stage.register("gone", 100, || Reply::status(204)).await;
    let full = stage.register("full", 1, || Reply::Silence).await;
    gone.stop().await;
    let to = |target: &str| Kind { targets: vec![target.to_owned()], ..healthy.clone() };
    stage.submit(&to("gone"), WAITING).await;
    stage.submit(&to("full"), WAITING).await;
    let nowhere = format!("{}/hook", gone.url());
    stage.submit(&Kind { response_url: nowhere, ..healthy.clone() }, WAITING).await;
    full
}
