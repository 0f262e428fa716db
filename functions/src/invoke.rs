//! Invoking `tick` asynchronously: the event, and who sends it.

use std::pin::Pin;

use serde_json::{Value, json};

/// The `source` of a nudge's event.
pub(crate) const NUDGES: &str = "nudge";

/// Has a function run later; the answer says whether it will.
pub(crate) type Invoke =
    Box<dyn Fn(Vec<u8>) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> + Send + Sync>;

/// The event of a nudge.
pub(crate) fn event(handoffs: u32) -> Vec<u8> {
    json!({ "source": NUDGES, "handoffs": handoffs }).to_string().into_bytes()
}

/// How many ticks in a row an event says to have started one another before: none, unless it is a nudge's.
pub(crate) fn handoffs(event: &Value) -> u32 {
    if event["source"] != NUDGES {
        return 0;
    }
    event["handoffs"].as_u64().and_then(|handoffs| handoffs.try_into().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nudge_carries_how_many_ticks_came_before_and_a_cron_beat_starts_anew() {
        let read = |event: &[u8]| handoffs(&serde_json::from_slice(event).unwrap());
        assert_eq!(read(&event(0)), 0);
        assert_eq!(read(&event(7)), 7);
        assert_eq!(read(br#"{"source": "aws.scheduler", "handoffs": 7}"#), 0);
        assert_eq!(read(br#"{"source": "nudge", "handoffs": -1}"#), 0);
        assert_eq!(read(b"{}"), 0);
        assert_eq!(read(b"null"), 0);
        assert_eq!(read(b"[1]"), 0);
    }
}
