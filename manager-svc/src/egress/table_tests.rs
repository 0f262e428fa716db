//! The table of addresses and URLs, each with the reason: what the policy says when a URL is handed in, and of the
//! address when it is connected to.

use std::net::IpAddr;

use url::Url;

use super::check::{self, UrlError};
use super::connect::{self, ConnectError};
use super::names::Names;
use super::policy::Policy;

const TABLE: &str = include_str!("table_tests.tsv");

struct Row {
    expected: &'static str,
    url: String,
    why: &'static str,
}

fn rows() -> Vec<Row> {
    let lines = TABLE.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let row = |line: &'static str| {
        let [expected, url, why] = line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        Row { expected, url: url.replace("\\t", "\t"), why }
    };
    lines.map(row).collect()
}

/// What is said of a URL, in the table's words.
fn verdict(url: &str, policy: &Policy) -> &'static str {
    match check::response_url(url, policy, &[]) {
        Ok(_) => "public",
        Err(UrlError::Address) => "address",
        Err(UrlError::NotAllowed) => "reach",
        Err(UrlError::Invalid) => "invalid",
        Err(UrlError::Scheme) => "scheme",
        Err(UrlError::Credentials) => "credentials",
        Err(UrlError::Fragment) => "fragment",
        Err(UrlError::TooLong | UrlError::Query | UrlError::Own) => "something else",
    }
}

/// The address that a URL names, if it names one.
fn literal(url: &str) -> Option<IpAddr> {
    match Url::parse(url).ok()?.host()? {
        url::Host::Ipv4(ip) => Some(ip.into()),
        url::Host::Ipv6(ip) => Some(ip.into()),
        url::Host::Domain(_) => None,
    }
}

/// No guard: every network is allowed.
fn off() -> Policy {
    let allowed = ["0.0.0.0/0", "::/0"].map(|net| net.parse().unwrap()).to_vec();
    Policy { allowed, ..Policy::default() }
}

#[test]
fn every_url_is_judged_as_the_table_says() {
    let rows = rows();
    assert!(rows.len() >= 120, "{}", rows.len());
    for Row { expected, url, why } in rows {
        assert_eq!(verdict(&url, &Policy::default()), expected, "{url}: {why}");
    }
}

#[tokio::test]
async fn an_address_is_judged_the_same_when_it_is_connected_to() {
    let mut refused = 0;
    for Row { expected, url, why } in rows() {
        let policy = Policy::default();
        let Some(ip) = literal(&url).filter(|_| ["address", "public"].contains(&expected)) else {
            continue;
        };
        let (host, reach) = (ip.to_string(), policy.reach(true, &ip.to_string(), 443));
        let found = connect::resolve(&Names::System, &policy, reach, &host, 443).await;
        match expected {
            "public" => assert!(found.is_ok(), "{url}: {why}"),
            _ => assert!(matches!(found, Err(ConnectError::Refused)), "{url}: {why}"),
        }
        refused += usize::from(expected == "address");
    }
    assert!(refused >= 100, "{refused}");
}

#[test]
fn without_the_guard_every_address_would_be_called() {
    for Row { expected, url, why } in rows() {
        let guarded = ["address", "reach"].contains(&expected);
        let without = if guarded { "public" } else { expected };
        assert_eq!(verdict(&url, &off()), without, "{url}: {why}");
    }
}
