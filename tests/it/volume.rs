//! Many actions at once, looked at while they run.

use std::hash::{BuildHasher as _, RandomState};

use kit::{Form, Ledger, Processor, action};
use serde_json::json;

use crate::world::{World, add};

const LEASE_MS: u64 = 10_000;
const LOOKS: usize = 10;

/// How many webhooks have come when the store is looked at: random, and printed if the test fails.
#[allow(clippy::print_stdout, reason = "the harness shows it when the test fails")]
fn moments(actions: usize) -> Vec<usize> {
    let random = RandomState::new();
    let spread = actions as u64 - 1;
    let mut moments: Vec<usize> =
        (0..LOOKS).map(|n| usize::try_from(random.hash_one(n) % spread).unwrap()).collect();
    moments.sort_unstable();
    println!("looks at {moments:?}");
    moments
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_actions_come_back_correct_and_once_and_the_store_is_sound_all_the_while() {
    let actions = Form::of_run().share(10_000);
    let world = World::start().await;
    let (a, b) = (world.adder("a").await, world.late_adder("b").await);
    let mut pair = Vec::new();
    for id in ["c1", "c2"] {
        let spec = world.spec(id).name("c").capacity(7);
        let processor = Processor::asynchronous(spec, |data| add(&data, "c")).await;
        processor.register(&world.baton).await;
        pair.push(processor);
    }
    let url = world.receiver.url();
    let mut ledger = Ledger::new();
    for first in (0..actions).step_by(100) {
        let mut batch: Vec<_> = (first..first + 100)
            .map(|n| action(&json!([n]), &["a", "b-kind", "c"], Some(&url)))
            .collect();
        // What a paused manager had just claimed, and forgot when Redis seemed away, comes back then.
        batch.iter_mut().flat_map(|a| &mut a.jobs).for_each(|job| job.timeout_ms = Some(LEASE_MS));
        for (offset, id) in world.baton.submit_all(&batch).await.iter().enumerate() {
            ledger.expect(id, json!([first + offset, "a", "b", "c"]));
        }
    }
    for moment in moments(actions) {
        world.receiver.wait_for(moment).await;
        world.assert_sound().await;
    }
    world.receiver.wait_for(actions).await;
    ledger.assert_delivered_once(&world.receiver);
    assert!(world.receiver.refused().is_empty());
    for processor in [&a, &b, &pair[0], &pair[1]] {
        assert!(processor.refused().is_empty());
        let bound = processor.registration().capacity.unwrap_or(10) as usize;
        assert!(processor.most_busy() <= bound, "{} of {bound}", processor.most_busy());
    }
    assert_eq!(pair[0].arrivals().len() + pair[1].arrivals().len(), actions);
    world.assert_sound().await;
}
