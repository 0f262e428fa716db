//! Failed actions that are run again from the step that failed.

use manager_svc::domain::action::{DeliveryStatus, Status};
use manager_svc::domain::{Action, ActionId};
use manager_svc::store::{DeliveryEnd, Settled, StepEnd, Why};

use crate::outcomes::exhausted;
use crate::world::{EXPIRES, World, ending, with_lease};

cases! {
    a_failed_action_begins_a_new_run_with_fresh_attempts_and_a_fresh_deadline
    a_run_begins_at_the_step_that_failed_with_the_data_it_had
    a_redriven_action_waits_behind_all_that_is_ready
    a_redrive_drops_a_delivery_that_waits
    a_redrive_drops_a_delivery_that_is_under_way
    a_redrive_leaves_the_outcomes_of_others_in_the_queue
    a_redrive_follows_a_delivery_that_was_received_or_given_up
    an_expired_action_is_redriven_too
    a_report_of_the_run_before_changes_nothing
    what_has_not_failed_is_not_redriven
    what_was_redriven_since_it_was_seen_is_not_redriven_again
    a_failed_action_without_its_data_is_not_redriven
    many_are_redriven_in_one_call_and_each_is_answered
}

async fn refused(world: &World, action: &Action) -> Settled<u32> {
    let nonce = world.nonce();
    world.assert_unchanged(world.store.redrive(action, &nonce)).await.unwrap()
}

async fn a_failed_action_begins_a_new_run_with_fresh_attempts_and_a_fresh_deadline(world: &World) {
    let failed = world.failed(&world.action(&["work"]), None).await;
    world
        .assert_states(&[
            "a ttl v3 failed step 0 tries 1 delivery none",
            "counts p processed 0 failed 1",
            "data a \"in\" ttl",
            "failed a",
            "seq 1",
        ])
        .await;
    let anew = world.redrive(&failed).await;
    world
        .assert_states(&[
            "a v4 queued step 0 tries 0 delivery none",
            "counts p processed 0 failed 1",
            "data a \"in\"",
            "input:work a@2",
            "live a",
            "seq 2",
            "targets work",
        ])
        .await;
    assert_eq!((anew.run, anew.ended_at, &anew.error), (2, None, &None));
    assert_eq!(anew.expires_at - anew.ready_at, EXPIRES);
    assert_eq!(anew.attempts.len(), 1, "the timeline stays");
    assert_ne!(anew.webhook_id(), failed.webhook_id());
    assert_ne!(anew.idempotency_key(), failed.idempotency_key());

    let claimed = world.claim("p", "work", &[&anew.id]).await.pop().unwrap();
    assert_eq!((claimed.action.tries, &*claimed.data), (1, &b"\"in\""[..]));
    let again = world.fail(&claimed.action, &claimed.token.hash(), None).await;
    assert_eq!((again.run, again.attempts.len()), (2, 2));
    assert_eq!(world.redrive(&again).await.run, 3);
}

async fn a_run_begins_at_the_step_that_failed_with_the_data_it_had(world: &World) {
    world.with_processor().await;
    let first = world.claimed(&world.action_to_host(&["work", "p", "work"])).await;
    let (token, output) = (first.token.hash(), world.output("1"));
    let end = StepEnd::succeeded(&token, &output);
    world.store.advance(&first.action, end, None).await.unwrap();
    let second = world.claim("p", "work", &[&first.action.id]).await.pop().unwrap();
    let failed = world.fail(&second.action, &second.token.hash(), None).await;
    let anew = world.redrive(&failed).await;
    assert_eq!((anew.step, anew.job().target.as_str()), (1, "p"));
    world
        .assert_states(&[
            "a v6 queued step 1 tries 0 delivery none",
            "counts p processed 1 failed 1",
            "data a 1",
            "input:p a@3",
            "live a",
            "seq 3",
            "targets p",
        ])
        .await;
    let claimed = world.claim("p", "work", &[&anew.id]).await.pop().unwrap();
    assert_eq!(&*claimed.data, b"1");
}

async fn a_redriven_action_waits_behind_all_that_is_ready(world: &World) {
    let failed = world.failed(&world.action(&["work"]), None).await;
    world.submit(&world.action(&["work"])).await;
    world.redrive(&failed).await;
    world
        .assert_states(&[
            "a v4 queued step 0 tries 0 delivery none",
            "b v1 queued step 0 tries 0 delivery none",
            "counts p processed 0 failed 1",
            "data a \"in\"",
            "data b \"in\"",
            "input:work b@2 a@3",
            "live a b",
            "seq 3",
            "targets work",
        ])
        .await;
}

/// What is left of the only action, `a`, after its redrive.
const ANEW: [&str; 6] = [
    "counts p processed 0 failed 1",
    "data a \"in\"",
    "input:work a@2",
    "live a",
    "seq 2",
    "targets work",
];

async fn assert_anew(world: &World, record: &'static str) {
    let mut states = ANEW.to_vec();
    states.push(record);
    world.assert_states(&states).await;
}

async fn a_redrive_drops_a_delivery_that_waits(world: &World) {
    let failed = world.failed(&world.action_to_host(&["work"]), None).await;
    let late = world.ask_delivery(&failed.id).await;
    world.redrive(&failed).await;
    assert_anew(world, "a v4 queued step 0 tries 0 delivery none").await;
    let claim = world.store.claim_deliveries(&late, 30_000);
    assert!(world.assert_unchanged(claim).await.unwrap().whole.is_empty());
}

async fn a_redrive_drops_a_delivery_that_is_under_way(world: &World) {
    let send = world.token().hash();
    let failed = world.failed(&world.action_to_host(&["work"]), Some(&send)).await;
    assert_eq!(failed.delivery.status, DeliveryStatus::Pending);
    let anew = world.redrive(&failed).await;
    assert_anew(world, "a v4 queued step 0 tries 0 delivery none").await;
    // What the old send met says nothing of the new run.
    let again = DeliveryEnd::Again(1, "503".to_owned());
    for end in [DeliveryEnd::Delivered, exhausted(), again] {
        assert!(!world.assert_unchanged(world.settle(&failed, &send, &end)).await);
    }
    let claimed = world.claim("p", "work", &[&anew.id]).await.pop().unwrap();
    world.fail(&claimed.action, &claimed.token.hash(), None).await;
    assert!(!world.assert_unchanged(world.settle(&failed, &send, &DeliveryEnd::Delivered)).await);
    let delivery = world.claim_delivery(&anew).await;
    assert_eq!((delivery.action.delivery.tries, delivery.action.run), (1, 2));
}

async fn a_redrive_leaves_the_outcomes_of_others_in_the_queue(world: &World) {
    let failed = world.failed(&world.action_to_host(&["work"]), None).await;
    world.failed(&world.action_to_host(&["work"]), None).await;
    world.redrive(&failed).await;
    world
        .assert_states(&[
            "a v4 queued step 0 tries 0 delivery none",
            "b v3 failed step 0 tries 1 delivery pending sends 0",
            "counts p processed 0 failed 2",
            "data a \"in\"",
            "data b \"in\"",
            "failed b",
            "input:work a@3",
            "live a",
            "output:h:80 b",
            "receivers h:80",
            "seq 3",
            "targets work",
        ])
        .await;
}

async fn a_redrive_follows_a_delivery_that_was_received_or_given_up(world: &World) {
    for end in [DeliveryEnd::Delivered, exhausted()] {
        let failed = world.failed(&world.action_to_host(&["work"]), None).await;
        let (ended, send) = world.send(&failed, &end).await;
        assert!(world.keyspace().await.expires(&key_of(&ended.id)));
        let anew = world.redrive(&ended).await;
        assert!(!world.keyspace().await.expires(&key_of(&ended.id)));
        let delivery = &anew.delivery;
        assert_eq!((delivery.status, delivery.tries), (DeliveryStatus::None, 0));
        assert_eq!((delivery.due_at, &delivery.error), (None, &None));
        assert!(!world.assert_unchanged(world.settle(&failed, &send, &end)).await);
        // To leave the queue empty for the next one.
        world.cancel(&anew, None).await;
    }
}

fn key_of(id: &ActionId) -> String {
    format!("{{p0}}:action:{id}")
}

async fn an_expired_action_is_redriven_too(world: &World) {
    let mut new = world.action(&["work"]);
    new.action.expires_in_ms = 1;
    let id = world.submit(&new).await;
    let live = world.record(&id).await;
    world.pass(live.expires_at).await;
    let expired = world.end(&live, Why::Deadline, None).await;
    let anew = world.redrive(&expired).await;
    assert_eq!(anew.expires_at - anew.ready_at, 1);
    world
        .assert_states(&[
            "a v3 queued step 0 tries 0 delivery none",
            "data a \"in\"",
            "input:work a@2",
            "live a",
            "seq 2",
            "targets work",
        ])
        .await;
}

async fn a_report_of_the_run_before_changes_nothing(world: &World) {
    world.with_processor().await;
    let old = world.claimed(&world.action(&["work"])).await;
    let failed = world.fail(&old.action, &old.token.hash(), None).await;
    let lapsed = world.claimed(&with_lease(world.action(&["work"]), 1)).await;
    world.pass(world.processor("p").await.first_lease.unwrap().0).await;
    let token = lapsed.token.hash();
    let lost = world.end(&lapsed.action, Why::Lease(&token), None).await;

    // The one had reported already; the other never did, and is told that it comes too late.
    for (claimed, failed, answer) in
        [(&old, &failed, Settled::Duplicate), (&lapsed, &lost, Settled::Stale)]
    {
        let anew = world.redrive(failed).await;
        for running in [false, true] {
            if running {
                assert_eq!(world.claim("p", "work", &[&anew.id]).await.len(), 1);
            }
            let (token, output) = (claimed.token.hash(), world.output("9"));
            let end = StepEnd::succeeded(&token, &output);
            let late = world.store.finish(&claimed.action, end, Status::Succeeded, ending(None));
            assert_eq!(world.assert_unchanged(late).await.unwrap(), answer);
        }
    }
}

async fn what_has_not_failed_is_not_redriven(world: &World) {
    world.with_processor().await;
    let queued = world.submit(&world.action(&["more"])).await;
    let mut delayed = world.action(&["work"]);
    delayed.delay_ms = 500_000;
    let delayed = world.submit(&delayed).await;
    let running = world.claimed(&world.action(&["work"])).await.action.id;
    let succeeded = world.succeeded(&world.action_to_host(&["work"]), None).await.id;
    let cancelled = world.submit(&world.action(&["other"])).await;
    world.cancel(&world.record(&cancelled).await, None).await;
    for id in [queued, delayed, running, succeeded, cancelled] {
        assert_eq!(refused(world, &world.record(&id).await).await, Settled::Stale);
    }
    let unknown = world.action(&["work"]).action;
    assert_eq!(refused(world, &unknown).await, Settled::Unknown);
}

async fn what_was_redriven_since_it_was_seen_is_not_redriven_again(world: &World) {
    let failed = world.failed(&world.action(&["work"]), None).await;
    let anew = world.redrive(&failed).await;
    assert_eq!(refused(world, &failed).await, Settled::Stale);
    // Nor when the new run has failed too: nobody saw that.
    let claimed = world.claim("p", "work", &[&anew.id]).await.pop().unwrap();
    world.fail(&claimed.action, &claimed.token.hash(), None).await;
    assert_eq!(refused(world, &failed).await, Settled::Stale);
}

async fn a_failed_action_without_its_data_is_not_redriven(world: &World) {
    let failed = world.failed(&world.action(&["work"]), None).await;
    let data = format!("{{p0}}:data:{}:{}", failed.id, failed.data.as_str());
    let kept: String = world.redis.query(&["GET", &data]).await;
    let () = world.redis.query(&["DEL", &data]).await;
    assert_eq!(refused(world, &failed).await, Settled::PayloadMissing);
    let () = world.redis.query(&["SET", &data, &kept, "PX", "1000000"]).await;
    world.redrive(&failed).await;
}

async fn many_are_redriven_in_one_call_and_each_is_answered(world: &World) {
    let mut asked = Vec::new();
    for _ in 0..3 {
        asked.push((world.failed(&world.action(&["work"]), None).await, world.nonce()));
    }
    world.redrive(&asked[1].0).await;
    let answers = world.store.redrive_all(&asked).await.unwrap();
    assert_eq!(answers, [Settled::Accepted(2), Settled::Stale, Settled::Accepted(2)]);
    let again = world.assert_unchanged(world.store.redrive_all(&asked)).await.unwrap();
    assert_eq!(again, answers);
}
