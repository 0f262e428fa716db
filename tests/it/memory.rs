//! Bounded memory: what has ended is forgotten, and what could not be completed is not accepted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use baton_wire::action::ActionIn;
use kit::{Form, Gate, Keyspace, Ledger, Receiver, Refusal, Reply, action, eventually, until};
use serde_json::json;

use crate::world::World;

/// A processor that fails what is `"fail"`, and answers what it gets else.
async fn judge(world: &World) -> kit::Processor {
    world
        .processor(world.spec("p"), |call| async move {
            let data = call.data();
            if data == "fail" { Reply::status(400) } else { Reply::json(&data) }
        })
        .await
}

/// Runs actions to their ends, one after the other.
async fn run(world: &World, data: &str, count: usize, url: Option<&str>) -> Vec<String> {
    let mut ids = Vec::new();
    for _ in 0..count {
        let id = world.baton.submit(&action(&data, &["p"], url)).await;
        world.baton.outcome(&id).await;
        ids.push(id);
    }
    ids
}

/// How many entries `done` and `failed` have.
fn kept(keyspace: &Keyspace) -> [usize; 2] {
    ["{p0}:done", "{p0}:failed"].map(|key| keyspace.content(key).map_or(0, |entries| entries.len()))
}

/// The ids of the actions that are known.
fn known(keyspace: &Keyspace) -> Vec<&str> {
    let mut ids: Vec<_> = keyspace
        .matching("{p0}:action:")
        .into_iter()
        .map(|key| &key["{p0}:action:".len()..])
        .collect();
    ids.sort_unstable();
    ids
}

fn sorted<'a>(ids: impl IntoIterator<Item = &'a String>) -> Vec<&'a str> {
    let mut ids: Vec<_> = ids.into_iter().map(String::as_str).collect();
    ids.sort_unstable();
    ids
}

#[tokio::test]
async fn beyond_the_count_what_did_not_fail_is_forgotten_first_and_the_oldest_before_others() {
    let world =
        World::with(&[("BATON_RETENTION_MAX", "10"), ("BATON_RETENTION_MIN_AGE_MS", "0")]).await;
    let _p = judge(&world).await;
    let failed = run(&world, "fail", 3, None).await;
    let done = run(&world, "good", 30, None).await;
    let expected = sorted(failed.iter().chain(&done[23..]));
    until("as many are kept as should be", async || known(&world.keyspace().await) == expected)
        .await;
    let keyspace = world.keyspace().await;
    assert_eq!(kept(&keyspace), [7, 3]);
    assert_eq!(keyspace.matching("{p0}:data:").len(), 10);
    assert_eq!(world.baton.try_get(&done[0]).await.unwrap_err().problem.code, "action_not_found");
    assert_eq!(world.baton.get(&done[29]).await.data.unwrap().get(), r#""good""#);
    // With nothing else left, the oldest that failed go.
    let more = run(&world, "fail", 12, None).await;
    let expected = sorted(&more[2..]);
    until("as many are kept as should be", async || known(&world.keyspace().await) == expected)
        .await;
    world.assert_sound().await;
}

#[tokio::test]
async fn what_ended_longer_ago_than_the_retention_is_forgotten_and_what_is_to_be_delivered_stays() {
    let world = World::with(&[("BATON_RETENTION_MS", "2000")]).await;
    let _p = judge(&world).await;
    let closed = Receiver::scripted(world.baton.webhook_secrets(), |_| Reply::status(500)).await;
    // The oldest, in the way of the others.
    let waiting = run(&world, "good", 3, Some(&closed.url())).await;
    run(&world, "good", 5, None).await;
    run(&world, "fail", 5, None).await;
    run(&world, "good", 5, Some(&world.receiver.url())).await;
    until("what has ended is gone", async || {
        let keyspace = world.keyspace().await;
        kept(&keyspace) == [3, 0] && known(&keyspace) == sorted(&waiting)
    })
    .await;
    assert_eq!(world.keyspace().await.matching("{p0}:data:").len(), 3);
    assert_eq!(world.receiver.taken(), 5);
    world.assert_sound().await;
}

#[tokio::test]
async fn a_host_that_takes_nothing_is_refused_beyond_its_bound_and_accepted_when_it_does() {
    let retries = format!("0{}", " 500".repeat(40));
    let world = World::with(&[
        ("BATON_MAX_QUEUED_PER_HOST", "3"),
        ("BATON_DELIVERY_SCHEDULE_MS", &retries),
    ])
    .await;
    let _p = judge(&world).await;
    let open = Arc::new(AtomicBool::new(false));
    let taking = Arc::clone(&open);
    let receiver = Receiver::scripted(world.baton.webhook_secrets(), move |_| {
        Reply::status(if taking.load(Ordering::SeqCst) { 204 } else { 500 })
    })
    .await;
    let (url, other) = (receiver.url(), world.receiver.url());
    let to = |url: &str| action(&"good", &["p"], Some(url));
    let mut ids = Vec::new();
    let refusal = eventually("the host is over its bound", async || {
        match world.baton.try_submit(&to(&url)).await {
            Ok(accepted) => {
                ids.push(accepted.action_id);
                None
            }
            Err(refusal) => Some(refusal),
        }
    })
    .await;
    assert!(ids.len() > 3, "{}", ids.len());
    assert_eq!((refusal.status, refusal.problem.code.as_str()), (429, "receiver_full"));
    assert!(refusal.retry_after.is_some());
    assert_eq!(refusal.problem.errors[0].path, "response_url");
    let meta = world.baton.meta().await;
    assert!(url.contains(&meta.queues.full_receivers[0]), "{:?}", meta.queues);

    // All or none, and nobody else is refused.
    let both = [to(&other), to(&url)];
    let refusal = world.baton.try_submit_all(&both).await.unwrap_err();
    assert_eq!(refusal.problem.errors[0].path, "[1].response_url");
    assert_eq!(world.receiver.taken(), 0);
    let fine = world.baton.submit_all(&[to(&other), action(&"good", &["p"], None)]).await;
    world.receiver.wait_for(1).await;
    assert_eq!(world.receiver.of(&fine[0]).len(), 1);

    open.store(true, Ordering::SeqCst);
    receiver.wait_for(ids.len()).await;
    until("it is accepted again", async || world.baton.try_submit(&to(&url)).await.is_ok()).await;
    world.assert_sound().await;
}

/// Half of a page of text, so that memory is what fills up; on a deployment ten times as much, so that fewer do it.
fn text() -> String {
    "x".repeat(if Form::of_run() == Form::Deployed { 40_960 } else { 4_096 })
}

/// The memory of the store, in bytes.
const LIMIT: u64 = 64 << 20;

/// Asks the server that holds the keys: a script with one of them goes there.
async fn ask<T: redis::FromRedisValue>(world: &World, command: &str, argument: &str) -> T {
    let script = format!("return redis.call('{command}', ARGV[1])");
    world.redis.query(&["EVAL", &script, "1", "{p0}:none", argument]).await
}

/// The ids of the actions that are known, without a look at what is none of the manager's.
async fn ids_known(world: &World) -> Vec<String> {
    let mut keys: Vec<String> = ask(world, "KEYS", "{p0}:action:*").await;
    keys.iter_mut().for_each(|key| *key = key.split_off("{p0}:action:".len()));
    keys.sort_unstable();
    keys
}

async fn used(world: &World) -> u64 {
    let info: String = ask(world, "INFO", "memory").await;
    info.lines().find_map(|line| line.strip_prefix("used_memory:")?.trim().parse().ok()).unwrap()
}

/// Fills the store up to so many percent of its limit with what is none of the manager's.
async fn fill(world: &World, percent: u64) {
    let limit = LIMIT.to_string();
    world.redis.on_every_server(&["CONFIG", "SET", "maxmemory", &limit]).await;
    let length = LIMIT * percent / 100 - used(world).await;
    let () = world.redis.query(&["SETRANGE", "{p0}:filler", &length.to_string(), "x"]).await;
}

fn is_above_the_mark(refusal: &Refusal) -> bool {
    assert_eq!((refusal.status, refusal.problem.code.as_str()), (503, "store_full"));
    assert!(refusal.retry_after.is_some());
    refusal.problem.detail.as_deref().is_some_and(|detail| detail.contains("accepted before"))
}

#[tokio::test]
async fn above_the_memory_mark_submitting_is_refused_and_what_was_accepted_completes() {
    let world = World::start().await;
    let gate = Gate::closed();
    let _p = world.gated("p", 20, &gate).await;
    fill(&world, 74).await;
    let url = world.receiver.url();
    let submission =
        |n: usize| -> ActionIn { action(&json!([n, text()]), &["p", "p"], Some(&url)) };
    let mut ledger = Ledger::new();
    let mut ids = Vec::new();
    let refusal = loop {
        match world.baton.try_submit(&submission(ledger.len())).await {
            Ok(accepted) => {
                ledger.expect(&accepted.action_id, json!([ledger.len(), text()]));
                ids.push(accepted.action_id);
            }
            Err(refusal) => break refusal,
        }
    };
    assert!(is_above_the_mark(&refusal), "{refusal:?}");
    assert!(world.baton.meta().await.store.above_mark);
    let before = used(&world).await;
    assert!(before > LIMIT / 10 * 7 && before < LIMIT, "{before} of {LIMIT}");
    let batch = [submission(0), submission(1)];
    assert!(is_above_the_mark(&world.baton.try_submit_all(&batch).await.unwrap_err()));
    assert_eq!(ids_known(&world).await, sorted(&ids));
    let payloads: Vec<String> = ask(&world, "KEYS", "{p0}:data:*").await;
    assert_eq!(payloads.len(), ids.len());

    gate.open();
    world.receiver.wait_for(ledger.len()).await;
    ledger.assert_delivered_once(&world.receiver);
    // What has ended makes room, although it would be kept for a day.
    let next = eventually("submitting succeeds again", async || {
        world.baton.try_submit(&submission(ledger.len())).await.ok()
    })
    .await;
    ledger.expect(&next.action_id, json!([ledger.len(), text()]));
    world.receiver.wait_for(ledger.len()).await;
    ledger.assert_delivered_once(&world.receiver);
    assert!(ids_known(&world).await.len() < ledger.len());
    until("the mark is gone", async || !world.baton.meta().await.store.above_mark).await;
    assert!(used(&world).await < before);
    world.assert_sound().await;
}
