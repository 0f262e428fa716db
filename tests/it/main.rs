//! The scenarios: real processes, real Redis, HTTP only.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a scenario fails by panicking, its helpers too"
)]
#![allow(clippy::disallowed_methods, reason = "scenarios are outside of the manager's layers")]

mod kit_itself;
