//! The test kit: real processes to start and to break, and stubs of everything that surrounds a
//! manager.
//!
//! | part | what it stands for |
//! | --- | --- |
//! | [`Redis`] | a Redis server, or a cluster of three shards, private to one test |
//! | [`Baton`] | one `baton serve` process, and a client of its HTTP interface |
//! | [`Processor`] | a processor whose behaviour is a closure |
//! | [`Receiver`] | a response URL that verifies and remembers what it gets |
//! | [`Proxy`] | the network between manager and Redis, to be cut at a chosen command |
//! | [`ScriptProxy`] | the same network, to change scripts on their way and to send everything twice |
//! | [`Ledger`] | what was submitted, to be compared with what was delivered |
//!
//! Everything is stopped when it is dropped, by process id. What fails here fails the test that
//! called it, so the kit panics where other code returns an error.
#![allow(clippy::panic, reason = "a broken test set-up ends the test")]
#![allow(clippy::disallowed_methods, reason = "the kit is outside of the manager's layers")]

mod answer;
mod baton;
mod call;
mod child;
mod client;
mod command;
mod data_dir;
mod deployed;
mod endless;
mod form;
mod gate;
mod keyspace;
pub mod lambda;
mod ledger;
mod node;
mod processor;
mod proxy;
mod receiver;
mod redis;
mod resp;
mod script_edits;
mod script_proxy;
mod server;
mod wait;

pub use answer::{Answer, Refusal};
pub use baton::{Baton, BatonSpec};
pub use call::Call;
pub use child::{Child, binary, example, freeze, kill, thaw};
pub use client::{Client, action, http_client};
pub use command::Command;
pub use data_dir::{DataDir, is_alive};
pub use deployed::Deployed;
pub use form::Form;
pub use gate::Gate;
pub use keyspace::Keyspace;
pub use ledger::{Ledger, Verdict};
pub use processor::{Arrival, Processor, ProcessorSpec};
pub use proxy::Proxy;
pub use receiver::{Delivery, Receiver};
pub use redis::Redis;
pub use script_edits::{Break, Scripts, with_shim};
pub use script_proxy::ScriptProxy;
pub use server::{Reply, Request, Server};
pub use wait::{PATIENCE, Patience, eventually, until};
