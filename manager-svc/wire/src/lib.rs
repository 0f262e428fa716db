//! The JSON that crosses Baton's HTTP interfaces, and the signatures on it.
//!
//! Payloads (`data`, `params`, results) are [`RawValue`]s: the text that arrived is the text that
//! leaves, byte for byte. Requests *to* Baton refuse unknown fields; replies *from* processors may
//! carry more than Baton reads.

pub mod action;
pub mod json;
pub mod manager;
pub mod operate;
pub mod problem;
pub mod process;
pub mod processor;
pub mod signature;
pub mod webhook;

pub use serde_json::value::RawValue;

/// `Option<Box<RawValue>>` reads `null` as absent; where `null` is data only a missing field is absent.
fn present<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Box<RawValue>>, D::Error> {
    <Box<RawValue> as serde::Deserialize>::deserialize(deserializer).map(Some)
}
