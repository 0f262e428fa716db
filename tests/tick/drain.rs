//! The end of a tick that has calls open.

use std::sync::atomic::Ordering::SeqCst;

use kit::Gate;
use manager_svc::tick::linger;

use crate::world::{TICKER, World, beat, counting, process};

/// It looks once more when its last call ends, and leaves to another what it finds: what it claimed then would be
/// frozen with its process.
#[tokio::test]
async fn a_tick_that_does_not_linger_ends_with_its_calls_and_hands_off_what_they_made_room_for() {
    let world = World::start().await;
    let gate = Gate::closed();
    let processor = world.gated("p", &gate).await;
    world.settle().await;
    // A tick that lingers elsewhere, so that no function starts another.
    let () = world.redis.query(&["SET", TICKER, "another"]).await;
    let first = world.submit("p").await;
    let app = process(&world.redis.url()).await;
    let (nudger, handoffs) = counting();
    let tick = {
        let app = app.clone();
        tokio::spawn(async move { linger(&app, beat(), &nudger).await })
    };
    processor.wait_for(1).await;
    let second = world.submit("p").await;
    assert_eq!(processor.order(), [first]);
    let () = world.redis.query(&["DEL", TICKER]).await;
    gate.open();
    let report = tick.await.unwrap().unwrap();
    assert_eq!(report.claimed, 1);
    assert!(report.claimable, "the second action was left");
    assert!(app.calls.is_empty(), "no call is open at the end");
    assert_eq!(handoffs.load(SeqCst), 1, "one tick is started, after one hand-off");
    assert_eq!(world.holder().await.as_deref(), Some("starting"));
    assert_eq!(processor.order().len(), 1);
    // The tick that would have been started.
    let (nudger, handoffs) = counting();
    linger(&app, beat(), &nudger).await.unwrap();
    assert_eq!(world.client.outcome(&second).await.action_id, second);
    assert_eq!((world.holder().await, handoffs.load(SeqCst)), (None, 0));
}
