//! What this process uses, by sysinfo.

use std::sync::{Mutex, PoisonError};

use baton_wire::processor::Usage;
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

/// Samples CPU and memory of this process. CPU is the share since the sample before.
pub(crate) struct Sampler(Mutex<Option<System>>);

impl std::fmt::Debug for Sampler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sampler")
    }
}

impl Default for Sampler {
    fn default() -> Self {
        let sampler = Self(Mutex::new(System::new().ok()));
        sampler.sample();
        sampler
    }
}

impl Sampler {
    /// CPU and memory now; zeros where the system does not say.
    pub(crate) fn sample(&self) -> Usage {
        let pid = Pid::from_u32(std::process::id());
        let unknown = Usage { cpu_percent: 0.0, memory_bytes: 0 };
        let mut system = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(system) = system.as_mut() else { return unknown };
        let what = ProcessRefreshKind::nothing().with_cpu().with_memory();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), false, what);
        system.process(pid).map_or(unknown, |process| Usage {
            cpu_percent: f64::from(process.cpu_usage()),
            memory_bytes: process.memory(),
        })
    }
}
