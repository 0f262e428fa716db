//! Who may call what: every route, with every kind of key, with none and with what is no key.

use std::collections::BTreeSet;

use baton_wire::action::Status;
use bytes::Bytes;
use http::Method;
use kit::lambda::Inventory;
use kit::{Answer, BatonSpec, Client, Processor, action, until};
use serde_json::json;

use crate::world::{World, add};

/// Two of each kind: the first is to take the second's place.
const KEYS: [(&str, &str); 3] = [
    (
        "BATON_CALLER_KEYS",
        "caller-new-5cb0a1f2b4d84b1e9d70a6f1 caller-old-8e1f06a2c9d54a7bb3c40d2e",
    ),
    (
        "BATON_OPERATOR_KEYS",
        "operator-new-41d5f7c08a2e4f63a1b97c5d operator-old-0a9b8c7d6e5f4a3b2c1d0e9f",
    ),
    (
        "BATON_PROCESSOR_KEYS",
        "processor-new-9f8e7d6c5b4a3f2e1d0c9b8a processor-old-1a2b3c4d5e6f7a8b9c0d1e2f",
    ),
];
const UNKNOWN: &str = "unknown-0000000000000000000000000000";

/// Every route, and whose key opens it beside an operator's: `open` wants none, `any` takes each.
const ROUTES: [(&str, &str); 19] = [
    ("POST /action", "caller"),
    ("GET /action/{id}", "caller"),
    ("DELETE /action/{id}", "caller"),
    ("POST /action/{id}/redeliver", "operator"),
    ("GET /actions", "operator"),
    ("POST /failed/redrive", "operator"),
    ("POST /deliveries/redeliver", "operator"),
    ("POST /complete", "open"),
    ("POST /register", "processor"),
    ("DELETE /processors/{id}", "processor"),
    ("POST /processors/{id}/pause", "operator"),
    ("POST /processors/{id}/resume", "operator"),
    ("GET /meta", "any"),
    ("GET /metrics", "operator"),
    ("GET /", "open"),
    ("GET /dashboard.css", "open"),
    ("GET /dashboard.js", "open"),
    ("GET /healthz", "open"),
    ("GET /readyz", "open"),
];

fn keys(kind: usize) -> Vec<&'static str> {
    KEYS[kind].1.split(' ').collect()
}

/// The kind of a key, `caller-…`.
fn kind_of(key: &str) -> &str {
    key.split('-').next().unwrap()
}

async fn ask(client: &Client, route: &str, headers: &[(&str, &str)]) -> Answer {
    let (method, path) = route.split_once(' ').unwrap();
    let path = path.replace("{id}", "act_p0_00000000000000000000000001");
    client.send(Method::from_bytes(method.as_bytes()).unwrap(), &path, headers, Bytes::new()).await
}

/// A refusal in the envelope, which says nothing but what kind of refusal it is.
fn assert_refused(answer: &Answer, status: u16, code: &str, what: &str) {
    assert_eq!(answer.status, status, "{what}");
    let problem = answer.refusal().problem;
    assert_eq!(problem.code, code, "{what}");
    assert!(problem.detail.is_none() && problem.errors.is_empty(), "{what}");
    let scheme = (status == 401).then_some("Bearer");
    assert_eq!(answer.header("www-authenticate"), scheme, "{what}");
}

#[test]
fn no_route_is_missing_in_the_matrix() {
    let routes: BTreeSet<String> = ROUTES.iter().map(|(route, _)| (*route).to_owned()).collect();
    let deployed = Inventory::of_deployment().routes();
    assert_eq!(routes, deployed.into_iter().map(|route| route.key).collect());
}

#[tokio::test]
async fn a_route_opens_to_its_own_kind_of_key_and_to_an_operators_and_to_nothing_else() {
    let world = World::with(&KEYS).await;
    let nobody = world.baton.client().keyed(None);
    let before = world.keyspace().await;
    for (route, wanted) in ROUTES {
        let refuse = |answer: &Answer, what: &str| match wanted {
            "open" => assert!(![401, 403].contains(&answer.status), "{route}: {what}"),
            _ => assert_refused(answer, 401, "unauthorized", &format!("{route}: {what}")),
        };
        refuse(&ask(&nobody, route, &[]).await, "no key");
        for what in ["Bearer", "Bearer ", &format!("Bearer {UNKNOWN}"), UNKNOWN] {
            refuse(&ask(&nobody, route, &[("authorization", what)]).await, what);
        }
        for key in (0..KEYS.len()).flat_map(keys) {
            let basic = format!("Basic {key}");
            refuse(&ask(&nobody, route, &[("authorization", &basic)]).await, &basic);
            let answer = ask(&nobody.keyed(Some(key)), route, &[]).await;
            let kind = kind_of(key);
            if ["open", "any", kind].contains(&wanted) || kind == "operator" {
                assert!(![401, 403].contains(&answer.status), "{route}: {key}: {}", answer.status);
            } else {
                assert_refused(&answer, 403, "forbidden", &format!("{route}: {key}"));
            }
        }
    }
    assert_eq!(world.keyspace().await.changes_since(&before), "");
}

#[tokio::test]
async fn a_refusal_tells_nothing_of_what_there_is() {
    let world = World::with(&KEYS).await;
    let _a = world.adder("a").await;
    let id = world.baton.submit(&action(&json!([]), &["a"], None)).await;
    world.baton.outcome(&id).await;
    for (key, status) in [(Some(UNKNOWN), 401), (None, 401), (Some(keys(2)[0]), 403)] {
        let client = world.baton.client().keyed(key);
        let known = client.fetch(&format!("/action/{id}")).await;
        let unknown = client.fetch("/action/act_p0_00000000000000000000000001").await;
        assert_eq!((known.status, &known.body), (status, &unknown.body));
    }
    let log = world.baton.log();
    for key in (0..KEYS.len()).flat_map(keys).chain([UNKNOWN]) {
        assert!(!log.contains(key), "{log}");
    }
}

#[tokio::test]
async fn each_works_with_its_own_key_and_a_report_with_its_token_alone() {
    let world = World::with(&KEYS).await;
    let [callers, processors] = [0, 2].map(|kind| world.baton.client().keyed(Some(keys(kind)[1])));
    let work = |data: serde_json::Value| add(&data, "a");
    // It reports to the `complete_url` without any key.
    let a = Processor::asynchronous(world.spec("a"), move |data| work(data.clone())).await;
    let registered = a.register(&processors).await;
    let id = callers.submit(&action(&json!([]), &["a"], Some(&world.receiver.url()))).await;
    let ended = callers.ended(&id).await;
    assert_eq!(ended.status, Status::Succeeded);
    assert_eq!(ended.data.unwrap().get(), r#"["a"]"#);
    processors.drain("a", registered.epoch).await.unwrap();
    until("it is gone", async || world.baton.meta().await.processors.is_empty()).await;
}

#[tokio::test]
async fn without_keys_no_page_of_another_site_gets_through() {
    let world = World::start().await;
    let _a = world.adder("a").await;
    let own = world.baton.url().to_owned();
    for (route, wanted) in ROUTES {
        for headers in [
            &[("origin", "https://evil.example")][..],
            &[("origin", "null")],
            &[("host", "evil.example")],
            &[("host", "evil.example"), ("origin", "http://evil.example")],
        ] {
            let answer = ask(&world.baton, route, headers).await;
            if wanted == "open" {
                assert_ne!(answer.status, 403, "{route} {headers:?}");
            } else {
                let problem = answer.refusal().problem;
                assert_eq!(problem.code, "foreign_origin", "{route} {headers:?}");
            }
        }
        let answer = ask(&world.baton, route, &[("origin", &own)]).await;
        assert_ne!(answer.status, 403, "{route}");
    }
    // What a page could send without asking first: nothing of it was done.
    let path = "/processors/a/pause";
    let origin = [("origin", "https://evil.example")];
    let answer = world.baton.send(Method::POST, path, &origin, Bytes::new()).await;
    assert_eq!(answer.status, 403);
    let [a] = world.baton.meta().await.processors.try_into().unwrap();
    assert_eq!(json!(a.status), "active");
}

#[tokio::test]
async fn the_server_listens_beyond_loopback_only_with_keys() {
    let everywhere = || BatonSpec::embedded().env("BATON_BIND", "0.0.0.0:0");
    let refused = everywhere().try_start().await.unwrap_err();
    for word in ["BATON_BIND", "BATON_CALLER_KEYS", "BATON_OPERATOR_KEYS", "bind to 127.0.0.1"] {
        assert!(refused.contains(word), "{refused}");
    }
    let short = everywhere().env("BATON_CALLER_KEYS", "hush").try_start().await.unwrap_err();
    assert!(short.contains("openssl rand -hex 32") && !short.contains("hush"), "{short}");
    let baton = everywhere().env(KEYS[1].0, KEYS[1].1).start().await;
    assert!(baton.meta().await.processors.is_empty());
    assert_refused(&baton.client().keyed(None).fetch("/meta").await, 401, "unauthorized", "");
}
