//! What this process uses, by sysinfo.

use std::sync::{Mutex, PoisonError};

use baton_wire::processor::Usage;
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

/// Samples CPU and memory of this process. CPU is the share since the sample before.
pub(crate) struct Sampler(Option<Mutex<System>>);

impl Sampler {
    /// Takes the first sample, which the next one is compared with.
    pub(crate) fn new() -> Self {
        let sampler = Self(System::new().ok().map(Mutex::new));
        sampler.sample();
        sampler
    }

    /// CPU and memory now; nothing where the system does not say.
    pub(crate) fn sample(&self) -> Option<Usage> {
        let pid = Pid::from_u32(std::process::id());
        let mut system = self.0.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        let what = ProcessRefreshKind::nothing().with_cpu().with_memory().without_tasks();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), false, what);
        system.process(pid).map(|process| Usage {
            cpu_percent: f64::from(process.cpu_usage()),
            memory_bytes: process.memory(),
        })
    }
}
