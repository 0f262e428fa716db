//! Pausing and resuming processors.

use manager_svc::store::{
    Checked, Drained, Found, ProcessorStatus, Registered, StepEnd, Submitted, Switch, Switched,
};

use crate::world::{PLENTY, World, registration};

cases! {
    a_paused_processor_gets_no_work_until_it_is_resumed
    a_pause_sent_again_answers_the_same_and_does_nothing_after_a_resume
    a_pause_holds_over_checks_and_registrations
    a_pause_ends_with_the_processor
    a_draining_processor_is_neither_paused_nor_resumed
    an_unhealthy_processor_is_paused_and_resumed
}

const INTERVAL: u64 = 10_000;

async fn version(world: &World) -> u64 {
    world.direct.seen("p").await.unwrap().switched
}

/// Pauses or resumes `p` as it looks now.
async fn switch(world: &World, wanted: Switch) -> Switched {
    let (seen, nonce) = (version(world).await, world.nonce());
    world.store.switch("p", seen, &nonce, wanted).await.unwrap()
}

async fn register_again(world: &World) {
    let seen = world.direct.seen("p").await.unwrap();
    let mut next = registration("p", "work", 9);
    next.seen = Some((seen.epoch, seen.name));
    let answer = world.store.register(&next, &world.nonce(), INTERVAL).await.unwrap();
    assert!(matches!(answer, Registered::Renewed(_)), "{answer:?}");
}

async fn a_paused_processor_gets_no_work_until_it_is_resumed(world: &World) {
    world.register("p", "work", 9).await;
    let running = world.claimed(&world.action(&["work", "work"])).await;
    let paused = switch(world, Switch::Pause).await;
    assert_eq!(paused, Switched::Now(ProcessorStatus::Paused, 1));
    assert_eq!(world.processor("p").await.status, ProcessorStatus::Paused);
    // Neither what comes in, nor the next step of what it has, nor what waits.
    let (wish, new) = (world.hand_over(&[("p", "work")]), [world.action(&["work"])]);
    let answer = world.store.submit(&new, None, PLENTY, Some(&wish)).await.unwrap();
    assert!(matches!(answer, Submitted::Accepted { claim: None, .. }), "{answer:?}");
    let id = &new[0].action.id;
    assert!(world.assert_unchanged(world.claim("p", "work", &[id])).await.is_empty());
    let (token, output) = (running.token.hash(), world.unchanged());
    world
        .store
        .advance(&running.action, StepEnd::succeeded(&token, &output), Some(&wish))
        .await
        .unwrap();
    assert_eq!(world.processor("p").await.in_flight, 0);
    let resumed = switch(world, Switch::Resume).await;
    assert_eq!(resumed, Switched::Now(ProcessorStatus::Active, 0));
    assert_eq!(world.claim("p", "work", &[id, &running.action.id]).await.len(), 2);
}

async fn a_pause_sent_again_answers_the_same_and_does_nothing_after_a_resume(world: &World) {
    world.register("p", "work", 9).await;
    let (seen, nonce) = (version(world).await, world.nonce());
    let pause = || world.store.switch("p", seen, &nonce, Switch::Pause);
    let paused = Switched::Now(ProcessorStatus::Paused, 0);
    assert_eq!(pause().await.unwrap(), paused);
    assert_eq!(world.assert_unchanged(pause()).await.unwrap(), paused);
    // Who pauses what is paused changes nothing, and is told so.
    assert_eq!(world.assert_unchanged(switch(world, Switch::Pause)).await, paused);
    let active = Switched::Now(ProcessorStatus::Active, 0);
    assert_eq!(switch(world, Switch::Resume).await, active);
    assert_eq!(world.assert_unchanged(switch(world, Switch::Resume)).await, active);
    assert_eq!(world.assert_unchanged(pause()).await.unwrap(), Switched::Changed);
}

async fn a_pause_holds_over_checks_and_registrations(world: &World) {
    world.register("p", "work", 9).await;
    switch(world, Switch::Pause).await;
    let found = Found::Answer(Checked { started_at: None, usage: None });
    for checked in [Found::Miss, Found::Miss, Found::Miss, Found::Miss, found] {
        let processor = world.processor("p").await;
        world.store.record_check(&processor, &world.nonce(), checked, 3, INTERVAL).await.unwrap();
        assert_eq!(world.processor("p").await.status, ProcessorStatus::Paused);
    }
    let paused_at = version(world).await;
    register_again(world).await;
    assert_eq!(world.processor("p").await.status, ProcessorStatus::Paused);
    // So an operator who saw it before may resume it.
    let resumed = world.store.switch("p", paused_at, &world.nonce(), Switch::Resume).await;
    assert_eq!(resumed.unwrap(), Switched::Now(ProcessorStatus::Active, 0));
}

async fn a_pause_ends_with_the_processor(world: &World) {
    world.register("p", "work", 9).await;
    let (seen, nonce) = (version(world).await, world.nonce());
    let pause = || world.store.switch("p", seen, &nonce, Switch::Pause);
    pause().await.unwrap();
    let paused = world.processor("p").await;
    assert_eq!(world.store.drain(&paused, None).await.unwrap(), Drained::Gone);
    assert_eq!(world.assert_unchanged(pause()).await.unwrap(), Switched::Unknown);
    let mut next = registration("p", "work", 9);
    next.seen = Some((paused.epoch, String::new()));
    let answer = world.store.register(&next, &world.nonce(), INTERVAL).await.unwrap();
    assert!(matches!(answer, Registered::Added(_)), "{answer:?}");
    assert_eq!(world.processor("p").await.status, ProcessorStatus::Active);
    // A copy from the life before, which saw it unpaused as well.
    assert_eq!(world.assert_unchanged(pause()).await.unwrap(), Switched::Changed);
}

async fn a_draining_processor_is_neither_paused_nor_resumed(world: &World) {
    world.register("p", "work", 9).await;
    world.claimed(&world.action(&["work"])).await;
    switch(world, Switch::Pause).await;
    let processor = world.processor("p").await;
    assert_eq!(world.store.drain(&processor, None).await.unwrap(), Drained::Draining(1));
    for wanted in [Switch::Pause, Switch::Resume] {
        let answer = world.assert_unchanged(switch(world, wanted)).await;
        assert_eq!(answer, Switched::Leaving);
    }
    // It comes back: what was paused had left.
    register_again(world).await;
    assert_eq!(world.processor("p").await.status, ProcessorStatus::Active);
    let nonce = world.nonce();
    let unknown = world.store.switch("never", 0, &nonce, Switch::Pause);
    assert_eq!(world.assert_unchanged(unknown).await.unwrap(), Switched::Unknown);
}

async fn an_unhealthy_processor_is_paused_and_resumed(world: &World) {
    world.register("p", "work", 9).await;
    let processor = world.processor("p").await;
    let miss = async || {
        world
            .store
            .record_check(&processor, &world.nonce(), Found::Miss, 1, INTERVAL)
            .await
            .unwrap();
        world.processor("p").await.status
    };
    assert_eq!(miss().await, ProcessorStatus::Unhealthy);
    let unhealthy = Switched::Now(ProcessorStatus::Unhealthy, 0);
    assert_eq!(world.assert_unchanged(switch(world, Switch::Resume)).await, unhealthy);
    let paused = Switched::Now(ProcessorStatus::Paused, 0);
    assert_eq!(switch(world, Switch::Pause).await, paused);
    let active = Switched::Now(ProcessorStatus::Active, 0);
    assert_eq!(switch(world, Switch::Resume).await, active);
    assert_eq!(miss().await, ProcessorStatus::Unhealthy);
}
