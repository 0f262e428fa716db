//! Who may settle an attempt: the holder of its token, once.

use manager_svc::domain::action::Status;
use manager_svc::domain::{Action, Failure, Nonce, TokenHash};
use manager_svc::store::{Output, Settled, StepEnd, Why};

use crate::world::{World, ending};

cases! {
    the_same_request_is_answered_as_it_was
    another_request_with_the_same_token_is_a_duplicate
    any_other_token_is_stale
    a_token_of_an_earlier_attempt_is_stale
    a_lease_that_runs_cannot_be_ended
    a_deadline_that_is_not_over_ends_nothing
    a_late_completion_with_other_data_leaves_the_accepted_output
    a_request_sent_again_after_the_next_step_answers_and_leaves_no_payload
    a_request_that_saw_other_data_is_stale
    an_unknown_action_is_unknown
}

/// The ways to settle an attempt, and what each says.
#[derive(Debug, Clone, Copy)]
enum Way {
    Advance,
    Finish,
    Retry,
    Fail,
}

impl Way {
    /// Those that an action with another step may take, or with none.
    fn of(action: &Action) -> [Self; 3] {
        let succeed = if action.next_job().is_some() { Self::Advance } else { Self::Finish };
        [succeed, Self::Retry, Self::Fail]
    }

    async fn settle(
        self,
        world: &World,
        action: &Action,
        token: &TokenHash,
        output: &Output,
    ) -> Settled<()> {
        let (store, why, end) = (&world.store, Why::Token(token), ending(None));
        let (failure, nonce) = (Failure::new("e", "no"), &output.nonce);
        match self {
            Self::Advance => store
                .advance(action, StepEnd::succeeded(token, output), None)
                .await
                .unwrap()
                .map(drop),
            Self::Finish => store
                .finish(action, StepEnd::succeeded(token, output), Status::Succeeded, end)
                .await
                .unwrap()
                .map(drop),
            Self::Retry => store.retry(action, why, nonce, 9, &failure).await.unwrap().map(drop),
            Self::Fail => store.end(action, why, nonce, &failure, end).await.unwrap().map(drop),
        }
    }
}

/// Actions of one and of two steps, and every way to settle their first.
async fn every_way(world: &World) -> Vec<(Action, TokenHash, Way)> {
    world.register("p", "work", 99).await;
    let mut ways = Vec::new();
    for targets in [&["work", "more"][..], &["work"]] {
        for way in Way::of(&world.action(targets).action) {
            let claimed = world.claimed(&world.action_to_host(targets)).await;
            ways.push((claimed.action, claimed.token.hash(), way));
        }
    }
    ways
}

async fn the_same_request_is_answered_as_it_was(world: &World) {
    for (action, token, way) in every_way(world).await {
        let output = world.output("1");
        assert_eq!(way.settle(world, &action, &token, &output).await, Settled::Accepted(()));
        let again = world.assert_unchanged(way.settle(world, &action, &token, &output)).await;
        assert_eq!(again, Settled::Accepted(()), "{way:?}");
    }
}

async fn another_request_with_the_same_token_is_a_duplicate(world: &World) {
    for (action, token, way) in every_way(world).await {
        way.settle(world, &action, &token, &world.output("1")).await;
        for other in Way::of(&action) {
            // With other data, with the same, and without.
            for output in [world.output("2"), world.output("1"), world.unchanged()] {
                let late = world.assert_unchanged(other.settle(world, &action, &token, &output));
                assert_eq!(late.await, Settled::Duplicate, "{way:?}, then {other:?}");
            }
        }
        let late = world
            .assert_unchanged(world.store.renew(&action, &token, &world.nonce()))
            .await
            .unwrap();
        assert_eq!(late, Settled::Duplicate, "{way:?}, then a heartbeat");
    }
}

async fn any_other_token_is_stale(world: &World) {
    for (action, _, way) in every_way(world).await {
        let (other, output) = (world.token().hash(), world.output("2"));
        let refused = world.assert_unchanged(way.settle(world, &action, &other, &output)).await;
        assert_eq!(refused, Settled::Stale, "{way:?}");
        let refused = world
            .assert_unchanged(world.store.renew(&action, &other, &world.nonce()))
            .await
            .unwrap();
        assert_eq!(refused, Settled::Stale);
    }
}

async fn a_token_of_an_earlier_attempt_is_stale(world: &World) {
    world.register("p", "work", 9).await;
    let first = world.claimed(&world.action(&["work"])).await;
    let (token, failure, nonce) = (first.token.hash(), Failure::new("e", "no"), world.nonce());
    world.store.retry(&first.action, Why::Token(&token), &nonce, 0, &failure).await.unwrap();
    let id = first.action.id.clone();
    world.pass(world.record(&id).await.ready_at).await;
    world.store.promote(&[(id.clone(), "work".to_owned())]).await.unwrap();
    let second = world.claim("p", "work", &[&id]).await.pop().unwrap();
    let held = second.token.hash();
    world
        .store
        .retry(&second.action, Why::Token(&held), &world.nonce(), 0, &failure)
        .await
        .unwrap();
    for way in Way::of(&first.action) {
        let output = world.output("2");
        let late = world.assert_unchanged(way.settle(world, &first.action, &token, &output)).await;
        assert_eq!(late, Settled::Stale, "{way:?}");
    }
}

async fn a_lease_that_runs_cannot_be_ended(world: &World) {
    world.register("p", "work", 9).await;
    let claimed = world.claimed(&world.action(&["work"])).await;
    let (token, failure) = (claimed.token.hash(), Failure::new("e", "no"));
    let (why, nonce, action) = (Why::Lease(&token), world.nonce(), &claimed.action);
    let retry = world.store.retry(action, why, &nonce, 9, &failure);
    assert_eq!(world.assert_unchanged(retry).await.unwrap(), Settled::Stale);
    let fail = world.store.end(action, why, &nonce, &failure, ending(None));
    assert_eq!(world.assert_unchanged(fail).await.unwrap(), Settled::Stale);
}

async fn a_deadline_that_is_not_over_ends_nothing(world: &World) {
    let first = world.submit(&world.action(&["work"])).await;
    let mut seen = world.record(&first).await;
    let (nonce, failure) = (world.nonce(), Failure::new("e", "no"));
    let fail = world.store.end(&seen, Why::Deadline, &nonce, &failure, ending(None));
    assert_eq!(world.assert_unchanged(fail).await.unwrap(), Settled::Stale);
    // Over, but the action has moved since it was looked at.
    let mut new = world.action(&["work"]);
    new.action.expires_in_ms = 1;
    let id = world.submit(&new).await;
    seen = world.record(&id).await;
    world.pass(seen.expires_at).await;
    world.register("p", "work", 9).await;
    assert_eq!(world.claim("p", "work", &[&first, &id]).await.len(), 2);
    let fail = world.store.end(&seen, Why::Deadline, &nonce, &failure, ending(None));
    assert_eq!(world.assert_unchanged(fail).await.unwrap(), Settled::Stale);
}

async fn a_late_completion_with_other_data_leaves_the_accepted_output(world: &World) {
    for (action, token, way) in every_way(world).await {
        if matches!(way, Way::Retry | Way::Fail) {
            continue;
        }
        let accepted = world.output("\"accepted\"");
        way.settle(world, &action, &token, &accepted).await;
        for late in [world.output("\"late\""), world.unchanged()] {
            way.settle(world, &action, &token, &late).await;
            way.settle(world, &action, &world.token().hash(), &late).await;
        }
        // The accepted request itself, sent again with other data: its name is not written twice.
        let again = Output { data: world.output("\"again\"").data, ..accepted };
        way.settle(world, &action, &token, &again).await;
        let nonce: Nonce = world.record(&action.id).await.data;
        let payload = world.direct.payload(&action.id, &nonce).await.unwrap().unwrap();
        assert_eq!(&*payload, b"\"accepted\"");
        let payloads = format!("data:{}", action.id);
        assert_eq!(world.keyspace().await.matching(&payloads).len(), 1);
    }
}

async fn a_request_sent_again_after_the_next_step_answers_and_leaves_no_payload(world: &World) {
    world.register("p", "work", 9).await;
    let first = world.claimed(&world.action(&["work", "work", "more"])).await;
    let (token, output) = (first.token.hash(), world.output("1"));
    let advance = || world.store.advance(&first.action, StepEnd::succeeded(&token, &output), None);
    let answer = advance().await.unwrap();
    let second = world.claim("p", "work", &[&first.action.id]).await.pop().unwrap();
    let held = second.token.hash();
    world
        .store
        .advance(&second.action, StepEnd::succeeded(&held, &world.output("2")), None)
        .await
        .unwrap();
    assert_eq!(world.assert_unchanged(advance()).await.unwrap(), answer);
}

async fn a_request_that_saw_other_data_is_stale(world: &World) {
    for (mut action, token, way) in every_way(world).await {
        if matches!(way, Way::Retry | Way::Fail) {
            continue;
        }
        action.data = world.nonce();
        for output in [world.output("2"), world.unchanged()] {
            let refused = world.assert_unchanged(way.settle(world, &action, &token, &output)).await;
            assert_eq!(refused, Settled::Stale, "{way:?}");
        }
    }
}

async fn an_unknown_action_is_unknown(world: &World) {
    world.register("p", "work", 9).await;
    for targets in [&["work", "more"][..], &["work"]] {
        let action = world.action(targets).action;
        for way in Way::of(&action) {
            let (token, output) = (world.token().hash(), world.output("2"));
            let refused = world.assert_unchanged(way.settle(world, &action, &token, &output)).await;
            assert_eq!(refused, Settled::Unknown, "{way:?}");
        }
        let renewed =
            world.store.renew(&action, &world.token().hash(), &world.nonce()).await.unwrap();
        assert_eq!(renewed, Settled::Unknown);
        let (nonce, failure) = (world.nonce(), Failure::new("e", "no"));
        let fail = world.store.end(&action, Why::Deadline, &nonce, &failure, ending(None));
        assert_eq!(world.assert_unchanged(fail).await.unwrap(), Settled::Unknown);
    }
}
