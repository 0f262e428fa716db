//! The words of Baton as types. Pure: no I/O, no clock, no async.

pub mod action;
pub mod backoff;
pub mod cursor;
pub mod fair;
pub mod id;
pub mod job;

pub use action::{Action, Attempt, Delivery, Failure, Receiver};
pub use cursor::Cursor;
pub use id::{ActionId, IdError, Nonce, Target, Token, TokenHash};
pub use job::{Job, Jobs, OnFailure};
