//! Sending outcomes.

use manager_svc::domain::action::DeliveryStatus;
use manager_svc::domain::action::Status;
use manager_svc::domain::{Action, TokenHash};
use manager_svc::store::{ClaimedDelivery, DeliveryAsk, DeliveryEnd, StepEnd};

use crate::world::{HOST, World, ending};

cases! {
    a_due_outcome_is_claimed_with_a_lease
    an_outcome_that_is_not_due_is_not_claimed
    a_delivered_outcome_ends_the_action
    an_exhausted_delivery_ends_the_action
    a_send_to_be_repeated_waits_for_its_time
    the_host_stays_listed_while_another_outcome_waits
    a_send_settles_only_with_its_own_token
    a_claim_that_arrives_late_sends_nothing_again
}

async fn outcome(world: &World, send: Option<&TokenHash>) -> Action {
    if world.direct.processor("p").await.unwrap().is_none() {
        world.register("p", "work", 9).await;
    }
    let claimed = world.claimed(&world.action_to_host(&["work"])).await;
    let token = claimed.token.hash();
    world
        .store
        .finish(
            &claimed.action,
            StepEnd::succeeded(&token, &world.output("1")),
            Status::Succeeded,
            ending(send),
        )
        .await
        .unwrap();
    world.record(&claimed.action.id).await
}

async fn claim(world: &World, action: &Action, lease_ms: u64) -> Option<ClaimedDelivery> {
    let asks = world.ask_delivery(&action.id).await;
    world.store.claim_deliveries(&asks, lease_ms).await.unwrap().whole.pop()
}

/// Has the host looked at again when its first outcome is due.
async fn look_again(world: &World) {
    let ask = DeliveryAsk { host: HOST.to_owned(), actions: Vec::new(), not_before: 0 };
    assert!(world.store.claim_deliveries(&[ask], 30_000).await.unwrap().whole.is_empty());
}

async fn settle(world: &World, action: &Action, token: &TokenHash, end: &DeliveryEnd) -> bool {
    let receiver = action.receiver.as_ref().unwrap();
    world.store.settle_delivery(action, receiver, token, end, 1_000_000).await.unwrap()
}

async fn a_due_outcome_is_claimed_with_a_lease(world: &World) {
    let action = outcome(world, None).await;
    let asks = world.ask_delivery(&action.id).await;
    let ask = || world.store.claim_deliveries(&asks, 30_000);
    let first = ask().await.unwrap();
    assert_eq!((&*first.whole[0].data, first.whole[0].action.delivery.tries), (&b"1"[..], 1));
    let again = world.assert_unchanged(ask()).await.unwrap();
    assert_eq!(format!("{first:?}"), format!("{again:?}"));
    world
        .assert_states(&[
            "a v4 succeeded step 0 tries 1 delivery pending sends 1 held",
            "counts p processed 1 failed 0",
            "data a 1",
            "done a",
            "output:h:80 a",
            "receivers h:80",
            "seq 1",
        ])
        .await;
}

async fn an_outcome_that_is_not_due_is_not_claimed(world: &World) {
    let action = outcome(world, Some(&world.token().hash())).await;
    let queued = world.submit(&world.action_to_host(&["work"])).await;
    let queued = world.record(&queued).await;
    for not_due in [&action, &queued] {
        assert!(world.assert_unchanged(claim(world, not_due, 30_000)).await.is_none());
    }
}

async fn a_delivered_outcome_ends_the_action(world: &World) {
    let send = world.token().hash();
    let action = outcome(world, Some(&send)).await;
    assert!(settle(world, &action, &send, &DeliveryEnd::Delivered).await);
    world
        .assert_states(&[
            "a ttl v4 succeeded step 0 tries 1 delivery delivered sends 1",
            "counts p processed 1 failed 0",
            "data a 1 ttl",
            "done a",
            "seq 1",
        ])
        .await;
    let again = settle(world, &action, &send, &DeliveryEnd::Delivered);
    assert!(world.assert_unchanged(again).await);
}

async fn an_exhausted_delivery_ends_the_action(world: &World) {
    let send = world.token().hash();
    let action = outcome(world, Some(&send)).await;
    let end = DeliveryEnd::Exhausted("410".to_owned());
    assert!(settle(world, &action, &send, &end).await);
    world
        .assert_states(&[
            "a ttl v4 succeeded step 0 tries 1 delivery exhausted sends 1",
            "counts p processed 1 failed 0",
            "data a 1 ttl",
            "done a",
            "seq 1",
        ])
        .await;
    let delivery = world.record(&action.id).await.delivery;
    assert_eq!(
        (delivery.status, delivery.error.as_deref()),
        (DeliveryStatus::Exhausted, Some("410"))
    );
    assert!(world.assert_unchanged(settle(world, &action, &send, &end)).await);
}

async fn a_send_to_be_repeated_waits_for_its_time(world: &World) {
    let send = world.token().hash();
    let action = outcome(world, Some(&send)).await;
    let end = DeliveryEnd::Again(1, "503".to_owned());
    assert!(settle(world, &action, &send, &end).await);
    assert!(world.assert_unchanged(settle(world, &action, &send, &end)).await);
    let states = [
        "a v4 succeeded step 0 tries 1 delivery pending sends 1",
        "counts p processed 1 failed 0",
        "data a 1",
        "done a",
        "output:h:80 a",
        "receivers h:80",
        "seq 1",
    ];
    world.assert_states(&states).await;
    let delivery = world.record(&action.id).await.delivery;
    assert_eq!(delivery.error.as_deref(), Some("503"));
    world.pass(delivery.due_at.unwrap()).await;
    let second = claim(world, &action, 30_000).await.unwrap();
    assert_eq!(second.action.delivery.tries, 2);
    assert_eq!(second.action.webhook_id(), action.webhook_id());
    // The send before it has nothing to say any more.
    for end in [end, DeliveryEnd::Delivered] {
        assert!(!world.assert_unchanged(settle(world, &action, &send, &end)).await);
    }
    assert!(settle(world, &second.action, &second.token, &DeliveryEnd::Delivered).await);
}

async fn the_host_stays_listed_while_another_outcome_waits(world: &World) {
    let send = world.token().hash();
    let first = outcome(world, Some(&send)).await;
    outcome(world, None).await;
    assert!(settle(world, &first, &send, &DeliveryEnd::Delivered).await);
    world
        .assert_states(&[
            "a ttl v4 succeeded step 0 tries 1 delivery delivered sends 1",
            "b v3 succeeded step 0 tries 1 delivery pending sends 0",
            "counts p processed 2 failed 0",
            "data a 1 ttl",
            "data b 1",
            "done a b",
            "output:h:80 b",
            "receivers h:80",
            "seq 2",
        ])
        .await;
}

async fn a_send_settles_only_with_its_own_token(world: &World) {
    let unclaimed = outcome(world, None).await;
    let other = world.token().hash();
    let ends = [
        DeliveryEnd::Delivered,
        DeliveryEnd::Exhausted("no".to_owned()),
        DeliveryEnd::Again(5_000, "no".to_owned()),
    ];
    for end in &ends {
        assert!(!world.assert_unchanged(settle(world, &unclaimed, &other, end)).await);
    }
    let unknown = world.action_to_host(&["work"]).action;
    let before = world.submit(&world.action_to_host(&["work"])).await;
    let before = world.record(&before).await;
    for action in [&unknown, &before] {
        for end in &ends {
            assert!(!world.assert_unchanged(settle(world, action, &other, end)).await);
        }
    }
}

async fn a_claim_that_arrives_late_sends_nothing_again(world: &World) {
    let action = outcome(world, None).await;
    let late = world.ask_delivery(&action.id).await;
    let first = claim(world, &action, 30_000).await.unwrap();
    let end = DeliveryEnd::Again(1, "503".to_owned());
    assert!(settle(world, &first.action, &first.token, &end).await);
    world.pass(world.record(&action.id).await.delivery.due_at.unwrap()).await;
    look_again(world).await;
    let ask = world.store.claim_deliveries(&late, 30_000);
    assert!(world.assert_unchanged(ask).await.unwrap().whole.is_empty());
    assert!(claim(world, &first.action, 30_000).await.is_some());
}
