//! Attempts that are given back: by a processor that is busy, or that started anew.

use manager_svc::domain::{ActionId, Failure};
use manager_svc::store::{
    Back, Checked, Claimed, Drained, Found, Registered, Settled, StepEnd, Submitted,
};

use crate::world::{PLENTY, World, registration};

cases! {
    a_busy_processor_costs_no_attempt_and_gets_nothing_while_it_is_held
    a_hold_doubles_to_a_minute_while_it_goes_on
    a_hold_that_ended_long_ago_begins_anew
    a_hold_is_never_cut_short
    a_restart_hands_back_what_earlier_starts_held
    a_start_that_is_not_later_hands_nothing_back
    a_registration_of_a_later_start_hands_back_what_the_earlier_held
    what_a_drained_registration_holds_stays_its_own
    a_step_is_handed_back_five_times_at_most
    an_attempt_that_is_not_current_is_not_given_back
}

const INTERVAL: u64 = 10_000;

fn failure() -> Failure {
    Failure::new("e", "not now")
}

async fn give_back(world: &World, claimed: &Claimed, back: Back) -> Settled<u64> {
    let (token, nonce, failure) = (claimed.token.hash(), world.nonce(), failure());
    let give = || world.store.give_back(&claimed.action, &token, &nonce, back, &failure);
    let answer = give().await.unwrap();
    assert_eq!(world.assert_unchanged(give()).await.unwrap(), answer);
    answer
}

async fn assert_given(world: &World, claimed: &Claimed, back: Back) {
    let answer = give_back(world, claimed, back).await;
    assert!(matches!(answer, Settled::Accepted(_)), "{answer:?}");
}

/// Claims an action that was given back, which is ready a moment later.
async fn claim_again(world: &World, id: &ActionId) -> Claimed {
    world.pass(world.record(id).await.ready_at).await;
    world.claim("p", "work", &[id]).await.pop().unwrap()
}

/// `p` says in a check when it started.
async fn starts_at(world: &World, started_at: Option<u64>) {
    let processor = world.processor("p").await;
    let found = Found::Answer(Checked { started_at, usage: None });
    world.store.record_check(&processor, &world.nonce(), found, 3, INTERVAL).await.unwrap();
}

/// Registers `p`, or registers it again, with a start.
async fn register(world: &World, started_at: Option<u64>) -> u64 {
    let seen = world.direct.seen("p").await.unwrap();
    let mut new = registration("p", "work", 9);
    new.started_at = started_at;
    new.seen = Some((seen.epoch, seen.name));
    match world.store.register(&new, &world.nonce(), INTERVAL).await.unwrap() {
        Registered::Added(epoch) | Registered::Renewed(epoch) => epoch,
        refused => panic!("{refused:?}"),
    }
}

async fn set(world: &World, field: &str, value: u64) {
    let () = world.redis.query(&["HSET", "{p0}:processor:p", field, &value.to_string()]).await;
}

async fn a_busy_processor_costs_no_attempt_and_gets_nothing_while_it_is_held(world: &World) {
    world.register("p", "work", 9).await;
    let claimed = world.claimed(&world.action(&["work", "work"])).await;
    world.submit(&world.action(&["work"])).await;
    let answer = give_back(world, &claimed, Back::Busy(Some(300_000))).await;
    let Settled::Accepted(now) = answer else { panic!("{answer:?}") };
    world
        .assert_states(&[
            "a v3 running step 0 tries 0 delivery none",
            "b v1 queued step 0 tries 0 delivery none",
            "data a \"in\"",
            "data b \"in\"",
            "input:work a@1 b@2",
            "live a b",
            "seq 2",
            "targets work",
        ])
        .await;
    let record = world.record(&claimed.action.id).await;
    assert_eq!((record.error, record.attempts.len()), (Some(failure()), 0));
    let processor = world.processor("p").await;
    assert_eq!(processor.held_until, now + 300_000);
    assert!(!processor.takes_work(now + 299_999) && processor.takes_work(now + 300_000));

    world.pass(record.ready_at).await;
    let id = &claimed.action.id;
    assert!(world.assert_unchanged(world.claim("p", "work", &[id])).await.is_empty());
    let wish = world.hand_over(&[("p", "work")]);
    let new = [world.action(&["other"])];
    let answer = world.store.submit(&new, None, PLENTY, Some(&wish)).await.unwrap();
    assert!(matches!(answer, Submitted::Accepted { claim: None, .. }), "{answer:?}");
    // What it still has may end all the same, and when the hold is over it is asked again.
    set(world, "held_until", now).await;
    assert_eq!(world.claim("p", "work", &[id]).await[0].action.tries, 1);
    // The token that was given back has settled its attempt.
    let (token, output) = (claimed.token.hash(), world.output("9"));
    let late = world.store.advance(&claimed.action, StepEnd::succeeded(&token, &output), None);
    assert_eq!(world.assert_unchanged(late).await.unwrap(), Settled::Duplicate);
}

async fn a_hold_doubles_to_a_minute_while_it_goes_on(world: &World) {
    world.register("p", "work", 9).await;
    let id = world.submit(&world.action(&["work"])).await;
    for hold in [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000] {
        let claimed = claim_again(world, &id).await;
        let answer = give_back(world, &claimed, Back::Busy(None)).await;
        let Settled::Accepted(now) = answer else { panic!("{answer:?}") };
        assert_eq!(world.processor("p").await.held_until, now + hold);
        // It is over now.
        set(world, "held_until", now).await;
    }
}

async fn a_hold_that_ended_long_ago_begins_anew(world: &World) {
    world.register("p", "work", 9).await;
    let claimed = world.claimed(&world.action(&["work"])).await;
    let now = world.direct.clock().await.unwrap();
    set(world, "hold", 8_000).await;
    set(world, "held_until", now - 20_000).await;
    let answer = give_back(world, &claimed, Back::Busy(None)).await;
    let Settled::Accepted(now) = answer else { panic!("{answer:?}") };
    assert_eq!(world.processor("p").await.held_until, now + 1_000);
}

async fn a_hold_is_never_cut_short(world: &World) {
    world.register("p", "work", 9).await;
    let mut claimed = Vec::new();
    for _ in 0..4 {
        claimed.push(world.claimed(&world.action(&["work"])).await);
    }
    let held = async || world.processor("p").await.held_until;
    assert_given(world, &claimed[0], Back::Busy(Some(200_000))).await;
    let first = held().await;
    // Sent to it before the first said so.
    assert_given(world, &claimed[1], Back::Busy(None)).await;
    assert_given(world, &claimed[2], Back::Busy(Some(5))).await;
    assert_eq!(held().await, first);
    assert_given(world, &claimed[3], Back::Busy(Some(300_000))).await;
    assert!(held().await >= first + 100_000);
}

async fn a_restart_hands_back_what_earlier_starts_held(world: &World) {
    register(world, Some(100)).await;
    let before = world.claimed(&world.action(&["work", "work"])).await;
    starts_at(world, Some(200)).await;
    let after = world.claimed(&world.action(&["work"])).await;
    assert_eq!(before.action.attempt.as_ref().unwrap().started_at, Some(100));
    assert_eq!(after.action.attempt.as_ref().unwrap().started_at, Some(200));
    let mut pending = world.direct.pending("p").await.unwrap();
    pending.sort_by_key(ToString::to_string);
    assert_eq!(pending, [before.action.id.clone(), after.action.id.clone()]);

    assert_given(world, &before, Back::Restart).await;
    let refused = world.assert_unchanged(give_back(world, &after, Back::Restart)).await;
    assert_eq!(refused, Settled::Stale);
    world
        .assert_states(&[
            "a v3 running step 0 tries 0 delivery none",
            "b v2 running step 0 tries 1 at p delivery none",
            "data a \"in\"",
            "data b \"in\"",
            "input:work a@1",
            "live a b",
            "pending:p b+60000",
            "seq 2",
            "targets work",
        ])
        .await;
    let record = world.record(&before.action.id).await;
    assert_eq!((record.error, record.attempts.len()), (Some(failure()), 0));
    assert_eq!(world.processor("p").await.held_until, 0);
    // Whoever held it learns that it came too late.
    let (token, output) = (before.token.hash(), world.output("9"));
    let late = world.store.advance(&before.action, StepEnd::succeeded(&token, &output), None);
    assert_eq!(world.assert_unchanged(late).await.unwrap(), Settled::Stale);
    assert_eq!(claim_again(world, &before.action.id).await.action.tries, 1);
}

async fn a_start_that_is_not_later_hands_nothing_back(world: &World) {
    register(world, Some(100)).await;
    let held = world.claimed(&world.action(&["work"])).await;
    for start in [Some(100), Some(50), None] {
        starts_at(world, start).await;
        let refused = world.assert_unchanged(give_back(world, &held, Back::Restart)).await;
        assert_eq!(refused, Settled::Stale, "{start:?}");
        // One that was asked before a restart, and answers after it, does not bring the earlier start back.
        assert_eq!(world.processor("p").await.started_at, Some(100));
    }
    // Without a start at the claim nobody knows.
    register(world, None).await;
    let bare = world.claimed(&world.action(&["work"])).await;
    starts_at(world, Some(300)).await;
    let refused = world.assert_unchanged(give_back(world, &bare, Back::Restart)).await;
    assert_eq!(refused, Settled::Stale);
    assert_given(world, &held, Back::Restart).await;
}

async fn a_registration_of_a_later_start_hands_back_what_the_earlier_held(world: &World) {
    register(world, Some(100)).await;
    let held = world.claimed(&world.action(&["work"])).await;
    register(world, Some(100)).await;
    let refused = world.assert_unchanged(give_back(world, &held, Back::Restart)).await;
    assert_eq!(refused, Settled::Stale);
    register(world, Some(200)).await;
    assert_given(world, &held, Back::Restart).await;
}

async fn what_a_drained_registration_holds_stays_its_own(world: &World) {
    register(world, Some(100)).await;
    let old = world.claimed(&world.action(&["work", "work"])).await;
    let drained = world.store.drain_named("p", "work", None).await.unwrap();
    assert_eq!(drained, Drained::Draining(1));
    let epoch = register(world, Some(200)).await;
    let new = world.claimed(&world.action(&["work"])).await;
    for start in [300, 400] {
        register(world, Some(start)).await;
        let refused = world.assert_unchanged(give_back(world, &old, Back::Restart)).await;
        assert_eq!(refused, Settled::Stale, "{start}");
    }
    // The instance that drains takes its leave once more, which does nothing.
    let late = world.store.drain_named("p", "work", Some(epoch - 1));
    assert_eq!(world.assert_unchanged(late).await.unwrap(), Drained::OlderEpoch(2));
    assert_given(world, &new, Back::Restart).await;
    // What it holds counts when it ends.
    let (token, output) = (old.token.hash(), world.output("1"));
    let end = StepEnd::succeeded(&token, &output);
    let ended = world.store.advance(&old.action, end, None).await.unwrap();
    assert!(matches!(ended, Settled::Accepted(_)), "{ended:?}");
}

async fn a_step_is_handed_back_five_times_at_most(world: &World) {
    register(world, Some(1)).await;
    let id = world.submit(&world.action(&["work", "work"])).await;
    for start in 2..=6 {
        let claimed = claim_again(world, &id).await;
        assert_eq!(claimed.action.tries, 1);
        starts_at(world, Some(start)).await;
        assert_given(world, &claimed, Back::Restart).await;
    }
    let claimed = claim_again(world, &id).await;
    starts_at(world, Some(7)).await;
    let refused = world.assert_unchanged(give_back(world, &claimed, Back::Restart)).await;
    assert_eq!(refused, Settled::Stale);
    // The next step begins anew.
    let (token, output) = (claimed.token.hash(), world.output("1"));
    let end = StepEnd::succeeded(&token, &output);
    world.store.advance(&claimed.action, end, None).await.unwrap();
    let next = claim_again(world, &id).await;
    starts_at(world, Some(8)).await;
    assert_given(world, &next, Back::Restart).await;
}

async fn an_attempt_that_is_not_current_is_not_given_back(world: &World) {
    register(world, Some(100)).await;
    let claimed = world.claimed(&world.action(&["work", "work"])).await;
    starts_at(world, Some(200)).await;
    let unknown = Claimed {
        action: world.action(&["work"]).action,
        assignment: claimed.assignment.clone(),
        token: world.token(),
        data: claimed.data.clone(),
    };
    let other = Claimed {
        action: claimed.action.clone(),
        assignment: claimed.assignment.clone(),
        token: world.token(),
        data: claimed.data.clone(),
    };
    for back in [Back::Restart, Back::Busy(None), Back::Busy(Some(9))] {
        let answer = world.assert_unchanged(give_back(world, &unknown, back)).await;
        assert_eq!(answer, Settled::Unknown, "{back:?}");
        let answer = world.assert_unchanged(give_back(world, &other, back)).await;
        assert_eq!(answer, Settled::Stale, "{back:?}");
    }
    let (token, output) = (claimed.token.hash(), world.output("1"));
    let end = StepEnd::succeeded(&token, &output);
    world.store.advance(&claimed.action, end, None).await.unwrap();
    for back in [Back::Restart, Back::Busy(None)] {
        let answer = world.assert_unchanged(give_back(world, &claimed, back)).await;
        assert_eq!(answer, Settled::Duplicate, "{back:?}");
    }
}
