//! The store against real servers, one and a cluster of three shards: every transition states every
//! index, every refusal leaves all keys as they were, and what is sent twice counts once.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]
#![allow(clippy::disallowed_methods, reason = "tests are outside of the manager's layers")]

#[macro_use]
mod cases;
mod asserts;
mod attempts;
mod breaks;
mod busy;
mod cancels;
mod checks;
mod claims;
mod deliveries;
mod ends;
mod faults;
mod fences;
mod full;
mod histories;
mod invariants;
mod lists;
mod logins;
mod marks;
mod outcomes;
mod processors;
mod proxy_itself;
mod races;
mod reads;
mod redelivers;
mod redrives;
mod refusals;
mod remembered;
mod reopened;
mod repairs;
mod returns;
mod skips;
mod states;
mod submissions;
mod switches;
mod ticker;
mod together;
mod trims;
mod world;
