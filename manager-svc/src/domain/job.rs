//! The steps of an action.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::id::Target;

/// How long an attempt may stay silent when the job does not say, in milliseconds.
pub const DEFAULT_TIMEOUT_MS: u64 = 60_000;
/// The shortest lease a job may ask for, in milliseconds.
pub const MIN_TIMEOUT_MS: u64 = 100;
/// The longest lease a job may ask for, in milliseconds: 24 hours.
pub const MAX_TIMEOUT_MS: u64 = 24 * 3_600_000;
/// How many attempts a step has when the job does not say.
pub const DEFAULT_MAX_ATTEMPTS: u32 = 5;
/// The most attempts a job may ask for: each leaves a line in the action's record.
pub const MAX_ATTEMPTS: u32 = 100;
/// The most jobs of one action.
pub const MAX_JOBS: usize = 100;
/// The most bytes of one action's `params`, added up: they travel with the record through scripts.
pub const MAX_PARAMS_BYTES: usize = 64 * 1024;

/// One step: where it goes, and its options.
#[derive(Debug, Clone)]
pub struct Job {
    /// What the job names.
    pub target: Target,
    /// Handed to the processor as they are.
    pub params: Option<Box<RawValue>>,
    /// The lease of an attempt, in milliseconds.
    pub timeout_ms: u64,
    /// How many attempts it has.
    pub max_attempts: u32,
    /// What a failure of the step does to the action.
    pub on_failure: OnFailure,
}

/// See [`baton_wire::action::OnFailure`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// The action ends as failed.
    #[default]
    Fail,
    /// The data stays as it was, the next step starts.
    Skip,
}

/// The jobs of an action, in order; at least one. Never changes, so copies share it.
#[derive(Debug, Clone)]
pub struct Jobs(Arc<[Job]>);

impl Jobs {
    /// Takes a list that is not empty.
    #[must_use]
    pub fn new(jobs: Vec<Job>) -> Option<Self> {
        if jobs.is_empty() { None } else { Some(Self(jobs.into())) }
    }

    /// The job of a step, from 0.
    #[must_use]
    pub fn get(&self, step: u32) -> Option<&Job> {
        self.0.get(step as usize)
    }

    /// The first job.
    #[must_use]
    pub fn first(&self) -> &Job {
        &self.0[0]
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Job> {
        self.0.iter()
    }
}
