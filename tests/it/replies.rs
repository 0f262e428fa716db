//! What each reply to a dispatch does: which is an output, which costs an attempt, which holds the processor, and
//! which ends the step; and what silence does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use baton_wire::action::{ActionOut, AttemptStatus, Status};
use baton_wire::process::{CompleteOutcome, CompleteStatus};
use kit::{Call, Gate, Processor, Reply, action, eventually, until};
use serde_json::json;
use tokio::sync::Notify;

use crate::world::World;

/// What the first reply does to a step with two attempts.
#[derive(Clone, Copy)]
enum Does {
    /// The step has succeeded, and the data is this.
    Output(&'static str),
    /// The attempt does not count, and there is another one.
    Hold,
    /// The attempt counts, with this error, and there is another one.
    Retry(&'static str),
    /// The step has failed for good, with this error.
    Fail(&'static str),
}

use Does::{Fail, Hold, Output, Retry};

/// The cap of what a processor may answer, in bytes.
const CAP: &str = "1000";

fn problem(status: u16) -> Reply {
    let problem = json!({"code": "mine", "detail": "in words"}).to_string();
    Reply::raw(status, problem).with("content-type", "application/problem+json")
}

fn rows() -> Vec<(&'static str, Reply, Does)> {
    let json = |status, text: &'static str| {
        Reply::raw(status, text).with("content-type", "application/json")
    };
    let after = |status, seconds| Reply::status(status).with("retry-after", seconds);
    let too_long: &str = format!("\"{}\"", "x".repeat(1_000)).leak();
    vec![
        ("200", json(200, "1"), Output("1")),
        ("200-null", json(200, "null"), Output("null")),
        ("201", json(201, "2"), Output("2")),
        ("204", Reply::status(204), Output("\"in\"")),
        ("202", Reply::accepted(), Output("\"reported\"")),
        ("429", Reply::status(429), Hold),
        ("429-after", after(429, "1"), Hold),
        ("503-after", after(503, "1"), Hold),
        ("503", Reply::status(503), Retry("processor_status_503")),
        ("503-odd", after(503, "soon"), Retry("processor_status_503")),
        ("500", Reply::status(500), Retry("processor_status_500")),
        ("500-after", after(500, "60"), Retry("processor_status_500")),
        ("500-problem", problem(500), Retry("mine")),
        ("408", Reply::status(408), Retry("processor_status_408")),
        ("425", Reply::status(425), Retry("processor_status_425")),
        ("cut", Reply::Cut, Retry("connection_lost")),
        ("301", Reply::status(301).with("location", "/elsewhere"), Fail("redirect_refused")),
        ("400", Reply::status(400), Fail("processor_status_400")),
        ("404", Reply::status(404), Fail("processor_status_404")),
        ("422-problem", problem(422), Fail("mine")),
        ("not-json", json(200, "<p>"), Fail("reply_not_json")),
        ("empty", json(200, ""), Fail("reply_not_json")),
        ("too-long", json(200, too_long), Fail("reply_too_large")),
    ]
}

/// A registered processor that answers `first` at first, and `"again"` to whatever else.
async fn answering(world: &World, id: &str, first: Reply) -> Processor {
    let answered = AtomicBool::new(false);
    let work = move |mut call: Call| {
        let again = answered.swap(true, Ordering::SeqCst);
        let reply = if again { Reply::json(&json!("again")) } else { first.clone() };
        if matches!(&reply, Reply::Answer(status, ..) if status.as_u16() == 202) {
            tokio::spawn(async move { call.succeed_at_last(&json!("reported")).await });
        }
        async { reply }
    };
    world.processor(world.spec(id), work).await
}

fn check(name: &str, does: Does, processor: &Processor, ended: &ActionOut) {
    let numbers: Vec<_> = processor.arrivals().iter().map(|a| a.process.attempt).collect();
    let recorded: Vec<_> = ended.steps[0]
        .attempts
        .iter()
        .map(|a| (a.status, a.error.as_ref().map(|error| error.code.as_str())))
        .collect();
    // Read as a wire type, `null` is nothing.
    let data = ended.data.as_ref().map_or("null", |data| data.get());
    let succeeded = (AttemptStatus::Succeeded, None);
    match does {
        Output(output) => {
            assert_eq!(
                (ended.status, data, numbers),
                (Status::Succeeded, output, vec![1]),
                "{name}"
            );
            assert_eq!(recorded, [succeeded], "{name}");
        }
        Hold => {
            let again = (Status::Succeeded, "\"again\"", vec![1, 1]);
            assert_eq!((ended.status, data, numbers), again, "{name}");
            assert_eq!(recorded, [succeeded], "{name}");
        }
        Retry(code) => {
            let again = (Status::Succeeded, "\"again\"", vec![1, 2]);
            assert_eq!((ended.status, data, numbers), again, "{name}");
            assert_eq!(recorded, [(AttemptStatus::Failed, Some(code)), succeeded], "{name}");
        }
        Fail(code) => {
            assert_eq!(
                (ended.status, data, numbers),
                (Status::Failed, "\"in\"", vec![1]),
                "{name}"
            );
            assert_eq!(recorded, [(AttemptStatus::Failed, Some(code))], "{name}");
            assert_eq!(ended.error.as_ref().unwrap().code, code, "{name}");
        }
    }
}

#[tokio::test]
async fn every_reply_does_what_its_status_says() {
    let world = World::with(&[("BATON_MAX_DATA_BYTES", CAP)]).await;
    let mut running = Vec::new();
    for (name, first, does) in rows() {
        let processor = answering(&world, name, first).await;
        let mut submitted = action(&json!("in"), &[name], None);
        submitted.jobs[0].max_attempts = Some(2);
        let id = world.baton.submit(&submitted).await;
        running.push((name, does, processor, id));
    }
    for (name, does, processor, id) in &running {
        check(name, *does, processor, &world.baton.ended(id).await);
    }
    world.assert_sound().await;
}

#[tokio::test]
async fn a_processor_that_cannot_be_reached_costs_an_attempt() {
    let world = World::start().await;
    let mut away = answering(&world, "away", Reply::json(&json!("here"))).await;
    away.server().stop().await;
    let id = world.baton.submit(&action(&json!("in"), &["away"], None)).await;
    until("the attempt failed", async || {
        !world.baton.get(&id).await.steps[0].attempts.is_empty()
            && world.baton.get(&id).await.waiting.is_some()
    })
    .await;
    away.server().restart().await;
    let ended = world.baton.ended(&id).await;
    assert_eq!((ended.status, ended.data.unwrap().get()), (Status::Succeeded, "\"here\""));
    let first = &ended.steps[0].attempts[0];
    assert_eq!(first.error.as_ref().unwrap().code, "unreachable");
    let made = u32::try_from(ended.steps[0].attempts.len()).unwrap();
    assert!(made >= 2);
    assert_eq!(away.arrivals()[0].process.attempt, made);
    world.assert_sound().await;
}

/// Until when a processor is held, by its record.
async fn held_until(world: &World, id: &str) -> u64 {
    let key = format!("{{p0}}:processor:{id}");
    let until: Option<u64> = world.redis.query(&["HGET", &key, "held_until"]).await;
    until.unwrap_or_default()
}

#[tokio::test]
async fn a_hold_lasts_as_long_as_the_processor_asked_and_at_most_five_minutes() {
    let world = World::start().await;
    for (id, seconds, hold) in [("short", "2", 2_000), ("long", "86400", 300_000)] {
        let busy = answering(&world, id, Reply::status(429).with("retry-after", seconds)).await;
        let before = world.clock().await;
        let submitted = world.baton.submit(&action(&json!("in"), &[id], None)).await;
        busy.wait_for(1).await;
        let until = eventually("it is held", async || {
            Some(held_until(&world, id).await).filter(|until| *until > 0)
        });
        let until = until.await;
        assert!((before + hold..=world.clock().await + hold).contains(&until), "{id}: {until}");
        if id == "short" {
            let ended = world.baton.ended(&submitted).await;
            assert_eq!((ended.status, busy.arrivals().len()), (Status::Succeeded, 2));
            assert!(ended.steps[0].attempts[0].started_at >= until);
        } else {
            let why = "it is asked again at";
            let why = format!("every processor of `{id}` is busy; {why} {until}");
            // The manager's own copy of the processors learns of the hold a moment later.
            eventually("it says why it waits", async || {
                let waiting = world.baton.get(&submitted).await.waiting;
                waiting.filter(|waiting| *waiting == why)
            })
            .await;
            assert_eq!(busy.arrivals().len(), 1);
        }
    }
    world.assert_sound().await;
}

#[tokio::test]
async fn a_busy_processor_is_held_alone_and_another_of_its_name_takes_the_action() {
    let world = World::start().await;
    let gate = Gate::closed();
    let free = world.gated_of("free", "work", 2, &gate).await;
    let spec = world.spec("busy").name("work").capacity(2);
    let busy = world.processor(spec, |_| async { Reply::status(429).with("retry-after", "300") });
    let busy = busy.await;
    // The other one is asked first, because it has nothing else to do.
    world.baton.submit(&action(&json!(1), &["free"], None)).await;
    free.wait_for(1).await;
    let id = world.baton.submit(&action(&json!(2), &["work"], None)).await;
    busy.wait_for(1).await;
    free.wait_for(2).await;
    let [_, second] = free.arrivals().try_into().unwrap();
    assert_eq!((&second.process.action_id, second.process.attempt), (&id, 1));
    assert_eq!(second.idempotency_key(), busy.arrivals()[0].idempotency_key());
    gate.open();
    let ended = world.baton.ended(&id).await;
    let [attempt] = ended.steps[0].attempts.as_slice() else { panic!("{ended:?}") };
    assert_eq!((attempt.processor.as_str(), attempt.status), ("free", AttemptStatus::Succeeded));
    // Nothing more goes to the one that is held.
    let batch: Vec<_> = (0..10).map(|n| action(&json!(n), &["work"], None)).collect();
    for id in world.baton.submit_all(&batch).await {
        assert_eq!(world.baton.ended(&id).await.status, Status::Succeeded);
    }
    assert_eq!(busy.arrivals().len(), 1);
    world.assert_sound().await;
}

/// Tells when the manager hangs up: the request's future is dropped then.
struct HungUp(Arc<Notify>);

impl Drop for HungUp {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

/// A registered processor that answers nothing, and tells when the manager hangs up.
async fn mute(world: &World) -> (Processor, Arc<Notify>) {
    let hung_up = Arc::new(Notify::new());
    let told = Arc::clone(&hung_up);
    let work = move |_| {
        let guard = HungUp(Arc::clone(&told));
        async move {
            let _guard = guard;
            std::future::pending::<Reply>().await
        }
    };
    (world.processor(world.spec("mute"), work).await, hung_up)
}

#[tokio::test]
async fn silence_beyond_the_dispatch_wait_counts_as_202_and_a_later_completion_is_accepted() {
    let world = World::with(&[("BATON_DISPATCH_WAIT_MS", "100")]).await;
    let (mute, hung_up) = mute(&world).await;
    let id = world.baton.submit(&action(&json!("in"), &["mute"], None)).await;
    hung_up.notified().await;
    let process = mute.arrivals()[0].process.clone();
    let waits = world.baton.get(&id).await;
    assert_eq!(waits.steps[0].attempts[0].status, AttemptStatus::Running);
    let done = crate::complete::report(&process, CompleteStatus::Succeeded, Some("\"done\""));
    let accepted = world.baton.complete(&done).await.unwrap();
    assert_eq!(accepted.outcome, CompleteOutcome::Accepted);
    let ended = world.baton.ended(&id).await;
    assert_eq!((ended.status, ended.data.unwrap().get()), (Status::Succeeded, "\"done\""));
    assert_eq!(mute.arrivals().len(), 1);
    world.assert_sound().await;
}

#[tokio::test]
async fn an_attempt_silent_in_both_ways_records_until_when_each_was_awaited() {
    let world = World::with(&[("BATON_DISPATCH_WAIT_MS", "100")]).await;
    let (_mute, _) = mute(&world).await;
    let mut submitted = action(&json!("in"), &["mute"], None);
    submitted.jobs[0].timeout_ms = Some(700);
    submitted.jobs[0].max_attempts = Some(1);
    let id = world.baton.submit(&submitted).await;
    let ended = world.baton.ended(&id).await;
    let error = ended.error.unwrap();
    assert_eq!((error.code.as_str(), error.attempts), ("no_reply_no_completion", Some(1)));
    let attempt = &ended.steps[0].attempts[0];
    let (reply, lease) = (attempt.started_at + 100, attempt.started_at + 700);
    let times = format!("reply, awaited until {reply}, nor by `/complete`, awaited until {lease} ");
    assert!(error.message.contains(&times), "{} {times}", error.message);
    assert!(attempt.ended_at.unwrap() >= lease);
    world.assert_sound().await;
}

#[tokio::test]
async fn a_202_that_comes_after_the_completion_changes_nothing() {
    let world = World::start().await;
    let gate = Gate::closed();
    let held = gate.clone();
    let processor = world.processor(world.spec("hasty"), move |mut call| {
        let gate = held.clone();
        async move {
            let accepted = call.succeed(&json!("done")).await.unwrap();
            assert_eq!(accepted.outcome, CompleteOutcome::Accepted);
            gate.pass().await;
            Reply::accepted()
        }
    });
    let hasty = processor.await;
    let jobs = ["hasty", "hasty"];
    let id = world.baton.submit(&action(&json!(0), &jobs, Some(&world.receiver.url()))).await;
    let ended = world.baton.ended(&id).await;
    let before = world.keyspace().await;
    gate.open();
    // Whatever the manager makes of the late replies, it has done so before it takes these.
    for _ in 0..2 {
        let next = world.baton.submit(&action(&json!(0), &jobs, None)).await;
        world.baton.ended(&next).await;
    }
    let record = format!("{{p0}}:action:{id}");
    assert_eq!(world.keyspace().await.content(&record), before.content(&record));
    assert_eq!((ended.status, ended.data.unwrap().get()), (Status::Succeeded, "\"done\""));
    assert_eq!(hasty.counts()[&(id.clone(), 0)], 1);
    assert_eq!(world.receiver.of(&id).len(), 1);
    world.assert_sound().await;
}

#[tokio::test]
async fn a_heartbeat_is_answered_with_when_the_lease_ends_which_is_a_whole_lease_later() {
    let world = World::start().await;
    let silent = world.processor(world.spec("silent"), |_| async { Reply::accepted() }).await;
    let id = world.baton.submit(&action(&json!("in"), &["silent"], None)).await;
    silent.wait_for(1).await;
    let process = silent.arrivals()[0].process.clone();
    let first_end = world.baton.get(&id).await.steps[0].attempts[0].started_at + process.lease_ms;
    let beat = crate::complete::report(&process, CompleteStatus::Running, None);
    let ends = eventually("a later end", async || {
        let ends = world.baton.complete(&beat).await.unwrap().lease_ends_at.unwrap();
        Some(ends).filter(|ends| *ends > first_end)
    });
    let ends = ends.await;
    let key = "{p0}:pending:silent";
    assert_eq!(world.redis.query::<u64>(&["ZSCORE", key, &id]).await, ends);
    assert!(ends <= world.clock().await + process.lease_ms);
    let done = crate::complete::report(&process, CompleteStatus::Succeeded, None);
    world.baton.complete(&done).await.unwrap();
    world.assert_sound().await;
}
