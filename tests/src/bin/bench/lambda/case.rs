//! What each function is asked, and what it must answer.

use http::{HeaderMap, HeaderValue, Method, header};
use kit::lambda::http_event;
use kit::{Processor, Request};
use serde_json::{Value, json};

/// The function that makes a processor known to the others.
pub(crate) const SETUP: &str = "register";
/// The operator's key, which opens every route.
pub(crate) const KEY: &str = "an-operators-key-of-32-characters";

/// A method, a route and a path, and a body; the status that is right.
fn request(name: &str, processor: &Processor) -> (Method, &'static str, Value, u16) {
    match name {
        "action" => (Method::POST, "/action", json!({"data": 1, "jobs": ["p"]}), 202),
        // The record is read, and there is none.
        "complete" => (
            Method::POST,
            "/complete",
            json!({"action_id": "act_p0_00000000000000000000000001", "token": "t", "status": "succeeded"}),
            404,
        ),
        SETUP => (Method::POST, "/register", json!(processor.registration()), 200),
        "operate" => (Method::GET, "/actions", Value::Null, 200),
        "meta" => (Method::GET, "/meta", Value::Null, 200),
        _ => unreachable!("{name} is a function that this program does not know"),
    }
}

/// The event of one invocation.
pub(crate) fn event(name: &str, processor: &Processor) -> String {
    if name == "tick" {
        return json!({"version": "0", "source": "aws.scheduler", "detail": {}}).to_string();
    }
    let (method, path, body, _) = request(name, processor);
    let json = HeaderValue::from_static("application/json");
    let route = format!("{method} {path}");
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let key = HeaderValue::try_from(format!("Bearer {KEY}")).expect("a header's value");
    let headers =
        HeaderMap::from_iter([(header::CONTENT_TYPE, json), (header::AUTHORIZATION, key)]);
    let uri = path.parse().expect("a path");
    http_event(&Request { method, uri, headers, body: body.into() }, &route)
}

/// Whether the answer is what it must be.
pub(crate) fn is_good(name: &str, processor: &Processor, answer: &Value) -> bool {
    if name == "tick" {
        return answer["claimable"].is_boolean();
    }
    let right = u64::from(request(name, processor).3);
    // A processor that is new is 201.
    answer["statusCode"] == right || (name == SETUP && answer["statusCode"] == 201)
}
