//! Actions that wait: they say why, and end at their expiry with a delivered failure.

use baton_wire::action::{ActionIn, DeliveryStatus, Status};
use kit::{Gate, Processor, Reply, action, eventually};
use serde_json::json;

use crate::world::World;

/// Long enough to look at an action while it waits, and short enough to wait for its end.
const EXPIRES_MS: u64 = 4_000;

/// An action for this target that expires.
fn expiring(world: &World, target: &str) -> ActionIn {
    let mut submitted = action(&json!("in"), &[target], Some(&world.receiver.url()));
    submitted.expires_in_ms = Some(EXPIRES_MS);
    submitted.jobs[0].max_attempts = Some(100);
    submitted
}

/// Waits until the action says that it waits for this, which `is` looks for.
async fn waits(world: &World, id: &str, is: impl Fn(&str) -> bool) -> String {
    let mut last = String::new();
    eventually("the action says why it waits", async || {
        let action = world.baton.get(id).await;
        assert!(!action.status.is_outcome(), "it ended, and had said only: {last}");
        last = action.waiting?;
        is(&last).then(|| last.clone())
    })
    .await
}

/// Asserts that it ends at its expiry, as a failure that is delivered and says why it waited.
async fn assert_expires(world: &World, id: &str, why: &str) {
    let ended = world.baton.ended(id).await;
    assert_eq!((ended.status, ended.delivery.status), (Status::Failed, DeliveryStatus::Delivered));
    assert!(ended.ended_at.unwrap() >= ended.expires_at, "{ended:?}");
    let [delivery] = world.receiver.of(id).try_into().unwrap();
    assert_eq!((delivery.body.kind.as_str(), delivery.result()), ("action.failed", json!("in")));
    let error = delivery.body.data.error.unwrap();
    assert_eq!((error.code.as_str(), error.step), ("expired", Some(0)));
    assert!(error.message.contains(why), "{} does not say: {why}", error.message);
}

async fn idle(world: &World, id: &str) -> Processor {
    world.processor(world.spec(id), |_| async { Reply::status(204) }).await
}

#[tokio::test]
async fn without_a_processor_an_action_says_so_and_expires() {
    let world = World::start().await;
    let gone = Processor::start(world.spec("gone"), |_| async { Reply::status(204) }).await;
    let registered = gone.register(&world.baton).await;
    world.baton.drain("gone", registered.epoch).await.unwrap();
    eventually("it is gone", async || world.baton.meta().await.processors.is_empty().then_some(()))
        .await;
    let id = world.baton.submit(&expiring(&world, "gone")).await;
    let why = "no processor with the id or name `gone` is registered";
    waits(&world, &id, |waits| waits == why).await;
    assert_expires(&world, &id, why).await;
    let error = world.baton.get(&id).await.error.unwrap();
    assert_eq!((error.processor, error.attempts, error.last_error), (None, Some(0), None));
    assert_eq!(gone.arrivals().len(), 0);
    world.assert_sound().await;
}

#[tokio::test]
async fn an_action_behind_a_full_a_paused_or_a_busy_processor_says_so_and_expires() {
    let world = World::start().await;
    let gate = Gate::closed();
    let full = world.gated("full", 1, &gate).await;
    let _paused = idle(&world, "paused").await;
    let spec = world.spec("busy");
    let busy = world.processor(spec, |_| async { Reply::status(429).with("retry-after", "300") });
    let _busy = busy.await;
    world.baton.submit(&action(&json!("in"), &["full"], None)).await;
    full.wait_for(1).await;
    world.baton.switch("paused", "pause").await.unwrap();
    let mut waiting = Vec::new();
    for (target, why) in [
        ("full", "every processor of `full` is at its capacity"),
        ("paused", "every processor of `paused` is paused"),
        ("busy", "every processor of `busy` is busy; it is asked again at "),
    ] {
        let id = world.baton.submit(&expiring(&world, target)).await;
        waiting.push((waits(&world, &id, |waits| waits.starts_with(why)).await, id));
    }
    for (why, id) in &waiting {
        assert_expires(&world, id, why).await;
    }
    // What was busy has cost nothing.
    let error = world.baton.get(&waiting[2].1).await.error.unwrap();
    assert_eq!((error.processor, error.attempts), (None, Some(0)));
    assert_eq!(full.arrivals().len(), 1);
    gate.open();
    world.assert_sound().await;
}

#[tokio::test]
async fn an_action_behind_an_unhealthy_processor_says_so_and_expires() {
    let world = World::with(&[("BATON_HEALTH_INTERVAL_MS", "100")]).await;
    // Somebody answers, or the manager would think that it is itself to blame.
    let _healthy = idle(&world, "healthy").await;
    let mut dead = idle(&world, "dead").await;
    dead.server().stop().await;
    let mut submitted = expiring(&world, "dead");
    // Attempts cannot be made either until the checks have failed.
    submitted.delay_ms = Some(2_000);
    let id = world.baton.submit(&submitted).await;
    let why = "every processor of `dead` is unhealthy";
    waits(&world, &id, |waits| waits == why).await;
    assert_expires(&world, &id, why).await;
    world.assert_sound().await;
}

#[tokio::test]
async fn an_action_that_backs_off_says_until_when_and_expires_with_what_its_last_attempt_met() {
    let world = World::start().await;
    let spec = world.spec("failing");
    let failing = world.processor(spec, |_| async { Reply::status(500) }).await;
    let id = world.baton.submit(&expiring(&world, "failing")).await;
    let why = waits(&world, &id, |waits| waits.starts_with("backing off until ")).await;
    let until: u64 = why.strip_prefix("backing off until ").unwrap().parse().unwrap();
    assert!(until > world.baton.get(&id).await.created_at);
    assert_expires(&world, &id, "").await;
    let ended = world.baton.get(&id).await;
    let error = ended.error.unwrap();
    let made = u32::try_from(failing.arrivals().len()).unwrap();
    assert_eq!((error.processor.as_deref(), error.attempts), (Some("failing"), Some(made)));
    assert_eq!(error.last_error.unwrap().code, "processor_status_500");
    // Each backoff is longer than half of its whole: 1 s, 2 s, …
    let attempts = &ended.steps[0].attempts;
    for (number, pair) in attempts.windows(2).enumerate() {
        let waited = pair[1].started_at - pair[0].ended_at.unwrap();
        assert!(waited >= 500 << number, "{number}: {waited}");
    }
    world.assert_sound().await;
}

#[tokio::test]
async fn a_delayed_action_says_until_when_and_its_time_counts_from_there() {
    const DELAY_MS: u64 = 1_500;
    let world = World::start().await;
    let _adder = world.adder("a").await;
    let mut submitted = action(&json!([]), &["a"], Some(&world.receiver.url()));
    submitted.delay_ms = Some(DELAY_MS);
    submitted.expires_in_ms = Some(60_000);
    let id = world.baton.submit(&submitted).await;
    let delayed = world.baton.get(&id).await;
    let ready = delayed.created_at + DELAY_MS;
    assert_eq!(delayed.waiting, Some(format!("delayed until {ready}")));
    assert_eq!(delayed.expires_at, ready + 60_000);
    let ended = world.baton.ended(&id).await;
    assert_eq!(ended.status, Status::Succeeded);
    assert!(ended.steps[0].attempts[0].started_at >= ready);
    world.assert_sound().await;
}
