//! Processors that come, go, and are not who they say they are.

use baton_wire::manager::{ManagerMeta, ProcessorStatus};
use baton_wire::processor::{DrainStatus, RegisterIn, RegisterOut, Usage};
use kit::{BatonSpec, Gate, Processor, ProcessorSpec, Proxy, Redis, Refusal, Reply, action, until};
use serde_json::json;

use crate::world::World;

fn code(refusal: &Refusal) -> (u16, &str) {
    (refusal.status, refusal.problem.code.as_str())
}

#[tokio::test]
async fn a_processor_is_called_back_before_it_is_accepted() {
    let world = World::start().await;
    let mut processor = Processor::sync(ProcessorSpec::new("p"), |data| data).await;
    let right = processor.registration();
    let before = world.keyspace().await;

    let other_id = RegisterIn { id: "q".to_owned(), ..right.clone() };
    let refusal = world.baton.register(&other_id).await.unwrap_err();
    assert_eq!(code(&refusal), (422, "processor_mismatch"));
    assert_eq!(refusal.problem.errors[0].path, "id");
    let other_name = RegisterIn { name: "q".to_owned(), ..right.clone() };
    let refusal = world.baton.register(&other_name).await.unwrap_err();
    assert_eq!(code(&refusal), (422, "processor_mismatch"));
    assert_eq!(refusal.problem.errors[0].path, "name");

    let broken = [
        Reply::status(404),
        Reply::raw(200, "no JSON"),
        Reply::raw(200, "{}"),
        Reply::raw(200, vec![b' '; 1 << 20]),
        Reply::status(302).with("location", "/other"),
        Reply::Cut,
    ];
    for reply in broken {
        processor.answer_meta_with(Some(reply.clone()));
        let refusal = world.baton.register(&right).await.unwrap_err();
        assert_eq!(code(&refusal), (422, "processor_unreachable"), "{reply:?}");
        assert_eq!(refusal.problem.errors[0].path, "url");
    }
    processor.answer_meta_with(None);
    processor.server().stop().await;
    let refusal = world.baton.register(&right).await.unwrap_err();
    assert_eq!(code(&refusal), (422, "processor_unreachable"));
    assert_eq!(world.keyspace().await.changes_since(&before), "");

    processor.server().restart().await;
    let answer = world.baton.post("/register", &right).await;
    assert_eq!(answer.status, 201);
    assert_eq!(world.baton.post("/register", &right).await.status, 200);
    world.assert_sound().await;
}

#[tokio::test]
async fn an_id_at_a_second_url_is_refused_while_the_first_answers() {
    let world = World::start().await;
    let mut first = world.adder("p").await;
    let second = Processor::sync(world.spec("p"), |data| data).await;
    let before = world.keyspace().await;
    let refusal = world.baton.register(&second.registration()).await.unwrap_err();
    assert_eq!(code(&refusal), (409, "processor_id_taken"));
    assert_eq!(world.keyspace().await.changes_since(&before), "");
    first.server().stop().await;
    second.register(&world.baton).await;
    world.baton.submit(&action(&json!([]), &["p"], Some(&world.receiver.url()))).await;
    world.receiver.wait_for(1).await;
    assert_eq!((first.arrivals().len(), second.arrivals().len()), (0, 1));
}

#[tokio::test]
async fn an_id_never_equals_the_name_of_another_processor() {
    let world = World::start().await;
    let _p = world.adder("p").await;
    let before = world.keyspace().await;
    for spec in [world.spec("p-kind").name("other"), world.spec("q").name("p")] {
        let processor = Processor::sync(spec, |data| data).await;
        let refusal = world.baton.register(&processor.registration()).await.unwrap_err();
        assert_eq!(code(&refusal), (409, "processor_name_conflict"));
    }
    assert_eq!(world.keyspace().await.changes_since(&before), "");
}

#[tokio::test]
async fn a_draining_processor_ends_its_work_and_leaves() {
    let world = World::start().await;
    let gate = Gate::closed();
    let held = gate.clone();
    let processor = Processor::start(world.spec("p").name("shared").capacity(1), move |call| {
        let held = held.clone();
        async move {
            held.pass().await;
            Reply::json(&call.data())
        }
    });
    let processor = processor.await;
    let epoch = processor.register(&world.baton).await.epoch;
    let url = world.receiver.url();
    world.baton.submit_all(&vec![action(&json!(1), &["shared"], Some(&url)); 3]).await;
    processor.wait_for(1).await;

    let older = world.baton.drain("p", epoch - 1).await.unwrap();
    assert_eq!((older.status, older.in_flight), (DrainStatus::Unchanged, 1));
    let drained = world.baton.drain("p", epoch).await.unwrap();
    assert_eq!((drained.status, drained.in_flight), (DrainStatus::Draining, 1));
    assert_eq!(world.baton.meta().await.processors[0].status, ProcessorStatus::Draining);
    gate.open();
    until("the drained processor is gone", async || world.baton.meta().await.processors.is_empty())
        .await;
    assert_eq!((processor.arrivals().len(), world.receiver.deliveries().len()), (1, 1));
    assert_eq!(world.baton.drain("p", epoch).await.unwrap().status, DrainStatus::Gone);
    assert_eq!(
        code(&world.baton.drain("q", epoch).await.unwrap_err()),
        (404, "processor_not_found")
    );

    // The two that wait are remembered, and go on with whoever serves the name next.
    let next = Processor::sync(world.spec("q").name("shared"), |data| data).await;
    next.register(&world.baton).await;
    world.receiver.wait_for(3).await;
    assert_eq!(next.arrivals().len(), 2);
    world.assert_sound().await;
}

#[tokio::test]
async fn a_lost_answer_of_the_store_is_asked_for_again() {
    let redis = Redis::start().await;
    let proxy = Proxy::start(redis.port()).await;
    let spec = BatonSpec::on(&proxy.url()).env("BATON_HEALTH_INTERVAL_MS", "3600000");
    let baton = spec.start().await;
    let processor = Processor::sync(ProcessorSpec::new("p"), |data| data).await;
    let registration = processor.registration();
    let of_register = {
        let url = registration.url.clone();
        move |command: &kit::Command| command.is("EVALSHA") && command.mentions(&url)
    };

    // Done, though the answer got lost: registered once, and told so.
    proxy.cut_after(of_register.clone());
    let answer = baton.post("/register", &registration).await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.read::<RegisterOut>().unwrap().epoch, 1);
    // Not done at all.
    proxy.cut_before(of_register.clone());
    assert_eq!(baton.register(&registration).await.unwrap().epoch, 2);
    // Done, and then the processors cannot be read anew: it stays done.
    let (mut written, sent) = (false, of_register);
    proxy.cut_before(move |command| {
        let read = command.is("ZRANGE") && command.mentions("{p0}:processors");
        let cut = written && read;
        written |= sent(command);
        cut
    });
    assert_eq!(baton.register(&registration).await.unwrap().epoch, 3);

    proxy.cut_after(|command| command.is("EVALSHA") && command.mentions("paused"));
    assert_eq!(baton.switch("p", "pause").await.unwrap().status, ProcessorStatus::Paused);
    let of_drain = |command: &kit::Command| command.is("EVALSHA") && command.mentions("{p0}:left");
    for _ in 0..2 {
        proxy.cut_after(of_drain);
        assert_eq!(baton.drain("p", 3).await.unwrap().status, DrainStatus::Gone);
    }
    proxy.wait_for_cuts(6).await;
}

#[tokio::test]
async fn a_health_check_that_was_cut_off_is_recorded_all_the_same() {
    let redis = Redis::start().await;
    let proxy = Proxy::start(redis.port()).await;
    let spec = BatonSpec::on(&proxy.url()).env("BATON_HEALTH_INTERVAL_MS", "3600000");
    let baton = spec.start().await;
    let processor = Processor::sync(ProcessorSpec::new("p"), |data| data).await;
    processor.register(&baton).await;
    let usage = Usage { cpu_percent: 77.25, memory_bytes: 5 };
    processor.set_meta(|meta| meta.usage = Some(usage));
    proxy.cut_before(|command| command.is("EVALSHA") && command.mentions("77.25"));
    // One check is due now, and the next in an hour.
    let () = redis.query(&["ZADD", "{p0}:processors", "0", "p"]).await;
    until("the check is recorded", async || {
        // While the connection is being made again, the manager may have no answer.
        let answer = baton.fetch("/meta").await;
        answer.read::<ManagerMeta>().is_ok_and(|meta| meta.processors[0].usage == Some(usage))
    })
    .await;
    proxy.wait_for_cuts(1).await;
}

#[tokio::test]
async fn a_paused_processor_gets_no_work_until_it_is_resumed() {
    let world = World::start().await;
    let gate = Gate::closed();
    let held = gate.clone();
    let processor = Processor::start(world.spec("p").capacity(9), move |call| {
        let held = held.clone();
        async move {
            held.pass().await;
            Reply::json(&call.data())
        }
    });
    let processor = processor.await;
    processor.register(&world.baton).await;
    let running = world.baton.submit(&action(&json!(1), &["p"], None)).await;
    processor.wait_for(1).await;
    let paused = world.baton.switch("p", "pause").await.unwrap();
    assert_eq!((paused.id.as_str(), paused.in_flight), ("p", 1));
    assert_eq!(paused.status, ProcessorStatus::Paused);
    assert_eq!(world.baton.switch("p", "pause").await.unwrap().status, ProcessorStatus::Paused);
    let waiting = world.baton.submit(&action(&json!(2), &["p-kind"], None)).await;

    // What it had goes on, and a registration does not end the pause.
    gate.open();
    world.baton.ended(&running).await;
    let epoch = processor.register(&world.baton).await.epoch;
    assert_eq!(world.baton.meta().await.processors[0].status, ProcessorStatus::Paused);
    until("a manager says why the action waits", async || {
        let why = world.baton.get(&waiting).await.waiting.unwrap_or_default();
        why.contains("paused")
    })
    .await;
    assert_eq!(processor.arrivals().len(), 1);
    assert_eq!(world.baton.switch("p", "resume").await.unwrap().status, ProcessorStatus::Active);
    world.baton.ended(&waiting).await;
    assert_eq!(processor.arrivals().len(), 2);
    assert_eq!(world.baton.meta().await.processors[0].status, ProcessorStatus::Active);

    assert_eq!(world.baton.drain("p", epoch).await.unwrap().status, DrainStatus::Gone);
    let before = world.keyspace().await;
    for (id, verb) in [("p", "pause"), ("p", "resume"), ("never", "pause"), ("%20", "resume")] {
        let refusal = world.baton.switch(id, verb).await.unwrap_err();
        assert_eq!(code(&refusal), (404, "processor_not_found"), "{verb} {id}");
    }
    assert_eq!(world.keyspace().await.changes_since(&before), "");
    world.assert_sound().await;
}

#[tokio::test]
async fn a_draining_processor_is_not_paused() {
    let world = World::start().await;
    let gate = Gate::closed();
    let held = gate.clone();
    let processor = world.processor(world.spec("p"), move |call| {
        let held = held.clone();
        async move {
            held.pass().await;
            Reply::json(&call.data())
        }
    });
    let processor = processor.await;
    world.baton.submit(&action(&json!(1), &["p"], None)).await;
    processor.wait_for(1).await;
    assert_eq!(world.baton.drain("p", 1).await.unwrap().status, DrainStatus::Draining);
    let before = world.keyspace().await;
    for verb in ["pause", "resume"] {
        let refusal = world.baton.switch("p", verb).await.unwrap_err();
        assert_eq!(code(&refusal), (409, "processor_draining"), "{verb}");
    }
    assert_eq!(world.keyspace().await.changes_since(&before), "");
    gate.open();
}
