//! Logs for machines: whoever has the id of a request finds what was said about it.

use bytes::Bytes;
use http::Method;
use kit::{Client, action};
use serde_json::{Value, json};

use crate::world::World;

const JSON: (&str, &str) = ("content-type", "application/json");

/// The lines of the manager's log that carry this request id.
fn lines_of(world: &World, id: &str) -> Vec<Value> {
    let log = world.baton.log();
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    lines.filter(|line| line["span"]["request_id"] == id).collect()
}

async fn send(client: &Client, method: Method, path: &str, body: Bytes, id: &str) -> u16 {
    let headers = [JSON, ("x-request-id", id)];
    let answer = client.send(method, path, &headers, body).await;
    assert_eq!(answer.header("x-request-id"), Some(id));
    answer.status
}

#[tokio::test]
async fn the_lines_of_a_request_carry_its_id_and_path() {
    let env = [("BATON_LOG_FORMAT", "json"), ("BATON_LOG", "info,tower_http=debug")];
    let world = World::with(&env).await;
    for id in ["mine-1", "mine-2"] {
        assert_eq!(send(&world.baton, Method::GET, "/healthz", Bytes::new(), id).await, 200);
    }
    // One that the caller did not name has an id too, which the answer tells.
    let unnamed = world.baton.fetch("/meta").await;
    let unnamed = unnamed.header("x-request-id").unwrap();
    for (id, path) in [("mine-1", "/healthz"), ("mine-2", "/healthz"), (unnamed, "/meta")] {
        let lines = lines_of(&world, id);
        assert!(!lines.is_empty(), "{id}: {}", world.baton.log());
        assert!(lines.iter().all(|line| line["span"]["path"] == path), "{lines:?}");
    }
}

#[tokio::test]
async fn the_reason_of_a_refusal_is_logged_under_the_id_of_its_request() {
    let mut world = World::with(&[("BATON_LOG_FORMAT", "json")]).await;
    let _p = world.adder("p").await;
    world.redis.kill9();
    let unknown = "/action/act_p0_00000000000000000000000001";
    assert_eq!(send(&world.baton, Method::GET, unknown, Bytes::new(), "a-read").await, 503);
    // Submitting goes on in a task of its own.
    let body = serde_json::to_vec(&action(&json!([]), &["p"], None)).unwrap();
    let status = send(&world.baton, Method::POST, "/action", body.into(), "a-submission").await;
    assert_eq!(status, 503);
    for id in ["a-read", "a-submission"] {
        let lines = lines_of(&world, id);
        let told = lines.iter().filter(|line| line["message"] == "the store is away");
        assert_eq!(told.count(), 1, "{id}: {}", world.baton.log());
    }
}
