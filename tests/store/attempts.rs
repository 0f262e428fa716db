//! Settling attempts: the next step, the outcome, another attempt.

use manager_svc::domain::Failure;
use manager_svc::domain::action::Status;
use manager_svc::store::{Advanced, Assignment, Finished, Settled, StepEnd, Why};

use crate::world::{World, ending, with_lease};

cases! {
    a_step_with_output_makes_the_next_one_ready
    a_step_without_output_leaves_the_data_as_it_was
    a_step_is_handed_over_to_the_next_processor
    a_processor_that_becomes_free_by_its_own_step_takes_the_next
    the_last_step_ends_an_action_without_receiver
    the_last_step_begins_the_delivery
    the_last_step_claims_the_delivery
    a_failed_attempt_is_delayed_and_returns_to_its_place
    a_failed_attempt_that_returns_to_an_empty_queue_lists_its_target
    a_lapsed_attempt_is_delayed_and_its_token_settles_nothing
    a_heartbeat_moves_the_end_of_the_lease
}

async fn a_step_with_output_makes_the_next_one_ready(world: &World) {
    world.register("p", "work", 9).await;
    let claimed = world.claimed(&world.action(&["work", "more"])).await;
    let token = claimed.token.hash();
    let output = world.output("1");
    let answer = world
        .store
        .advance(&claimed.action, StepEnd::succeeded(&token, &output), None)
        .await
        .unwrap();
    assert!(matches!(answer, Settled::Accepted(Advanced { claim: None, .. })));
    world
        .assert_states(&[
            "a v3 running step 1 tries 0 delivery none",
            "counts p processed 1 failed 0",
            "data a 1",
            "input:more a@2",
            "live a",
            "seq 2",
            "targets more",
        ])
        .await;
}

async fn a_step_without_output_leaves_the_data_as_it_was(world: &World) {
    world.register("p", "work", 9).await;
    let claimed = world.claimed(&world.action(&["work", "work"])).await;
    let output = world.unchanged();
    world
        .store
        .advance(&claimed.action, StepEnd::succeeded(&claimed.token.hash(), &output), None)
        .await
        .unwrap();
    world
        .assert_states(&[
            "a v3 running step 1 tries 0 delivery none",
            "counts p processed 1 failed 0",
            "data a \"in\"",
            "input:work a@2",
            "live a",
            "seq 2",
            "targets work",
        ])
        .await;
}

async fn a_step_is_handed_over_to_the_next_processor(world: &World) {
    world.register("p", "work", 9).await;
    world.register("q", "more", 9).await;
    let claimed = world.claimed(&world.action(&["work", "more"])).await;
    let wish = world.hand_over(&[("q", "more")]);
    let output = world.output("1");
    let token = claimed.token.hash();
    let settle =
        || world.store.advance(&claimed.action, StepEnd::succeeded(&token, &output), Some(&wish));
    let answer = settle().await.unwrap();
    let Settled::Accepted(Advanced { claim, now }) = &answer else { panic!("{answer:?}") };
    assert_eq!(*claim, Some(Assignment { processor: "q".into(), url: "http://q".into() }));
    let record = world.record(&claimed.action.id).await;
    let running = record.attempt.as_ref().unwrap();
    assert_eq!((&running.token, running.claimed_at), (&wish.token, *now));
    assert_eq!(record.attempts[0].ended_at, *now);
    world
        .assert_states(&[
            "a v3 running step 1 tries 1 at q delivery none",
            "counts p processed 1 failed 0",
            "data a 1",
            "live a",
            "pending:q a+60000",
            "seq 2",
        ])
        .await;
    assert_eq!(world.assert_unchanged(settle()).await.unwrap(), answer);
}

async fn a_processor_that_becomes_free_by_its_own_step_takes_the_next(world: &World) {
    world.register("p", "work", 1).await;
    let claimed = world.claimed(&world.action(&["work", "work"])).await;
    let wish = world.hand_over(&[("p", "work")]);
    let token = claimed.token.hash();
    world
        .store
        .advance(&claimed.action, StepEnd::succeeded(&token, &world.output("1")), Some(&wish))
        .await
        .unwrap();
    world
        .assert_states(&[
            "a v3 running step 1 tries 1 at p delivery none",
            "counts p processed 1 failed 0",
            "data a 1",
            "live a",
            "pending:p a+60000",
            "seq 2",
        ])
        .await;
}

async fn the_last_step_ends_an_action_without_receiver(world: &World) {
    world.register("p", "work", 9).await;
    let claimed = world.claimed(&world.action(&["work"])).await;
    let (token, output) = (claimed.token.hash(), world.output("1"));
    let answer = world
        .store
        .finish(
            &claimed.action,
            StepEnd::succeeded(&token, &output),
            Status::Succeeded,
            ending(None),
        )
        .await
        .unwrap();
    assert!(matches!(answer, Settled::Accepted(Finished { claimed: false, .. })));
    world
        .assert_states(&[
            "a ttl v3 succeeded step 0 tries 1 delivery none",
            "counts p processed 1 failed 0",
            "data a 1 ttl",
            "done a",
            "seq 1",
        ])
        .await;
}

async fn the_last_step_begins_the_delivery(world: &World) {
    world.register("p", "work", 9).await;
    let claimed = world.claimed(&world.action_to_host(&["work"])).await;
    let (token, output) = (claimed.token.hash(), world.output("1"));
    let answer = world
        .store
        .finish(
            &claimed.action,
            StepEnd::succeeded(&token, &output),
            Status::Succeeded,
            ending(None),
        )
        .await
        .unwrap();
    let Settled::Accepted(Finished { now, claimed: false }) = answer else { panic!("{answer:?}") };
    assert_eq!(world.record(&claimed.action.id).await.delivery.due_at, Some(now));
    world
        .assert_states(&[
            "a v3 succeeded step 0 tries 1 delivery pending sends 0",
            "counts p processed 1 failed 0",
            "data a 1",
            "done a",
            "output:h:80 a",
            "receivers h:80",
            "seq 1",
        ])
        .await;
}

async fn the_last_step_claims_the_delivery(world: &World) {
    world.register("p", "work", 9).await;
    let claimed = world.claimed(&world.action_to_host(&["work"])).await;
    let (token, output, send) = (claimed.token.hash(), world.output("1"), world.token().hash());
    let settle = || {
        world.store.finish(
            &claimed.action,
            StepEnd::succeeded(&token, &output),
            Status::Succeeded,
            ending(Some(&send)),
        )
    };
    let answer = settle().await.unwrap();
    let Settled::Accepted(Finished { now, claimed: true }) = answer else { panic!("{answer:?}") };
    let record = world.record(&claimed.action.id).await;
    assert_eq!((record.ended_at, record.delivery.due_at), (Some(now), Some(now + 30_000)));
    world
        .assert_states(&[
            "a v3 succeeded step 0 tries 1 delivery pending sends 1 held",
            "counts p processed 1 failed 0",
            "data a 1",
            "done a",
            "output:h:80 a",
            "receivers h:80",
            "seq 1",
        ])
        .await;
    assert_eq!(world.assert_unchanged(settle()).await.unwrap(), answer);
}

async fn a_failed_attempt_is_delayed_and_returns_to_its_place(world: &World) {
    world.register("p", "work", 1).await;
    let claimed = world.claimed(&world.action(&["work"])).await;
    world.submit(&world.action(&["work"])).await;
    let (token, nonce, failure) = (claimed.token.hash(), world.nonce(), Failure::new("e", "no"));
    let why = Why::Token(&token);
    let answer = world.store.retry(&claimed.action, why, &nonce, 1, &failure).await.unwrap();
    let Settled::Accepted(now) = answer else { panic!("{answer:?}") };
    world
        .assert_states(&[
            "a v3 running step 0 tries 1 delivery none",
            "b v1 queued step 0 tries 0 delivery none",
            "counts p processed 0 failed 1",
            "data a \"in\"",
            "data b \"in\"",
            "delayed a",
            "input:work b@2",
            "live a b",
            "seq 2",
            "targets work",
        ])
        .await;
    let record = world.record(&claimed.action.id).await;
    assert_eq!((record.ready_at, record.error), (now + 1, Some(failure.clone())));
    assert_eq!(record.attempts[0].failure, Some(failure));
    world.pass(now + 1).await;
    let due = [(record.id.clone(), "work".to_owned())];
    world.store.promote(&due).await.unwrap();
    world
        .assert_states(&[
            "a v4 running step 0 tries 1 delivery none",
            "b v1 queued step 0 tries 0 delivery none",
            "counts p processed 0 failed 1",
            "data a \"in\"",
            "data b \"in\"",
            "input:work a@1 b@2",
            "live a b",
            "seq 2",
            "targets work",
        ])
        .await;
    assert_eq!(world.claim("p", "work", &[&record.id]).await[0].action.tries, 2);
}

async fn a_failed_attempt_that_returns_to_an_empty_queue_lists_its_target(world: &World) {
    world.register("p", "work", 1).await;
    let claimed = world.claimed(&world.action(&["work"])).await;
    let (token, nonce, failure) = (claimed.token.hash(), world.nonce(), Failure::new("e", "no"));
    let why = Why::Token(&token);
    world.store.retry(&claimed.action, why, &nonce, 0, &failure).await.unwrap();
    world.pass(world.record(&claimed.action.id).await.ready_at).await;
    world.store.promote(&[(claimed.action.id.clone(), "work".to_owned())]).await.unwrap();
    world
        .assert_states(&[
            "a v4 running step 0 tries 1 delivery none",
            "counts p processed 0 failed 1",
            "data a \"in\"",
            "input:work a@1",
            "live a",
            "seq 1",
            "targets work",
        ])
        .await;
}

async fn a_lapsed_attempt_is_delayed_and_its_token_settles_nothing(world: &World) {
    world.register("p", "work", 1).await;
    let claimed = world.claimed(&with_lease(world.action(&["work"]), 1)).await;
    let ends = world.processor("p").await.first_lease.unwrap().0;
    world.pass(ends).await;
    let now = world.direct.clock().await.unwrap();
    assert_eq!(world.store.lapsed(&["p"], now).await.unwrap(), [(ends, claimed.action.id.clone())]);
    let (token, nonce, failure) = (claimed.token.hash(), world.nonce(), Failure::new("e", "no"));
    let lapse = || world.store.retry(&claimed.action, Why::Lease(&token), &nonce, 5_000, &failure);
    let answer = lapse().await.unwrap();
    assert!(matches!(answer, Settled::Accepted(_)));
    assert_eq!(world.assert_unchanged(lapse()).await.unwrap(), answer);
    world
        .assert_states(&[
            "a v3 running step 0 tries 1 delivery none",
            "counts p processed 0 failed 1",
            "data a \"in\"",
            "delayed a",
            "live a",
            "seq 1",
        ])
        .await;
    let (late, end) = (world.output("9"), ending(None));
    let answer = world.assert_unchanged(world.store.finish(
        &claimed.action,
        StepEnd::succeeded(&token, &late),
        Status::Succeeded,
        end,
    ));
    assert_eq!(answer.await.unwrap(), Settled::Stale);
}

async fn a_heartbeat_moves_the_end_of_the_lease(world: &World) {
    world.register("p", "work", 9).await;
    let claimed = world.claimed(&world.action(&["work"])).await;
    let before = world.processor("p").await.first_lease.unwrap().0;
    world.pass(before - crate::world::LEASE).await;
    let answer =
        world.store.renew(&claimed.action, &claimed.token.hash(), &world.nonce()).await.unwrap();
    let Settled::Accepted(ends) = answer else { panic!("{answer:?}") };
    assert!(ends > before);
    let id = claimed.action.id.as_str().to_owned();
    // Sent twice it counts from the second time.
    let lease = world.processor("p").await.first_lease.unwrap();
    assert!(lease.0 >= ends && lease.1 == id, "{lease:?} {ends}");
}
