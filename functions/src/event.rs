//! What an HTTP API's event says besides the request.

use axum::http::uri::{PathAndQuery, Uri};
use axum::http::{HeaderName, HeaderValue};
use lambda_http::Request;
use lambda_http::RequestExt as _;
use lambda_http::request::RequestContext;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The invocation's id, and when it must have ended, in milliseconds since the Unix epoch.
pub(crate) fn of(request: &Request) -> (String, u64) {
    request
        .lambda_context_ref()
        .map(|context| (context.request_id.clone(), context.deadline))
        .unwrap_or_default()
}

/// The request as a server would get it: its path is as it was sent and does not begin with a stage's name, and one
/// without an id of its own has the invocation's, under which Lambda logs too.
pub(crate) fn request(mut request: Request, invocation: &str) -> Request {
    if let Some(path) = path(&request) {
        *request.uri_mut() = path;
    }
    if let Ok(id) = HeaderValue::try_from(invocation) {
        request.headers_mut().entry(REQUEST_ID).or_insert(id);
    }
    request
}

/// An HTTP API decodes the path and, with a named stage, has its name in front. What the library makes of that is
/// another one, where it has characters that a URL cannot have: they are dropped.
fn path(request: &Request) -> Option<Uri> {
    let RequestContext::ApiGatewayV2(context) = request.request_context_ref()? else {
        return None;
    };
    let whole = request.raw_http_path();
    let stage = context.stage.as_deref().filter(|stage| *stage != "$default");
    let behind = stage.and_then(|stage| whole.strip_prefix('/')?.strip_prefix(stage));
    // A domain of its own passes the path on without the stage.
    let path = behind.filter(|rest| rest.is_empty() || rest.starts_with('/')).unwrap_or(whole);
    let mut path = escaped(if path.is_empty() { "/" } else { path });
    if let Some(query) = request.uri().query() {
        path.push('?');
        path.push_str(query);
    }
    Some(Uri::from(PathAndQuery::try_from(path).ok()?))
}

/// With escapes for what cannot stand in a path. A percent sign is one: it is all that an API leaves escaped.
fn escaped(path: &str) -> String {
    let mut escaped = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/%".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use lambda_http::request::from_str;

    use super::*;

    fn event(stage: &str, path: &str, query: &str) -> Request {
        let event = serde_json::json!({
            "version": "2.0", "routeKey": "GET /actions", "rawPath": path, "rawQueryString": query,
            "headers": {"host": "api.example"}, "isBase64Encoded": false,
            "requestContext": {
                "accountId": "1", "apiId": "a", "domainName": "api.example", "domainPrefix": "api",
                "requestId": "r", "routeKey": "GET /actions", "stage": stage, "time": "", "timeEpoch": 0,
                "http": {"method": "GET", "path": path, "protocol": "HTTP/1.1", "sourceIp": "", "userAgent": ""},
            },
        });
        from_str(&event.to_string()).unwrap()
    }

    #[test]
    fn a_named_stage_is_no_part_of_the_path() {
        let cases = [
            ("$default", "/actions", "limit=2", "/actions?limit=2"),
            ("prod", "/prod/actions", "limit=2", "/actions?limit=2"),
            ("prod", "/prod/actions", "", "/actions"),
            ("prod", "/prod/production", "", "/production"),
            ("prod", "/prod", "", "/"),
            ("prod", "/prod", "a=b", "/?a=b"),
            ("prod", "/prod/prod/x", "", "/prod/x"),
            // A domain of its own.
            ("prod", "/actions", "", "/actions"),
        ];
        for (stage, path, query, expected) in cases {
            let request = request(event(stage, path, query), "i");
            let found = request.uri().path_and_query().unwrap().as_str();
            assert_eq!(found, expected, "{stage} {path} {query}");
        }
    }

    #[test]
    fn a_path_is_as_it_was_sent() {
        let cases = [
            ("/action/\0", "/action/%00"),
            ("/action/a b ", "/action/a%20b%20"),
            ("/action/a\n#b", "/action/a%0A%23b"),
            ("/action/ä", "/action/%C3%A4"),
            ("/action/%25", "/action/%25"),
            ("/action/..", "/action/.."),
        ];
        for (path, expected) in cases {
            let request = request(event("$default", path, ""), "i");
            assert_eq!(request.uri().path_and_query().unwrap().as_str(), expected, "{path:?}");
        }
    }

    #[test]
    fn a_request_has_the_id_of_the_caller_or_else_of_the_invocation() {
        let mut named = event("$default", "/meta", "");
        named.headers_mut().insert(REQUEST_ID, HeaderValue::from_static("mine"));
        assert_eq!(request(named, "lambda-1").headers()[REQUEST_ID], "mine");
        let unnamed = event("$default", "/meta", "");
        assert_eq!(request(unnamed, "lambda-1").headers()[REQUEST_ID], "lambda-1");
    }
}
