//! What is refused: the code, the field, and that the store is as it was.

use baton_wire::action::{ActionOut, Status};
use http::Method;
use kit::{Answer, Form, Reply, action};
use serde_json::{Value, json};

use crate::world::World;

async fn post(world: &World, path: &str, body: impl Into<bytes::Bytes>) -> Answer {
    world.baton.send(Method::POST, path, &[("content-type", "application/json")], body).await
}

/// A refused body, its status and code, and the path of the field.
type Case = (Value, u16, &'static str, &'static str);

fn cases() -> Vec<Case> {
    let job = |job: Value| json!({"data": 1, "jobs": [job]});
    let invalid = |body, path| (body, 422, "invalid_request", path);
    vec![
        invalid(json!({"data": 1}), ""),
        invalid(json!({"jobs": ["a"]}), ""),
        invalid(json!({"data": 1, "jobs": []}), "jobs"),
        invalid(json!({"data": 1, "jobs": "a"}), "jobs"),
        invalid(json!({"data": 1, "jobs": vec!["a"; 101]}), "jobs"),
        invalid(job(json!(7)), "jobs[0]"),
        invalid(job(json!({"target": 7})), "jobs[0].target"),
        invalid(job(json!({"target": "not a target!"})), "jobs[0].target"),
        invalid(job(json!({"target": "a", "timeout_ms": 0})), "jobs[0].timeout_ms"),
        invalid(job(json!({"target": "a", "timeout_ms": -1})), "jobs[0].timeout_ms"),
        invalid(job(json!({"target": "a", "max_attempts": 0})), "jobs[0].max_attempts"),
        invalid(job(json!({"target": "a", "on_failure": "ignore"})), "jobs[0].on_failure"),
        invalid(job(json!({"target": "a", "on_failure": "x"})), "jobs[0].on_failure"),
        invalid(job(json!({"target": "a", "color": "red"})), "jobs[0].color"),
        invalid(json!({"data": 1, "jobs": ["a"], "color": "red"}), "color"),
        invalid(json!({"data": 1, "jobs": ["a"], "delay_ms": "1"}), "delay_ms"),
        invalid(json!({"data": 1, "jobs": ["a"], "expires_in_ms": 0}), "expires_in_ms"),
        invalid(json!({"data": 1, "jobs": ["a"], "labels": {"x": 1}}), "labels.x"),
        invalid(json!({"data": 1, "jobs": ["a"], "response_url": "nowhere"}), "response_url"),
        invalid(
            json!({"data": 1, "jobs": ["a"], "response_url": "ftp://127.0.0.1/"}),
            "response_url",
        ),
        invalid(
            json!({"data": 1, "jobs": ["a"], "response_url": "http://10.0.0.1/"}),
            "response_url",
        ),
        invalid(json!([]), ""),
        invalid(json!(vec![json!({"data": 1, "jobs": ["a"]}); 101]), ""),
        invalid(json!([{"data": 1, "jobs": ["a"]}, {"data": 1, "jobs": []}]), "[1].jobs"),
        (job(json!("nobody")), 422, "unknown_target", "jobs[0].target"),
        (
            json!([{"data": 1, "jobs": ["a"]}, {"data": 1, "jobs": ["a", "nobody"]}]),
            422,
            "unknown_target",
            "[1].jobs[1].target",
        ),
        (json!({"data": "x".repeat(256 * 1024), "jobs": ["a"]}), 413, "data_too_large", "data"),
    ]
}

/// Asserts what the manager answers to a request that is none of its own, or, where an HTTP API stands before it and
/// lets no such request pass, what that answers.
fn assert_refused_at_the_door(answer: &Answer, manager: (u16, &str), gateway: u16) {
    if Form::of_run().has_gateway() {
        assert_eq!(answer.status, gateway);
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        assert!(body["message"].is_string() && body["code"].is_null(), "{body}");
    } else {
        let refusal = answer.refusal();
        assert_eq!((refusal.status, refusal.problem.code.as_str()), manager);
    }
}

#[tokio::test]
async fn a_bad_action_is_refused_by_its_field_and_changes_nothing() {
    let world = World::start().await;
    let a = world.adder("a").await;
    let before = world.keyspace().await;
    for (body, status, code, path) in cases() {
        let shown: String = body.to_string().chars().take(120).collect();
        let refusal = post(&world, "/action", body.to_string()).await.refusal();
        assert_eq!((refusal.status, refusal.problem.code.as_str()), (status, code), "{shown}");
        let paths: Vec<_> =
            refusal.problem.errors.iter().map(|error| error.path.as_str()).collect();
        assert_eq!(paths, [path], "{shown}: {:?}", refusal.problem);
        assert!(!refusal.problem.errors[0].message.is_empty(), "{shown}");
    }
    let own = json!({"data": 1, "jobs": ["a"], "response_url": world.baton.url()});
    let refusal = post(&world, "/action", own.to_string()).await.refusal();
    assert_eq!(refusal.problem.errors[0].path, "response_url");
    for text in ["", "{", "{\"data\":1,\"jobs\":[\"a\"]} x", "\u{feff}{}"] {
        let refusal = post(&world, "/action", text).await.refusal();
        assert_eq!((refusal.status, refusal.problem.code.as_str()), (400, "bad_json"), "{text}");
    }
    let refusal = world.baton.send(Method::POST, "/action", &[], "{}").await.refusal();
    assert_eq!(refusal.problem.code, "unsupported_media_type");
    assert_eq!(world.keyspace().await.changes_since(&before), "");
    assert_eq!(a.arrivals().len(), 0);
}

#[tokio::test]
async fn a_body_over_the_cap_is_refused_and_changes_nothing() {
    let world = World::start().await;
    let before = world.keyspace().await;
    let huge = post(&world, "/action", vec![b' '; 9 << 20]).await;
    assert_refused_at_the_door(&huge, (413, "body_too_large"), 413);
    assert_eq!(world.keyspace().await.changes_since(&before), "");
}

#[tokio::test]
async fn an_id_that_is_not_ours_and_a_path_that_is_none_are_not_found() {
    let world = World::start().await;
    for id in ["1", "act_", "act_p0_00000000000000000000000001", "act_p9_x", "%00", "%25"] {
        let refusal = world.baton.try_get(id).await.unwrap_err();
        assert_eq!(
            (refusal.status, refusal.problem.code.as_str()),
            (404, "action_not_found"),
            "{id}"
        );
    }
    // An HTTP API takes an escaped slash for one between two parts.
    let parted = world.baton.fetch("/action/a%2Fb").await;
    assert_refused_at_the_door(&parted, (404, "action_not_found"), 404);
    let nowhere = world.baton.fetch("/nowhere").await;
    assert_refused_at_the_door(&nowhere, (404, "route_not_found"), 404);
    let fetched = world.baton.fetch("/complete").await;
    assert_refused_at_the_door(&fetched, (405, "method_not_allowed"), 404);
    let refusal = world.baton.fetch("/action/act_p0_00000000000000000000000001?wait_ms=x").await;
    assert_eq!(refusal.refusal().status, 422);
}

#[tokio::test]
async fn a_bad_report_is_refused_and_changes_nothing() {
    let world = World::start().await;
    let silent = world.processor(world.spec("silent"), |_| async { Reply::accepted() }).await;
    world.baton.submit(&action(&json!(1), &["silent"], None)).await;
    silent.wait_for(1).await;
    let process = silent.arrivals()[0].process.clone();
    let good =
        json!({"action_id": process.action_id, "token": process.token, "status": "succeeded"});
    let with = |field: &str, value: Value| {
        let mut bad = good.clone();
        bad[field] = value;
        bad
    };
    let before = world.keyspace().await;
    let bad = [
        (with("status", json!("done")), 422, "invalid_request"),
        (with("token", json!(7)), 422, "invalid_request"),
        (with("color", json!("red")), 422, "invalid_request"),
        (with("error", json!({"code": "x"})), 422, "invalid_request"),
        (with("action_id", json!("1")), 404, "action_not_found"),
        (with("data", json!("x".repeat(256 * 1024))), 413, "data_too_large"),
    ];
    for (body, status, code) in bad {
        let refusal = post(&world, "/complete", body.to_string()).await.refusal();
        assert_eq!((refusal.status, refusal.problem.code.as_str()), (status, code));
    }
    assert_eq!(world.keyspace().await.changes_since(&before), "");
    assert_eq!(post(&world, "/complete", good.to_string()).await.status, 200);
}

#[tokio::test]
async fn a_reply_that_is_no_json_or_over_the_cap_fails_the_action_for_good() {
    let world = World::start().await;
    let bad = world.processor(world.spec("bad"), |call| async move {
        match call.data().as_str().unwrap() {
            "text" => Reply::raw(200, "not JSON"),
            "empty" => Reply::raw(200, ""),
            "large" => Reply::json(&"x".repeat(256 * 1024)),
            "redirect" => Reply::status(302).with("location", "/process"),
            _ => Reply::status(400),
        }
    });
    let bad = bad.await;
    for (number, data) in ["text", "empty", "large", "redirect", "refused"].iter().enumerate() {
        let id =
            world.baton.submit(&action(data, &["bad", "bad"], Some(&world.receiver.url()))).await;
        let ended: ActionOut = world.baton.ended(&id).await;
        assert_eq!(ended.status, Status::Failed, "{data}");
        assert_eq!(ended.data.unwrap().get(), format!("\"{data}\""));
        assert_eq!(world.receiver.of(&id)[0].body.kind, "action.failed");
        assert_eq!(bad.arrivals().len(), number + 1, "{data} is not tried again");
    }
    world.assert_sound().await;
}
