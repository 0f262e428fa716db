//! What is kept of processors in bad times: on a full Redis, in damaged records, and after they left.

use kit::Keyspace;
use manager_svc::domain::action::Status;
use manager_svc::store::{
    Checked, Drained, Error, Found, Processor, ProcessorStatus, REMEMBERED_MS, Registered, StepEnd,
    Switch, Switched,
};

use crate::world::{World, registration};

cases! {
    a_known_processor_comes_pauses_and_goes_without_memory
    a_damaged_record_hides_no_other_and_registering_again_mends_it
    a_check_of_a_damaged_record_is_not_recorded
    what_nobody_is_registered_as_is_forgotten_after_a_week
    more_than_a_batch_is_forgotten_batch_by_batch
}

const INTERVAL: u64 = 10_000;

async fn memory(world: &World, limit: &str) {
    world.redis.on_every_server(&["CONFIG", "SET", "maxmemory", limit]).await;
}

/// Registers by what is seen.
async fn register(world: &World, id: &str, name: &str) -> Result<Registered, Error> {
    let seen = world.direct.seen(id).await.unwrap();
    let mut new = registration(id, name, 9);
    new.seen = Some((seen.epoch, seen.name));
    world.store.register(&new, &world.nonce(), INTERVAL).await
}

async fn a_known_processor_comes_pauses_and_goes_without_memory(world: &World) {
    world.register("p", "work", 9).await;
    let claimed = world.claimed(&world.action(&["work"])).await;
    // Below what it uses: whatever is not begun with a removal is refused.
    memory(world, "1").await;
    let refused = world.assert_unchanged(register(world, "q", "work")).await.unwrap_err();
    assert!(matches!(refused, Error::Full(_)), "{refused:?}");

    assert_eq!(register(world, "p", "more").await.unwrap(), Registered::Renewed(2));
    let processor = world.processor("p").await;
    let found = Found::Answer(Checked { started_at: None, usage: Some((1.0, 2)) });
    world.store.record_check(&processor, &world.nonce(), found, 3, 10_000).await.unwrap();
    assert_eq!(world.processor("p").await.usage, Some((1.0, 2)));
    for (wanted, status) in
        [(Switch::Pause, ProcessorStatus::Paused), (Switch::Resume, ProcessorStatus::Active)]
    {
        let seen = world.direct.seen("p").await.unwrap().switched;
        let answer = world.store.switch("p", seen, &world.nonce(), wanted).await.unwrap();
        assert_eq!(answer, Switched::Now(status, 1));
    }
    let drain = async || world.store.drain_named("p", "more", None).await.unwrap();
    assert_eq!(drain().await, Drained::Draining(1));
    let (token, output) = (claimed.token.hash(), world.unchanged());
    world
        .store
        .finish(
            &claimed.action,
            StepEnd::succeeded(&token, &output),
            Status::Succeeded,
            crate::world::ending(None),
        )
        .await
        .unwrap();
    assert_eq!(drain().await, Drained::Gone);
    let back = register(world, "p", "work").await.unwrap();
    assert!(matches!(back, Registered::Added(_)), "{back:?}");
    memory(world, "0").await;
}

async fn a_damaged_record_hides_no_other_and_registering_again_mends_it(world: &World) {
    world.register("p", "work", 9).await;
    world.register("q", "work", 9).await;
    let ids = async || {
        let processors = world.store.processors().await.unwrap();
        processors.into_iter().map(|p| p.id).collect::<Vec<_>>()
    };
    for field in ["status", "id", "name", "url", "capacity", "epoch"] {
        let key = "{p0}:processor:p";
        let () = world.redis.query(&["HSET", key, field, "\u{fffd}"]).await;
        // A name and a URL may be any text.
        if !["name", "url"].contains(&field) {
            assert_eq!(ids().await, ["q"], "{field}");
        }
        let () = world.redis.query(&["HDEL", key, field]).await;
        assert_eq!(ids().await, ["q"], "{field}");
        assert!(world.store.processor("p").await.unwrap().is_none());
        register(world, "p", "work").await.unwrap();
        assert_eq!(ids().await, ["p", "q"], "{field}");
    }
    let () = world.redis.query(&["UNLINK", "{p0}:processor:p"]).await;
    let () = world.redis.query(&["SET", "{p0}:processor:p", "no hash"]).await;
    assert_eq!(ids().await, ["q"]);
}

async fn a_check_of_a_damaged_record_is_not_recorded(world: &World) {
    world.register("p", "work", 9).await;
    let processor = world.processor("p").await;
    for field in ["name", "id", "status"] {
        let () = world.redis.query(&["HDEL", "{p0}:processor:p", field]).await;
        for found in [Found::Miss, Found::Answer(Checked { started_at: None, usage: None })] {
            let nonce = world.nonce();
            let check = world.store.record_check(&processor, &nonce, found, 1, 10_000);
            world.assert_unchanged(check).await.unwrap();
        }
    }
    let Processor { epoch, .. } = processor;
    assert_eq!(world.direct.seen("p").await.unwrap().epoch, epoch);
}

/// The ids and names that jobs may use, and those of processors that left.
fn remembered(keyspace: &Keyspace) -> (Vec<String>, Vec<String>) {
    let members = |key| {
        let content = keyspace.content(key);
        content.map(|content| content.keys().cloned().collect()).unwrap_or_default()
    };
    (members("{p0}:known"), members("{p0}:left"))
}

/// Makes it look as if it was last seen so long before `now`.
async fn seen_before(world: &World, target: &str, ms: u64) {
    let at = (world.direct.clock().await.unwrap() - ms).to_string();
    let () = world.redis.query(&["ZADD", "{p0}:known", &at, target]).await;
}

async fn what_nobody_is_registered_as_is_forgotten_after_a_week(world: &World) {
    for (id, name) in [("p", "work"), ("q", "gone"), ("r", "gone"), ("s", "late")] {
        world.register(id, name, 9).await;
    }
    for (id, name) in [("q", "gone"), ("r", "gone"), ("s", "late")] {
        world.store.drain_named(id, name, None).await.unwrap();
    }
    for target in ["p", "work", "q", "gone"] {
        seen_before(world, target, REMEMBERED_MS + 1_000).await;
    }
    for target in ["s", "late"] {
        seen_before(world, target, REMEMBERED_MS - 3_600_000).await;
    }
    let forget = async || {
        let now = world.direct.clock().await.unwrap();
        world.store.forget_targets(now).await.unwrap()
    };
    forget().await;
    let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    // What is registered is known, however long it was silent.
    let (known, left) = remembered(&world.keyspace().await);
    assert_eq!(known, words(&["late", "p", "r", "s", "work"]));
    assert_eq!(left, words(&["r", "s"]));
    world.assert_unchanged(forget()).await;
    let unknown = world.store.drain_named("q", "", None).await.unwrap();
    assert_eq!(unknown, Drained::Unknown);
}

async fn more_than_a_batch_is_forgotten_batch_by_batch(world: &World) {
    world.register("p", "work", 9).await;
    for n in 0..150 {
        let () = world.redis.query(&["ZADD", "{p0}:known", "5", &format!("old-{n:03}")]).await;
    }
    // At the head, and not in the way of what is behind it.
    let () = world.redis.query(&["ZADD", "{p0}:known", "1", "p", "2", "work"]).await;
    let mut counts = Vec::new();
    for _ in 0..3 {
        let now = world.direct.clock().await.unwrap();
        world.store.forget_targets(now).await.unwrap();
        counts.push(remembered(&world.keyspace().await).0.len());
    }
    assert_eq!(counts, [54, 2, 2]);
    assert_eq!(remembered(&world.keyspace().await).0, ["p", "work"]);
}
