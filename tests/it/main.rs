//! The scenarios: real processes, real Redis, HTTP only.
#![allow(clippy::panic, reason = "a scenario fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "scenarios are outside of the manager's layers")]

mod kit_itself;
