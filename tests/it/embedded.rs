//! The embedded Redis: private, durable, shared by the servers of one data directory, and gone with
//! the last of them.

use kit::{Baton, BatonSpec, Processor, ProcessorSpec, Receiver, action, is_alive};
use serde_json::json;

/// A processor that is registered with this manager.
async fn processor(baton: &Baton) -> Processor {
    let processor = Processor::sync(ProcessorSpec::new("p"), |data| data).await;
    processor.register(baton).await;
    processor
}

#[tokio::test]
async fn an_embedded_redis_keeps_what_was_accepted_over_a_stop_and_leaves_no_process() {
    let mut baton = BatonSpec::embedded().start().await;
    let receiver = Receiver::start(baton.webhook_secrets()).await;
    let p = processor(&baton).await;
    let mut later = action(&json!(1), &["p"], Some(&receiver.url()));
    later.delay_ms = Some(500);
    let id = baton.submit(&later).await;
    baton.stop().await;
    assert_eq!(baton.data_dir().processes(), [0; 0]);
    baton.restart().await;
    receiver.wait_for(1).await;
    assert_eq!(receiver.deliveries()[0].body.data.action_id, id);
    assert_eq!(p.arrivals().len(), 1);
    baton.stop().await;
    assert_eq!(baton.data_dir().processes(), [0; 0]);
}

#[tokio::test]
async fn a_killed_server_finds_its_redis_again_and_the_next_stop_ends_both() {
    let mut baton = BatonSpec::embedded().start().await;
    let receiver = Receiver::start(baton.webhook_secrets()).await;
    let _p = processor(&baton).await;
    baton.submit(&action(&json!(1), &["p"], Some(&receiver.url()))).await;
    receiver.wait_for(1).await;
    baton.kill9();
    let [redis] = baton.data_dir().processes().try_into().unwrap();
    baton.restart().await;
    assert!(is_alive(redis), "the running Redis is joined, not started again");
    baton.submit(&action(&json!(2), &["p"], Some(&receiver.url()))).await;
    receiver.wait_for(2).await;
    baton.stop().await;
    assert_eq!(baton.data_dir().processes(), [0; 0]);
}

#[tokio::test]
async fn a_second_server_joins_the_redis_of_the_first_and_the_last_one_stops_it() {
    let mut first = BatonSpec::embedded().start().await;
    let dir = first.data_dir().clone();
    let mut second = BatonSpec::embedded().data_dir(&dir).start().await;
    assert_eq!(dir.processes().len(), 3, "two servers and one Redis");
    let receiver = Receiver::start(second.webhook_secrets()).await;
    let _p = processor(&first).await;
    second.submit(&action(&json!(1), &["p"], Some(&receiver.url()))).await;
    receiver.wait_for(1).await;
    first.stop().await;
    assert_eq!(dir.processes().len(), 2);
    second.submit(&action(&json!(2), &["p"], Some(&receiver.url()))).await;
    receiver.wait_for(2).await;
    second.stop().await;
    assert_eq!(dir.processes(), [0; 0]);
}

#[tokio::test]
async fn without_a_redis_on_path_it_says_how_to_install_one() {
    let log = BatonSpec::embedded().env("PATH", "/nowhere").try_start().await.unwrap_err();
    assert!(log.contains("install") && log.contains("redis-server"), "{log}");
}

#[tokio::test]
async fn an_unknown_variable_refuses_to_start() {
    let log = BatonSpec::embedded().env("BATON_BINDD", "x").try_start().await.unwrap_err();
    assert!(log.contains("BATON_BINDD") && log.contains("BATON_BIND"), "{log}");
}
