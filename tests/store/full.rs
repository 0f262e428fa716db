//! A Redis without memory: nothing new comes in, what is there moves on, and no payload is lost.

use manager_svc::domain::Failure;
use manager_svc::domain::action::Status;
use manager_svc::store::{
    DeliveryEnd, Ended, Error, IdempotencyKey, Settled, StepEnd, Submitted, Why,
};

use crate::world::{PLENTY, World, ending};

cases! {
    a_submission_whose_payload_was_not_written_is_refused
    a_completion_whose_payload_was_not_written_is_refused_and_succeeds_later
    what_is_there_moves_and_ends_without_memory
    a_late_payload_that_was_not_written_leaves_the_accepted_output
    what_has_ended_is_forgotten_and_marks_are_written_without_memory
}

async fn memory(world: &World, limit: &str) {
    world.redis.on_every_server(&["CONFIG", "SET", "maxmemory", limit]).await;
}

/// Below what it uses, with the policy that evicts nothing.
async fn fill(world: &World) {
    memory(world, "1").await;
    let refused = world.redis.try_query::<()>(&["SET", "{p0}:none", "1"]).await;
    assert_eq!(refused.unwrap_err().code(), Some("OOM"));
}

async fn a_submission_whose_payload_was_not_written_is_refused(world: &World) {
    let key = IdempotencyKey { key: "key".to_owned(), body: "body".to_owned() };
    let new = [world.action(&["work"]), world.action(&["work"])];
    fill(world).await;
    for key in [None, Some(&key)] {
        let answer = world.store.submit(&new, key, PLENTY, None);
        let answer = world.assert_unchanged(answer).await.unwrap();
        assert_eq!(answer, Submitted::PayloadMissing);
    }
    memory(world, "0").await;
    let answer = world.store.submit(&new, Some(&key), PLENTY, None).await.unwrap();
    assert!(matches!(answer, Submitted::Accepted { .. }));
}

async fn a_completion_whose_payload_was_not_written_is_refused_and_succeeds_later(world: &World) {
    world.register("p", "work", 9).await;
    let first = world.claimed(&world.action(&["work", "more"])).await;
    let last = world.claimed(&world.action(&["work"])).await;
    let (first_token, last_token) = (first.token.hash(), last.token.hash());
    let (first_output, last_output) = (world.output("1"), world.output("2"));
    let advance = || {
        world.store.advance(&first.action, StepEnd::succeeded(&first_token, &first_output), None)
    };
    let finish = || {
        world.store.finish(
            &last.action,
            StepEnd::succeeded(&last_token, &last_output),
            Status::Succeeded,
            ending(None),
        )
    };
    fill(world).await;
    for _ in 0..2 {
        let answer = world.assert_unchanged(advance()).await.unwrap();
        assert_eq!(answer, Settled::PayloadMissing);
        let answer = world.assert_unchanged(finish()).await.unwrap();
        assert_eq!(answer, Settled::PayloadMissing);
    }
    memory(world, "0").await;
    assert!(matches!(advance().await.unwrap(), Settled::Accepted(_)));
    assert!(matches!(finish().await.unwrap(), Settled::Accepted(_)));
    world
        .assert_states(&[
            "a v3 running step 1 tries 0 delivery none",
            "b ttl v3 succeeded step 0 tries 1 delivery none",
            "counts p processed 2 failed 0",
            "data a 1",
            "data b 2 ttl",
            "done b",
            "input:more a@3",
            "live a",
            "seq 3",
            "targets more",
        ])
        .await;
}

async fn what_is_there_moves_and_ends_without_memory(world: &World) {
    world.register("p", "work", 9).await;
    let mut short = world.action(&["else"]);
    short.action.expires_in_ms = 1;
    let short = world.submit(&short).await;
    let failing = world.claimed(&world.action_to_host(&["work"])).await;
    let id = world.submit(&world.action_to_host(&["work", "work"])).await;
    let expired = world.record(&short).await;
    world.pass(expired.expires_at).await;
    fill(world).await;
    let failure = Failure::new("e", "no");
    let end = ending(None);
    let answer = world.store.end(&expired, Why::Deadline, &world.nonce(), &failure, end).await;
    assert!(matches!(answer.unwrap(), Settled::Accepted(_)));
    let token = failing.token.hash();
    let why = Why::Token(&token);
    let answer = world.store.end(&failing.action, why, &world.nonce(), &failure, end).await;
    assert!(matches!(answer.unwrap(), Settled::Accepted(_)));

    let first = world.claim("p", "work", &[&id]).await.pop().unwrap();
    let token = first.token.hash();
    assert!(matches!(
        world.store.renew(&first.action, &token, &world.nonce()).await.unwrap(),
        Settled::Accepted(_)
    ));
    let why = Why::Token(&token);
    world.store.retry(&first.action, why, &world.nonce(), 0, &failure).await.unwrap();
    world.pass(world.record(&id).await.ready_at).await;
    world.store.promote(&[(id.clone(), "work".to_owned())]).await.unwrap();
    for _ in 0..2 {
        let claimed = world.claim("p", "work", &[&id]).await.pop().unwrap();
        let (token, output) = (claimed.token.hash(), world.unchanged());
        if claimed.action.next_job().is_some() {
            world
                .store
                .advance(&claimed.action, StepEnd::succeeded(&token, &output), None)
                .await
                .unwrap();
        } else {
            world
                .store
                .finish(
                    &claimed.action,
                    StepEnd::succeeded(&token, &output),
                    Status::Succeeded,
                    end,
                )
                .await
                .unwrap();
        }
    }
    for (n, end) in
        [DeliveryEnd::Again(0, "no".into()), DeliveryEnd::Delivered].into_iter().enumerate()
    {
        let due = world.record(&id).await.delivery.due_at.unwrap();
        world.pass(due).await;
        let asks = world.ask_delivery(&id).await;
        let claims = world.store.claim_deliveries(&asks, 30_000).await.unwrap();
        let send = claims.whole.into_iter().next().unwrap();
        assert_eq!(send.action.delivery.tries as usize, n + 1);
        let receiver = send.action.receiver.clone().unwrap();
        let settled =
            world.store.settle_delivery(&send.action, &receiver, &send.token, &end, 9_000).await;
        assert!(settled.unwrap());
    }
    memory(world, "0").await;
    world
        .assert_states(&[
            "a ttl v2 failed step 0 tries 0 delivery none",
            "b v3 failed step 0 tries 1 delivery pending sends 0",
            "c ttl v12 succeeded step 1 tries 1 delivery delivered sends 2",
            "counts p processed 2 failed 2",
            "data a \"in\" ttl",
            "data b \"in\"",
            "data c \"in\" ttl",
            "done c",
            "failed a b",
            "output:h:80 b",
            "receivers h:80",
            "seq 4",
        ])
        .await;
}

async fn a_late_payload_that_was_not_written_leaves_the_accepted_output(world: &World) {
    world.register("p", "work", 9).await;
    let claimed = world.claimed(&world.action_to_host(&["work"])).await;
    let (token, accepted, late) = (claimed.token.hash(), world.output("1"), world.output("2"));
    let settle = |output| {
        world.store.finish(
            &claimed.action,
            StepEnd::succeeded(&token, output),
            Status::Succeeded,
            ending(None),
        )
    };
    let answer = settle(&accepted).await.unwrap();
    fill(world).await;
    assert_eq!(world.assert_unchanged(settle(&late)).await.unwrap(), Settled::Duplicate);
    assert_eq!(world.assert_unchanged(settle(&accepted)).await.unwrap(), answer);
    let (new, nonce) = (crate::world::registration("q", "work", 1), world.nonce());
    let full = world.store.register(&new, &nonce, 1);
    let refused = world.assert_unchanged(full).await.unwrap_err();
    assert!(matches!(refused, Error::Full(_)), "{refused:?}");
    memory(world, "0").await;
    let nonce = world.record(&claimed.action.id).await.data;
    assert_eq!(nonce, accepted.nonce);
    assert_eq!(&*world.direct.payload(&claimed.action.id, &nonce).await.unwrap().unwrap(), b"1");
}

async fn what_has_ended_is_forgotten_and_marks_are_written_without_memory(world: &World) {
    world.register("p", "work", 9).await;
    let claimed = world.claimed(&world.action(&["work"])).await;
    let (token, output) = (claimed.token.hash(), world.output("1"));
    let step = StepEnd::succeeded(&token, &output);
    world.store.finish(&claimed.action, step, Status::Succeeded, ending(None)).await.unwrap();
    fill(world).await;
    for _ in 0..2 {
        let (marks, _) = world.store.mark(true, 1, 0).await.unwrap();
        assert!(marks.memory && world.store.marks().await.unwrap().memory);
    }
    let (_, [done, _]) = world.store.oldest_ended([0, 0], 9).await.unwrap();
    let [(at, id)] = done.first.as_slice() else { panic!("{done:?}") };
    let remains = world.store.remains(std::slice::from_ref(id)).await.unwrap().remove(0);
    let seen = [(*at, id.clone(), remains)];
    assert_eq!(world.store.forget(Ended::Done, &seen).await.unwrap(), 0);
    world.assert_states(&["counts p processed 1 failed 0", "marks ttl memory", "seq 1"]).await;
    world.store.mark(false, 1, 0).await.unwrap();
    memory(world, "0").await;
    world.assert_states(&["counts p processed 1 failed 0", "seq 1"]).await;
}
