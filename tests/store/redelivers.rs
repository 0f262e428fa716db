//! Outcomes that are sent once more because somebody asked.

use manager_svc::domain::Action;
use manager_svc::domain::action::DeliveryStatus;
use manager_svc::store::{DeliveryEnd, Settled};

use crate::outcomes::exhausted;
use crate::world::{HOST, World};

cases! {
    a_delivered_outcome_is_sent_again_under_the_same_id
    an_exhausted_delivery_begins_its_schedule_anew
    a_failed_action_stays_failed_while_its_outcome_is_sent_again
    a_redelivery_waits_among_the_outcomes_of_others
    a_settlement_of_the_send_before_changes_nothing
    a_redrive_drops_a_redelivery
    what_is_not_settled_is_not_sent_again
    what_was_redelivered_since_it_was_seen_is_not_sent_twice
    an_outcome_without_its_data_is_not_sent_again
    many_are_redelivered_in_one_call_and_each_is_answered
}

async fn refused(world: &World, action: &Action) -> Settled<u64> {
    let nonce = world.nonce();
    world.assert_unchanged(world.store.redeliver(action, &nonce)).await.unwrap()
}

/// A succeeded action whose delivery ended so.
async fn sent(world: &World, end: &DeliveryEnd) -> Action {
    let action = world.succeeded(&world.action_to_host(&["work"]), None).await;
    world.send(&action, end).await.0
}

async fn a_delivered_outcome_is_sent_again_under_the_same_id(world: &World) {
    let ended = sent(world, &DeliveryEnd::Delivered).await;
    world
        .assert_states(&[
            "a ttl v5 succeeded step 0 tries 1 delivery delivered sends 1",
            "counts p processed 1 failed 0",
            "data a 1 ttl",
            "done a",
            "seq 1",
        ])
        .await;
    let pending = world.redeliver(&ended).await;
    world
        .assert_states(&[
            "a v6 succeeded step 0 tries 1 delivery pending sends 0",
            "counts p processed 1 failed 0",
            "data a 1",
            "done a",
            "output:h:80 a",
            "receivers h:80",
            "seq 1",
        ])
        .await;
    let claimed = world.claim_delivery(&pending).await;
    assert_eq!((&*claimed.data, claimed.action.delivery.tries), (&b"1"[..], 1));
    assert_eq!(claimed.action.webhook_id(), ended.webhook_id());
    assert!(world.settle(&claimed.action, &claimed.token, &DeliveryEnd::Delivered).await);
    world
        .assert_states(&[
            "a ttl v8 succeeded step 0 tries 1 delivery delivered sends 1",
            "counts p processed 1 failed 0",
            "data a 1 ttl",
            "done a",
            "seq 1",
        ])
        .await;
}

async fn an_exhausted_delivery_begins_its_schedule_anew(world: &World) {
    let ended = sent(world, &exhausted()).await;
    assert_eq!(ended.delivery.error.as_deref(), Some("410"));
    let pending = world.redeliver(&ended).await;
    let delivery = &pending.delivery;
    assert_eq!((delivery.status, delivery.tries), (DeliveryStatus::Pending, 0));
    assert_eq!(delivery.error, None);
    let again = DeliveryEnd::Again(500_000, "503".to_owned());
    let (waits, _) = world.send(&pending, &again).await;
    assert_eq!((waits.delivery.status, waits.delivery.tries), (DeliveryStatus::Pending, 1));
}

async fn a_failed_action_stays_failed_while_its_outcome_is_sent_again(world: &World) {
    let failed = world.failed(&world.action_to_host(&["work"]), None).await;
    let (ended, _) = world.send(&failed, &exhausted()).await;
    let pending = world.redeliver(&ended).await;
    world
        .assert_states(&[
            "a v6 failed step 0 tries 1 delivery pending sends 0",
            "counts p processed 0 failed 1",
            "data a \"in\"",
            "failed a",
            "output:h:80 a",
            "receivers h:80",
            "seq 1",
        ])
        .await;
    assert_eq!(pending.error, failed.error);
}

async fn a_redelivery_waits_among_the_outcomes_of_others(world: &World) {
    let ended = sent(world, &DeliveryEnd::Delivered).await;
    world.succeeded(&world.action_to_host(&["work"]), Some(&world.token().hash())).await;
    let pending = world.redeliver(&ended).await;
    world
        .assert_states(&[
            "a v6 succeeded step 0 tries 1 delivery pending sends 0",
            "b v3 succeeded step 0 tries 1 delivery pending sends 1 held",
            "counts p processed 2 failed 0",
            "data a 1",
            "data b 1",
            "done a b",
            "output:h:80 a b",
            "receivers h:80",
            "seq 2",
        ])
        .await;
    // The host, whose only outcome was under way, is looked at when this one is due.
    let at: u64 = world.redis.query(&["ZSCORE", "{p0}:receivers", HOST]).await;
    assert_eq!(Some(at), pending.delivery.due_at);
}

async fn a_settlement_of_the_send_before_changes_nothing(world: &World) {
    let action = world.succeeded(&world.action_to_host(&["work"]), None).await;
    let (ended, old) = world.send(&action, &exhausted()).await;
    let pending = world.redeliver(&ended).await;
    // Sent again it is answered as it was, and changes nothing: the redelivery stays due.
    assert!(world.assert_unchanged(world.settle(&action, &old, &exhausted())).await);
    let claimed = world.claim_delivery(&pending).await;
    for end in [exhausted(), DeliveryEnd::Delivered] {
        assert!(!world.assert_unchanged(world.settle(&action, &old, &end)).await);
    }
    assert!(world.settle(&claimed.action, &claimed.token, &DeliveryEnd::Delivered).await);
}

async fn a_redrive_drops_a_redelivery(world: &World) {
    let failed = world.failed(&world.action_to_host(&["work"]), None).await;
    let (ended, old) = world.send(&failed, &exhausted()).await;
    let pending = world.redeliver(&ended).await;
    world.redrive(&pending).await;
    world
        .assert_states(&[
            "a v7 queued step 0 tries 0 delivery none",
            "counts p processed 0 failed 1",
            "data a \"in\"",
            "input:work a@2",
            "live a",
            "seq 2",
            "targets work",
        ])
        .await;
    assert!(!world.assert_unchanged(world.settle(&failed, &old, &exhausted())).await);
    // Nor is the old run's outcome sent by who saw it.
    assert_eq!(refused(world, &ended).await, Settled::Stale);
}

async fn what_is_not_settled_is_not_sent_again(world: &World) {
    world.with_processor().await;
    let queued = world.submit(&world.action_to_host(&["more"])).await;
    let running = world.claimed(&world.action_to_host(&["work"])).await.action.id;
    let silent = world.succeeded(&world.action(&["work"]), None).await.id;
    let held = Some(world.token().hash());
    let held = world.succeeded(&world.action_to_host(&["work"]), held.as_ref()).await.id;
    let waits = world.succeeded(&world.action_to_host(&["work"]), None).await;
    let backs_off = world.succeeded(&world.action_to_host(&["work"]), None).await;
    world.send(&backs_off, &DeliveryEnd::Again(500_000, "503".to_owned())).await;
    for id in [queued, running, silent, held, waits.id, backs_off.id] {
        assert_eq!(refused(world, &world.record(&id).await).await, Settled::Stale);
    }
    let unknown = world.action_to_host(&["work"]).action;
    assert_eq!(refused(world, &unknown).await, Settled::Unknown);
}

async fn what_was_redelivered_since_it_was_seen_is_not_sent_twice(world: &World) {
    let ended = sent(world, &DeliveryEnd::Delivered).await;
    let pending = world.redeliver(&ended).await;
    assert_eq!(refused(world, &ended).await, Settled::Stale);
    // Nor when that send is over.
    world.send(&pending, &DeliveryEnd::Delivered).await;
    assert_eq!(refused(world, &ended).await, Settled::Stale);
}

async fn an_outcome_without_its_data_is_not_sent_again(world: &World) {
    let ended = sent(world, &DeliveryEnd::Delivered).await;
    let data = format!("{{p0}}:data:{}:{}", ended.id, ended.data.as_str());
    let () = world.redis.query(&["DEL", &data]).await;
    assert_eq!(refused(world, &ended).await, Settled::PayloadMissing);
    let () = world.redis.query(&["SET", &data, "1", "PX", "1000000"]).await;
    world.redeliver(&ended).await;
}

async fn many_are_redelivered_in_one_call_and_each_is_answered(world: &World) {
    let mut asked = Vec::new();
    for end in [DeliveryEnd::Delivered, exhausted(), exhausted()] {
        asked.push((sent(world, &end).await, world.nonce()));
    }
    world.redeliver(&asked[1].0).await;
    let answers = world.store.redeliver_all(&asked).await.unwrap();
    let [Settled::Accepted(_), Settled::Stale, Settled::Accepted(_)] = answers.as_slice() else {
        panic!("{answers:?}")
    };
    let again = world.assert_unchanged(world.store.redeliver_all(&asked)).await.unwrap();
    assert_eq!(again, answers);
}
