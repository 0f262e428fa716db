//! What was measured of each function, and whether it is within bounds.

use std::process::ExitCode;
use std::time::Duration;

/// The longest start that is right, with Redis on the loopback interface.
const MAX_INIT: Duration = Duration::from_millis(50);
/// The largest zip that is right, in bytes.
const MAX_ZIP: u64 = 5_000_000;

/// Medians of one function.
pub(crate) struct Measured {
    pub(crate) name: String,
    /// From the start of the process to its first request for an event.
    pub(crate) init: Duration,
    /// From the start of the process to its end, when it does nothing.
    pub(crate) process: Duration,
    /// From the start of the process to its connection to Redis.
    pub(crate) until_redis: Duration,
    /// The same when it need not invoke anything.
    pub(crate) until_redis_without_sdk: Duration,
    /// From the connection to the last answer.
    pub(crate) redis: Duration,
    /// From the last answer to the first request for an event.
    pub(crate) after_redis: Duration,
    pub(crate) first: Duration,
    pub(crate) warm: Duration,
    /// Peak, in MiB.
    pub(crate) memory: u64,
    /// In bytes.
    pub(crate) zip: u64,
}

impl Measured {
    pub(crate) fn print(&self) {
        let sdk = self.until_redis.saturating_sub(self.until_redis_without_sdk);
        let configuration = self.until_redis_without_sdk.saturating_sub(self.process);
        println!(
            "{:<9} init {:5.1} ms (process {:.1}, configuration and TLS {:.1}, SDK {:.1}, Redis {:.1}, runtime {:.1}); \
             first {:5.1} ms, warm {:4.2} ms; {:3} MiB; zip {:.2} MB",
            self.name,
            ms(self.init),
            ms(self.process),
            ms(configuration),
            ms(sdk),
            ms(self.redis),
            ms(self.after_redis),
            ms(self.first),
            ms(self.warm),
            self.memory,
            self.zip as f64 / 1e6,
        );
    }

    fn is_within_bounds(&self) -> bool {
        self.init <= MAX_INIT && self.zip <= MAX_ZIP
    }
}

/// Says what is beyond its bounds.
pub(crate) fn conclude(measured: &[Measured]) -> ExitCode {
    let beyond: Vec<&str> = measured
        .iter()
        .filter(|of_it| !of_it.is_within_bounds())
        .map(|of_it| of_it.name.as_str())
        .collect();
    if beyond.is_empty() {
        println!(
            "every init is at most {MAX_INIT:?}, every zip at most {:.0} MB",
            MAX_ZIP as f64 / 1e6
        );
        return ExitCode::SUCCESS;
    }
    println!(
        "init over {MAX_INIT:?} or zip over {:.0} MB: {}",
        MAX_ZIP as f64 / 1e6,
        beyond.join(", ")
    );
    ExitCode::FAILURE
}

/// The middle one.
pub(crate) fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
