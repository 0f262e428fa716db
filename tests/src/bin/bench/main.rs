//! How much of the ceiling of its shape Baton reaches.
//!
//! The *ceiling* is a program that makes the calls and the Redis commands an orchestrator of this
//! shape cannot do without, with the leanest client there is and no logic. Ceiling and Baton run in
//! processes of their own, against the same Redis, processors, receiver and submitter, in turns:
//! only ratios within one run count.
//!
//! `BENCH_SECONDS` is how long the measuring takes in all; 100 when unset.
//!
//! With `lambda`, a directory of programs and one of their zips, it measures the functions instead: [`lambda`].
#![allow(clippy::print_stdout, reason = "the report is what this program is for")]
#![allow(clippy::disallowed_methods, reason = "the bench is outside of the manager's layers")]
#![allow(clippy::cast_precision_loss, reason = "counts of one run are far below 2^52")]

mod board;
mod ceiling;
mod http1;
mod lambda;
mod load;
mod meter;
mod payload;
mod report;
mod stubs;

use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::Duration;

use baton_wire::processor::RegisterIn;
use kit::{Baton, BatonSpec, Child, DataDir, Redis, eventually};

use crate::board::Board;
use crate::load::{Front, Lab, Shape, Until};
use crate::meter::{RedisMeter, peak_memory};
use crate::report::{Report, Round};

const ROUNDS: u32 = 5;
/// A round's time is divided among three phases under load and two without.
const LOADED_SHARE: f64 = 0.28;
const ALONE_SHARE: f64 = 0.08;
/// How many actions the round trips are counted over.
const COUNTED: usize = 200;

const SINGLE: Shape = Shape { connections: 64, batch: 1, window: 64, rest: Duration::ZERO };
const ARRAYS: Shape = Shape { connections: 8, batch: 100, window: 800, rest: Duration::ZERO };
const ALONE: Shape = Shape { connections: 1, batch: 1, window: 1, rest: Duration::ZERO };
/// An action apart from the one before: noting its delivery must not share a read with a submit.
const APART: Shape = Shape { rest: Duration::from_millis(3), ..ALONE };

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    match arguments.as_slice() {
        [] => runtime.block_on(bench()),
        [mode, programs, zips] if mode == "lambda" => {
            runtime.block_on(lambda::run(Path::new(programs), Path::new(zips)))
        }
        [command, redis, url_file, receiver, processors @ ..] if command == "ceiling" => {
            runtime.block_on(ceiling::run(redis, Path::new(url_file), receiver, processors));
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!(
                "bench [lambda PROGRAMS ZIPS]; without, BENCH_SECONDS says how long it measures"
            );
            ExitCode::FAILURE
        }
    }
}

async fn bench() -> ExitCode {
    let seconds = std::env::var("BENCH_SECONDS")
        .ok()
        .map_or(100.0, |text| text.parse::<f64>().expect("BENCH_SECONDS is a number of seconds"));
    let round = Duration::from_secs_f64(seconds / f64::from(ROUNDS));
    let loaded = Until::Elapsed(round.mul_f64(LOADED_SHARE));
    let alone = Until::Elapsed(round.mul_f64(ALONE_SHARE));

    let redis = Redis::durable().await;
    let board = Arc::new(Board::new());
    let processors = stubs::processors().await;
    let receiver = stubs::receiver(Arc::clone(&board)).await;
    let (ids, urls): (Vec<_>, Vec<_>) = processors.into_iter().map(|p| (p.id, p.url)).unzip();
    let dir = DataDir::new();
    let ceiling = start_ceiling(&redis, &dir, &receiver, &urls).await;
    let baton = start_baton(&redis, &ids, &urls).await;
    let jobs = serde_json::to_string(&ids).expect("ids are JSON");
    let ceiling_front = front(&dir.read("url").expect("the ceiling's URL"), ceiling.pid());
    let baton_front = front(baton.url(), baton.pid());
    let mut lab = Lab {
        board,
        meter: RedisMeter::connect(&redis.socket_url()).await,
        redis_pid: redis.pid(),
        tail: format!(",\"jobs\":{jobs},\"response_url\":\"{receiver}\"}}").into(),
    };

    let mut lost = 0;
    for front in [ceiling_front, baton_front] {
        lost += lab.phase(front, SINGLE, Until::Submitted(6400)).await.lost;
    }
    lost += lab.phase(baton_front, ALONE, Until::Submitted(100)).await.lost;
    let counted = lab.phase(baton_front, APART, Until::Submitted(COUNTED)).await;
    lost += counted.lost;

    let mut rounds = Vec::new();
    for number in 1..=ROUNDS {
        let round = Round {
            ceiling: lab.phase(ceiling_front, SINGLE, loaded).await,
            single: lab.phase(baton_front, SINGLE, loaded).await,
            arrays: lab.phase(baton_front, ARRAYS, loaded).await,
            ceiling_alone: lab.phase(ceiling_front, ALONE, alone).await,
            baton_alone: lab.phase(baton_front, ALONE, alone).await,
        };
        println!(
            "round {number} of {ROUNDS}: ceiling {:.0}/s, baton {:.0}/s one by one, {:.0}/s in arrays",
            round.ceiling.rate, round.single.rate, round.arrays.rate
        );
        let of = [
            &round.ceiling,
            &round.single,
            &round.arrays,
            &round.ceiling_alone,
            &round.baton_alone,
        ];
        lost += of.iter().map(|sample| sample.lost).sum::<usize>();
        rounds.push(round);
    }

    let wrong = lab.wrong();
    let memory = [ceiling.pid(), baton.pid(), redis.pid()].map(peak_memory);
    Report { rounds, round_trips: counted.round_trips, lost, wrong, memory }.print();
    if lost == 0 && wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn front(url: &str, pid: u32) -> Front {
    let address = url.trim_start_matches("http://").parse().expect("a URL with an address");
    Front { address, pid }
}

async fn start_ceiling(redis: &Redis, dir: &DataDir, receiver: &str, urls: &[String]) -> Child {
    let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
    command.args(["ceiling", &redis.socket_url()]).arg(dir.file("url")).arg(receiver).args(urls);
    let mut ceiling = Child::spawn("ceiling", &mut command, &dir.file("ceiling.log"));
    eventually("the ceiling is ready", async || {
        assert!(ceiling.status().is_none(), "the ceiling has exited:\n{}", ceiling.log());
        dir.read("url")
    })
    .await;
    ceiling
}

async fn start_baton(redis: &Redis, ids: &[String], urls: &[String]) -> Baton {
    let baton = BatonSpec::on(&redis.socket_url()).start().await;
    for (id, url) in ids.iter().zip(urls) {
        let processor = RegisterIn {
            id: id.clone(),
            name: "bench".to_owned(),
            url: url.clone(),
            capacity: Some(stubs::CAPACITY),
        };
        baton.register(&processor).await.expect("the processor is accepted");
    }
    baton
}
