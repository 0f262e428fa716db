//! Processors that start anew, or are replaced: what they held is neither lost nor done twice.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use baton_wire::action::ActionIn;
use baton_wire::manager::ProcessorStatus;
use baton_wire::processor::DrainStatus;
use kit::{Gate, Ledger, Processor, Reply, action, until};
use serde_json::json;

use crate::health::{SOON, pending, status, until_checked, until_status};
use crate::world::{World, add};

/// A lease that no test waits for.
const LONG_LEASE_MS: u64 = 900_000;

/// An action whose lease does not end within any test.
fn long(data: &serde_json::Value, targets: &[&str], url: Option<&str>) -> ActionIn {
    let mut action = action(data, targets, url);
    action.jobs.iter_mut().for_each(|job| job.timeout_ms = Some(LONG_LEASE_MS));
    action
}

#[tokio::test]
async fn a_processor_that_started_anew_hands_back_at_once_what_it_held() {
    let world = World::with(&[SOON]).await;
    let started_anew = Arc::new(AtomicBool::new(false));
    let knows = Arc::clone(&started_anew);
    let work = move |call: kit::Call| {
        let ready = knows.load(SeqCst);
        async move { if ready { Reply::json(&add(&call.data(), "p")) } else { Reply::accepted() } }
    };
    let mut p = Processor::start(world.spec("p"), work).await;
    p.set_meta(|meta| meta.started_at = Some(1_000));
    p.register(&world.baton).await;
    let url = world.receiver.url();
    let mut ledger = Ledger::new();
    for id in world.baton.submit_all(&vec![long(&json!([]), &["p"], Some(&url)); 3]).await {
        ledger.expect(&id, json!(["p"]));
    }
    p.wait_for(3).await;
    p.server().stop().await;
    started_anew.store(true, SeqCst);
    p.set_meta(|meta| meta.started_at = Some(2_000));
    p.server().restart().await;

    world.receiver.wait_for(3).await;
    ledger.assert_delivered_once(&world.receiver);
    let attempts: Vec<u32> = p.arrivals().iter().map(|arrival| arrival.process.attempt).collect();
    assert_eq!(attempts, [1; 6], "none was counted");
    let ids: BTreeSet<_> = p.order().into_iter().collect();
    for id in ids {
        assert_eq!(world.baton.ended(&id).await.steps[0].attempts.len(), 1);
    }
    world.assert_sound().await;
}

/// Tells when a call is given up by who made it.
struct GivenUp(Arc<AtomicUsize>);

impl Drop for GivenUp {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

#[tokio::test]
async fn a_killed_processor_that_registers_again_hands_back_at_once_what_it_held() {
    const ACTIONS: usize = 3;
    let wait = ("BATON_DISPATCH_WAIT_MS", "200");
    let world = World::with(&[wait]).await;
    let secret = world.baton.data_dir().read("processor.secret").unwrap();
    let start = || {
        let mut command = std::process::Command::new(kit::example("count"));
        command.env("MANAGER_URL", world.baton.url()).env("PROCESSOR_SECRETS", &secret);
        command.env("PROCESSOR_NAME", "count").env("PROCESSOR_ID", "count-1");
        command.env("BIND", "127.0.0.1:0").env_remove("PUBLIC_URL").env_remove("PROCESSOR_KEY");
        let log = world.baton.data_dir().file("count.log");
        kit::Child::spawn("count", &mut command, &log)
    };
    let mut first = start();
    until_status(&world.baton, "count-1", ProcessorStatus::Active).await;
    first.pause();
    let url = world.receiver.url();
    let mut ledger = Ledger::new();
    for id in
        world.baton.submit_all(&vec![long(&json!("a b a"), &["count"], Some(&url)); ACTIONS]).await
    {
        ledger.expect(&id, json!({"a": 2, "b": 1}));
    }
    until("all are with it", async || pending(&world, "count-1").await == ACTIONS).await;
    // A call that began later is given up: so the calls to the other were, which then count as accepted.
    let given_up = Arc::new(AtomicUsize::new(0));
    let silent = world.processor(world.spec("silent"), {
        let given_up = Arc::clone(&given_up);
        move |_| {
            let call = GivenUp(Arc::clone(&given_up));
            async move {
                std::future::pending::<()>().await;
                drop(call);
                Reply::Silence
            }
        }
    });
    let _silent = silent.await;
    world.baton.submit(&long(&json!(1), &["silent"], None)).await;
    until("the manager waits no longer", async || given_up.load(SeqCst) == 1).await;

    first.kill9();
    let _second = start();
    world.receiver.wait_for(ACTIONS).await;
    ledger.assert_delivered_once(&world.receiver);
    for delivery in world.receiver.deliveries() {
        let ended = world.baton.ended(&delivery.body.data.action_id).await;
        assert_eq!(ended.steps[0].attempts.len(), 1, "{ended:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_deploy_under_load_loses_and_repeats_nothing() {
    const ACTIONS: usize = 300;
    const HELD: usize = 5;
    let world = World::with(&[SOON]).await;
    let gate = Gate::closed();
    let passing = gate.clone();
    let spec = || world.spec("p").name("work").capacity(u32::try_from(HELD).unwrap());
    let old = Processor::start(spec(), move |mut call| {
        let (gate, output) = (passing.clone(), add(&call.data(), "p"));
        tokio::spawn(async move {
            gate.pass().await;
            call.succeed_at_last(&output).await;
        });
        async { Reply::accepted() }
    });
    let old = old.await;
    old.set_meta(|meta| meta.started_at = Some(1_000));
    let first = old.register(&world.baton).await.epoch;
    let url = world.receiver.url();
    let mut ledger = Ledger::new();
    let mut submit = async |count: usize| {
        for chunk in vec![long(&json!([]), &["work"], Some(&url)); count].chunks(100) {
            for id in world.baton.submit_all(chunk).await {
                ledger.expect(&id, json!(["p"]));
            }
        }
    };
    submit(ACTIONS / 3).await;
    old.wait_for(HELD).await;

    let drained = world.baton.drain("p", first).await.unwrap();
    assert_eq!(usize::try_from(drained.in_flight).unwrap(), HELD);
    submit(ACTIONS / 3).await;
    // The next instance, elsewhere; what the old one holds leaves its places when it ends.
    let new = Processor::asynchronous(spec(), |data| add(&data, "p")).await;
    new.set_meta(|meta| meta.started_at = Some(2_000));
    let second = new.register(&world.baton).await.epoch;
    assert!(second > first);
    let late = world.baton.drain("p", first).await.unwrap();
    assert_eq!(late.status, DrainStatus::Unchanged);
    submit(ACTIONS / 3).await;
    until_checked(&world, "p", 3).await;
    assert_eq!(pending(&world, "p").await, HELD, "the old one goes on with what it has");
    gate.open();

    world.receiver.wait_for(ACTIONS).await;
    ledger.assert_delivered_once(&world.receiver);
    assert_eq!((old.arrivals().len(), new.arrivals().len()), (HELD, ACTIONS - HELD));
    assert_eq!(status(&world.baton, "p").await, Some(ProcessorStatus::Active));
    world.assert_sound().await;
}
