//! Medians over the rounds, and how they are printed.

use crate::load::Sample;

/// The ceiling's CPU time per action on the machine that the bounds were set on, in microseconds:
/// of the program, and of Redis.
const CEILING_CPU_US: (f64, f64) = (61.0, 23.0);
/// How much more the ceiling may take before a machine counts as slower.
const SLOWER: f64 = 1.3;

/// The phases of one round.
#[derive(Debug)]
pub(crate) struct Round {
    pub(crate) ceiling: Sample,
    pub(crate) single: Sample,
    pub(crate) arrays: Sample,
    pub(crate) ceiling_alone: Sample,
    pub(crate) baton_alone: Sample,
}

/// Everything measured.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) rounds: Vec<Round>,
    pub(crate) round_trips: f64,
    pub(crate) lost: usize,
    pub(crate) wrong: usize,
    /// Peak memory in MiB: of the ceiling, Baton and Redis.
    pub(crate) memory: [u64; 3],
}

impl Report {
    /// Prints it. The last line is for programs.
    pub(crate) fn print(&self) {
        println!(
            "\n{:<22}{:>10}{:>12}{:>12}{:>11}{:>13}",
            "", "actions/s", "CPU us/act.", "Redis us/a.", "commands", "round trips"
        );
        self.line("ceiling", |round| &round.ceiling);
        self.line("baton, one by one", |round| &round.single);
        self.line("baton, arrays of 100", |round| &round.arrays);
        println!("\nunloaded, from submit to webhook:");
        self.latency("ceiling", |round| &round.ceiling_alone);
        self.latency("baton", |round| &round.baton_alone);
        let [ceiling, baton, redis] = self.memory;
        println!("\npeak memory: ceiling {ceiling} MiB, baton {baton} MiB, redis {redis} MiB");
        if self.wrong > 0 {
            println!("WRONG: {} webhooks were damaged or came twice", self.wrong);
        }
        let own = self.median(|round| round.ceiling.cpu_us);
        let redis = self.median(|round| round.ceiling.redis_cpu_us);
        if own > SLOWER * CEILING_CPU_US.0 || redis > SLOWER * CEILING_CPU_US.1 {
            println!("machine slower");
        }
        println!(
            "bench: throughput_ratio={:.2} array_ratio={:.2} p50_ratio={:.2} round_trips_per_action={:.2} lost={}",
            self.median(|round| round.single.rate / round.ceiling.rate),
            self.median(|round| round.arrays.rate / round.ceiling.rate),
            self.median(|round| round.baton_alone.p50_ms / round.ceiling_alone.p50_ms),
            self.round_trips,
            self.lost,
        );
    }

    fn line(&self, name: &str, of: impl Fn(&Round) -> &Sample) {
        println!(
            "{name:<22}{:>10.0}{:>12.1}{:>12.1}{:>11.1}{:>13.2}",
            self.median(|round| of(round).rate),
            self.median(|round| of(round).cpu_us),
            self.median(|round| of(round).redis_cpu_us),
            self.median(|round| of(round).commands),
            self.median(|round| of(round).round_trips),
        );
    }

    fn latency(&self, name: &str, of: impl Fn(&Round) -> &Sample) {
        let p50 = self.median(|round| of(round).p50_ms);
        let p99 = self.median(|round| of(round).p99_ms);
        println!("{name:<22}p50 {p50:.3} ms   p99 {p99:.3} ms");
    }

    fn median(&self, of: impl Fn(&Round) -> f64) -> f64 {
        let mut values: Vec<f64> = self.rounds.iter().map(of).collect();
        values.sort_unstable_by(f64::total_cmp);
        values[values.len() / 2]
    }
}
