//! The scenarios: real processes, real Redis, HTTP only. The store is looked at from outside, by its
//! keys and by the checker of its invariants.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a scenario fails by panicking, its helpers too"
)]
#![allow(clippy::disallowed_methods, reason = "scenarios are outside of the manager's layers")]

mod bad_input;
mod cancels;
mod complete;
mod dashboard;
mod delivery;
mod demo;
mod embedded;
mod faults;
mod fifo;
mod forms;
mod health;
mod keys;
mod kit_itself;
mod kit_lambda;
mod listing;
mod logs;
mod malice;
mod memory;
mod meta;
mod metrics;
mod operate;
mod policy;
mod reads;
mod reconcile;
mod register;
mod replies;
mod restarts;
mod stop;
mod submit;
mod tls;
mod volume;
mod waits;
mod world;
