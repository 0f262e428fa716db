//! A stop: what is under way ends, what is next waits, and nobody is left waiting.

use std::sync::Arc;

use baton_wire::action::{ActionOut, Status};
use kit::{BatonSpec, Gate, Processor, Reply, action, is_alive, until};
use manager_svc::store::Store;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::forms::left_out;
use crate::world::{World, add};

/// A processor that adds the number of each step, and holds one step until the gate is open.
async fn held_at(world: &World, step: u32, gate: &Gate) -> Processor {
    let gate = gate.clone();
    let work = move |call: kit::Call| {
        let gate = gate.clone();
        async move {
            if call.process.step == step {
                gate.pass().await;
            }
            Reply::json(&add(&call.data(), &call.process.step.to_string()))
        }
    };
    world.processor(world.spec("p"), work).await
}

#[tokio::test]
async fn a_stop_in_the_middle_of_a_chain_leaves_the_next_step_in_its_queue() {
    if left_out() {
        return;
    }
    const STEPS: u32 = 10;
    const HELD: u32 = 3;
    let mut world = World::start().await;
    let gate = Gate::closed();
    let p = held_at(&world, HELD, &gate).await;
    let id = world.baton.submit(&action(&json!([]), &["p"; STEPS as usize], None)).await;
    p.wait_for(HELD as usize + 1).await;

    let dir = Arc::clone(world.baton.data_dir());
    let go_on = async {
        // The file is removed once nothing new begins.
        until("the manager stops", async || dir.read("url").is_none()).await;
        gate.open();
    };
    tokio::join!(world.baton.stop(), go_on);
    assert_eq!(p.arrivals().len(), HELD as usize + 1);
    assert_eq!(world.redis.query::<u32>(&["ZCARD", "{p0}:pending:p"]).await, 0);
    assert_eq!(world.redis.query::<u32>(&["ZCARD", "{p0}:input:p"]).await, 1);
    let store = Store::connect(&world.redis.url()).await.unwrap();
    assert_eq!(store.violations().await.unwrap(), []);

    world.baton.restart().await;
    let ended = world.baton.outcome(&id).await;
    assert_eq!(ended.status, Status::Succeeded);
    let data: Value = serde_json::from_str(ended.data.unwrap().get()).unwrap();
    let steps: Vec<String> = (0..STEPS).map(|step| step.to_string()).collect();
    assert_eq!(data, json!(steps));
    assert!(p.counts().values().all(|&times| times == 1), "{:?}", p.counts());
}

#[tokio::test]
async fn a_stop_answers_long_polls_with_what_is_so_far() {
    if left_out() {
        return;
    }
    let mut world = World::with(&[("BATON_LOG", "info,tower_http=debug")]).await;
    let gate = Gate::closed();
    let p = held_at(&world, 0, &gate).await;
    let id = world.baton.submit(&action(&json!([]), &["p"], None)).await;
    p.wait_for(1).await;
    let poll = {
        let (client, path) = (world.baton.client(), format!("/action/{id}?wait_ms=20000"));
        tokio::spawn(async move { client.fetch(&path).await })
    };
    let begun = format!("path=\"/action/{id}\"");
    until("the poll has begun", async || world.baton.log().contains(&begun)).await;
    let polled = async {
        // The step is still under way, so only the stop can be what is answered.
        let answer: ActionOut = poll.await.unwrap().read().unwrap();
        gate.open();
        answer
    };
    let ((), answer) = tokio::join!(world.baton.stop(), polled);
    assert_eq!(answer.status, Status::Running);
}

#[tokio::test]
async fn a_stop_takes_an_embedded_redis_that_hangs_along() {
    let mut baton = BatonSpec::embedded().start().await;
    let own = baton.pid();
    let others: Vec<u32> =
        baton.data_dir().processes().into_iter().filter(|&pid| pid != own).collect();
    let [redis] = others.try_into().unwrap();
    let process = Pid::from_raw(i32::try_from(redis).unwrap()).unwrap();
    kill_process(process, Signal::STOP).unwrap();
    baton.stop().await;
    assert!(!is_alive(redis));
    assert_eq!(baton.data_dir().processes(), [0; 0]);
}
