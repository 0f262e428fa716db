//! Reading an action while it moves on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};

use baton_wire::RawValue;
use baton_wire::process::{CompleteIn, CompleteStatus};
use kit::{BatonSpec, Processor, ProcessorSpec, Proxy, Redis, Reply, action, until};
use serde_json::json;
use tokio::runtime::{Builder, Handle};

#[test]
fn an_action_whose_step_completes_while_it_is_read_has_its_data() {
    // The proxy stands still in the middle of a command, so it has a thread of its own.
    let network = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let scenario = Builder::new_current_thread().enable_all().build().unwrap();
    scenario.block_on(read_in_the_middle_of_a_step(network.handle()));
}

async fn read_in_the_middle_of_a_step(network: &Handle) {
    let redis = Redis::start().await;
    let proxy = network.spawn(Proxy::start(redis.port())).await.unwrap();
    let quiet = |url: &str| BatonSpec::on(url).env("BATON_HEALTH_INTERVAL_MS", "3600000");
    let reader = quiet(&proxy.url()).start().await;
    let writer = quiet(&redis.url()).start().await;
    let silent = Processor::start(ProcessorSpec::new("p"), |_| async { Reply::accepted() }).await;
    silent.register(&writer).await;
    let id = writer.submit(&action(&json!("before"), &["p", "p"], None)).await;
    silent.wait_for(1).await;

    let held = Arc::new(AtomicBool::new(false));
    let (go_on, wait) = mpsc::channel::<()>();
    proxy.cut_before({
        let (held, payload) = (Arc::clone(&held), format!("data:{id}"));
        move |command| {
            if command.is("GET") && command.mentions(&payload) && !held.swap(true, Ordering::SeqCst)
            {
                // The record was read, its payload is not: now is the moment.
                let _ = wait.recv();
            }
            false
        }
    });
    let reading = {
        let (client, id) = (reader.client(), id.clone());
        tokio::spawn(async move { client.get(&id).await })
    };
    until("the payload is asked for", async || held.load(Ordering::SeqCst)).await;
    let token = silent.arrivals()[0].process.token.clone();
    let report = CompleteIn {
        action_id: id,
        token,
        status: CompleteStatus::Succeeded,
        data: Some(RawValue::from_string(r#""after""#.to_owned()).unwrap()),
        error: None,
        retryable: None,
        retry_after_ms: None,
    };
    writer.complete(&report).await.unwrap();
    go_on.send(()).unwrap();
    let read = reading.await.unwrap();
    assert_eq!(read.data.expect("the action has data").get(), r#""after""#);
}
