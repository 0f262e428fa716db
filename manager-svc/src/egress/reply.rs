//! What a reply says beside its status.

use std::time::{Duration, UNIX_EPOCH};

use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use serde_json::Value;

use baton_wire::problem::MEDIA_TYPE;

const MAX_CODE: usize = 64;
const MAX_MESSAGE: usize = 500;
/// Nobody waits longer because a peer says so; each caller has a bound of its own below this one.
const MAX_RETRY_AFTER: u64 = 7 * 24 * 3600;

/// The `retry-after` header: seconds, or an HTTP date (RFC 9110, section 10.2.3). One that is
/// neither is as good as none.
pub(super) fn retry_after(headers: &HeaderMap, now_secs: u64) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let secs = if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        text.parse().unwrap_or(u64::MAX)
    } else {
        http_date(text)?.saturating_sub(now_secs)
    };
    Some(Duration::from_secs(secs.min(MAX_RETRY_AFTER)))
}

/// An HTTP date in seconds since the epoch.
fn http_date(text: &str) -> Option<u64> {
    let since = httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(since.as_secs())
}

/// Whether the body is compressed although nobody asked for that.
pub(super) fn is_encoded(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_ENCODING)
        .is_some_and(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// Whether the body is a problem (RFC 9457).
pub(super) fn is_problem(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(|value| {
        let media_type = value.split(';').next().unwrap_or_default().trim();
        media_type.eq_ignore_ascii_case(MEDIA_TYPE)
    }) && !is_encoded(headers)
}

/// The code and the words of a problem; what it lacks stays `None`.
pub(super) fn problem(body: &[u8]) -> (Option<String>, Option<String>) {
    let Ok(Value::Object(problem)) = serde_json::from_slice(body) else { return (None, None) };
    let text = |name: &str, max| {
        problem
            .get(name)
            .and_then(Value::as_str)
            .map(|text| clean(text, max))
            .filter(|text| !text.is_empty())
    };
    let message = text("detail", MAX_MESSAGE).or_else(|| text("title", MAX_MESSAGE));
    (text("code", MAX_CODE), message)
}

/// A peer's words, fit for a log line and a record: no control characters, at most `max` characters.
pub(super) fn clean(text: &str, max: usize) -> String {
    let clean = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c });
    clean.take(max).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(value: &str) -> Option<u64> {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, value.parse().unwrap())]);
        retry_after(&headers, 784_111_770).map(|duration| duration.as_secs())
    }

    #[test]
    fn retry_after_is_read_as_seconds_or_as_a_date() {
        for (value, expected) in [
            ("0", Some(0)),
            ("120", Some(120)),
            (" 7 ", Some(7)),
            ("99999999999999999999", Some(MAX_RETRY_AFTER)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(7)),
            ("Sun, 06 Nov 1994 08:49:00 GMT", Some(0)),
            ("Mon, 07 Nov 1994 08:49:30 GMT", Some(86_400)),
            ("", None),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("Sun, 06 Nov 1994 08:49:37", None),
            ("Sun, 32 Nov 1994 08:49:37 GMT", None),
            ("Sun, 06 Foo 1994 08:49:37 GMT", None),
        ] {
            assert_eq!(after(value), expected, "{value}");
        }
    }

    #[test]
    fn a_problems_words_are_capped_and_cleaned() {
        let long = "x".repeat(1000);
        let body = format!("{{\"code\":\"a\\nb{long}\",\"detail\":\"no\\u0000 {long}\"}}");
        let (code, message) = problem(body.as_bytes());
        let (code, message) = (code.unwrap(), message.unwrap());
        assert!(code.starts_with("a bx") && code.len() == 64, "{code}");
        assert!(message.starts_with("no  x") && message.len() == 500, "{message}");
    }

    #[test]
    fn a_problem_without_usable_words_yields_none() {
        for body in
            ["", "[]", "null", "{}", "{\"code\":7,\"detail\":null}", "{\"code\":\" \"}", "<p>"]
        {
            assert_eq!(problem(body.as_bytes()), (None, None), "{body}");
        }
        let titled = problem(b"{\"title\":\"Broken\",\"detail\":7}");
        assert_eq!(titled, (None, Some("Broken".into())));
    }
}
