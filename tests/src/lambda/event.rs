//! HTTP requests as events of payload format 2.0, and replies back.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use http::HeaderMap;
use serde::Deserialize;
use serde_json::json;

use crate::server::{Reply, Request};

/// The event of a request to a route, `GET /action/{id}`.
#[must_use]
pub fn http_event(request: &Request, route: &str) -> String {
    static NUMBER: AtomicU64 = AtomicU64::new(1);
    let headers = joined(&request.headers);
    let text = std::str::from_utf8(&request.body);
    let (body, is_base64) = match text {
        Ok(text) => (text.to_owned(), false),
        Err(_) => (BASE64_STANDARD.encode(&request.body), true),
    };
    let path = decoded(request.uri.path());
    json!({
        "version": "2.0",
        "routeKey": route,
        "rawPath": path,
        "rawQueryString": request.uri.query().unwrap_or_default(),
        "headers": headers,
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "local",
            "domainName": "localhost",
            "domainPrefix": "local",
            "http": {
                "method": request.method.as_str(),
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": headers.get("user-agent").cloned().unwrap_or_default(),
            },
            "requestId": format!("local-{}", NUMBER.fetch_add(1, Ordering::Relaxed)),
            "routeKey": route,
            "stage": "$default",
            "time": "01/Jan/2026:00:00:00 +0000",
            "timeEpoch": 1_767_225_600_000_u64,
        },
        "body": (!body.is_empty()).then_some(body),
        "isBase64Encoded": is_base64,
    })
    .to_string()
}

/// A path as an HTTP API finds its route by it, and passes it on: without escapes, but for that of a percent sign.
pub(super) fn decoded(path: &str) -> String {
    let (mut decoded, mut rest) = (Vec::new(), path.as_bytes());
    while let [first, after @ ..] = rest {
        let digits =
            after.get(..2).filter(|two| *first == b'%' && two.iter().all(u8::is_ascii_hexdigit));
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if byte != b'%' => {
                decoded.push(byte);
                rest = &after[2..];
            }
            _ => {
                decoded.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// A header that comes several times is one, with commas.
fn joined(headers: &HeaderMap) -> BTreeMap<String, String> {
    let mut joined = BTreeMap::<String, String>::new();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        joined
            .entry(name.as_str().to_owned())
            .and_modify(|all| *all = format!("{all},{value}"))
            .or_insert_with(|| value.into_owned());
    }
    joined
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    status_code: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    multi_value_headers: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

/// The reply that a function's answer stands for, if it is one.
pub(super) fn reply(answer: &[u8]) -> Option<Reply> {
    let answer: Answer = serde_json::from_slice(answer).ok()?;
    let body = answer.body.unwrap_or_default();
    let body = if answer.is_base64_encoded {
        BASE64_STANDARD.decode(body).ok()?
    } else {
        body.into_bytes()
    };
    let single = answer.headers.into_iter();
    let multi = answer
        .multi_value_headers
        .into_iter()
        .flat_map(|(name, values)| values.into_iter().map(move |value| (name.clone(), value)));
    let mut seen = std::collections::BTreeSet::new();
    let headers = single.chain(multi).filter(|(name, value)| {
        name != "content-length" && seen.insert((name.clone(), value.clone()))
    });
    Some(headers.fold(Reply::raw(answer.status_code, body), |reply, (name, value)| {
        reply.with(&name, &value)
    }))
}
