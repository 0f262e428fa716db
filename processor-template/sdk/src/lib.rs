//! What an author of a Baton processor depends on: write one async function from a job to its
//! result, and hand it to [`run`].
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! use baton_sdk::{Failure, Job};
//!
//! async fn shout(job: Job) -> Result<String, Failure> {
//!     let text: String = job.data()?;
//!     Ok(text.to_uppercase())
//! }
//!
//! #[tokio::main]
//! async fn main() -> ExitCode {
//!     baton_sdk::run("shout", shout).await
//! }
//! ```
//!
//! Everything else is done here: the processor registers with the manager (again when the manager
//! was away or has forgotten it), serves `GET /meta` and `POST /process`, verifies signatures, keeps
//! to its capacity, answers at once or reports later, sends heartbeats while the function works,
//! stops it when the manager no longer wants its result, and on SIGTERM or SIGINT drains and leaves.
//! [`Config`] lists the environment it reads.
//!
//! **The function may run more than once for one step**: when a lease ends or a network fails,
//! Baton dispatches the step again, with the same [`Job::idempotency_key`]. A dispatch whose key is
//! still being worked on joins that work and shares its result; the function is not started twice.
//!
//! **The function must not block its thread**: heartbeats and `/meta` would wait. Give computation
//! that takes longer than some milliseconds to `tokio::task::spawn_blocking`.

mod attempt;
mod backoff;
mod clock;
mod config;
mod failure;
mod job;
mod listen;
mod manager;
mod membership;
mod output;
mod processor;
mod reply;
mod server;
mod shared;
mod usage;
mod work;

pub use baton_wire::RawValue;
pub use config::{Config, ConfigError};
pub use failure::Failure;
pub use job::Job;
pub use output::{IntoOutput, Output};
pub use processor::{Error, Processor, run};
