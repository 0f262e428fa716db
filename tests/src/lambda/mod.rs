//! Lambda and its HTTP API on this machine, with the limits of the real things: for each process of a function a
//! Runtime API, and an HTTP front that turns requests into events of payload format 2.0.
//!
//! A process handles one event at a time, and is frozen (SIGSTOP) from its reply to its next event.

mod event;
mod functions;
mod gateway;
mod instance;
mod inventory;

pub use event::http_event;
pub use functions::{Functions, InvokeError, Program};
pub use gateway::gateway;
pub use instance::Instance;
pub use inventory::{Inventory, Route};

use std::time::Duration;

/// What an HTTP API waits for a function at most.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// The largest event of a synchronous invocation, and the largest reply to any.
pub const MAX_BYTES: usize = 6 * 1024 * 1024;
/// The largest event of an asynchronous invocation.
pub const MAX_ASYNC_BYTES: usize = 1024 * 1024;
/// How many invocations may have started one another in a row.
pub const MAX_CHAIN: u32 = 16;
