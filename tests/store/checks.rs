//! Health checks, and processors that are silent for long.

use manager_svc::store::{CheckAsk, Checked, Drained, Found, Processor, ProcessorStatus};

use crate::world::{World, registration};

cases! {
    three_consecutive_misses_stop_new_work_and_one_success_starts_it
    a_miss_that_says_nothing_is_not_counted
    a_check_is_claimed_once
    a_check_is_not_begun_while_another_is_under_way
    a_check_that_is_not_due_is_not_begun_again_at_once
    the_next_check_is_due_an_interval_after_the_last_began
    a_processor_that_is_silent_for_long_is_forgotten
    a_processor_that_may_come_back_is_not_forgotten
}

const INTERVAL: u64 = 60_000;
const SILENT: u64 = 3_600_000;

async fn record(world: &World, processor: &Processor, found: Found) {
    let nonce = world.nonce();
    let record = || world.store.record_check(processor, &nonce, found, 3, INTERVAL);
    record().await.unwrap();
    world.assert_unchanged(record()).await.unwrap();
}

/// When the next check of `p` is due.
async fn due(world: &World) -> u64 {
    world.direct.look().await.unwrap().checks[0].0
}

/// A check of `p` as its due time looks now.
async fn ask(world: &World) -> CheckAsk {
    CheckAsk { id: "p".to_owned(), nonce: world.nonce(), due_seen: due(world).await }
}

async fn claim(world: &World, ask: &CheckAsk) -> bool {
    world.store.claim_checks(std::slice::from_ref(ask), INTERVAL).await.unwrap() == [true]
}

/// Says that the check that was claimed is over.
async fn record_claimed(world: &World, ask: &CheckAsk, found: Found) {
    let processor = world.processor("p").await;
    world.store.record_check(&processor, &ask.nonce, found, 3, INTERVAL).await.unwrap();
}

async fn three_consecutive_misses_stop_new_work_and_one_success_starts_it(world: &World) {
    world.register("p", "work", 2).await;
    let processor = world.processor("p").await;
    let id = world.submit(&world.action(&["work"])).await;
    let found = Found::Answer(Checked { started_at: Some(7), usage: Some((2.0, 8)) });
    for (found, stands) in [
        (Found::Miss, ProcessorStatus::Active),
        (Found::Miss, ProcessorStatus::Active),
        (found, ProcessorStatus::Active),
        (Found::Miss, ProcessorStatus::Active),
        (Found::Miss, ProcessorStatus::Active),
        (Found::Miss, ProcessorStatus::Unhealthy),
    ] {
        record(world, &processor, found).await;
        assert_eq!(world.processor("p").await.status, stands);
    }
    assert!(world.assert_unchanged(world.claim("p", "work", &[&id])).await.is_empty());
    record(world, &processor, found).await;
    let after = world.processor("p").await;
    assert_eq!((after.status, after.usage), (ProcessorStatus::Active, Some((2.0, 8))));
    assert_eq!(world.claim("p", "work", &[&id]).await.len(), 1);
    // What a check of an earlier registration found is of no interest.
    let old = Processor { epoch: 0, ..processor };
    world.assert_unchanged(record(world, &old, Found::Miss)).await;
}

async fn a_miss_that_says_nothing_is_not_counted(world: &World) {
    world.register("p", "work", 2).await;
    let processor = world.processor("p").await;
    for found in [Found::Miss, Found::Nothing, Found::Miss, Found::Nothing, Found::Nothing] {
        record(world, &processor, found).await;
        assert_eq!(world.processor("p").await, processor);
    }
    record(world, &processor, Found::Miss).await;
    record(world, &processor, Found::Nothing).await;
    assert_eq!(world.processor("p").await.status, ProcessorStatus::Unhealthy);
}

async fn a_check_is_claimed_once(world: &World) {
    world.register("p", "work", 2).await;
    let mine = ask(world).await;
    assert!(claim(world, &mine).await);
    assert!(world.assert_unchanged(claim(world, &mine)).await);
    for id in ["p", "gone"] {
        let other = CheckAsk { id: id.to_owned(), nonce: world.nonce(), ..mine.clone() };
        assert!(!world.assert_unchanged(claim(world, &other)).await, "{id}");
    }
    // One that cannot be claimed does not hide another.
    world.register("q", "work", 2).await;
    let () = world.redis.query(&["UNLINK", "{p0}:processor:p"]).await;
    let () = world.redis.query(&["SET", "{p0}:processor:p", "no hash"]).await;
    let checks = world.direct.look().await.unwrap().checks.into_iter();
    let both: Vec<_> =
        checks.map(|(due_seen, id)| CheckAsk { id, nonce: world.nonce(), due_seen }).collect();
    let claimed = world.store.claim_checks(&both, INTERVAL).await.unwrap();
    let ids = both.iter().zip(claimed).filter(|(_, claimed)| *claimed).map(|(ask, _)| &ask.id);
    assert_eq!(ids.collect::<Vec<_>>(), ["q"]);
    let () = world.redis.query(&["UNLINK", "{p0}:processor:p"]).await;
}

async fn a_check_is_not_begun_while_another_is_under_way(world: &World) {
    world.register("p", "work", 2).await;
    let first = ask(world).await;
    assert!(claim(world, &first).await);
    // However long ago it began.
    let checked_by = format!("{} 5", first.nonce.as_str());
    let record = "{p0}:processor:p";
    let () = world.redis.query(&["HSET", record, "checked_by", &checked_by]).await;
    let second = ask(world).await;
    assert!(!world.assert_unchanged(claim(world, &second)).await);
    record_claimed(world, &first, Found::Nothing).await;
    let third = ask(world).await;
    assert!(claim(world, &third).await);
    // Whoever began that one died: it is due.
    let () = world.redis.query(&["ZADD", "{p0}:processors", "7", "p"]).await;
    assert!(claim(world, &ask(world).await).await);
}

async fn a_check_that_is_not_due_is_not_begun_again_at_once(world: &World) {
    world.register("p", "work", 2).await;
    let first = ask(world).await;
    assert!(claim(world, &first).await, "a check may come early");
    record_claimed(world, &first, Found::Miss).await;
    let second = ask(world).await;
    assert!(!world.assert_unchanged(claim(world, &second)).await);
    // A registration is another processor, of which nothing is known.
    let seen = world.direct.seen("p").await.unwrap();
    let mut next = registration("p", "work", 2);
    next.seen = Some((seen.epoch, seen.name));
    world.store.register(&next, &world.nonce(), INTERVAL).await.unwrap();
    assert!(claim(world, &ask(world).await).await);
}

async fn the_next_check_is_due_an_interval_after_the_last_began(world: &World) {
    world.register("p", "work", 2).await;
    for found in [Found::Answer(Checked { started_at: None, usage: None }), Found::Miss] {
        let () = world.redis.query(&["ZADD", "{p0}:processors", "7", "p"]).await;
        let now = world.direct.clock().await.unwrap();
        let check = ask(world).await;
        assert!(claim(world, &check).await);
        let began = due(world).await - INTERVAL;
        assert!(began >= now);
        record_claimed(world, &check, found).await;
        assert_eq!(due(world).await, began + INTERVAL);
    }
    // One that took longer than that is followed by the next at once.
    let () = world.redis.query(&["ZADD", "{p0}:processors", "7", "p"]).await;
    let slow = ask(world).await;
    assert!(claim(world, &slow).await);
    let checked_by = format!("{} 5", slow.nonce.as_str());
    let () = world.redis.query(&["HSET", "{p0}:processor:p", "checked_by", &checked_by]).await;
    record_claimed(world, &slow, Found::Miss).await;
    assert!(due(world).await <= world.direct.clock().await.unwrap());
}

/// Makes it look as if it was last seen so long ago.
async fn silent_for(world: &World, ms: u64) {
    let at = (world.direct.clock().await.unwrap() - ms).to_string();
    let () = world.redis.query(&["HSET", "{p0}:processor:p", "last_seen", &at]).await;
}

async fn status(world: &World, status: &str) {
    let () = world.redis.query(&["HSET", "{p0}:processor:p", "status", status]).await;
}

async fn a_processor_that_is_silent_for_long_is_forgotten(world: &World) {
    world.register("p", "work", 2).await;
    world.register("q", "work", 2).await;
    status(world, "unhealthy").await;
    silent_for(world, SILENT + 1).await;
    let processor = world.processor("p").await;
    assert!(world.store.forget_processor(&processor, SILENT).await.unwrap());
    let again = world.store.forget_processor(&processor, SILENT);
    assert!(world.assert_unchanged(again).await.unwrap());
    assert!(world.direct.processor("p").await.unwrap().is_none());
    let keyspace = world.keyspace().await;
    for key in ["{p0}:name:work", "{p0}:processors"] {
        assert_eq!(keyspace.content(key).unwrap().keys().collect::<Vec<_>>(), ["q"], "{key}");
    }
    // Jobs may name it still, and when it takes its leave it is gone.
    assert_eq!(world.direct.known(&["p", "work"]).await.unwrap(), [true, true]);
    let epoch = Some(processor.epoch);
    let late = world.store.drain_named("p", "", epoch);
    assert_eq!(world.assert_unchanged(late).await.unwrap(), Drained::Gone);
}

async fn a_processor_that_may_come_back_is_not_forgotten(world: &World) {
    world.register("p", "work", 2).await;
    let forget = async || {
        let processor = world.processor("p").await;
        world.assert_unchanged(world.store.forget_processor(&processor, SILENT)).await.unwrap()
    };
    silent_for(world, SILENT + 1).await;
    for standing in ["active", "paused", "draining"] {
        status(world, standing).await;
        assert!(!forget().await, "{standing}");
    }
    status(world, "active").await;
    let claimed = world.claimed(&world.action(&["work"])).await;
    status(world, "unhealthy").await;
    assert!(!forget().await, "an attempt of it is pending");
    let (token, output) = (claimed.token.hash(), world.unchanged());
    let end = manager_svc::store::StepEnd::succeeded(&token, &output);
    let succeeded = manager_svc::domain::action::Status::Succeeded;
    let ending = crate::world::ending(None);
    world.store.finish(&claimed.action, end, succeeded, ending).await.unwrap();
    silent_for(world, SILENT - 100_000).await;
    assert!(!forget().await, "it was seen since");
    silent_for(world, SILENT + 1).await;
    let old = Processor { epoch: 0, ..world.processor("p").await };
    let late = world.store.forget_processor(&old, SILENT);
    assert!(!world.assert_unchanged(late).await.unwrap(), "it registered since");
    assert!(world.store.forget_processor(&world.processor("p").await, SILENT).await.unwrap());
}
