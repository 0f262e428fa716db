//! A route exists in both forms or in none: the inventory that is deployed, the route table, and what each function's
//! program answers.

use std::collections::BTreeSet;
use std::time::Duration;

use http::{HeaderMap, Method};
use kit::lambda::{Functions, Inventory, Program, Route, http_event};
use kit::{DataDir, Redis, Request, binary};
use manager_svc::router;
use serde_json::Value;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// The function that is invoked, and answers no request.
const TICK: &str = "tick";

/// The routes of the server.
fn table() -> BTreeSet<Route> {
    let route = |(slice, method, path)| Route {
        function: format!("{slice:?}").to_lowercase(),
        key: format!("{method} {path}"),
    };
    router::table().map(route).collect()
}

#[test]
fn the_inventory_has_the_routes_of_the_server_each_at_the_function_of_its_slice() {
    let inventory = Inventory::of_deployment().routes();
    let routes: BTreeSet<Route> = inventory.iter().cloned().collect();
    assert_eq!(routes.len(), inventory.len(), "a route is there twice");
    assert_eq!(routes, table());
}

#[test]
fn the_inventory_has_every_program_of_a_function_and_no_other() {
    let bin = concat!(env!("CARGO_MANIFEST_DIR"), "/../functions/src/bin");
    let files = std::fs::read_dir(bin).unwrap().map(|entry| entry.unwrap().path());
    let programs: BTreeSet<String> =
        files.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    let inventory = Inventory::of_deployment();
    let functions: BTreeSet<String> =
        inventory.functions().map(|(name, _)| name.to_owned()).collect();
    assert_eq!(functions, programs);
    let answering: BTreeSet<String> =
        inventory.routes().into_iter().map(|route| route.function).collect();
    let others: Vec<&String> = functions.difference(&answering).collect();
    assert_eq!(others, [TICK], "only `tick` has no route");
}

#[tokio::test]
async fn every_program_answers_the_routes_of_its_function_and_no_other() {
    let (redis, dir) = (Redis::any().await, DataDir::new());
    let env = [
        ("REDIS_URL", redis.url().as_str()),
        ("BATON_PUBLIC_URL", "http://127.0.0.1:8080"),
        ("BATON_PROCESSOR_SECRETS", SECRET),
        ("BATON_WEBHOOK_SECRETS", SECRET),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let inventory = Inventory::of_deployment();
    let names: Vec<String> = inventory
        .functions()
        .map(|(name, _)| name.to_owned())
        .filter(|name| name != TICK)
        .collect();
    let program = |name: &String| {
        (name.clone(), Program { path: binary(name), timeout: Duration::from_secs(60) })
    };
    let functions =
        Functions::new(names.iter().map(program).collect(), env.to_vec(), &dir.file("log"));
    for name in &names {
        let mut answered = BTreeSet::new();
        for route in table() {
            let event = http_event(&request(&route.key), &route.key);
            let answer = functions.invoke(name, event.into()).await.unwrap();
            let answer: Value = serde_json::from_slice(&answer).unwrap();
            let body = answer["body"].as_str().unwrap_or_default();
            let unknown = ["route_not_found", "method_not_allowed"];
            if !unknown.iter().any(|code| body.contains(code)) {
                answered.insert(route.key);
            }
        }
        let of_it = inventory.routes().into_iter().filter(|route| route.function == *name);
        assert_eq!(answered, of_it.map(|route| route.key).collect(), "{name}");
    }
    functions.stop().await;
}

/// A request to a route, with some id where it wants one.
fn request(route: &str) -> Request {
    let (method, path) = route.split_once(' ').expect("a method and a path");
    let path = path.replace("{id}", "act_p0_00000000000000000000000001");
    let method: Method = method.parse().expect("a method");
    let uri = path.parse().expect("a path");
    Request { method, uri, headers: HeaderMap::new(), body: "".into() }
}
