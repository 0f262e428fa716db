//! Ticks as functions: the real functions behind a small Runtime API, on a real Redis, without any cron beat.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]
#![allow(clippy::disallowed_methods, reason = "tests are outside of the manager's layers")]

mod drain;
mod idle_hour;
mod last_look;
mod world;
