//! The proxy before the scripts catches what it is there for.

use kit::{Scripts, with_shim};
use manager_svc::store::{Drained, Store};

use crate::world::World;

/// A store whose script of this name does something more at its beginning.
async fn seeded(name: &'static str, more: &'static str, shim: bool) -> World {
    let scripts = Scripts::edited(move |script, source| {
        let begin = if script == name { more } else { "" };
        let source = format!("{begin}\n{source}");
        if shim { with_shim(&source) } else { source }
    });
    World::start().await.behind(scripts.twice()).await
}

async fn ping(store: &Store) -> String {
    store.ping().await.err().map(|error| error.to_string()).unwrap_or_default()
}

#[tokio::test]
async fn an_undeclared_key_is_caught() {
    let undeclared = "redis.call('GET', '{p0}:secret')";
    let world = seeded("read_clock", undeclared, false).await;
    assert_eq!(ping(&world.store).await, "");
    let world = seeded("read_clock", undeclared, true).await;
    let error = ping(&world.store).await;
    assert!(error.contains("GET touches {p0}:secret, not in KEYS"), "{error}");
    for more in ["redis.call('EXISTS', KEYS[1], 'b')", "redis.call('UNLINK', 'b')"] {
        let error = ping(&seeded("read_clock", more, true).await.store).await;
        assert!(error.contains("touches b, not in KEYS"), "{error}");
    }
    let error =
        ping(&seeded("read_clock", "redis.call('LPUSH', KEYS[1], 1)", true).await.store).await;
    assert!(error.contains("where are the keys of LPUSH?"), "{error}");
}

#[tokio::test]
async fn a_script_that_changes_something_the_second_time_is_caught() {
    let more = "redis.call('INCR', KEYS[1])";
    let world = seeded("read_clock", more, true).await;
    assert_eq!(ping(&world.store).await, "");
    let findings = world.proxy.as_ref().unwrap().findings();
    assert!(findings.iter().any(|found| found.contains("~ {p0}:seq")), "{findings:?}");
}

#[tokio::test]
async fn a_script_that_answers_otherwise_the_second_time_is_caught() {
    let more = "if redis.call('EXISTS', KEYS[1]) == 0 then return {-1} end";
    let world = seeded("drain_processor", more, true).await;
    world.register("p", "work", 1).await;
    let drained = world.store.drain_named("p", "work", None).await.unwrap();
    assert_eq!(drained, Drained::Gone);
    let findings = world.proxy.as_ref().unwrap().findings();
    assert!(findings.iter().any(|found| found.contains("became *1")), "{findings:?}");
}
