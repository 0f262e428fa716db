use axum::http::{HeaderName, HeaderValue};

use super::*;

const CALLER: &str = "caller-0123456789abcdef0123456789abcdef";
const OPERATOR: &str = "operator-0123456789abcdef0123456789abcdef";
const PROCESSOR: &str = "processor-0123456789abcdef0123456789abcdef";

fn guard(variables: &[(&str, &str)]) -> Arc<Guard> {
    let get = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
    Guard::new(&Config::from_lookup(get, []).unwrap())
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let value = HeaderValue::from_str(value).unwrap();
        headers.append(HeaderName::from_static(name), value);
    }
    headers
}

#[test]
fn a_key_opens_what_is_for_its_kind_and_an_operators_key_everything() {
    use Access::{AnyKey, Caller, Open, Operator, Processor};
    let guard = guard(&[
        ("BATON_CALLER_KEYS", CALLER),
        ("BATON_OPERATOR_KEYS", OPERATOR),
        ("BATON_PROCESSOR_KEYS", PROCESSOR),
    ]);
    for (key, opened) in [
        (CALLER, &[Open, Caller, AnyKey][..]),
        (OPERATOR, &[Open, Caller, Processor, Operator, AnyKey][..]),
        (PROCESSOR, &[Open, Processor, AnyKey][..]),
    ] {
        let headers = headers(&[("authorization", &format!("Bearer {key}"))]);
        for access in [Open, Caller, Processor, Operator, AnyKey] {
            let expected = (!opened.contains(&access)).then_some(Kind::Forbidden);
            assert_eq!(guard.refusal(access, &headers), expected, "{key} {access:?}");
        }
    }
}

#[test]
fn a_kind_without_keys_is_closed_once_another_has_some() {
    let guard = guard(&[("BATON_CALLER_KEYS", CALLER)]);
    let headers = headers(&[("authorization", &format!("Bearer {CALLER}"))]);
    assert_eq!(guard.refusal(Access::Caller, &headers), None);
    assert_eq!(guard.refusal(Access::Processor, &headers), Some(Kind::Forbidden));
    assert_eq!(guard.refusal(Access::Operator, &HeaderMap::new()), Some(Kind::Unauthorized));
}

#[test]
fn only_one_whole_key_by_the_bearer_scheme_is_one() {
    let guard = guard(&[("BATON_CALLER_KEYS", CALLER)]);
    let refusal = |values: &[&str]| {
        let pairs: Vec<_> = values.iter().map(|value| ("authorization", *value)).collect();
        guard.refusal(Access::Caller, &headers(&pairs))
    };
    for good in
        [format!("Bearer {CALLER}"), format!("bearer {CALLER}"), format!("BEARER  {CALLER}")]
    {
        assert_eq!(refusal(&[&good]), None, "{good}");
    }
    let good = format!("Bearer {CALLER}");
    for bad in [
        &[][..],
        &[""],
        &["Bearer"],
        &["Bearer "],
        &[CALLER],
        &[&format!("Basic {CALLER}")],
        &[&format!("Bearer {CALLER}x")],
        &[&format!("Bearer {}", &CALLER[1..])],
        &[&format!("Bearer {CALLER} {CALLER}")],
        &[&format!("Bearer {CALLER},{CALLER}")],
        &[&good, &good],
    ] {
        assert_eq!(refusal(bad), Some(Kind::Unauthorized), "{bad:?}");
    }
}

#[test]
fn without_keys_no_page_of_another_site_gets_through() {
    let guard = guard(&[("BATON_PUBLIC_URL", "https://baton.example.com/prod")]);
    let foreign = Some(Kind::ForeignOrigin);
    for (host, origin, expected) in [
        (None, None, None),
        (Some("127.0.0.1:8080"), None, None),
        (Some("[::1]:8080"), None, None),
        (Some("[::1]"), None, None),
        (Some("10.1.2.3"), None, None),
        (Some("LOCALHOST:8080"), None, None),
        (Some("a.localhost:8080"), None, None),
        (Some("baton.example.com"), None, None),
        (Some("localhost:8080"), Some("http://localhost:8080"), None),
        (Some("Localhost:8080"), Some("http://localhost:8080"), None),
        (Some("127.0.0.1:8080"), Some("https://baton.example.com"), None),
        // A name that was made to lead here, whose page is then of the same origin.
        (Some("evil.example:8080"), None, foreign),
        (Some("evil.example:8080"), Some("http://evil.example:8080"), foreign),
        (Some("baton.example.com:8080"), None, foreign),
        (Some("127.0.0.1.evil.example"), None, foreign),
        (Some("localhost.evil.example"), None, foreign),
        (Some("user@127.0.0.1@evil.example"), None, foreign),
        (Some("[evil.example]:8080"), None, foreign),
        (Some("::1"), None, foreign),
        (Some(""), None, foreign),
        // A page of another origin.
        (Some("localhost:8080"), Some("http://localhost:8081"), foreign),
        (Some("localhost:8080"), Some("https://evil.example"), foreign),
        (Some("localhost:8080"), Some("https://localhost:8080.evil.example"), foreign),
        (Some("localhost:8080"), Some("null"), foreign),
        (Some("localhost:8080"), Some(""), foreign),
        (None, Some("https://evil.example"), foreign),
    ] {
        let pairs = [("host", host), ("origin", origin)];
        let pairs: Vec<_> = pairs.into_iter().filter_map(|(n, v)| Some((n, v?))).collect();
        let found = guard.refusal(Access::Caller, &headers(&pairs));
        assert_eq!(found, expected, "{host:?} {origin:?}");
        assert_eq!(guard.refusal(Access::Open, &headers(&pairs)), None);
    }
}

#[test]
fn with_keys_the_key_alone_counts() {
    let guard = guard(&[("BATON_CALLER_KEYS", CALLER)]);
    let good = format!("Bearer {CALLER}");
    let headers = headers(&[
        ("host", "baton.internal"),
        ("origin", "https://app.example"),
        ("authorization", &good),
    ]);
    assert_eq!(guard.refusal(Access::Caller, &headers), None);
}
