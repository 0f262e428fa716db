//! Whether what was accepted comes to its right end, whatever befalls managers, Redis, processors,
//! receivers and the network between them.
//!
//! `soak` offers actions for `SOAK_SECONDS` (60) at `SOAK_RATE` (1100) a second, while faults happen. At
//! the end every accepted action is looked up in a ledger that the manager knows nothing of. `SEED` makes
//! a run ask for the same again; `BREAK` takes a check out of the manager's scripts, which must be noticed.
//!
//! `soak isolation` measures what trouble elsewhere leaves of the healthy throughput. `soak memory` runs a
//! million actions at `SOAK_RATE` (2500) a second, or so many times fewer as `SOAK_SCALE` says, and looks
//! at the memory of Redis.
#![allow(clippy::print_stdout, reason = "the report is what this program is for")]
#![allow(clippy::disallowed_methods, reason = "the soak is outside of the manager's layers")]
#![allow(clippy::panic, reason = "a broken set-up ends the run")]
#![allow(clippy::cast_precision_loss, reason = "counts of one run are far below 2^52")]

mod attempt;
mod caller;
mod data;
mod effects;
mod faults;
mod front;
mod isolation;
mod ledger;
mod load;
mod memory;
mod plan;
mod processors;
mod receiver;
mod report;
mod run;
mod stage;

use std::process::ExitCode;
use std::time::Duration;

use kit::Break;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let good = match arguments.first().map(String::as_str) {
        None => runtime.block_on(run::run(settings())),
        Some("isolation") => runtime.block_on(isolation::run()),
        Some("memory") => {
            let (rate, scale) = (number("SOAK_RATE"), number("SOAK_SCALE"));
            runtime.block_on(memory::run(rate.unwrap_or(2_500), scale.unwrap_or(1)))
        }
        Some(_) => {
            eprintln!("soak takes nothing, `isolation` or `memory`");
            false
        }
    };
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn settings() -> run::Settings {
    let breaks = variable("BREAK").map(|name| {
        Break::named(&name).unwrap_or_else(|| panic!("BREAK is one of {:?}", Break::ALL))
    });
    run::Settings {
        seed: number("SEED").unwrap_or_else(|| u64::from(rand::random::<u32>())),
        time: Duration::from_secs(number("SOAK_SECONDS").unwrap_or(60)),
        rate: u32::try_from(number("SOAK_RATE").unwrap_or(1_100)).expect("a rate"),
        breaks,
    }
}

/// A variable that is set and not empty.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

fn number(name: &str) -> Option<u64> {
    let text = variable(name)?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is a whole number")))
}
