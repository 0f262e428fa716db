//! `GET /meta`: every field, against what the processors say and what has happened.

use baton_wire::manager::ProcessorStatus;
use baton_wire::processor::Usage;
use kit::{BatonSpec, Form, Gate, Processor, ProcessorSpec, Receiver, Redis, Reply, action, until};
use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn meta_shows_the_manager_its_store_and_every_processor() {
    let world = World::with(&[("BATON_HEALTH_INTERVAL_MS", "200")]).await;
    let gate = Gate::closed();
    let held = gate.clone();
    let work = world.processor(world.spec("p").name("kind").capacity(2), move |call| {
        let held = held.clone();
        async move {
            match call.data().as_str().unwrap() {
                "fail" => Reply::status(400),
                "hold" => {
                    held.pass().await;
                    Reply::json(&1)
                }
                _ => Reply::json(&1),
            }
        }
    });
    let p = work.await;
    let run = async |data: &str| {
        let id = world.baton.submit(&action(&data, &["p"], None)).await;
        world.baton.ended(&id).await
    };
    let (first, _) = (run("good").await, run("good").await);
    run("fail").await;
    let hold = vec![action(&"hold", &["kind"], None); 5];
    let mut later = action(&"good", &["p"], None);
    later.delay_ms = Some(3_600_000);
    world.baton.submit(&later).await;
    let held = world.baton.submit_all(&hold).await;
    p.wait_for(5).await;

    let meta = world.baton.meta().await;
    assert_eq!(meta.name, "baton");
    assert!(!meta.id.is_empty() && meta.version.split('.').count() == 3, "{meta:?}");
    assert!(meta.usage.memory_bytes > 1 << 20 && meta.usage.cpu_percent >= 0.0, "{meta:?}");
    let queues = &meta.queues;
    let counts = [queues.input, queues.pending, queues.delayed, queues.output, queues.failed];
    assert_eq!((counts, queues.live), ([3, 2, 1, 0, 1], 6));
    assert!(queues.oldest_ms.is_some());
    let kind = if world.redis.is_cluster() { "cluster" } else { "standalone" };
    assert_eq!(meta.store.kind, kind);
    assert!(meta.store.version.contains(" 7.") && meta.store.memory_bytes > 1 << 19, "{meta:?}");
    assert!(!meta.store.durability.is_empty());

    let [shown] = meta.processors.as_slice() else { panic!("{meta:?}") };
    assert_eq!((shown.id.as_str(), shown.name.as_str()), ("p", "kind"));
    assert_eq!(shown.url, p.registration().url);
    assert_eq!(shown.status, ProcessorStatus::Active);
    assert_eq!((shown.processed, shown.failed), (2, 1));
    assert_eq!((shown.in_flight, shown.capacity), (2, 2));
    assert!(shown.last_ms.is_some() && shown.average_ms.is_some());
    assert!(shown.connected_on <= first.created_at && shown.last_seen >= shown.connected_on);

    // What the processor says of itself is what is shown, after its next check.
    let usage = Usage { cpu_percent: 42.5, memory_bytes: 77_000_000 };
    p.set_meta(|meta| meta.usage = Some(usage));
    until("the usage has arrived", async || {
        world.baton.meta().await.processors[0].usage == Some(usage)
    })
    .await;
    gate.open();
    for id in &held {
        world.baton.ended(id).await;
    }
    assert_eq!(world.baton.meta().await.processors[0].processed, 7);
}

#[tokio::test]
async fn a_processor_that_misses_three_checks_gets_no_new_work_until_it_answers() {
    let world = World::with(&[("BATON_HEALTH_INTERVAL_MS", "200")]).await;
    let mut p = world.adder("p").await;
    // Another one that answers, or the manager would hold itself for the one that is sick.
    let _healthy = world.adder("q").await;
    let status = async || {
        let meta = world.baton.meta().await;
        meta.processors.iter().find(|shown| shown.id == "p").unwrap().status
    };
    p.server().stop().await;
    until("it is unhealthy", async || status().await == ProcessorStatus::Unhealthy).await;
    let id = world.baton.submit(&action(&json!([]), &["p"], Some(&world.receiver.url()))).await;
    assert!(world.baton.get(&id).await.waiting.is_some());
    p.server().restart().await;
    world.receiver.wait_for(1).await;
    assert_eq!(status().await, ProcessorStatus::Active);
}

/// What the user may do that a deployment makes in a managed store: no `CONFIG` among it.
fn rights_of_the_functions_user() -> Vec<String> {
    let root = include_str!("../../infra/terraform/redis.tf");
    let line = root.lines().find_map(|line| line.trim().strip_prefix("access_string = \""));
    line.unwrap().trim_end_matches('"').split(' ').map(str::to_owned).collect()
}

#[tokio::test]
async fn a_store_that_refuses_config_is_used_by_the_functions_user_and_described_as_configured() {
    let redis = Redis::any().await;
    let rights = rights_of_the_functions_user();
    let mut user = vec!["ACL", "SETUSER", "baton", ">secret"];
    user.extend(rights.iter().map(String::as_str));
    redis.on_every_server(&user).await;
    let url = redis.url().replacen("://", "://baton:secret@", 1);

    // A deployment tells its functions what it knows of its store: on this tier, that.
    let unset = if Form::of_run() == Form::Deployed { "last moments" } else { "not known" };
    for (told, words) in
        [(Some("sync"), "loses nothing"), (Some("async"), "last moments"), (None, unset)]
    {
        let spec = told
            .into_iter()
            .fold(BatonSpec::on(&url), |spec, told| spec.env("BATON_REDIS_DURABILITY", told));
        let baton = spec.start().await;
        let shown = baton.meta().await.store.durability;
        assert!(shown.contains(words), "{told:?}: {shown}");
        let receiver = Receiver::start(baton.webhook_secrets()).await;
        let p = ProcessorSpec::new("p").secrets(baton.processor_secrets());
        let p = Processor::sync(p, |data| data).await;
        p.register(&baton).await;
        baton.submit(&action(&json!(1), &["p"], Some(&receiver.url()))).await;
        receiver.wait_for(1).await;
    }
}
