//! What only a deployment can show: who starts `tick`, and what its death costs. `run.py` beside this file deploys, with
//! the schedule or the nudges turned off where a test's name says so, and runs each test by its name.
#![allow(clippy::unwrap_used, reason = "a scenario fails by panicking, its helpers too")]
#![allow(clippy::disallowed_methods, reason = "scenarios are outside of the manager's layers")]

mod stage;

use std::time::Duration;

use baton_wire::action::{DeliveryStatus, Status};
use kit::{Gate, Receiver, Reply, action, kill, until};
use serde_json::json;

use crate::stage::{Stage, add};

/// Time for a minute's beat of a cloud that looks every ten seconds whether one is due, and for its tick.
const BEAT: Duration = Duration::from_secs(100);
/// A held lease, as short as will do.
const LEASE_MS: u64 = 5_000;

#[tokio::test]
async fn without_the_schedule_nudges_alone_take_an_action_through_three_processors_to_the_receiver()
{
    let stage = Stage::start().await;
    let _a = stage.adder("a").await;
    let _b = stage.late_adder("b").await;
    let _c = stage.adder("c").await;
    let receiver = stage.receiver().await;

    let id =
        stage.client.submit(&action(&json!([]), &["a", "b", "c"], Some(&receiver.url()))).await;
    receiver.wait_for(1).await;
    let ended = stage.client.ended(&id).await;

    assert_eq!(ended.status, Status::Succeeded);
    assert_eq!(ended.delivery.status, DeliveryStatus::Delivered);
    assert_eq!(receiver.deliveries()[0].result(), json!(["a", "b", "c"]));
    assert_eq!(stage.firings(), 0, "the schedule had a part in it");
    stage.assert_sound().await;
}

#[tokio::test]
async fn without_nudges_the_schedule_alone_takes_an_action_through_three_processors_to_the_receiver()
 {
    let stage = Stage::start().await;
    let first = stage.adder("a").await;
    let _b = stage.adder("b").await;
    let _c = stage.adder("c").await;
    let receiver = stage.receiver().await;

    // Work that waits just after a beat is there for the whole time until the next.
    stage.next_firing(BEAT).await;
    stage.no_tick_runs().await;
    let before = stage.firings();
    let id =
        stage.client.submit(&action(&json!([]), &["a", "b", "c"], Some(&receiver.url()))).await;
    while first.arrivals().is_empty() {
        let firings = stage.firings();
        stage.pause().await;
        if firings == before {
            assert!(
                first.arrivals().is_empty(),
                "something other than the schedule started a tick"
            );
        }
    }
    let ended = stage.client.ended(&id).await;

    assert_eq!(ended.status, Status::Succeeded);
    assert_eq!(receiver.deliveries()[0].result(), json!(["a", "b", "c"]));
    stage.assert_sound().await;
}

#[tokio::test]
async fn what_a_killed_tick_held_is_completed_by_the_first_firing_after_its_leases_end() {
    let stage = Stage::start().await;
    let gate = Gate::closed();
    let held = stage.gated("held", &gate).await;
    let quick = stage.adder("quick").await;
    let receiver = stage.receiver().await;
    let hanging = Receiver::scripted(stage.webhook_secrets(), |delivery| {
        if delivery.attempt == 1 { Reply::Silence } else { Reply::status(204) }
    });
    let hanging = hanging.await;

    let delivered = action(&json!([]), &["quick"], Some(&hanging.url()));
    let delivered = stage.client.submit(&delivered).await;
    hanging.wait_for_arrivals(1).await;
    let mut leased = action(&json!([]), &["held"], Some(&receiver.url()));
    leased.jobs[0].timeout_ms = Some(LEASE_MS);
    let leased = stage.client.submit(&leased).await;
    held.wait_for(1).await;

    let lease_ends = stage.lease_end("pending:held", &leased).await;
    let delivery_ends =
        stage.lease_end(&format!("output:{}", stage::host(&hanging)), &delivered).await;
    let ticks = stage.ticks();
    assert!(!ticks.is_empty(), "no tick runs, and a lease and a delivery are held");
    ticks.iter().copied().for_each(kill);
    until("the killed ticks are gone", async || ticks.iter().all(|pid| !kit::is_alive(*pid))).await;
    assert!(stage.lease_end("pending:held", &leased).await == lease_ends, "it was let go before");
    gate.open();

    // Firings before the leases end bring nothing: the leases hold.
    let mut firings = stage.firings();
    while stage.clock().await <= lease_ends.max(delivery_ends) {
        firings = stage.firings();
        assert_eq!(
            (held.arrivals().len(), hanging.deliveries().len()),
            (1, 1),
            "a lease was broken"
        );
        stage.pause().await;
    }
    let first = stage.firing_after(firings, BEAT).await;
    let (leased, delivered) =
        (stage.client.ended(&leased).await, stage.client.ended(&delivered).await);
    assert_eq!(stage.firings(), first, "more than one firing was needed");

    assert_eq!((leased.status, delivered.status), (Status::Succeeded, Status::Succeeded));
    assert_eq!(leased.delivery.status, DeliveryStatus::Delivered);
    assert_eq!(delivered.delivery.status, DeliveryStatus::Delivered);
    assert_eq!(receiver.deliveries().len(), 1);
    assert_eq!(held.arrivals().len(), 2);
    assert_eq!(quick.arrivals().len(), 1, "a step that was completed is not done again");
    assert_eq!(hanging.deliveries()[1].result(), add(&json!([]), "quick"));
    stage.assert_sound().await;
}
