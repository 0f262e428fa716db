//! How long a function takes to start and to answer, what the start is made of, and what it weighs.
//!
//! Each program runs as in the cloud, against a Runtime API and a Redis on the loopback interface.

mod case;
mod report;
mod tap;

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use kit::lambda::{Instance, Inventory};
use kit::{DataDir, Processor, ProcessorSpec, Redis, Reply, Request};
use serde_json::Value;

use crate::lambda::case::{KEY, SETUP, event, is_good};
use crate::lambda::report::{Measured, median};
use crate::lambda::tap::Tap;
use crate::meter::peak_memory;

/// How many cold starts a median is of.
const COLD: usize = 9;
/// How many invocations follow the first one.
const WARM: usize = 50;
/// Longer than anything measured.
const LIMIT: Duration = Duration::from_secs(30);
const SECRET: &str = "whsec_bG9jYWwtY2xvdWQtc2VjcmV0LW9mLXRoaXM=";

/// Measures every function of the inventory: its program in one directory, its zip in another.
pub(crate) async fn run(programs: &Path, zips: &Path) -> ExitCode {
    let inventory = Inventory::of_deployment();
    let mut measured = Vec::new();
    for (name, _) in inventory.functions() {
        let bench = Bench::prepare(name, programs, inventory.nudges(name)).await;
        let zip =
            std::fs::metadata(zips.join(format!("{name}.zip"))).expect("`make package`").len();
        let of_it = bench.measure(zip).await;
        of_it.print();
        measured.push(of_it);
    }
    report::conclude(&measured)
}

/// One function, and what it is measured with.
struct Bench<'a> {
    name: &'a str,
    programs: &'a Path,
    nudges: bool,
    redis: Redis,
    dir: DataDir,
    processor: Processor,
}

impl<'a> Bench<'a> {
    /// With a Redis of its own, which knows one processor.
    async fn prepare(name: &'a str, programs: &'a Path, nudges: bool) -> Self {
        let redis = Redis::start().await;
        let processor = Processor::sync(ProcessorSpec::new("p"), |data| data).await;
        let bench = Self { name, programs, nudges, redis, dir: DataDir::new(), processor };
        let mut instance = bench.start(SETUP, &bench.env(&bench.redis.url(), false)).await;
        bench.invoke(&mut instance, SETUP).await;
        instance.kill();
        bench
    }

    async fn measure(&self, zip: u64) -> Measured {
        let env = self.env(&self.redis.url(), self.nudges);
        let (mut inits, mut firsts, mut warm) = (Vec::new(), Vec::new(), Vec::new());
        let mut memory = 0;
        for start in 1..=COLD {
            let mut instance = self.start(self.name, &env).await;
            inits.push(instance.ready().await - instance.started());
            firsts.push(self.invoke(&mut instance, self.name).await);
            if start == COLD {
                for _ in 0..WARM {
                    warm.push(self.invoke(&mut instance, self.name).await);
                }
                memory = peak_memory(instance.pid());
            }
            instance.kill();
        }
        let process = (0..COLD).map(|_| self.refusal()).collect();
        let with_sdk = self.parts(self.nudges).await;
        let without_sdk = self.parts(false).await;
        Measured {
            name: self.name.to_owned(),
            init: median(inits),
            process: median(process),
            until_redis: with_sdk[0],
            until_redis_without_sdk: without_sdk[0],
            redis: with_sdk[1],
            after_redis: with_sdk[2],
            first: median(firsts),
            warm: median(warm),
            memory,
            zip,
        }
    }

    /// From the start to the connection to Redis, from there to the last answer of Redis, from there to the first
    /// request for an event.
    async fn parts(&self, nudges: bool) -> [Duration; 3] {
        let mut parts: [Vec<Duration>; 3] = Default::default();
        for _ in 0..COLD {
            let tap = Tap::start(self.redis.port()).await;
            let env = self.env(&format!("redis://{}", tap.address()), nudges);
            let mut instance = self.start(self.name, &env).await;
            let (started, ready) = (instance.started(), instance.ready().await);
            let (connected, answered) = tap.times();
            parts[0].push(connected - started);
            parts[1].push(answered - connected);
            parts[2].push(ready - answered);
            instance.kill();
        }
        parts.map(median)
    }

    /// From the start of the program to its end, when it finds at once that it is not a function.
    fn refusal(&self) -> Duration {
        let mut command = Command::new(self.programs.join(self.name));
        command.env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let started = Instant::now();
        let ended = command.status().expect("the program starts");
        let took = started.elapsed();
        assert!(!ended.success(), "it found a Runtime API");
        took
    }

    async fn start(&self, name: &str, env: &[(String, String)]) -> Instance {
        // Nudges are accepted, and nothing comes of them.
        let invoke = |_: &Request, _: u32| Reply::status(202);
        Instance::start(name, &self.programs.join(name), env, &self.dir.file("log"), invoke).await
    }

    async fn invoke(&self, instance: &mut Instance, name: &str) -> Duration {
        let event = event(name, &self.processor);
        let started = Instant::now();
        let answer = instance.handle(event.into(), LIMIT, 1).await;
        let took = started.elapsed();
        let log = || self.dir.read("log").unwrap_or_default();
        let answer = answer
            .map_err(|error| format!("{name}: {error}\n{}", log()))
            .expect("a function answers");
        let answer: Value = serde_json::from_slice(&answer).expect("an answer is JSON");
        assert!(is_good(name, &self.processor, &answer), "{name}: {answer}");
        took
    }

    fn env(&self, redis: &str, nudges: bool) -> Vec<(String, String)> {
        let mut env = vec![
            ("REDIS_URL", redis),
            ("BATON_PUBLIC_URL", "https://baton.example.com"),
            ("BATON_OPERATOR_KEYS", KEY),
            ("BATON_PROCESSOR_SECRETS", SECRET),
            ("BATON_WEBHOOK_SECRETS", SECRET),
            ("BATON_PROCESSOR_CIDRS", "127.0.0.0/8"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "local"),
            ("AWS_SECRET_ACCESS_KEY", "local"),
        ];
        if nudges {
            env.push(("BATON_TICK_FUNCTION", "tick"));
        }
        env.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }
}
