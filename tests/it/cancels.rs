//! Actions that their caller wants no more.

use baton_wire::action::{ActionOut, AttemptStatus, DeliveryStatus, Status};
use baton_wire::operate::CancelOut;
use http::Method;
use kit::{Gate, Refusal, Reply, action};
use serde_json::json;

use crate::operate::code;
use crate::world::World;

impl World {
    /// `DELETE /action/{id}`.
    pub(crate) async fn cancel(&self, id: &str) -> Result<CancelOut, Refusal> {
        self.baton.send(Method::DELETE, &format!("/action/{id}"), &[], "").await.read()
    }
}

#[tokio::test]
async fn an_action_that_is_cancelled_in_its_queue_reaches_no_processor_but_its_receiver() {
    let world = World::start().await;
    let gate = Gate::closed();
    let busy = world.gated("busy", 1, &gate).await;
    let url = world.receiver.url();
    let first = world.baton.submit(&action(&json!(1), &["busy"], None)).await;
    busy.wait_for(1).await;
    let second = world.baton.submit(&action(&json!(2), &["busy", "busy"], Some(&url))).await;

    let cancelled = world.cancel(&second).await.unwrap();
    assert_eq!((&cancelled.action_id, cancelled.status), (&second, Status::Cancelled));
    world.receiver.wait_for(1).await;
    let [delivery] = world.receiver.of(&second).try_into().unwrap();
    assert_eq!(delivery.webhook_id, format!("{second}_1"));
    assert_eq!((delivery.body.kind.as_str(), delivery.result()), ("action.cancelled", json!(2)));
    let ended = world.baton.ended(&second).await;
    assert_eq!(
        (ended.status, ended.delivery.status),
        (Status::Cancelled, DeliveryStatus::Delivered)
    );
    assert_eq!(code(&world.cancel(&second).await.unwrap_err()), (409, "action_ended"));

    gate.open();
    assert_eq!(world.baton.ended(&first).await.status, Status::Succeeded);
    assert_eq!(code(&world.cancel(&first).await.unwrap_err()), (409, "action_ended"));
    // One that is submitted now comes after all that was queued: the cancelled one is not among them.
    let third = world.baton.submit(&action(&json!(3), &["busy"], None)).await;
    world.baton.ended(&third).await;
    assert_eq!(busy.order(), [first, third]);
    for unknown in ["act_p0_00000000000000000000000001", "nothing"] {
        assert_eq!(code(&world.cancel(unknown).await.unwrap_err()), (404, "action_not_found"));
    }
    world.assert_sound().await;
}

#[tokio::test]
async fn a_delayed_action_is_cancelled_too() {
    let world = World::start().await;
    let _a = world.adder("a").await;
    let mut later = action(&json!([]), &["a"], Some(&world.receiver.url()));
    later.delay_ms = Some(3_600_000);
    let id = world.baton.submit(&later).await;
    world.cancel(&id).await.unwrap();
    world.receiver.wait_for(1).await;
    assert_eq!(world.receiver.of(&id)[0].body.kind, "action.cancelled");
    world.assert_sound().await;
}

#[tokio::test]
async fn a_completion_of_a_cancelled_action_is_refused_and_changes_nothing() {
    let world = World::start().await;
    let silent = world.processor(world.spec("silent"), |_| async { Reply::accepted() }).await;
    let submitted = action(&json!("in"), &["silent"], Some(&world.receiver.url()));
    let id = world.baton.submit(&submitted).await;
    silent.wait_for(1).await;
    let process = silent.arrivals()[0].process.clone();
    let (client, path) = (world.baton.client(), format!("/action/{id}?wait_ms=20000"));
    let poll = tokio::spawn(async move { client.fetch(&path).await });

    world.cancel(&id).await.unwrap();
    let seen: ActionOut = poll.await.unwrap().read().unwrap();
    assert_eq!(seen.status, Status::Cancelled);
    let [attempt] = seen.steps[0].attempts.as_slice() else { panic!("{seen:?}") };
    assert_eq!(attempt.status, AttemptStatus::Failed);
    assert_eq!(attempt.error.as_ref().unwrap().code, "cancelled");
    world.baton.ended(&id).await;
    assert_eq!(world.pending(&["silent"]).await, [""; 0]);

    let before = world.keyspace().await;
    for (status, data) in
        [("succeeded", json!("out")), ("failed", json!(null)), ("running", json!(null))]
    {
        let report = json!({
            "action_id": id, "token": process.token, "status": status, "data": data,
        });
        let refusal = world.baton.post("/complete", &report).await.refusal();
        assert_eq!(code(&refusal), (409, "token_not_current"));
    }
    assert_eq!(world.keyspace().await.changes_since(&before), "");
    let [delivery] = world.receiver.of(&id).try_into().unwrap();
    assert_eq!((delivery.body.kind.as_str(), delivery.result()), ("action.cancelled", json!("in")));
    world.assert_sound().await;
}

#[tokio::test]
async fn a_reply_to_a_cancelled_attempt_is_dropped_and_the_processor_works_on() {
    let world = World::start().await;
    let gate = Gate::closed();
    let slow = world.gated("slow", 1, &gate).await;
    let url = world.receiver.url();
    let id = world.baton.submit(&action(&json!(1), &["slow", "slow"], Some(&url))).await;
    slow.wait_for(1).await;
    world.cancel(&id).await.unwrap();
    world.receiver.wait_for(1).await;
    gate.open();
    let next = world.baton.submit(&action(&json!(2), &["slow"], Some(&url))).await;
    world.receiver.wait_for(2).await;
    assert_eq!(slow.order(), [id.clone(), next]);
    assert_eq!(world.receiver.of(&id)[0].body.kind, "action.cancelled");
    assert_eq!(world.baton.get(&id).await.status, Status::Cancelled);
    world.assert_sound().await;
}
