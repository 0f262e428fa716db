//! Building a body around a payload that is stored as JSON text: it was checked when it came, and is copied
//! once, not parsed again.

use bytes::Bytes;
use serde::Serialize;

/// The object `rest` with one more field, whose value is `json` as it is. `rest` has at least one field.
pub(super) fn with_field<T: Serialize>(rest: &T, name: &str, json: &[u8]) -> Bytes {
    let mut body = Vec::with_capacity(json.len() + 1024);
    // Strings, numbers and raw JSON into memory: nothing in here can fail.
    let _ = serde_json::to_writer(&mut body, rest);
    body.pop();
    body.extend_from_slice(b",\"");
    body.extend_from_slice(name.as_bytes());
    body.extend_from_slice(b"\":");
    body.extend_from_slice(json);
    body.push(b'}');
    Bytes::from(body)
}
