//! Crashes and cuts: nothing is lost, and nothing is applied twice.

use std::collections::BTreeSet;

use baton_wire::action::Status;
use kit::{
    Baton, BatonSpec, Form, Gate, Ledger, Processor, Proxy, Receiver, Redis, Reply, action,
    eventually, until,
};
use serde_json::json;

use crate::world::World;

/// Short leases, so that what a crash held comes back soon; but much longer than a tick and a backoff together, so
/// that none ends before the crash, and two of them are time enough after it, also on a busy machine.
const LEASE_MS: u64 = 12_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_manager_goes_on_where_it_was() {
    let actions = Form::of_run().share(2_000);
    let mut world = World::start().await;
    let _steps = (world.adder("a").await, world.late_adder("b").await, world.adder("c").await);
    let gate = Gate::closed();
    let held = world.gated("held", 10, &gate).await;
    // Its first webhook hangs, so that a delivery is pending when the manager dies.
    let stubborn = Receiver::scripted(world.baton.webhook_secrets(), |delivery| {
        if delivery.attempt == 1 { Reply::Silence } else { Reply::status(204) }
    });
    let stubborn = stubborn.await;
    let mut slow = action(&json!([]), &["held"], Some(&world.receiver.url()));
    slow.jobs[0].timeout_ms = Some(LEASE_MS);
    let slow = world.baton.submit(&slow).await;
    let hanging = world.baton.submit(&action(&json!([]), &["a"], Some(&stubborn.url()))).await;
    held.wait_for(1).await;
    stubborn.wait_for_arrivals(1).await;

    let mut ledger = Ledger::new();
    ledger.expect(&slow, json!([]));
    let url = world.receiver.url();
    for first in (0..actions).step_by(100) {
        let mut batch: Vec<_> = (first..first + 100)
            .map(|n| action(&json!([n]), &["a", "b", "c"], Some(&url)))
            .collect();
        batch.iter_mut().flat_map(|a| &mut a.jobs).for_each(|job| job.timeout_ms = Some(LEASE_MS));
        for (offset, id) in world.baton.submit_all(&batch).await.iter().enumerate() {
            ledger.expect(id, json!([first + offset, "a", "b", "c"]));
        }
    }
    world.receiver.wait_for(actions / 5).await;
    world.baton.kill9();
    assert!(world.receiver.taken() < actions * 4 / 5, "killed too late to mean anything");
    let orphans = world.pending(&["a", "b", "c", "held"]).await;
    assert!(orphans.contains(&slow));
    let host = stubborn.url().replace("http://", "").replace("/hook", "");
    let output = format!("{{p0}}:output:{host}");
    assert_eq!(world.redis.query::<u32>(&["ZCARD", &output]).await, 1);

    gate.open();
    world.baton.restart().await;
    let restarted = world.clock().await;
    world.receiver.wait_for(actions + 1).await;
    stubborn.wait_for(1).await;
    ledger.assert_delivered(&world.receiver);
    for id in &orphans {
        let took = world.baton.ended(id).await.ended_at.unwrap().saturating_sub(restarted);
        assert!(took <= 2 * LEASE_MS, "{id} took {took} ms");
    }
    let ids: BTreeSet<_> = stubborn.of(&hanging).into_iter().map(|d| d.webhook_id).collect();
    assert_eq!(ids.len(), 1);
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_managers_share_one_redis_and_every_webhook_comes_once() {
    let actions = Form::of_run().share(1_000);
    let world = World::start().await;
    let other = world.baton.another().await;
    let (a, b) = (world.adder("a").await, world.late_adder("b").await);
    let mut ledger = Ledger::new();
    let url = world.receiver.url();
    for first in (0..actions).step_by(100) {
        let batch: Vec<_> = (first..first + 100)
            .map(|n| action(&json!([n]), &["a", "b", "a"], Some(&url)))
            .collect();
        let manager = if first % 200 == 0 { &world.baton } else { &other };
        for (offset, id) in manager.submit_all(&batch).await.iter().enumerate() {
            ledger.expect(id, json!([first + offset, "a", "b", "a"]));
        }
    }
    world.receiver.wait_for(actions).await;
    ledger.assert_delivered_once(&world.receiver);
    assert!(a.most_busy() <= 10 && b.most_busy() <= 10, "{} {}", a.most_busy(), b.most_busy());
    other.pause();
    world.assert_sound().await;
    other.resume();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manager_goes_on_with_what_another_one_held_when_it_was_killed() {
    let actions = Form::of_run().share(2_000);
    let world = World::start().await;
    let mut other = world.baton.another().await;
    let _steps = (world.adder("a").await, world.late_adder("b").await);
    let gate = Gate::closed();
    let held = world.gated("held", 10, &gate).await;
    let mut ledger = Ledger::new();
    let url = world.receiver.url();
    for first in (0..actions).step_by(100) {
        let mut batch: Vec<_> = (first..first + 100)
            .map(|n| action(&json!([n]), &["a", "b", "a"], Some(&url)))
            .collect();
        batch.iter_mut().flat_map(|a| &mut a.jobs).for_each(|job| job.timeout_ms = Some(LEASE_MS));
        let manager = if first % 200 == 0 { &world.baton } else { &other };
        for (offset, id) in manager.submit_all(&batch).await.iter().enumerate() {
            ledger.expect(id, json!([first + offset, "a", "b", "a"]));
        }
    }
    world.receiver.wait_for(actions / 5).await;
    let mut slow = action(&json!(0), &["held"], Some(&url));
    slow.jobs[0].timeout_ms = Some(LEASE_MS);
    let slow = other.submit(&slow).await;
    ledger.expect(&slow, json!(0));
    held.wait_for(1).await;
    other.kill9();
    assert!(world.receiver.taken() < actions * 4 / 5, "killed too late to mean anything");
    let orphans = world.pending(&["a", "b", "held"]).await;
    assert!(orphans.contains(&slow));
    let killed = world.clock().await;
    gate.open();
    world.receiver.wait_for(actions + 1).await;
    ledger.assert_delivered(&world.receiver);
    for id in &orphans {
        let took = world.baton.ended(id).await.ended_at.unwrap().saturating_sub(killed);
        assert!(took <= 2 * LEASE_MS, "{id} took {took} ms");
    }
    world.assert_sound().await;
}

#[tokio::test]
async fn a_manager_without_redis_says_so_and_recovers_by_itself() {
    let mut redis = Redis::durable().await;
    let baton = Baton::start(&redis).await;
    let receiver = Receiver::start(baton.webhook_secrets()).await;
    let processor = Processor::sync(kit::ProcessorSpec::new("a"), |data| data).await;
    processor.register(&baton).await;
    let () = redis.query(&["CONFIG", "SET", "appendfsync", "always"]).await;
    let submitted = action(&json!(1), &["a"], Some(&receiver.url()));
    baton.submit(&submitted).await;
    receiver.wait_for(1).await;

    redis.kill9();
    let refusal =
        eventually("the manager notices", async || baton.try_submit(&submitted).await.err());
    let refusal = refusal.await;
    assert_eq!((refusal.status, refusal.problem.code.as_str()), (503, "store_unavailable"));
    assert!(refusal.retry_after.is_some());
    assert!(!baton.is_ready().await);
    assert_eq!(baton.fetch("/healthz").await.status, 200);
    assert_eq!(baton.try_get("act_p0_00000000000000000000000001").await.unwrap_err().status, 503);

    redis.restart().await;
    until("the manager is ready again", async || baton.is_ready().await).await;
    baton.submit(&submitted).await;
    receiver.wait_for(2).await;
}

#[tokio::test]
async fn a_connection_cut_at_any_script_loses_and_repeats_nothing() {
    let redis = Redis::start().await;
    let proxy = Proxy::start(redis.port()).await;
    let spec = BatonSpec::on(&proxy.url()).env("BATON_HEALTH_INTERVAL_MS", "3600000");
    let baton = spec.start().await;
    let receiver = Receiver::start(baton.webhook_secrets()).await;
    let a = Processor::sync(kit::ProcessorSpec::new("a"), |data| json!(data.as_u64().unwrap() + 1))
        .await;
    a.register(&baton).await;
    let mut ledger = Ledger::new();
    let (mut cuts, mut taken) = (0, 0);
    // The commands of one action by number: each is cut before it and after it.
    for nth in 0..5 {
        for after in [false, true] {
            let mut left = nth;
            let chosen = move |command: &kit::Command| {
                let script = command.is("EVALSHA") && command.mentions("action:");
                let hit = script && left == 0;
                left -= i32::from(script && left > 0);
                hit
            };
            if after {
                proxy.cut_after(chosen)
            } else {
                proxy.cut_before(chosen)
            }
            let mut submitted = action(&json!(0), &["a", "a", "a"], Some(&receiver.url()));
            submitted.jobs.iter_mut().for_each(|job| job.timeout_ms = Some(500));
            // A caller whose answer was lost sends again with the same key.
            let key = format!("{nth}-{after}");
            let accepted = eventually("the action is accepted", async || {
                baton.submit_once(&key, &submitted).await.ok()
            });
            ledger.expect(&accepted.await.action_id, json!(3));
            taken += 1;
            receiver.wait_for(taken).await;
            cuts += 1;
            proxy.wait_for_cuts(cuts).await;
        }
    }
    ledger.assert_delivered(&receiver);
    for id in receiver.deliveries().iter().map(|delivery| &delivery.body.data.action_id) {
        assert_eq!(baton.ended(id).await.status, Status::Succeeded);
    }
}
