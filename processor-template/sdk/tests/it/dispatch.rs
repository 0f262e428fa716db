//! What `/meta` and `/process` answer at once.

use std::time::Duration;

use baton_sdk::{Failure, Job, Output, Processor};
use serde_json::{Value, json};

use crate::gate::gated;
use crate::kit::{Running, SECRET, http_client, now_ms};

async fn double(job: Job) -> Result<f64, Failure> {
    Ok(job.data::<f64>()? * 2.0)
}

/// Does as the data says.
async fn obey(job: Job) -> Result<Output, Failure> {
    match job.data::<String>()?.as_str() {
        "unchanged" => Ok(Output::unchanged()),
        "permanent" => Err(Failure::permanent("never").code("too_bad")),
        "retryable" => Err(Failure::retryable("not now")),
        "unavailable" => Err(Failure::unavailable("away", Duration::from_secs(30))),
        "error" => Ok(Output::json(&"x".parse::<u32>()?)?),
        other => panic!("a secret: {other}"),
    }
}

#[tokio::test]
async fn a_result_in_time_is_the_answer() {
    let running = Running::start(Processor::new("test", double)).await;
    let answer = running.dispatch("21").send().await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "42.0"));
    assert_eq!(answer.kind.as_deref(), Some("application/json"));
}

#[tokio::test]
async fn the_function_sees_what_the_manager_sent() {
    let (processor, mut gate) = gated();
    let running = Running::start(processor).await;
    let mut dispatch = running.dispatch("[1]").attempt(3);
    dispatch.process.step = 1;
    dispatch.process.steps = 4;
    dispatch.process.params = Some(serde_json::value::to_raw_value(&json!({"n": 1})).unwrap());
    gate.release();
    assert_eq!(dispatch.send().await.body, "\"done\"");
    let job = gate.started().await;
    assert_eq!(job.data::<Vec<u8>>().unwrap(), [1]);
    assert_eq!(job.raw_data().get(), "[1]");
    assert_eq!(job.params::<Value>().unwrap(), Some(json!({"n": 1})));
    assert_eq!((job.action_id(), job.step(), job.steps(), job.attempt()), ("act_1", 1, 4, 3));
    assert_eq!(job.idempotency_key(), "key_1");
    assert_eq!(job.traceparent(), Some("00-trace"));
}

#[tokio::test]
async fn failures_are_answered_by_what_another_attempt_can_do() {
    let running = Running::start(Processor::new("test", obey)).await;
    let send = async |data: &str| running.dispatch(&json!(data).to_string()).send().await;

    assert_eq!(send("unchanged").await.status, 204);
    let answer = send("permanent").await;
    assert_eq!((answer.status, answer.code().as_str()), (422, "too_bad"));
    assert!(answer.body.contains("never"), "{answer:?}");
    let answer = send("retryable").await;
    assert_eq!((answer.status, answer.code().as_str()), (500, "processor_failed"));
    assert_eq!(answer.retry_after, None);
    let answer = send("unavailable").await;
    assert_eq!((answer.status, answer.retry_after.as_deref()), (503, Some("30")));
    let answer = send("error").await;
    assert_eq!(answer.status, 500);
    assert!(answer.body.contains("invalid digit"), "{answer:?}");
    let answer = running.dispatch("[]").send().await;
    assert_eq!((answer.status, answer.code().as_str()), (422, "data_invalid"));
}

#[tokio::test]
async fn a_panic_is_a_failed_attempt_and_the_processor_goes_on() {
    let running = Running::start(Processor::new("test", obey)).await;
    let answer = running.dispatch("\"panic\"").send().await;
    assert_eq!((answer.status, answer.code().as_str()), (500, "panicked"));
    assert!(!answer.body.contains("secret"), "{answer:?}");
    assert_eq!(running.dispatch("\"unchanged\"").send().await.status, 204);
}

#[tokio::test]
async fn a_request_that_is_not_signed_with_our_secret_is_refused() {
    let (processor, mut gate) = gated();
    let running = Running::start(processor).await;
    let mut dispatch = running.dispatch("1");
    dispatch.secret = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let answer = dispatch.send().await;
    assert_eq!((answer.status, answer.code().as_str()), (401, "signature_invalid"));

    let body = serde_json::to_vec(&running.dispatch("1").process).unwrap();
    let url = format!("{}/process", running.url);
    let unsigned = http_client().post(url).body(body).send().await.unwrap();
    assert_eq!(unsigned.status(), 401);
    assert!(!gate.has_started());
}

#[tokio::test]
async fn a_body_that_is_no_job_or_too_large_is_refused() {
    let running = Running::start(Processor::new("test", double)).await;
    let answer = running.dispatch("1").send_body(b"{\"action_id\": \"act_1\"}".to_vec()).await;
    assert_eq!((answer.status, answer.code().as_str()), (422, "request_invalid"));
    assert!(answer.body.contains("missing field `step`"), "{answer:?}");
    let answer = running.dispatch("1").send_body(vec![b' '; 8 * 1024 * 1024 + 1]).await;
    assert_eq!((answer.status, answer.code().as_str()), (413, "body_unreadable"));
}

#[tokio::test]
async fn beyond_the_capacity_it_answers_429_until_there_is_room() {
    let (processor, mut gate) = gated();
    let manager = crate::manager::Manager::start(crate::kit::LONG).await;
    let running = Running::with_manager(processor, manager, &[("CAPACITY", "1")]).await;
    let first = tokio::spawn(running.dispatch("1").action("act_a").send());
    gate.started().await;
    let answer = running.dispatch("1").action("act_b").send().await;
    assert_eq!((answer.status, answer.code().as_str()), (429, "at_capacity"));
    assert_eq!(answer.retry_after.as_deref(), Some("1"));
    gate.release();
    assert_eq!(first.await.unwrap().status, 200);
    gate.release();
    assert_eq!(running.dispatch("1").action("act_b").send().await.status, 200);
}

#[tokio::test]
async fn meta_says_who_it_is_and_what_it_uses() {
    let before = now_ms();
    let running = Running::start(Processor::new("test", double)).await;
    let meta = http_client().get(format!("{}/meta", running.url)).send().await.unwrap();
    let meta: Value = serde_json::from_str(&meta.text().await.unwrap()).unwrap();
    assert_eq!((&meta["id"], &meta["name"]), (&json!("test-1"), &json!("test")));
    assert!(meta["usage"]["memory_bytes"].as_u64().unwrap() > 1_000_000, "{meta}");
    assert!(meta["usage"]["cpu_percent"].as_f64().unwrap() >= 0.0, "{meta}");
    let started = meta["started_at"].as_u64().unwrap();
    assert!((before..=now_ms()).contains(&started), "{meta}");
    assert!(!meta.to_string().contains(SECRET));
}
