//! Registering, checking and draining processors.

use std::collections::BTreeMap;

use manager_svc::domain::action::Status;
use manager_svc::store::{Drained, Processor, ProcessorStatus, Registered, StepEnd};

use crate::world::{World, ending, registration};

cases! {
    a_registration_adds_a_processor_to_every_index
    a_renewed_registration_keeps_its_counters_and_leaves_its_old_name
    a_registration_sent_again_answers_the_same_until_another_one_came
    an_id_never_equals_the_name_of_another
    a_drain_removes_an_idle_processor
    a_drain_waits_for_what_is_pending
    a_drain_of_an_older_epoch_does_nothing
    a_drain_by_a_name_that_changed_does_nothing
    a_registration_sent_again_after_its_drain_does_not_come_back
}

const INTERVAL: u64 = 10_000;

/// Keys of registrations: sets and sorted sets with their members.
async fn registry(world: &World) -> BTreeMap<String, Vec<String>> {
    let keyspace = world.keyspace().await;
    let keys = keyspace.keys().into_iter().filter_map(|key| {
        let short = key.strip_prefix("{p0}:")?;
        let listed = ["name:", "known", "processors"].iter().any(|start| short.starts_with(start));
        let members = || keyspace.content(key).unwrap().keys().cloned().collect();
        match short.strip_prefix("processor:") {
            Some(_) => Some((short.to_owned(), Vec::new())),
            None => listed.then(|| (short.to_owned(), members())),
        }
    });
    keys.collect()
}

fn expected(lines: &[&str]) -> BTreeMap<String, Vec<String>> {
    let line = |line: &&str| {
        let mut words = line.split(' ').map(str::to_owned);
        (words.next().unwrap(), words.collect())
    };
    lines.iter().map(line).collect()
}

async fn a_registration_adds_a_processor_to_every_index(world: &World) {
    let mut new = registration("p", "work", 3);
    new.started_at = Some(7);
    new.usage = Some((1.5, 9));
    let answer = world.store.register(&new, &world.nonce(), INTERVAL).await.unwrap();
    assert_eq!(answer, Registered::Added(1));
    let lines = ["known p work", "name:work p", "processor:p", "processors p"];
    assert_eq!(registry(world).await, expected(&lines));
    let processor = world.processor("p").await;
    let now = processor.connected_on;
    let stands = Processor {
        id: "p".into(),
        name: "work".into(),
        url: "http://p".into(),
        capacity: 3,
        epoch: 1,
        status: ProcessorStatus::Active,
        connected_on: now,
        last_seen: now,
        usage: Some((1.5, 9)),
        processed: 0,
        failed: 0,
        sum_ms: 0,
        last_ms: None,
        in_flight: 0,
        first_lease: None,
        held_until: 0,
        started_at: Some(7),
    };
    assert_eq!(processor, stands);
    assert_eq!(world.direct.look().await.unwrap().checks, [(now + INTERVAL, "p".to_owned())]);
    assert_eq!(world.direct.known(&["p", "work", "q"]).await.unwrap(), [true, true, false]);
}

async fn a_renewed_registration_keeps_its_counters_and_leaves_its_old_name(world: &World) {
    world.register("p", "work", 3).await;
    let claimed = world.claimed(&world.action(&["work"])).await;
    let token = claimed.token.hash();
    world
        .store
        .finish(
            &claimed.action,
            StepEnd::succeeded(&token, &world.unchanged()),
            Status::Succeeded,
            ending(None),
        )
        .await
        .unwrap();
    let before = world.processor("p").await;
    let mut next = registration("p", "more", 5);
    next.seen = Some((before.epoch, before.name.clone()));
    let answer = world.store.register(&next, &world.nonce(), INTERVAL).await.unwrap();
    assert_eq!(answer, Registered::Renewed(2));
    let after = world.processor("p").await;
    assert_eq!((after.processed, after.last_ms), (1, before.last_ms));
    assert_eq!((after.name.as_str(), after.capacity, after.epoch), ("more", 5, 2));
    let lines = ["known more p work", "name:more p", "processor:p", "processors p"];
    assert_eq!(registry(world).await, expected(&lines));
    // Who claims by the old name gets nothing.
    let id = world.submit(&world.action(&["work"])).await;
    assert!(world.assert_unchanged(world.claim("p", "work", &[&id])).await.is_empty());
}

async fn a_registration_sent_again_answers_the_same_until_another_one_came(world: &World) {
    let (first, nonce) = (registration("p", "work", 3), world.nonce());
    let answer = world.store.register(&first, &nonce, INTERVAL).await.unwrap();
    let again = world.store.register(&first, &nonce, INTERVAL);
    assert_eq!(world.assert_unchanged(again).await.unwrap(), answer);
    let mut second = registration("p", "work", 5);
    second.seen = Some((1, "work".to_owned()));
    let answer = world.store.register(&second, &world.nonce(), INTERVAL).await.unwrap();
    assert_eq!(answer, Registered::Renewed(2));
    for late in [first, registration("p", "other", 1)] {
        let again = world.store.register(&late, &nonce, INTERVAL);
        assert_eq!(world.assert_unchanged(again).await.unwrap(), Registered::Changed);
    }
}

async fn an_id_never_equals_the_name_of_another(world: &World) {
    world.register("p", "work", 1).await;
    world.register("same", "same", 1).await;
    for (id, name, refused) in [
        ("work", "else", Registered::IdIsName),
        ("work", "work", Registered::IdIsName),
        ("q", "p", Registered::NameIsId),
        ("q", "same", Registered::NameIsId),
        ("same", "work", Registered::Changed),
    ] {
        let nonce = world.nonce();
        let new = registration(id, name, 1);
        let answer = world.store.register(&new, &nonce, INTERVAL);
        assert_eq!(world.assert_unchanged(answer).await.unwrap(), refused, "{id} {name}");
    }
    // One that was named as its id may take another name.
    let mut next = registration("same", "work", 1);
    next.seen = Some((world.processor("same").await.epoch, "same".to_owned()));
    let answer = world.store.register(&next, &world.nonce(), INTERVAL).await.unwrap();
    assert!(matches!(answer, Registered::Renewed(_)), "{answer:?}");
}

async fn a_drain_removes_an_idle_processor(world: &World) {
    world.register("p", "work", 1).await;
    world.register("q", "work", 1).await;
    let processor = world.processor("p").await;
    for _ in 0..2 {
        let answer = world.store.drain(&processor, Some(processor.epoch)).await.unwrap();
        assert_eq!(answer, Drained::Gone);
        let lines = ["known p q work", "name:work q", "processor:q", "processors q"];
        assert_eq!(registry(world).await, expected(&lines));
    }
    let unknown = world.store.drain_named("never", "never", None);
    assert_eq!(world.assert_unchanged(unknown).await.unwrap(), Drained::Unknown);
}

async fn a_drain_waits_for_what_is_pending(world: &World) {
    world.register("p", "work", 2).await;
    let claimed = world.claimed(&world.action(&["work"])).await;
    let processor = world.processor("p").await;
    let drain = || world.store.drain(&processor, None);
    assert_eq!(drain().await.unwrap(), Drained::Draining(1));
    assert_eq!(world.processor("p").await.status, ProcessorStatus::Draining);
    let id = world.submit(&world.action(&["work"])).await;
    assert!(world.assert_unchanged(world.claim("p", "work", &[&id])).await.is_empty());
    let token = claimed.token.hash();
    world
        .store
        .finish(
            &claimed.action,
            StepEnd::succeeded(&token, &world.unchanged()),
            Status::Succeeded,
            ending(None),
        )
        .await
        .unwrap();
    assert_eq!(drain().await.unwrap(), Drained::Gone);
    assert!(world.direct.processor("p").await.unwrap().is_none());
}

async fn a_drain_of_an_older_epoch_does_nothing(world: &World) {
    world.register("p", "work", 2).await;
    let old = world.processor("p").await;
    let mut next = registration("p", "work", 2);
    next.seen = Some((old.epoch, "work".to_owned()));
    world.store.register(&next, &world.nonce(), INTERVAL).await.unwrap();
    let answer = world.store.drain(&old, Some(old.epoch));
    assert_eq!(world.assert_unchanged(answer).await.unwrap(), Drained::OlderEpoch(0));
}

async fn a_drain_by_a_name_that_changed_does_nothing(world: &World) {
    world.register("p", "work", 2).await;
    let old = world.processor("p").await;
    let mut next = registration("p", "more", 2);
    next.seen = Some((old.epoch, old.name.clone()));
    world.store.register(&next, &world.nonce(), INTERVAL).await.unwrap();
    for epoch in [None, Some(9)] {
        let answer = world.store.drain(&old, epoch);
        assert_eq!(world.assert_unchanged(answer).await.unwrap(), Drained::Changed);
    }
    let now = world.processor("p").await;
    assert_eq!(world.store.drain(&now, None).await.unwrap(), Drained::Gone);
    assert_eq!(registry(world).await, expected(&["known more p work"]));
}

async fn a_registration_sent_again_after_its_drain_does_not_come_back(world: &World) {
    let (first, one) = (registration("p", "work", 2), world.nonce());
    let added = world.store.register(&first, &one, INTERVAL).await.unwrap();
    let drain = async || world.store.drain_named("p", "work", None).await.unwrap();
    assert_eq!(drain().await, Drained::Gone);
    let late = world.store.register(&first, &one, INTERVAL);
    assert_eq!(world.assert_unchanged(late).await.unwrap(), added);

    // Who saw that it left comes back, and then again as another registration.
    let seen = world.direct.seen("p").await.unwrap();
    assert_eq!((seen.processor, seen.epoch, seen.name.as_str()), (None, 1, ""));
    let (mut second, two) = (first.clone(), world.nonce());
    second.seen = Some((1, String::new()));
    let answer = world.store.register(&second, &two, INTERVAL).await.unwrap();
    assert_eq!(answer, Registered::Added(2));
    let (mut third, three) = (first.clone(), world.nonce());
    third.seen = Some((2, "work".to_owned()));
    let renewed = world.store.register(&third, &three, INTERVAL).await.unwrap();
    assert_eq!(renewed, Registered::Renewed(3));
    assert_eq!(drain().await, Drained::Gone);
    for (late, nonce, answer) in [
        (&first, &one, Registered::Changed),
        (&second, &two, Registered::Changed),
        (&third, &three, renewed),
    ] {
        let again = world.store.register(late, nonce, INTERVAL);
        assert_eq!(world.assert_unchanged(again).await.unwrap(), answer);
    }
    assert!(world.direct.processor("p").await.unwrap().is_none());
}
