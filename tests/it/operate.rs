//! What operators do with actions that are there: redrive, redeliver.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use baton_wire::action::{DeliveryStatus, Status};
use baton_wire::operate::{RedeliverOut, RedeliveryAccepted, RedriveOut, Refused};
use http::Method;
use kit::{Gate, Processor, Receiver, Refusal, Reply, action, until};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::world::{World, add};

impl World {
    async fn redeliver(&self, id: &str) -> Result<RedeliveryAccepted, Refusal> {
        let path = format!("/action/{id}/redeliver");
        self.baton.send(Method::POST, &path, &[], "").await.read()
    }

    async fn ask<T: DeserializeOwned>(&self, path: &str, body: Value) -> T {
        self.baton.post(path, &body).await.read().unwrap()
    }

    async fn redrive(&self, body: Value) -> RedriveOut {
        self.ask("/failed/redrive", body).await
    }

    async fn redeliver_all(&self, body: Value) -> RedeliverOut {
        self.ask("/deliveries/redeliver", body).await
    }

    /// A registered processor that refuses everything for good until it is mended; then it adds its id.
    async fn broken(&self, id: &str) -> (Processor, Arc<AtomicBool>) {
        let mended = Arc::new(AtomicBool::new(false));
        let (name, switch) = (id.to_owned(), Arc::clone(&mended));
        let work = self.processor(self.spec(id), move |call| {
            let reply = if switch.load(Ordering::SeqCst) {
                Reply::json(&add(&call.data(), &name))
            } else {
                Reply::status(400)
            };
            async move { reply }
        });
        (work.await, mended)
    }
}

pub(crate) fn code(refusal: &Refusal) -> (u16, &str) {
    (refusal.status, refusal.problem.code.as_str())
}

fn refused(id: &str, code: &str) -> Refused {
    Refused { action_id: id.to_owned(), code: code.to_owned() }
}

#[tokio::test]
async fn a_redriven_action_goes_on_at_the_step_that_failed_as_another_webhook() {
    let world = World::start().await;
    let a = world.adder("a").await;
    let ((b, mended), c) = (world.broken("b").await, world.adder("c").await);
    let submitted = action(&json!([]), &["a", "b", "c"], Some(&world.receiver.url()));
    let id = world.baton.submit(&submitted).await;
    world.receiver.wait_for(1).await;
    let failed = world.baton.ended(&id).await;
    assert_eq!((failed.status, failed.run), (Status::Failed, 1));

    let before = world.keyspace().await;
    let dry = world.redrive(json!({"ids": [id], "dry_run": true})).await;
    assert_eq!((dry.matched, dry.redriven), (1, 0));
    assert_eq!(world.keyspace().await.changes_since(&before), "");
    mended.store(true, Ordering::SeqCst);
    let unknown = "act_p0_00000000000000000000000001";
    let done = world.redrive(json!({"ids": [id, unknown]})).await;
    assert_eq!((done.matched, done.redriven, done.cursor), (1, 1, None));
    assert_eq!(done.failed, [refused(unknown, "action_not_found")]);

    world.receiver.wait_for(2).await;
    let [first, second] = world.receiver.of(&id).try_into().unwrap();
    assert_eq!((&first.webhook_id, &second.webhook_id), (&format!("{id}_1"), &format!("{id}_2")));
    assert_eq!((first.body.kind.as_str(), first.result()), ("action.failed", json!(["a"])));
    assert_eq!(second.body.kind, "action.succeeded");
    assert_eq!(second.result(), json!(["a", "b", "c"]));
    assert_eq!((a.arrivals().len(), c.arrivals().len()), (1, 1));
    let [failing, good] = b.arrivals().try_into().unwrap();
    assert_eq!(good.process.data.get(), r#"["a"]"#);
    assert_eq!((failing.process.attempt, good.process.attempt), (1, 1));
    assert_ne!(failing.idempotency_key(), good.idempotency_key());
    let ended = world.baton.ended(&id).await;
    assert_eq!((ended.status, ended.run), (Status::Succeeded, 2));

    let again = world.redrive(json!({"ids": [id]})).await;
    assert_eq!((again.matched, again.redriven), (0, 0));
    assert_eq!(again.failed, [refused(&id, "action_not_failed")]);
    world.assert_sound().await;
}

#[tokio::test]
async fn failed_actions_are_redriven_by_target_code_and_age() {
    let world = World::start().await;
    let (_a, _b) = (world.broken("a").await, world.broken("b").await);
    let told = world.processor(world.spec("told"), |_| async {
        let problem = json!({"code": "no_paper", "detail": "none left"}).to_string();
        Reply::raw(422, problem).with("content-type", "application/problem+json")
    });
    let (_told, _c) = (told.await, world.adder("c").await);
    for jobs in [&["a"][..], &["a"], &["c", "b"], &["told", "a"]] {
        let id = world.baton.submit(&action(&json!([]), jobs, None)).await;
        assert_eq!(world.baton.ended(&id).await.status, Status::Failed);
    }
    let hour = 3_600_000;
    let before = world.keyspace().await;
    for (filter, matched) in [
        (json!({}), 4),
        (json!({"target": "a"}), 2),
        (json!({"target": "b"}), 1),
        (json!({"target": "c"}), 0),
        (json!({"code": "no_paper"}), 1),
        (json!({"code": "processor_status_400"}), 3),
        (json!({"code": "processor_status_400", "target": "b"}), 1),
        (json!({"older_than_ms": 0}), 4),
        (json!({"older_than_ms": hour}), 0),
        (json!({"newer_than_ms": hour}), 4),
        (json!({"newer_than_ms": 0}), 0),
        (json!({"newer_than_ms": u64::MAX, "older_than_ms": 0, "target": "told"}), 1),
    ] {
        let dry = world.redrive(json!({"filter": filter, "dry_run": true})).await;
        assert_eq!((dry.matched, dry.redriven, dry.cursor), (matched, 0, None), "{filter}");
    }
    assert_eq!(world.keyspace().await.changes_since(&before), "");
    let done = world.redrive(json!({"filter": {"target": "a"}})).await;
    assert_eq!((done.matched, done.redriven, done.failed), (2, 2, vec![]));
    // They fail once more, and are found once more.
    until("both have failed again", async || {
        let filter = json!({"filter": {"target": "a"}, "dry_run": true});
        world.redrive(filter).await.matched == 2
    })
    .await;
    world.assert_sound().await;
}

#[tokio::test]
async fn a_redelivery_is_the_same_webhook() {
    let world = World::start().await;
    let gate = Gate::closed();
    let slow = world.gated("slow", 2, &gate).await;
    let url = world.receiver.url();
    let id = world.baton.submit(&action(&json!(1), &["slow"], Some(&url))).await;
    let silent = world.baton.submit(&action(&json!(1), &["slow"], None)).await;
    slow.wait_for(2).await;
    assert_eq!(code(&world.redeliver(&id).await.unwrap_err()), (409, "nothing_to_redeliver"));
    gate.open();
    world.baton.ended(&id).await;
    world.baton.ended(&silent).await;

    let path = format!("/action/{id}/redeliver");
    let answer = world.baton.send(Method::POST, &path, &[], "").await;
    assert_eq!(answer.status, 202);
    assert_eq!(answer.header("location"), Some(format!("/action/{id}").as_str()));
    let accepted: RedeliveryAccepted = answer.read().unwrap();
    assert_eq!((&accepted.action_id, accepted.webhook_id), (&id, format!("{id}_1")));
    world.receiver.wait_for_arrivals(2).await;
    let [first, second] = world.receiver.of(&id).try_into().unwrap();
    assert_eq!((&first.webhook_id, first.result()), (&second.webhook_id, second.result()));
    assert_eq!(world.baton.ended(&id).await.delivery.status, DeliveryStatus::Delivered);
    assert_eq!(code(&world.redeliver(&silent).await.unwrap_err()), (409, "nothing_to_redeliver"));
    let unknown = "act_p0_00000000000000000000000001";
    assert_eq!(code(&world.redeliver(unknown).await.unwrap_err()), (404, "action_not_found"));
    world.assert_sound().await;
}

#[tokio::test]
async fn deliveries_that_were_given_up_are_sent_again_by_host_and_age() {
    let world = World::start().await;
    let _processors = (world.adder("a").await, world.broken("b").await);
    let back = Arc::new(AtomicBool::new(false));
    let switch = Arc::clone(&back);
    let gone = Receiver::scripted(world.baton.webhook_secrets(), move |_| {
        Reply::status(if switch.load(Ordering::SeqCst) { 204 } else { 410 })
    });
    let gone = gone.await;
    let mut given_up = Vec::new();
    for target in ["a", "a", "b"] {
        given_up.push(world.baton.submit(&action(&json!([]), &[target], Some(&gone.url()))).await);
    }
    let taken = world.baton.submit(&action(&json!([]), &["a"], Some(&world.receiver.url()))).await;
    for id in &given_up {
        assert_eq!(world.baton.ended(id).await.delivery.status, DeliveryStatus::Exhausted);
    }
    world.baton.ended(&taken).await;
    let host = |url: &str| url.replace("http://", "").replace("/hook", "");
    let (this, other) = (host(&gone.url()), host(&world.receiver.url()));
    let before = world.keyspace().await;
    for (filter, matched) in [
        (json!({}), 3),
        (json!({"host": this}), 3),
        (json!({"host": "127.0.0.1"}), 3),
        (json!({"host": other}), 0),
        (json!({"host": "127.0.0"}), 0),
        (json!({"older_than_ms": 3_600_000}), 0),
        (json!({"newer_than_ms": 3_600_000, "older_than_ms": 0}), 3),
    ] {
        let dry = world.redeliver_all(json!({"filter": filter, "dry_run": true})).await;
        assert_eq!((dry.matched, dry.redelivered, dry.cursor), (matched, 0, None), "{filter}");
    }
    assert_eq!(world.keyspace().await.changes_since(&before), "");

    back.store(true, Ordering::SeqCst);
    let done = world.redeliver_all(json!({"filter": {"host": this}})).await;
    assert_eq!((done.matched, done.redelivered, done.failed), (3, 3, vec![]));
    gone.wait_for(3).await;
    for id in &given_up {
        let [refused, taken] = gone.of(id).try_into().unwrap();
        assert_eq!((&refused.webhook_id, taken.taken), (&taken.webhook_id, true));
        assert_eq!(world.baton.ended(id).await.delivery.status, DeliveryStatus::Delivered);
    }
    // By id also what was delivered is sent again.
    let named = world.redeliver_all(json!({"ids": [taken, given_up[0]]})).await;
    assert_eq!((named.matched, named.redelivered), (2, 2));
    world.receiver.wait_for_arrivals(2).await;
    gone.wait_for_arrivals(7).await;
    world.assert_sound().await;
}

#[tokio::test]
async fn what_an_operator_asks_for_wrongly_is_named_by_its_path() {
    let world = World::start().await;
    let id = "act_p0_00000000000000000000000001";
    let (redrive, redeliver) = ("/failed/redrive", "/deliveries/redeliver");
    for (path, body, field) in [
        (redrive, json!({}), ""),
        (redrive, json!({"ids": [id], "filter": {}}), ""),
        (redrive, json!({"ids": []}), "ids"),
        (redrive, json!({"ids": vec![id; 1_001]}), "ids"),
        (redrive, json!({"ids": [id, "act_1"]}), "ids[1]"),
        (redrive, json!({"ids": [7]}), "ids[0]"),
        (redrive, json!({"ids": [id], "cursor": "x"}), "cursor"),
        (redrive, json!({"filter": {}, "cursor": "x"}), "cursor"),
        (redrive, json!({"filter": {"color": "red"}}), "filter.color"),
        (redrive, json!({"filter": {"older_than_ms": -1}}), "filter.older_than_ms"),
        (redrive, json!({"filter": {}, "dry_run": "yes"}), "dry_run"),
        (redrive, json!({"filter": {}, "dryrun": true}), "dryrun"),
        (redeliver, json!({}), ""),
        (redeliver, json!({"filter": {"target": "a"}}), "filter.target"),
        (redeliver, json!({"ids": ["x"]}), "ids[0]"),
    ] {
        let refusal = world.baton.post(path, &body).await.refusal();
        assert_eq!(code(&refusal), (422, "invalid_request"), "{body}");
        assert_eq!(refusal.problem.errors[0].path, field, "{body}");
    }
}
