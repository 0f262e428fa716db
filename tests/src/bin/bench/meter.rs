//! What processes and Redis say of themselves.

use std::fs;
use std::time::Duration;

use redis::aio::MultiplexedConnection;

/// The CPU time a process has used so far.
pub(crate) fn cpu(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process runs");
    // The fields are counted from behind the name, which may contain spaces: state is the first.
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks: u64 =
        fields.split_whitespace().skip(11).take(2).filter_map(|f| f.parse::<u64>().ok()).sum();
    Duration::from_micros(ticks * 1_000_000 / rustix::param::clock_ticks_per_second())
}

/// The most memory a process ever had, in MiB.
pub(crate) fn peak_memory(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kib.expect("a peak") / 1024
}

/// Counters of Redis, on a connection of its own.
pub(crate) struct RedisMeter(MultiplexedConnection);

/// What Redis has counted so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counters {
    commands: u64,
    reads: u64,
}

impl Counters {
    /// Commands since `before`, those of scripts included.
    pub(crate) fn commands_since(self, before: Self) -> u64 {
        // Asking is a command itself, counted once between two questions.
        (self.commands - before.commands).saturating_sub(1)
    }

    /// Reads from clients since `before`: a pipeline that arrives at once is one.
    pub(crate) fn reads_since(self, before: Self) -> u64 {
        (self.reads - before.reads).saturating_sub(1)
    }
}

impl RedisMeter {
    /// Connects.
    pub(crate) async fn connect(url: &str) -> Self {
        let client = redis::Client::open(url).expect("a URL of Redis");
        Self(client.get_multiplexed_async_connection().await.expect("Redis answers"))
    }

    /// Reads the counters.
    pub(crate) async fn read(&mut self) -> Counters {
        let info: redis::InfoDict =
            redis::cmd("INFO").arg("stats").query_async(&mut self.0).await.expect("Redis answers");
        let number = |name| info.get(name).expect("a known counter");
        Counters {
            commands: number("total_commands_processed"),
            reads: number("total_reads_processed"),
        }
    }
}
