//! How an action comes in.

use manager_svc::domain::action::Status;
use manager_svc::store::{Assignment, IdempotencyKey, StepEnd, Submitted};

use crate::world::{PLENTY, World, ending};

cases! {
    a_submitted_action_waits_in_its_queue
    a_submitted_action_is_handed_over_to_a_processor_with_room
    hand_over_picks_the_least_loaded_candidate_and_asks_which_serve_the_target
    what_waits_is_not_overtaken_by_hand_over
    an_array_is_accepted_in_its_order
    a_delayed_action_waits_for_its_time_and_then_gets_its_place
    the_same_idempotency_key_answers_the_first_actions
    a_key_tells_what_it_stands_for_when_the_records_are_gone
}

fn key(body: &str) -> IdempotencyKey {
    IdempotencyKey { key: "key".to_owned(), body: body.to_owned() }
}

async fn a_submitted_action_waits_in_its_queue(world: &World) {
    world.submit(&world.action_to_host(&["work", "more"])).await;
    world
        .assert_states(&[
            "a v1 queued step 0 tries 0 delivery none",
            "data a \"in\"",
            "input:work a@1",
            "live a",
            "seq 1",
            "targets work",
        ])
        .await;
}

async fn a_submitted_action_is_handed_over_to_a_processor_with_room(world: &World) {
    world.register("p", "work", 1).await;
    let wish = world.hand_over(&[("p", "work")]);
    let new = [world.action(&["work"])];
    let answer = world.store.submit(&new, None, PLENTY, Some(&wish)).await.unwrap();
    let Submitted::Accepted { claim, now } = answer else { panic!("{answer:?}") };
    assert_eq!(claim, Some(Assignment { processor: "p".into(), url: "http://p".into() }));
    let record = world.record(&new[0].action.id).await;
    assert_eq!((record.created_at, record.expires_at), (now, now + crate::world::EXPIRES));
    assert_eq!(record.attempt.unwrap().token, wish.token);
    let states = [
        "a v1 running step 0 tries 1 at p delivery none",
        "data a \"in\"",
        "live a",
        "pending:p a+60000",
        "seq 1",
    ];
    world.assert_states(&states).await;
    // Sent again, it answers the same claim; the next action finds no room.
    let again =
        world.assert_unchanged(world.store.submit(&new, None, PLENTY, Some(&wish))).await.unwrap();
    assert_eq!(again, Submitted::Accepted { now, claim });
    let (wish, new) = (world.hand_over(&[("p", "work")]), [world.action(&["work"])]);
    let answer = world.store.submit(&new, None, PLENTY, Some(&wish)).await.unwrap();
    assert!(matches!(answer, Submitted::Accepted { claim: None, .. }));
    let more = [
        "b v1 queued step 0 tries 0 delivery none",
        "data b \"in\"",
        "input:work b@2",
        "targets work",
    ];
    let mut states = states
        .map(|line| match line {
            "live a" => "live a b",
            "seq 1" => "seq 2",
            other => other,
        })
        .to_vec();
    states.extend(more);
    world.assert_states(&states).await;
}

async fn hand_over_picks_the_least_loaded_candidate_and_asks_which_serve_the_target(world: &World) {
    for (id, name) in [("other", "else"), ("p", "work"), ("q", "work")] {
        world.register(id, name, 3).await;
    }
    let candidates = [("other", "else"), ("p", "work"), ("q", "work"), ("gone", "work")];
    for expected in ["p", "q", "p", "q"] {
        let wish = world.hand_over(&candidates);
        let new = [world.action(&["work"])];
        let answer = world.store.submit(&new, None, PLENTY, Some(&wish)).await.unwrap();
        let Submitted::Accepted { claim: Some(claim), .. } = answer else { panic!("{answer:?}") };
        assert_eq!(claim.processor, expected);
    }
    assert_eq!(world.processor("p").await.in_flight, 2);
    assert_eq!(world.processor("other").await.in_flight, 0);
}

async fn what_waits_is_not_overtaken_by_hand_over(world: &World) {
    // Whether it waits for the processor's id or for its name.
    for (waiting, wanted) in [("p", "work"), ("work", "p"), ("work", "work")] {
        let first = world.submit(&world.action(&[waiting])).await;
        if world.direct.processor("p").await.unwrap().is_none() {
            world.register("p", "work", 9).await;
        }
        let wish = world.hand_over(&[("p", "work")]);
        let new = [world.action(&[wanted])];
        let answer = world.store.submit(&new, None, PLENTY, Some(&wish)).await.unwrap();
        assert!(matches!(answer, Submitted::Accepted { claim: None, .. }));
        assert_eq!(world.claim("p", "work", &[&first, &new[0].action.id]).await.len(), 2);
    }
}

async fn an_array_is_accepted_in_its_order(world: &World) {
    let new = [world.action(&["work"]), world.action(&["more"]), world.action(&["work"])];
    let answer = world.store.submit(&new, Some(&key("body")), PLENTY, None).await.unwrap();
    assert!(matches!(answer, Submitted::Accepted { claim: None, .. }));
    world
        .assert_states(&[
            "a v1 queued step 0 tries 0 delivery none",
            "b v1 queued step 0 tries 0 delivery none",
            "c v1 queued step 0 tries 0 delivery none",
            "data a \"in\"",
            "data b \"in\"",
            "data c \"in\"",
            "idempotency key open 3",
            "input:more b@2",
            "input:work a@1 c@3",
            "live a b c",
            "seq 3",
            "targets more work",
        ])
        .await;
}

async fn a_delayed_action_waits_for_its_time_and_then_gets_its_place(world: &World) {
    let mut late = world.action(&["work"]);
    late.delay_ms = 1;
    let id = world.submit(&late).await;
    world.submit(&world.action(&["work"])).await;
    let record = world.record(&id).await;
    assert_eq!(record.ready_at, record.created_at + 1);
    assert_eq!(record.expires_at, record.ready_at + crate::world::EXPIRES);
    world
        .assert_states(&[
            "a v1 queued step 0 tries 0 delivery none",
            "b v1 queued step 0 tries 0 delivery none",
            "data a \"in\"",
            "data b \"in\"",
            "delayed a",
            "input:work b@1",
            "live a b",
            "seq 1",
            "targets work",
        ])
        .await;
    world.pass(record.ready_at).await;
    world.store.promote(&[(id.clone(), "work".to_owned())]).await.unwrap();
    world
        .assert_states(&[
            "a v2 queued step 0 tries 0 delivery none",
            "b v1 queued step 0 tries 0 delivery none",
            "data a \"in\"",
            "data b \"in\"",
            "input:work b@1 a@2",
            "live a b",
            "seq 2",
            "targets work",
        ])
        .await;
}

async fn the_same_idempotency_key_answers_the_first_actions(world: &World) {
    let first = [world.action(&["work"]), world.action(&["work"])];
    world.store.submit(&first, Some(&key("body")), PLENTY, None).await.unwrap();
    let ids: Vec<_> = first.iter().map(|new| new.action.id.clone()).collect();
    for (body, expected) in
        [("body", Submitted::Known(ids.clone())), ("other body", Submitted::OtherBody)]
    {
        let again = [world.action(&["work"]), world.action(&["work"])];
        let key = key(body);
        let answer = world.store.submit(&again, Some(&key), PLENTY, None);
        assert_eq!(world.assert_unchanged(answer).await.unwrap(), expected);
    }
}

async fn a_key_tells_what_it_stands_for_when_the_records_are_gone(world: &World) {
    let first = key("body");
    assert_eq!(world.assert_unchanged(world.store.repeated(&first)).await.unwrap(), None);
    world.register("p", "work", 9).await;
    let new = [world.action(&["work"]), world.action(&["work"])];
    world.store.submit(&new, Some(&first), PLENTY, None).await.unwrap();
    let ids: Vec<_> = new.iter().map(|new| new.action.id.clone()).collect();
    let statuses = || world.store.statuses(&ids);
    let queued = Some(Status::Queued);
    assert_eq!(world.assert_unchanged(statuses()).await.unwrap(), [queued, queued]);
    let claimed = world.claim("p", "work", &[&ids[0]]).await.pop().unwrap();
    let (token, output) = (claimed.token.hash(), world.unchanged());
    world
        .store
        .finish(
            &claimed.action,
            StepEnd::succeeded(&token, &output),
            Status::Succeeded,
            ending(None),
        )
        .await
        .unwrap();
    assert_eq!(statuses().await.unwrap(), [Some(Status::Succeeded), queued]);
    // As its time to live does, while the other one keeps the key.
    let record = format!("{{p0}}:action:{}", ids[0]);
    let data = format!("{{p0}}:data:{}:{}", ids[0], new[0].action.data.as_str());
    let () = world.redis.query(&["UNLINK", &record, &data]).await;
    let () = world.redis.query(&["ZREM", "{p0}:done", ids[0].as_str()]).await;
    assert_eq!(statuses().await.unwrap(), [None, queued]);
    let known = Some(Submitted::Known(ids.clone()));
    assert_eq!(world.assert_unchanged(world.store.repeated(&first)).await.unwrap(), known);
    let other = world.store.repeated(&key("other body")).await.unwrap();
    assert_eq!(other, Some(Submitted::OtherBody));
}
