//! What a receiver's answers do to a delivery.

use baton_wire::action::{ActionOut, DeliveryStatus, Status};
use kit::{Receiver, Reply, action, eventually, until};
use serde_json::json;

use crate::world::World;

/// Submits an action that succeeds at once, for this receiver.
async fn submit(world: &World, receiver: &Receiver) -> String {
    world.baton.submit(&action(&json!([]), &["a"], Some(&receiver.url()))).await
}

/// A receiver that always answers this.
async fn receiver(world: &World, reply: Reply) -> Receiver {
    Receiver::scripted(world.baton.webhook_secrets(), move |_| reply.clone()).await
}

fn delivery(action: &ActionOut) -> (DeliveryStatus, u32, Option<&str>) {
    let delivery = &action.delivery;
    (delivery.status, delivery.attempts, delivery.last_error.as_deref())
}

#[tokio::test]
async fn a_410_is_final_and_anything_else_is_sent_again_until_the_schedule_is_used_up() {
    let world = World::with(&[("BATON_DELIVERY_SCHEDULE_MS", "0 50 50")]).await;
    let _adder = world.adder("a").await;
    for (reply, sends, error) in [
        (Reply::status(410), 1, "the receiver answered 410"),
        (Reply::status(302).with("location", &world.receiver.url()), 3, "redirect_refused"),
        (Reply::status(500), 3, "receiver_status_500"),
        (Reply::status(400), 3, "receiver_status_400"),
        (Reply::Cut, 3, "connection_lost"),
    ] {
        let receiver = receiver(&world, reply).await;
        let id = submit(&world, &receiver).await;
        let ended = world.baton.ended(&id).await;
        assert_eq!(delivery(&ended), (DeliveryStatus::Exhausted, sends, Some(error)));
        // The outcome stays what it was, and nothing is due any more.
        assert_eq!((ended.status, ended.delivery.next_at), (Status::Succeeded, None), "{error}");
        let deliveries = receiver.of(&id);
        assert_eq!(deliveries.len(), sends as usize, "{error}");
        assert!(deliveries.iter().all(|sent| sent.webhook_id == format!("{id}_1")), "{error}");
    }
    assert_eq!(world.receiver.deliveries().len(), 0, "a redirect was followed");
    world.assert_sound().await;
}

#[tokio::test]
async fn a_receiver_that_recovers_gets_the_same_webhook_again() {
    let world = World::with(&[("BATON_DELIVERY_SCHEDULE_MS", "0 50 50 50")]).await;
    let _adder = world.adder("a").await;
    let receiver = Receiver::scripted(world.baton.webhook_secrets(), |delivery| {
        Reply::status([503, 302, 200][delivery.attempt - 1])
    });
    let receiver = receiver.await;
    let id = submit(&world, &receiver).await;
    let ended = world.baton.ended(&id).await;
    assert_eq!((ended.delivery.status, ended.delivery.attempts), (DeliveryStatus::Delivered, 3));
    let bodies: Vec<_> = receiver.of(&id).into_iter().map(|sent| sent.request.body).collect();
    assert_eq!(bodies.len(), 3);
    assert!(bodies.iter().all(|body| *body == bodies[0]));
    world.assert_sound().await;
}

#[tokio::test]
async fn retry_after_is_honoured_up_to_twice_the_scheduled_delay() {
    const SCHEDULED_MS: u64 = 100_000;
    let world = World::with(&[("BATON_DELIVERY_SCHEDULE_MS", "0 100000")]).await;
    let _adder = world.adder("a").await;
    // The header, and between what the delay must be.
    for (header, least, most) in [
        (None, SCHEDULED_MS, SCHEDULED_MS + SCHEDULED_MS / 10),
        (Some("1"), SCHEDULED_MS, SCHEDULED_MS + SCHEDULED_MS / 10),
        (Some("150"), 150_000, 150_000),
        (Some("86400"), 2 * SCHEDULED_MS, 2 * SCHEDULED_MS),
    ] {
        let reply = Reply::status(429);
        let reply = header.map_or(reply.clone(), |value| reply.with("retry-after", value));
        let receiver = receiver(&world, reply).await;
        let before = world.clock().await;
        let id = submit(&world, &receiver).await;
        let next = eventually("the send has failed", async || {
            let delivery = world.baton.get(&id).await.delivery;
            delivery.last_error.and(delivery.next_at)
        });
        let next = next.await;
        let expected = before + least..=world.clock().await + most;
        assert!(expected.contains(&next), "{header:?}: {next} is not in {expected:?}");
        assert_eq!(receiver.of(&id).len(), 1);
    }
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_hangs_leaves_room_for_every_other() {
    /// More than the half of all deliveries that one process makes at a time.
    const HANGING: usize = 600;
    const HEALTHY: usize = 50;
    // Functions too send from one process then: each beat of a schedule would start one more.
    let world = World::with(&[("CLOUD_CRON_MS", "0")]).await;
    let _adder = world.adder("a").await;
    let dead = receiver(&world, Reply::Silence).await;
    for _ in 0..HANGING / 100 {
        let batch: Vec<_> =
            (0..100).map(|_| action(&json!([]), &["a"], Some(&dead.url()))).collect();
        world.baton.submit_all(&batch).await;
    }
    let key = format!("{{p0}}:output:{}", dead.url().replace("http://", "").replace("/hook", ""));
    until("every outcome waits for the dead host", async || {
        world.redis.query::<usize>(&["ZCARD", &key]).await == HANGING
    })
    .await;
    // It has what one host may have of 512: each place leaves as many free for others.
    dead.wait_for_arrivals(256).await;
    for _ in 0..HEALTHY {
        submit(&world, &world.receiver).await;
    }
    world.receiver.wait_for(HEALTHY).await;
    // Still the first sends: none of them had come to its end when the others were delivered.
    let sends = dead.deliveries();
    assert_eq!((sends.len(), sends.iter().map(|sent| sent.attempt).max()), (256, Some(1)));
}
