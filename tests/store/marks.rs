//! Marks: what submitting is refused for, all or none, and nobody else.

use manager_svc::domain::Receiver;
use manager_svc::domain::action::Status;
use manager_svc::store::{
    IdempotencyKey, MARKS_LAST_MS, Marks, Memory, NewAction, StepEnd, Submitted,
};

use crate::world::{HOST, PLENTY, World, ending};

cases! {
    above_the_memory_mark_all_or_none_is_refused
    too_many_outcomes_for_a_host_refuse_those_who_name_it
    what_was_accepted_before_is_answered_whatever_is_marked
    marks_expire_and_are_taken_away_when_they_are_over
    memory_is_measured_against_the_limit_of_the_server_that_holds_the_keys
}

/// Outcomes that wait for the host.
async fn pile_up(world: &World, count: usize) {
    for _ in 0..count {
        let claimed = world.claimed(&world.action_to_host(&["work"])).await;
        let (token, output) = (claimed.token.hash(), world.unchanged());
        let step = StepEnd::succeeded(&token, &output);
        world.store.finish(&claimed.action, step, Status::Succeeded, ending(None)).await.unwrap();
    }
}

fn to(mut new: NewAction, host: &str) -> NewAction {
    let url = format!("http://{host}/hook");
    new.action.receiver = Some(Receiver { url, host: host.to_owned() });
    new
}

fn hosts(hosts: &[&str]) -> Marks {
    Marks { memory: false, hosts: hosts.iter().map(|host| (*host).to_owned()).collect() }
}

async fn mark(world: &World, memory: bool, most: u64) -> Marks {
    let (marks, next) = world.store.mark(memory, most, 0).await.unwrap();
    assert_eq!((next, &world.store.marks().await.unwrap()), (0, &marks));
    marks
}

async fn above_the_memory_mark_all_or_none_is_refused(world: &World) {
    let key = IdempotencyKey { key: "key".to_owned(), body: "body".to_owned() };
    let new = [world.action(&["work"]), world.action_to_host(&["work"])];
    mark(world, true, 9).await;
    for key in [None, Some(&key)] {
        let answer = world.store.submit(&new, key, PLENTY, None);
        assert_eq!(world.assert_unchanged(answer).await.unwrap(), Submitted::AboveMark);
        let answer = world.store.submit(&new[..1], key, PLENTY, None);
        assert_eq!(world.assert_unchanged(answer).await.unwrap(), Submitted::AboveMark);
    }
    mark(world, false, 9).await;
    let answer = world.store.submit(&new, Some(&key), PLENTY, None).await.unwrap();
    assert!(matches!(answer, Submitted::Accepted { .. }));
}

async fn too_many_outcomes_for_a_host_refuse_those_who_name_it(world: &World) {
    world.register("p", "work", 9).await;
    pile_up(world, 2).await;
    assert_eq!(mark(world, false, 2).await, Marks::default());
    assert_eq!(mark(world, false, 1).await, hosts(&[HOST]));
    let fine = [world.action(&["work"]), to(world.action(&["work"]), "other:80")];
    let refused = [
        to(world.action(&["work"]), "other:80"),
        world.action(&["work"]),
        world.action_to_host(&["work"]),
        to(world.action(&["work"]), "a:80"),
    ];
    let full = Submitted::HostFull(HOST.to_owned());
    for new in [&refused[..], &refused[2..3]] {
        let answer = world.store.submit(new, None, PLENTY, None);
        assert_eq!(world.assert_unchanged(answer).await.unwrap(), full);
    }
    let answer = world.store.submit(&fine, None, PLENTY, None).await.unwrap();
    assert!(matches!(answer, Submitted::Accepted { .. }));
    // A host that takes more than the bound again.
    assert_eq!(mark(world, false, 2).await, Marks::default());
    let answer = world.store.submit(&refused, None, PLENTY, None).await.unwrap();
    assert!(matches!(answer, Submitted::Accepted { .. }));
}

async fn what_was_accepted_before_is_answered_whatever_is_marked(world: &World) {
    world.register("p", "work", 9).await;
    let key = IdempotencyKey { key: "key".to_owned(), body: "body".to_owned() };
    let new = [world.action_to_host(&["work"])];
    pile_up(world, 1).await;
    world.store.submit(&new, Some(&key), PLENTY, None).await.unwrap();
    assert!(mark(world, true, 0).await.hosts.contains(HOST));
    let again = world.store.submit(&new, Some(&key), PLENTY, None);
    let answer = world.assert_unchanged(again).await.unwrap();
    assert!(matches!(answer, Submitted::Accepted { .. }), "{answer:?}");
    let other = [world.action_to_host(&["work"])];
    let known = world.store.submit(&other, Some(&key), PLENTY, None);
    let answer = world.assert_unchanged(known).await.unwrap();
    assert_eq!(answer, Submitted::Known(vec![new[0].action.id.clone()]));
}

async fn marks_expire_and_are_taken_away_when_they_are_over(world: &World) {
    let marks = "{p0}:marks";
    world.assert_unchanged(world.store.mark(false, 0, 0)).await.unwrap();
    mark(world, true, 0).await;
    let () = world.redis.query(&["HSET", marks, "gone:80", "1"]).await;
    let () = world.redis.query(&["PERSIST", marks]).await;
    // A host that nothing waits for is over its bound no more.
    mark(world, true, 0).await;
    world.assert_states(&["marks ttl memory"]).await;
    let left: u64 = world.redis.query(&["PTTL", marks]).await;
    assert!(left > MARKS_LAST_MS / 2 && left <= MARKS_LAST_MS, "{left}");
    mark(world, false, 0).await;
    world.assert_states(&[]).await;
}

async fn memory_is_measured_against_the_limit_of_the_server_that_holds_the_keys(world: &World) {
    let memory = world.store.memory().await.unwrap();
    assert!(memory.used > 1 << 19 && memory.limit.is_none() && !memory.is_above(0), "{memory:?}");
    world.redis.on_every_server(&["CONFIG", "SET", "maxmemory", "1000000000"]).await;
    let memory = world.store.memory().await.unwrap();
    world.redis.on_every_server(&["CONFIG", "SET", "maxmemory", "0"]).await;
    assert_eq!(memory.limit, Some(1_000_000_000));
    assert!(!memory.is_above(80));
    let at = |used| Memory { used, limit: Some(1_000) };
    assert!(at(801).is_above(80) && !at(800).is_above(80));
}
