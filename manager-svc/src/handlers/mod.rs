//! Handlers: extract, parse, one domain or store call, wire.

pub(crate) mod action;
pub(crate) mod body;
pub(crate) mod complete;
pub(crate) mod dashboard;
mod durability;
pub(crate) mod health;
pub(crate) mod meta;
pub(crate) mod metrics;
pub(crate) mod operate;
pub(crate) mod processor;
mod submission;
