//! What is not accepted or not claimed leaves every key as it was.

use manager_svc::store::{HandOver, NewAction, Submitted};

use crate::world::{PLENTY, World};

cases! {
    a_full_queue_refuses_all_or_none
    a_processor_at_its_capacity_gets_nothing
    a_processor_that_takes_no_work_gets_nothing
    a_processor_that_nobody_knows_gets_nothing
    an_action_without_a_record_is_not_claimed
    what_is_not_due_or_waits_for_another_target_is_not_promoted
}

async fn a_full_queue_refuses_all_or_none(world: &World) {
    let three = || [world.action(&["a"]), world.action(&["b"]), world.action(&["c"])];
    let (new, first) = (three(), three());
    for most_live in [0, 2] {
        let answer = world.store.submit(&new, None, most_live, None);
        assert_eq!(world.assert_unchanged(answer).await.unwrap(), Submitted::Full);
    }
    assert!(matches!(
        world.store.submit(&first, None, 3, None).await.unwrap(),
        Submitted::Accepted { .. }
    ));
    let answer = world.store.submit(&new[..1], None, 3, None);
    assert_eq!(world.assert_unchanged(answer).await.unwrap(), Submitted::Full);
    // What was accepted before is answered also now.
    let again = world.store.submit(&first, None, 3, None);
    let answer = world.assert_unchanged(again).await.unwrap();
    assert!(matches!(answer, Submitted::Accepted { claim: None, .. }));
}

async fn a_processor_at_its_capacity_gets_nothing(world: &World) {
    world.register("p", "work", 1).await;
    world.claimed(&world.action(&["work"])).await;
    let id = world.submit(&world.action(&["work"])).await;
    assert!(world.assert_unchanged(world.claim("p", "work", &[&id])).await.is_empty());
}

/// Submits with the wish, which nobody fulfils.
async fn submit_in_vain(world: &World, new: NewAction, wish: &HandOver) {
    let answer = world.store.submit(&[new], None, PLENTY, Some(wish)).await.unwrap();
    assert!(matches!(answer, Submitted::Accepted { claim: None, .. }), "{answer:?}");
}

async fn a_processor_that_takes_no_work_gets_nothing(world: &World) {
    world.register("p", "work", 9).await;
    let id = world.submit(&world.action(&["work"])).await;
    let record = "{p0}:processor:p";
    let held_until = (world.direct.clock().await.unwrap() + 500_000).to_string();
    for (field, value, back) in [
        ("status", "paused", "active"),
        ("status", "unhealthy", "active"),
        ("status", "draining", "active"),
        ("held_until", held_until.as_str(), "0"),
        ("name", "other", "work"),
        ("capacity", "0", "9"),
    ] {
        let () = world.redis.query(&["HSET", record, field, value]).await;
        assert!(
            world.assert_unchanged(world.claim("p", "work", &[&id])).await.is_empty(),
            "{field} {value}"
        );
        // Nor is anything handed over to it.
        let wish = world.hand_over(&[("p", "work")]);
        submit_in_vain(world, world.action(&["work"]), &wish).await;
        let () = world.redis.query(&["HSET", record, field, back]).await;
    }
    // The name that the claim was made for is not the processor's.
    assert!(world.assert_unchanged(world.claim("p", "other", &[&id])).await.is_empty());
    assert_eq!(world.claim("p", "work", &[&id]).await.len(), 1);
}

async fn a_processor_that_nobody_knows_gets_nothing(world: &World) {
    let id = world.submit(&world.action(&["work"])).await;
    assert!(world.assert_unchanged(world.claim("p", "work", &[&id])).await.is_empty());
    let wish = world.hand_over(&[("p", "more")]);
    submit_in_vain(world, world.action(&["more"]), &wish).await;
}

async fn an_action_without_a_record_is_not_claimed(world: &World) {
    world.register("p", "work", 9).await;
    let unknown = world.action(&["work"]).action.id;
    assert!(world.assert_unchanged(world.claim("p", "work", &[&unknown])).await.is_empty());
}

async fn what_is_not_due_or_waits_for_another_target_is_not_promoted(world: &World) {
    let mut late = world.action(&["work"]);
    late.delay_ms = 500_000;
    let late = world.submit(&late).await;
    let waits = world.submit(&world.action(&["work"])).await;
    let unknown = world.action(&["work"]).action.id;
    let due = [late, waits, unknown].map(|id| (id, "work".to_owned()));
    world.assert_unchanged(world.store.promote(&due)).await.unwrap();
    let mut soon = world.action(&["work"]);
    soon.delay_ms = 1;
    let soon = world.submit(&soon).await;
    world.pass(world.record(&soon).await.ready_at).await;
    let moved = [(soon, "more".to_owned())];
    world.assert_unchanged(world.store.promote(&moved)).await.unwrap();
}
