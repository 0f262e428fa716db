//! What this process uses, by sysinfo.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use baton_wire::processor::Usage;
use sysinfo::{MINIMUM_CPU_UPDATE_INTERVAL, Pid, ProcessRefreshKind, ProcessesToUpdate, System};

/// Samples CPU and memory of this process. CPU is the share since the sample before; one that follows too
/// soon gets the same answer, because over so short a time the share means nothing.
pub(crate) struct Sampler(Mutex<Last>);

struct Last {
    system: Option<System>,
    at: Instant,
    usage: Usage,
}

impl std::fmt::Debug for Sampler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sampler")
    }
}

impl Default for Sampler {
    fn default() -> Self {
        let mut last = Last {
            system: System::new().ok(),
            at: Instant::now(),
            usage: Usage { cpu_percent: 0.0, memory_bytes: 0 },
        };
        last.refresh();
        Self(Mutex::new(last))
    }
}

impl Sampler {
    /// CPU and memory now; zeros where the system does not say.
    pub(crate) fn sample(&self) -> Usage {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last.at.elapsed() >= MINIMUM_CPU_UPDATE_INTERVAL {
            last.refresh();
        }
        last.usage
    }
}

impl Last {
    fn refresh(&mut self) {
        let pid = Pid::from_u32(std::process::id());
        let Some(system) = self.system.as_mut() else { return };
        let what = ProcessRefreshKind::nothing().with_cpu().with_memory();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), false, what);
        if let Some(process) = system.process(pid) {
            let cpu_percent = f64::from(process.cpu_usage());
            self.usage = Usage { cpu_percent, memory_bytes: process.memory() };
        }
        self.at = Instant::now();
    }
}
