//! Handlers: extract, parse, one domain or store call, wire.

pub(crate) mod action;
pub(crate) mod body;
pub(crate) mod complete;
pub(crate) mod health;
pub(crate) mod meta;
pub(crate) mod processor;
mod submission;
