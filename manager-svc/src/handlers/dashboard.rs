//! `GET /`: one static page over the other endpoints. It loads nothing from elsewhere, and what it shows is only
//! ever text: its policy refuses other scripts, styles and addresses, and any way to turn a text into markup.

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Response;

use crate::reply;

const PAGE: &str = include_str!("dashboard/index.html");
const STYLE: &str = include_str!("dashboard/style.css");
const SCRIPT: &str = include_str!("dashboard/script.js");

const HEADERS: [(HeaderName, &str); 4] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    // A manager that was replaced has another page at the same address.
    (header::CACHE_CONTROL, "no-cache"),
];

/// The page itself.
pub(crate) async fn get_page() -> Response {
    part("text/html; charset=utf-8", PAGE)
}

/// How it looks.
pub(crate) async fn get_style() -> Response {
    part("text/css; charset=utf-8", STYLE)
}

/// What it does.
pub(crate) async fn get_script() -> Response {
    part("text/javascript; charset=utf-8", SCRIPT)
}

fn part(media: &'static str, text: &'static str) -> Response {
    let mut response = reply::content(media, text);
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
