//! Lists of actions, and what goes through long ones.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use baton_wire::action::{ActionIn, DeliveryStatus, Status};
use baton_wire::operate::{ActionEntry, ActionsOut, RedriveOut};
use kit::{Gate, Reply, action, until};
use serde_json::json;

use crate::world::World;

impl World {
    async fn list(&self, query: &str) -> ActionsOut {
        self.baton.fetch(&format!("/actions?{query}")).await.read().unwrap()
    }

    /// All pages, one after the other.
    async fn all(&self, query: &str) -> Vec<ActionEntry> {
        let first = self.list(query).await;
        self.and_the_rest(query, first).await
    }

    /// This page, and all that follow.
    async fn and_the_rest(&self, query: &str, mut page: ActionsOut) -> Vec<ActionEntry> {
        let mut entries = page.actions;
        while let Some(cursor) = page.cursor {
            page = self.list(&format!("{query}&cursor={cursor}")).await;
            entries.append(&mut page.actions);
        }
        entries
    }
}

fn ids(entries: &[ActionEntry]) -> BTreeSet<String> {
    let ids: BTreeSet<_> = entries.iter().map(|entry| entry.action_id.clone()).collect();
    assert_eq!(ids.len(), entries.len(), "an action is listed twice");
    ids
}

fn set(ids: &[String]) -> BTreeSet<String> {
    ids.iter().cloned().collect()
}

fn labelled(jobs: &[&str], name: &str, value: &str) -> ActionIn {
    let labels = BTreeMap::from([(name.to_owned(), value.to_owned())]);
    ActionIn { labels, ..action(&json!([]), jobs, None) }
}

#[tokio::test]
async fn actions_are_listed_by_status_target_and_label() {
    let world = World::start().await;
    let gate = Gate::closed();
    let (_a, slow) = (world.adder("a").await, world.gated("slow", 1, &gate).await);
    let broken = world.processor(world.spec("broken"), |_| async { Reply::status(400) });
    let _broken = broken.await;
    let good = world.baton.submit(&labelled(&["a", "a"], "kind", "x:1")).await;
    let bad = world.baton.submit(&labelled(&["a", "broken", "a"], "kind", "y")).await;
    let mut skipping = action(&json!([]), &["broken", "a"], Some(&world.receiver.url()));
    skipping.jobs[0].on_failure = Some(baton_wire::action::OnFailure::Skip);
    let partial = world.baton.submit(&skipping).await;
    for id in [&good, &bad, &partial] {
        world.baton.ended(id).await;
    }
    let running = world.baton.submit(&action(&json!([]), &["slow"], None)).await;
    slow.wait_for(1).await;
    let queued = world.baton.submit(&labelled(&["slow", "a"], "kind", "y")).await;
    let cancelled = world.baton.submit(&action(&json!([]), &["slow"], None)).await;
    world.cancel(&cancelled).await.unwrap();

    let all = [&good, &bad, &partial, &running, &queued, &cancelled];
    for (query, expected) in [
        ("", &all[..]),
        ("status=queued", &[&queued]),
        ("status=running", &[&running]),
        ("status=succeeded", &[&good]),
        ("status=partial", &[&partial]),
        ("status=failed", &[&bad]),
        ("status=cancelled", &[&cancelled]),
        ("target=slow", &[&running, &queued, &cancelled]),
        ("target=broken", &[&bad, &partial]),
        ("target=broken&status=failed", &[&bad]),
        ("target=nobody", &[]),
        ("label=kind:y", &[&bad, &queued]),
        ("label=kind:x:1", &[&good]),
        ("label=kind:x", &[]),
        ("label=kind:y&status=queued&target=a", &[&queued]),
    ] {
        let expected: BTreeSet<String> = expected.iter().map(|id| (*id).clone()).collect();
        for limit in [1, 100] {
            let query = format!("limit={limit}&{query}");
            assert_eq!(ids(&world.all(&query).await), expected, "{query}");
        }
    }

    let [entry] = world.list("status=failed").await.actions.try_into().unwrap();
    assert_eq!((entry.status, entry.run, entry.step, entry.steps), (Status::Failed, 1, 1, 3));
    assert_eq!(entry.targets, ["a", "broken", "a"]);
    assert_eq!(entry.labels["kind"], "y");
    let (seen, error) = (world.baton.get(&bad).await, entry.error.unwrap());
    assert_eq!((entry.created_at, entry.ended_at), (seen.created_at, seen.ended_at));
    assert_eq!(Some(&error), seen.error.as_ref());
    assert_eq!((error.code.as_str(), error.step), ("processor_status_400", Some(1)));
    assert_eq!(entry.delivery.status, DeliveryStatus::None);
    let [entry] = world.list("status=queued").await.actions.try_into().unwrap();
    assert_eq!((entry.ended_at, entry.error), (None, None));
}

#[tokio::test]
async fn what_a_list_cannot_be_asked_for_is_refused() {
    let world = World::start().await;
    for (query, field) in [
        ("limit=0", "query limit"),
        ("limit=101", "query limit"),
        ("limit=many", "query"),
        ("status=ended", "query status"),
        ("status=", "query status"),
        ("label=kind", "query label"),
        ("cursor=x", "query cursor"),
        ("color=red", "query"),
    ] {
        let refusal = world.baton.fetch(&format!("/actions?{query}")).await.refusal();
        assert_eq!((refusal.status, refusal.problem.code.as_str()), (422, "invalid_request"));
        assert_eq!(refusal.problem.errors[0].path, field, "{query}");
    }
    // The second part of the whole list is no part of another.
    let _a = world.adder("a").await;
    for _ in 0..2 {
        world.baton.ended(&world.baton.submit(&action(&json!([]), &["a"], None)).await).await;
    }
    let cursor = world.list("limit=1").await.cursor.unwrap();
    let refusal =
        world.baton.fetch(&format!("/actions?status=failed&cursor={cursor}")).await.refusal();
    assert_eq!(refusal.problem.errors[0].path, "query cursor");
}

#[tokio::test]
async fn pages_go_on_where_the_last_one_ended_whatever_comes_and_goes() {
    let world = World::start().await;
    let gate = Gate::closed();
    let (_a, slow) = (world.adder("a").await, world.gated("slow", 1, &gate).await);
    let mut ended = Vec::new();
    // More than a script's hundred share a deadline, and many a millisecond of their outcome.
    for _ in 0..3 {
        let batch: Vec<_> = (0..100).map(|n| action(&json!([n]), &["a"], None)).collect();
        ended.extend(world.baton.submit_all(&batch).await);
    }
    for id in &ended {
        world.baton.ended(id).await;
    }
    let batch: Vec<_> = (0..100).map(|n| action(&json!([n]), &["slow"], None)).collect();
    let live = world.baton.submit_all(&batch).await;
    slow.wait_for(1).await;

    let all = world.all("limit=30").await;
    assert_eq!(ids(&all), set(&[live.clone(), ended.clone()].concat()));
    let times: Vec<_> = all.iter().filter_map(|entry| entry.ended_at).collect();
    assert!(times.is_sorted_by(|newer, older| newer >= older), "{times:?}");
    assert!(all[..100].iter().all(|entry| entry.ended_at.is_none()), "the live ones come first");

    let query = "status=succeeded&limit=100";
    let first = world.list(query).await;
    assert_eq!(first.actions.len(), 100);
    let later = world.baton.submit(&action(&json!([]), &["a"], None)).await;
    world.baton.ended(&later).await;
    assert_eq!(ids(&world.and_the_rest(query, first).await), set(&ended));
    gate.open();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redrive_of_very_many_goes_on_by_cursor() {
    const ACTIONS: usize = 1_100;
    let world = World::start().await;
    let mended = Arc::new(AtomicBool::new(false));
    let switch = Arc::clone(&mended);
    let work = world.processor(world.spec("broken").capacity(100), move |call| {
        let good = switch.load(Ordering::SeqCst);
        async move { if good { Reply::json(&call.data()) } else { Reply::status(400) } }
    });
    let _broken = work.await;
    for _ in 0..ACTIONS / 100 {
        let batch: Vec<_> = (0..100).map(|n| action(&json!(n), &["broken"], None)).collect();
        world.baton.submit_all(&batch).await;
    }
    let failed = async || world.redis.query::<usize>(&["ZCARD", "{p0}:failed"]).await;
    until("all have failed", async || failed().await == ACTIONS).await;
    let list = world.list("status=failed&target=nobody&limit=1").await;
    assert!(list.actions.is_empty() && list.cursor.is_some(), "not all are looked at");
    assert_eq!(world.all("status=failed&target=nobody&limit=1").await.len(), 0);

    let redrive = async |body| -> RedriveOut {
        world.baton.post("/failed/redrive", &body).await.read().unwrap()
    };
    mended.store(true, Ordering::SeqCst);
    for dry_run in [true, false] {
        let first = redrive(json!({"filter": {}, "dry_run": dry_run})).await;
        assert_eq!(first.matched, 1_000);
        let cursor = first.cursor.clone().unwrap();
        let rest = redrive(json!({"filter": {}, "dry_run": dry_run, "cursor": cursor})).await;
        assert_eq!((rest.matched, &rest.cursor), (100, &None));
        let redriven = if dry_run { 0 } else { ACTIONS as u64 };
        assert_eq!(first.redriven + rest.redriven, redriven);
    }
    until("all have succeeded", async || {
        world.redis.query::<usize>(&["ZCARD", "{p0}:done"]).await == ACTIONS
    })
    .await;
    world.assert_sound().await;
}
