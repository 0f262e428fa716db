//! The SDK over real sockets: a processor on one side, a stand-in for the manager on the other.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, its helpers too"
)]

mod attempts;
mod dispatch;
mod gate;
mod kit;
mod manager;
mod membership;
mod stopping;
