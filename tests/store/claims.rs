//! Claiming what waits.

use manager_svc::domain::Failure;
use manager_svc::domain::action::Status;
use manager_svc::store::{StepEnd, Why};

use crate::world::{LEASE, World, ending};

cases! {
    a_claim_takes_actions_in_order_as_far_as_there_is_room
    a_processor_takes_from_both_of_its_queues
    a_processor_named_as_its_id_has_one_queue
    a_claim_that_empties_a_queue_takes_its_target_off_the_list
    a_claim_answers_what_the_dispatch_needs
    a_claim_sent_again_answers_the_same_claims
    a_claim_that_arrives_late_claims_nothing_new
    only_the_first_of_a_queue_is_claimed
}

async fn a_claim_takes_actions_in_order_as_far_as_there_is_room(world: &World) {
    world.register("p", "work", 2).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(world.submit(&world.action(&["work"])).await);
    }
    let claims = world.claim("p", "work", &ids.iter().collect::<Vec<_>>()).await;
    assert_eq!(claims.iter().map(|claim| &claim.action.id).collect::<Vec<_>>(), [&ids[0], &ids[1]]);
    world
        .assert_states(&[
            "a v2 running step 0 tries 1 at p delivery none",
            "b v2 running step 0 tries 1 at p delivery none",
            "c v1 queued step 0 tries 0 delivery none",
            "data a \"in\"",
            "data b \"in\"",
            "data c \"in\"",
            "input:work c@3",
            "live a b c",
            "pending:p a+60000 b+60000",
            "seq 3",
            "targets work",
        ])
        .await;
}

async fn a_processor_takes_from_both_of_its_queues(world: &World) {
    world.register("p", "work", 9).await;
    let own = world.submit(&world.action(&["p"])).await;
    let shared = world.submit(&world.action(&["work"])).await;
    let other = world.submit(&world.action(&["other"])).await;
    // What waits for somebody else is not taken, whoever asks for it.
    let claims = world.claim("p", "work", &[&shared, &own, &other]).await;
    assert_eq!(claims.len(), 2);
    world
        .assert_states(&[
            "a v2 running step 0 tries 1 at p delivery none",
            "b v2 running step 0 tries 1 at p delivery none",
            "c v1 queued step 0 tries 0 delivery none",
            "data a \"in\"",
            "data b \"in\"",
            "data c \"in\"",
            "input:other c@3",
            "live a b c",
            "pending:p a+60000 b+60000",
            "seq 3",
            "targets other",
        ])
        .await;
}

async fn a_processor_named_as_its_id_has_one_queue(world: &World) {
    world.register("work", "work", 1).await;
    let ids = [
        world.submit(&world.action(&["work"])).await,
        world.submit(&world.action(&["work"])).await,
    ];
    assert_eq!(world.claim("work", "work", &[&ids[0], &ids[1]]).await.len(), 1);
    world
        .assert_states(&[
            "a v2 running step 0 tries 1 at work delivery none",
            "b v1 queued step 0 tries 0 delivery none",
            "data a \"in\"",
            "data b \"in\"",
            "input:work b@2",
            "live a b",
            "pending:work a+60000",
            "seq 2",
            "targets work",
        ])
        .await;
    let claimed = world.record(&ids[0]).await;
    let token = claimed.attempt.as_ref().unwrap().token.clone();
    let end = ending(None);
    world
        .store
        .finish(&claimed, StepEnd::succeeded(&token, &world.unchanged()), Status::Succeeded, end)
        .await
        .unwrap();
    assert_eq!(world.claim("work", "work", &[&ids[1]]).await.len(), 1);
    assert_eq!(world.direct.look().await.unwrap().targets, Vec::<String>::new());
}

async fn a_claim_that_empties_a_queue_takes_its_target_off_the_list(world: &World) {
    world.register("p", "work", 9).await;
    world.claimed(&world.action(&["work"])).await;
    world
        .assert_states(&[
            "a v2 running step 0 tries 1 at p delivery none",
            "data a \"in\"",
            "live a",
            "pending:p a+60000",
            "seq 1",
        ])
        .await;
}

async fn a_claim_answers_what_the_dispatch_needs(world: &World) {
    world.register("p", "work", 9).await;
    let mut new = world.action_to_host(&["work"]);
    new.action.labels.insert("customer".to_owned(), "7".to_owned());
    new.action.traceparent = Some("00-1-2-01".to_owned());
    let claimed = world.claimed(&new).await;
    assert_eq!((&*claimed.data, claimed.assignment.url.as_str()), (&b"\"in\""[..], "http://p"));
    let action = &claimed.action;
    assert_eq!(action.attempt.as_ref().unwrap().token, claimed.token.hash());
    assert_eq!((action.tries, action.job().timeout_ms), (1, LEASE));
    assert_eq!(action.labels, new.action.labels);
    assert_eq!(action.traceparent, new.action.traceparent);
    assert_eq!(action.receiver, new.action.receiver);
}

async fn a_claim_sent_again_answers_the_same_claims(world: &World) {
    world.register("p", "work", 1).await;
    let id = world.submit(&world.action(&["work"])).await;
    let ask = world.ask("p", "work", &[&id]).await;
    let asks = std::slice::from_ref(&ask);
    let first = world.store.claim_attempts(asks).await.unwrap();
    let again = world.assert_unchanged(world.store.claim_attempts(asks)).await.unwrap();
    assert_eq!(format!("{first:?}"), format!("{again:?}"));
    // Once it is settled the claim is over, also for who asks again.
    let token = ask.actions[0].2.hash();
    let end = ending(None);
    world
        .store
        .finish(
            &first.whole[0].action,
            StepEnd::succeeded(&token, &world.unchanged()),
            Status::Succeeded,
            end,
        )
        .await
        .unwrap();
    let over = world.assert_unchanged(world.store.claim_attempts(asks)).await.unwrap();
    assert!(over.whole.is_empty());
}

async fn a_claim_that_arrives_late_claims_nothing_new(world: &World) {
    world.register("p", "work", 9).await;
    let id = world.submit(&world.action(&["work", "work"])).await;
    let mut late = [world.ask("p", "work", &[&id]).await];
    // Meanwhile it was claimed by somebody else, failed, and returned to its place.
    let claimed = world.claim("p", "work", &[&id]).await.pop().unwrap();
    let (token, nonce, failure) = (claimed.token.hash(), world.nonce(), Failure::new("e", "no"));
    world.pass(late[0].seen_at).await;
    world.store.retry(&claimed.action, Why::Token(&token), &nonce, 0, &failure).await.unwrap();
    world.pass(world.record(&id).await.ready_at).await;
    world.store.promote(&[(id.clone(), "work".to_owned())]).await.unwrap();
    let claims = world.assert_unchanged(world.store.claim_attempts(&late)).await.unwrap();
    assert!(claims.whole.is_empty());
    // Or it went on to its next step, all within the millisecond of the look.
    let claimed = world.claim("p", "work", &[&id]).await.pop().unwrap();
    let token = claimed.token.hash();
    world
        .store
        .advance(&claimed.action, StepEnd::succeeded(&token, &world.unchanged()), None)
        .await
        .unwrap();
    late[0].seen_at = world.direct.clock().await.unwrap();
    let claims = world.assert_unchanged(world.store.claim_attempts(&late)).await.unwrap();
    assert!(claims.whole.is_empty());
}

async fn only_the_first_of_a_queue_is_claimed(world: &World) {
    world.register("p", "work", 9).await;
    let first = world.submit(&world.action(&["work"])).await;
    let second = world.submit(&world.action(&["work"])).await;
    assert!(world.claim("p", "work", &[&second]).await.is_empty(), "the first was overtaken");
    let claims = world.claim("p", "work", &[&first, &second]).await;
    assert_eq!(claims.iter().map(|claim| &claim.action.id).collect::<Vec<_>>(), [&first, &second]);
}
