//! Actions that go well.

use std::sync::atomic::{AtomicU32, Ordering};

use baton_wire::action::{AttemptStatus, DeliveryStatus, Status, StepStatus};
use http::Method;
use kit::{Ledger, Reply, action, until};
use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn an_action_passes_its_processors_in_order_and_comes_back_on_the_webhook() {
    let world = World::start().await;
    let (a, b, c) = (world.adder("a").await, world.late_adder("b").await, world.adder("c").await);
    let mut submitted = action(&json!([]), &["a", "b-kind", "c"], Some(&world.receiver.url()));
    submitted.labels.insert("kind".to_owned(), "test".to_owned());
    let id = world.baton.submit(&submitted).await;
    let ended = world.baton.ended(&id).await;

    assert_eq!((ended.status, ended.run), (Status::Succeeded, 1));
    assert_eq!(ended.data.unwrap().get(), r#"["a","b","c"]"#);
    assert_eq!(ended.delivery.status, DeliveryStatus::Delivered);
    for (index, step) in ended.steps.iter().enumerate() {
        assert_eq!((step.step as usize, step.status), (index, StepStatus::Succeeded));
        let [attempt] = step.attempts.as_slice() else { panic!("{step:?}") };
        assert_eq!(attempt.processor, ["a", "b", "c"][index]);
        assert_eq!(attempt.status, AttemptStatus::Succeeded);
    }
    let [delivery] = world.receiver.of(&id).try_into().unwrap();
    assert_eq!(delivery.webhook_id, format!("{id}_1"));
    assert_eq!(delivery.body.kind, "action.succeeded");
    assert_eq!(delivery.result(), json!(["a", "b", "c"]));
    assert_eq!(delivery.body.data.steps.len(), 3);
    assert_eq!(delivery.body.data.labels["kind"], "test");
    for processor in [&a, &b, &c] {
        let [arrival] = processor.arrivals().try_into().unwrap();
        assert_eq!((arrival.process.attempt, arrival.process.steps), (1, 3));
        assert_eq!(processor.refused(), [""; 0]);
    }
    world.assert_sound().await;
}

#[tokio::test]
async fn what_a_processor_is_given_is_the_text_that_was_submitted() {
    let world = World::start().await;
    let echo = world.processor(world.spec("echo"), |call| async move {
        Reply::raw(200, call.process.data.get().to_owned())
    });
    let echo = echo.await;
    let odd = r#"{"b": 1.50, "a": 1e300, "b": "\u00e9\/", "big": 123456789012345678901234567890}"#;
    for data in [odd, "null", "0", r#""""#, "[ ]"] {
        let body = format!(
            r#"{{"data": {data}, "jobs": [{{"target": "echo", "params": {data}}}, "echo"],
                "response_url": "{}"}}"#,
            world.receiver.url()
        );
        let headers = [("content-type", "application/json")];
        let answer = world.baton.send(Method::POST, "/action", &headers, body).await;
        let accepted: baton_wire::action::ActionAccepted = answer.read().unwrap();
        let ended = world.baton.ended(&accepted.action_id).await;
        // Read as a wire type, `null` is nothing.
        assert_eq!(ended.data.as_ref().map_or("null", |data| data.get()), data);
        let [delivery] = world.receiver.of(&accepted.action_id).try_into().unwrap();
        assert_eq!(delivery.body.data.result.get(), data);
    }
    let arrivals = echo.arrivals();
    assert_eq!(arrivals[0].process.data.get(), odd);
    assert_eq!(arrivals[0].process.params.as_ref().unwrap().get(), odd);
    assert!(arrivals[1].process.params.is_none());
}

#[tokio::test]
async fn an_array_is_accepted_in_order_and_every_action_comes_back_once() {
    let world = World::start().await;
    let _processors = (world.adder("a").await, world.late_adder("b").await);
    let url = world.receiver.url();
    let actions: Vec<_> =
        (0..100).map(|n| action(&json!([n]), &["a", "b", "a"], Some(&url))).collect();
    let mut ledger = Ledger::new();
    for (n, id) in world.baton.submit_all(&actions).await.iter().enumerate() {
        ledger.expect(id, json!([n, "a", "b", "a"]));
    }
    world.receiver.wait_for(100).await;
    ledger.assert_delivered_once(&world.receiver);
    world.assert_sound().await;
}

#[tokio::test]
async fn an_idempotency_key_gives_the_same_action_and_refuses_another_body() {
    let world = World::start().await;
    let a = world.adder("a").await;
    let (one, other) = (action(&json!([1]), &["a"], None), action(&json!([2]), &["a"], None));
    let first = world.baton.submit_once("key", &one).await.unwrap();
    let again = world.baton.submit_once("key", &one).await.unwrap();
    assert_eq!(first.action_id, again.action_id);
    let refusal = world.baton.submit_once("key", &other).await.unwrap_err();
    assert_eq!((refusal.status, refusal.problem.code.as_str()), (422, "idempotency_key_reused"));
    world.baton.submit_once("another key", &other).await.unwrap();
    a.wait_for(2).await;
    assert_eq!(world.baton.ended(&first.action_id).await.data.unwrap().get(), r#"[1,"a"]"#);
    assert_eq!(a.arrivals().len(), 2);
    world.assert_sound().await;
}

#[tokio::test]
async fn a_repeat_is_answered_from_its_key_when_its_target_and_its_record_are_forgotten() {
    let world = World::start().await;
    let _a = world.adder("a").await;
    let (one, other) = (action(&json!([1]), &["a"], None), action(&json!([2]), &["a"], None));
    let first = world.baton.submit_once("key", &one).await.unwrap();
    world.baton.ended(&first.action_id).await;
    world.baton.drain("a", 1).await.unwrap();
    let () = world.redis.query(&["ZREM", "{p0}:known", "a", "a-kind"]).await;
    // Who was not told has a copy of what is known, for a while.
    let tries = AtomicU32::new(0);
    until("the target is forgotten everywhere", async || {
        let key = format!("try {}", tries.fetch_add(1, Ordering::Relaxed));
        world.baton.submit_once(&key, &one).await.is_err()
    })
    .await;

    let refused = async |key, action| {
        let refusal = world.baton.submit_once(key, action).await.unwrap_err();
        (refusal.status, refusal.problem.code)
    };
    assert_eq!(refused("another key", &one).await, (422, "unknown_target".to_owned()));
    assert_eq!(refused("key", &other).await, (422, "idempotency_key_reused".to_owned()));
    let again = world.baton.submit_once("key", &one).await.unwrap();
    assert_eq!((&again.action_id, again.status), (&first.action_id, Status::Succeeded));

    // Its record expires before the key does: it is not said to be queued.
    let () = world.redis.query(&["UNLINK", &format!("{{p0}}:action:{}", first.action_id)]).await;
    let again = world.baton.submit_once("key", &one).await.unwrap();
    assert_eq!((&again.action_id, again.status), (&first.action_id, Status::Ended));
    let gone = world.baton.try_get(&first.action_id).await.unwrap_err();
    assert_eq!((gone.status, gone.problem.code.as_str()), (404, "action_not_found"));
    // With a target that is known the store's own answer is no other.
    let _a = world.adder("a").await;
    let again = world.baton.submit_once("key", &one).await.unwrap();
    assert_eq!((&again.action_id, again.status), (&first.action_id, Status::Ended));
}

#[tokio::test]
async fn a_long_poll_answers_when_the_outcome_is_there() {
    let world = World::start().await;
    let gate = kit::Gate::closed();
    let held = gate.clone();
    let work = world.processor(world.spec("slow"), move |call| {
        let held = held.clone();
        async move {
            held.pass().await;
            Reply::json(&call.data())
        }
    });
    let slow = work.await;
    let id = world.baton.submit(&action(&json!(1), &["slow"], None)).await;
    slow.wait_for(1).await;
    let now = world.baton.get(&id).await;
    assert_eq!((now.status, now.delivery.status), (Status::Running, DeliveryStatus::None));
    let (client, path) = (world.baton.client(), format!("/action/{id}?wait_ms=20000"));
    let poll = tokio::spawn(async move { client.fetch(&path).await });
    gate.open();
    let then: baton_wire::action::ActionOut = poll.await.unwrap().read().unwrap();
    assert_eq!(then.status, Status::Succeeded);
}

#[tokio::test]
async fn a_traceparent_is_carried_on_to_processors_and_receiver() {
    let world = World::start().await;
    let a = world.adder("a").await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let parent = format!("00-{trace}-00f067aa0ba902b7-01");
    let body =
        serde_json::to_vec(&action(&json!([]), &["a"], Some(&world.receiver.url()))).unwrap();
    let headers = [("content-type", "application/json"), ("traceparent", parent.as_str())];
    let answer = world.baton.send(Method::POST, "/action", &headers, body).await;
    assert_eq!(answer.status, 202);
    world.receiver.wait_for(1).await;
    let carried = a.arrivals()[0].request.header("traceparent").unwrap().to_owned();
    assert!(carried.starts_with(&format!("00-{trace}-")), "{carried}");
    let delivered =
        world.receiver.deliveries()[0].request.header("traceparent").unwrap().to_owned();
    assert!(delivered.starts_with(&format!("00-{trace}-")), "{delivered}");
}

#[tokio::test]
async fn a_delayed_action_waits_and_says_so() {
    let world = World::start().await;
    let a = world.adder("a").await;
    let mut later = action(&json!([]), &["a"], None);
    later.delay_ms = Some(3_600_000);
    let waiting = world.baton.get(&world.baton.submit(&later).await).await;
    assert_eq!(waiting.status, Status::Queued);
    assert!(waiting.waiting.is_some(), "{waiting:?}");
    assert!(waiting.expires_at >= waiting.created_at + 3_600_000);

    later.delay_ms = Some(300);
    let ended = world.baton.ended(&world.baton.submit(&later).await).await;
    assert!(ended.steps[0].attempts[0].started_at >= ended.created_at + 300, "{ended:?}");
    assert_eq!(a.arrivals().len(), 1);
    world.assert_sound().await;
}
