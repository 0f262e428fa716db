//! Health: processors that fall silent, hang, or cannot be reached from one manager.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use baton_wire::manager::ProcessorStatus;
use baton_wire::processor::{ProcessorMeta, RegisterIn};
use kit::{Baton, BatonSpec, Gate, Reply, Request, Server, action, until};
use serde_json::json;

use crate::forms::left_out;
use crate::world::World;

/// Checks that come soon.
pub(crate) const SOON: (&str, &str) = ("BATON_HEALTH_INTERVAL_MS", "100");
const SICK: &str = "no processor can be reached from here";
const WELL: &str = "this manager claims work again";

pub(crate) async fn status(baton: &Baton, id: &str) -> Option<ProcessorStatus> {
    let processors = baton.meta().await.processors;
    processors.into_iter().find(|processor| processor.id == id).map(|processor| processor.status)
}

pub(crate) async fn until_status(baton: &Baton, id: &str, wanted: ProcessorStatus) {
    until(&format!("{id} is {wanted:?}"), async || status(baton, id).await == Some(wanted)).await;
}

async fn until_logged(baton: &Baton, line: &str) {
    until(&format!("the manager says: {line}"), async || baton.log().contains(line)).await;
}

/// Waits until so many more checks of a processor were claimed.
pub(crate) async fn until_checked(world: &World, id: &str, times: usize) {
    let key = format!("{{p0}}:processor:{id}");
    let mut seen = BTreeSet::new();
    until(&format!("{id} is checked {times} times"), async || {
        seen.insert(world.redis.query::<Option<String>>(&["HGET", &key, "checked_by"]).await);
        seen.len() > times
    })
    .await;
}

pub(crate) async fn pending(world: &World, id: &str) -> usize {
    world.redis.query(&["ZCARD", &format!("{{p0}}:pending:{id}")]).await
}

#[tokio::test]
async fn three_misses_stop_new_work_and_one_success_starts_it_again() {
    let world = World::with(&[SOON]).await;
    let mut p = world.adder("p").await;
    p.server().stop().await;
    until_status(&world.baton, "p", ProcessorStatus::Unhealthy).await;
    let id = world.baton.submit(&action(&json!([]), &["p"], Some(&world.receiver.url()))).await;
    until_checked(&world, "p", 3).await;
    assert_eq!((pending(&world, "p").await, p.arrivals().len()), (0, 0));
    p.server().restart().await;
    world.receiver.wait_for(1).await;
    let ended = world.baton.ended(&id).await;
    assert_eq!(ended.steps[0].attempts.len(), 1);
    until_status(&world.baton, "p", ProcessorStatus::Active).await;
    assert!(!world.baton.log().contains(SICK), "one processor alone is no fleet");
    world.assert_sound().await;
}

/// Processors that answer when they register, and then hang: as many as wanted, under one address.
struct Hanging {
    server: Server,
    gate: Gate,
    now: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
    asked: Arc<Mutex<BTreeSet<String>>>,
}

impl Hanging {
    async fn start(baton: &Baton, count: usize) -> Self {
        let (gate, now) = (Gate::closed(), Arc::<AtomicUsize>::default());
        let most = Arc::<AtomicUsize>::default();
        let asked = Arc::<Mutex<BTreeSet<String>>>::default();
        gate.open();
        let server = Server::start({
            let (gate, now) = (gate.clone(), Arc::clone(&now));
            let (most, asked) = (Arc::clone(&most), Arc::clone(&asked));
            move |request: Request| {
                let (gate, asked) = (gate.clone(), Arc::clone(&asked));
                let under_way = Asked::begin(&now, &most);
                async move {
                    let id = request.uri.path().trim_start_matches('/').replace("/meta", "");
                    if id.contains('/') {
                        return Reply::status(204);
                    }
                    asked.lock().unwrap().insert(id.clone());
                    gate.pass().await;
                    drop(under_way);
                    let name = format!("{id}-kind");
                    Reply::json(&ProcessorMeta { id, name, usage: None, started_at: None })
                }
            }
        });
        let server = server.await;
        for number in 0..count {
            let (id, url) = (format!("h{number}"), format!("{}/h{number}", server.url()));
            let name = format!("{id}-kind");
            baton.register(&RegisterIn { id, name, url, capacity: None }).await.unwrap();
        }
        Self { server, gate, now, most, asked }
    }

    /// From now on they hang.
    fn hang(&self) {
        self.gate.close();
        self.most.store(0, SeqCst);
        self.asked.lock().unwrap().clear();
    }
}

#[tokio::test]
async fn a_processor_that_hangs_is_asked_once_at_a_time_and_keeps_nobody_waiting() {
    let world = World::with(&[SOON]).await;
    let q = world.adder("q").await;
    let slow = Hanging::start(&world.baton, 1).await;
    slow.hang();
    until("it is asked", async || slow.now.load(SeqCst) == 1).await;
    // Many beats pass, also some after the first call was given up.
    q.wait_for_checks(70).await;
    assert_eq!(slow.most.load(SeqCst), 1);
    assert_eq!(status(&world.baton, "q").await, Some(ProcessorStatus::Active));
    slow.gate.open();
    drop(slow.server);
}

#[tokio::test]
async fn more_processors_than_are_asked_at_a_time_are_asked_in_turn() {
    const PROCESSORS: usize = 70;
    const AT_A_TIME: usize = 64;
    if left_out() {
        return;
    }
    let world = World::with(&[SOON]).await;
    let q = world.adder("q").await;
    let slow = Hanging::start(&world.baton, PROCESSORS).await;
    slow.hang();
    until("as many as can be hang", async || slow.now.load(SeqCst) == AT_A_TIME).await;
    until("every one has been asked", async || slow.asked.lock().unwrap().len() == PROCESSORS)
        .await;
    // One that answers has its turn among those that do not.
    q.wait_for_checks(2).await;
    assert!(slow.most.load(SeqCst) <= AT_A_TIME);
    assert_eq!(status(&world.baton, "q").await, Some(ProcessorStatus::Active));
    assert!(!world.baton.log().contains(SICK));
}

/// A request under way, counted until it is answered or given up.
struct Asked(Arc<AtomicUsize>);

impl Asked {
    fn begin(now: &Arc<AtomicUsize>, most: &AtomicUsize) -> Self {
        most.fetch_max(1 + now.fetch_add(1, SeqCst), SeqCst);
        Self(Arc::clone(now))
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

#[tokio::test]
async fn a_call_that_does_not_get_through_brings_the_next_check_forward() {
    // No check is due for an hour.
    let world = World::start().await;
    let q = world.adder("q").await;
    let mut p = world.adder("p").await;
    p.server().stop().await;
    let id = world.baton.submit(&action(&json!([]), &["p"], None)).await;
    // Each failed attempt is followed by a check, and the other shows that the manager is not the one to blame.
    q.wait_for_checks(1).await;
    until_status(&world.baton, "p", ProcessorStatus::Unhealthy).await;
    let counted = world.baton.get(&id).await.steps[0].attempts.len();
    assert!(counted >= 3, "{counted}");
    assert_eq!(status(&world.baton, "q").await, Some(ProcessorStatus::Active));
}

#[tokio::test]
async fn a_manager_that_reaches_no_processor_marks_none_and_claims_nothing() {
    // This one makes no checks, so that it leaves none open while it stands still.
    let world = World::start().await;
    let (_a, _b) = (world.adder("a").await, world.adder("b").await);
    world.baton.pause();
    for id in ["a", "b"] {
        let () = world.redis.query(&["ZADD", "{p0}:processors", "1", id]).await;
    }
    let cut_off = BatonSpec::on(&world.redis.url())
        .env(SOON.0, SOON.1)
        .env("BATON_PROCESSOR_CIDRS", "192.0.2.0/24")
        .start()
        .await;
    until_logged(&cut_off, SICK).await;
    let url = world.receiver.url();
    let id = cut_off.submit(&action(&json!([]), &["a", "b"], Some(&url))).await;
    for processor in ["a", "b"] {
        until_checked(&world, processor, 8).await;
        assert_eq!(status(&cut_off, processor).await, Some(ProcessorStatus::Active));
        assert_eq!(pending(&world, processor).await, 0);
        let key = format!("{{p0}}:processor:{processor}");
        assert_eq!(world.redis.query::<String>(&["HGET", &key, "misses"]).await, "0");
    }
    assert_eq!(cut_off.log().matches(SICK).count(), 1);
    assert!(!cut_off.log().contains(WELL));
    // The other goes on with what this one accepted.
    world.baton.resume();
    world.receiver.wait_for(1).await;
    let ended = world.baton.ended(&id).await;
    assert!(ended.steps.iter().all(|step| step.attempts.len() == 1), "{ended:?}");
    assert!(world.receiver.refused().is_empty());
}

#[tokio::test]
async fn a_fleet_that_falls_silent_is_served_again_when_one_answers() {
    let world = World::with(&[SOON]).await;
    let (mut a, mut b) = (world.adder("a").await, world.adder("b").await);
    let url = world.receiver.url();
    // Both at once, as seen from the manager.
    world.baton.pause();
    a.server().stop().await;
    b.server().stop().await;
    world.baton.resume();
    until_logged(&world.baton, SICK).await;
    world.baton.submit(&action(&json!([]), &["b"], Some(&url))).await;
    let (of_a, of_b) = (until_checked(&world, "a", 4), until_checked(&world, "b", 4));
    let ((), ()) = tokio::join!(of_a, of_b);
    assert_eq!(pending(&world, "b").await, 0);
    for id in ["a", "b"] {
        assert_eq!(status(&world.baton, id).await, Some(ProcessorStatus::Active), "{id}");
    }
    b.server().restart().await;
    world.receiver.wait_for(1).await;
    until_logged(&world.baton, WELL).await;
    // Now it is known whose fault it is.
    until_status(&world.baton, "a", ProcessorStatus::Unhealthy).await;
    assert_eq!(status(&world.baton, "b").await, Some(ProcessorStatus::Active));
    world.assert_sound().await;
}

#[tokio::test]
async fn a_processor_that_is_silent_for_a_day_is_forgotten_and_its_name_remembered() {
    let world = World::with(&[SOON]).await;
    let mut p = world.adder("p").await;
    let _q = world.adder("q").await;
    p.server().stop().await;
    until_status(&world.baton, "p", ProcessorStatus::Unhealthy).await;
    let () = world.redis.query(&["HSET", "{p0}:processor:p", "last_seen", "1000"]).await;
    until("it is gone", async || status(&world.baton, "p").await.is_none()).await;
    let id = world.baton.submit(&action(&json!([]), &["p"], Some(&world.receiver.url()))).await;
    p.server().restart().await;
    p.register(&world.baton).await;
    world.receiver.wait_for(1).await;
    assert_eq!(world.baton.ended(&id).await.steps[0].attempts.len(), 1);
    world.assert_sound().await;
}
