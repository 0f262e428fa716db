//! Baton's manager: handlers, the scheduler, and the local server that runs both.
//!
//! `docs/ARCHITECTURE.md` shows how a request walks through these modules.

mod again;
pub mod app;
mod checks;
pub mod clock;
pub mod config;
pub mod domain;
pub mod egress;
mod error;
mod guard;
mod handlers;
pub mod logging;
pub mod nudge;
mod registry;
mod reply;
pub mod router;
pub mod server;
mod settle;
pub mod store;
pub mod tick;
mod trimmer;
mod usage;
mod view;
mod wake;
