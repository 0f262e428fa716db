//! Looking at what is there.

use manager_svc::domain::action::Status;
use manager_svc::store::{QueueSizes, StepEnd};

use crate::world::{HOST, World, ending};

cases! {
    a_look_shows_what_waits_and_when
}

async fn a_look_shows_what_waits_and_when(world: &World) {
    world.register("p", "work", 9).await;
    let delivered = world.claimed(&world.action_to_host(&["work"])).await;
    let (token, end) = (delivered.token.hash(), ending(None));
    world
        .store
        .finish(
            &delivered.action,
            StepEnd::succeeded(&token, &world.output("1")),
            Status::Succeeded,
            end,
        )
        .await
        .unwrap();
    let running = world.claimed(&world.action(&["work"])).await.action;
    let own = world.submit(&world.action(&["p"])).await;
    let shared = world.submit(&world.action(&["work"])).await;
    let mut late = world.action(&["work"]);
    late.delay_ms = 500_000;
    let late = world.record(&world.submit(&late).await).await;
    let store = &world.store;
    let before = world.keyspace().await;

    let look = store.look().await.unwrap();
    let mut targets = look.targets;
    targets.sort();
    assert_eq!(targets, ["p", "work"]);
    assert_eq!(look.delayed, [(late.ready_at, late.id.clone())]);
    assert_eq!(look.deadlines.len(), 4);
    assert_eq!(look.deadlines[3], (late.expires_at, late.id.clone()));
    let outcome = world.record(&delivered.action.id).await;
    let due = outcome.delivery.due_at.unwrap();
    assert_eq!(look.receivers, [(due, HOST.to_owned())]);
    assert_eq!(store.deliveries(&[HOST], 9).await.unwrap(), [[(due, outcome.id.clone())]]);
    let heads = store.heads(&["p"], &[("p", 9), ("work", 9)]).await.unwrap();
    assert_eq!(heads.waiting, [vec![(3, own)], vec![(4, shared)]]);
    assert_eq!(heads.in_flight, [1]);
    let processors = store.processors().await.unwrap();
    let lease = processors[0].first_lease.clone().unwrap();
    assert_eq!(lease.1, running.id.as_str());
    assert_eq!(store.lapsed(&["p"], lease.0 - 1).await.unwrap(), []);
    assert_eq!(store.lapsed(&["p"], lease.0).await.unwrap(), [(lease.0, running.id)]);
    let sizes = store.queue_sizes(&["p".to_owned()]).await.unwrap();
    let oldest_ms = sizes.oldest_ms;
    assert!(oldest_ms.is_some());
    let expected =
        QueueSizes { input: 2, pending: 1, delayed: 1, output: 1, failed: 0, live: 4, oldest_ms };
    assert_eq!(sizes, expected);
    assert_eq!(store.info().await.unwrap().cluster, world.redis.is_cluster());
    assert_eq!(world.keyspace().await.changes_since(&before), "");
}
