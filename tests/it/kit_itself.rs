//! The kit, without a manager: what the scenarios rely on.

use std::time::Duration;

use kit::{Processor, ProcessorSpec, Proxy, Redis, Reply, Server, http_client, until};

/// Longer than any test lasts.
const FOREVER: Duration = Duration::from_secs(600);

async fn connect(url: &str) -> redis::RedisResult<redis::aio::MultiplexedConnection> {
    redis::Client::open(url).unwrap().get_multiplexed_async_connection().await
}

fn set(key: &str) -> redis::Cmd {
    let mut command = redis::cmd("SET");
    command.arg(key).arg("1");
    command
}

#[tokio::test]
async fn a_cluster_of_three_shards_takes_every_key() {
    let redis = Redis::cluster().await;
    for key in ["a", "b", "c", "{p0}:d"] {
        let () = redis.query(&["SET", key, "1"]).await;
    }
    assert_eq!(redis.keyspace().await.keys(), ["a", "b", "c", "{p0}:d"]);
    assert_eq!(redis.query::<Option<i32>>(&["GET", "a"]).await, Some(1));
    assert_eq!(redis.query::<Option<i32>>(&["GET", "e"]).await, None);
}

#[tokio::test]
async fn a_killed_durable_redis_comes_back_with_its_data() {
    let mut redis = Redis::durable().await;
    let () = redis.query(&["CONFIG", "SET", "appendfsync", "always"]).await;
    let () = redis.query(&["SET", "a", "1"]).await;
    redis.kill9();
    assert!(redis.try_query::<i32>(&["GET", "a"]).await.is_err());
    redis.restart().await;
    assert_eq!(redis.query::<i32>(&["GET", "a"]).await, 1);
}

#[tokio::test]
async fn a_cut_before_a_command_keeps_it_from_redis_and_a_cut_after_it_loses_the_reply() {
    let redis = Redis::start().await;
    let proxy = Proxy::start(redis.port()).await;
    let mut connection = connect(&proxy.url()).await.unwrap();

    proxy.cut_before(|command| command.is("set") && command.text(1) == "b");
    let sent =
        redis::pipe().add_command(set("a")).add_command(set("b")).exec_async(&mut connection).await;
    assert!(sent.is_err());
    proxy.wait_for_cuts(1).await;

    let mut connection = connect(&proxy.url()).await.unwrap();
    proxy.cut_after(|command| command.mentions("c"));
    assert!(set("c").exec_async(&mut connection).await.is_err());
    proxy.wait_for_cuts(2).await;
    assert!(!redis.keyspace().await.keys().contains(&"b"));
    assert!(redis.keyspace().await.keys().contains(&"c"));

    proxy.refuse();
    assert!(connect(&proxy.url()).await.is_err());
    proxy.restore();
    let mut connection = connect(&proxy.url()).await.unwrap();
    set("d").exec_async(&mut connection).await.unwrap();
}

#[tokio::test]
async fn a_held_command_reaches_redis_later_and_a_late_answer_comes_after_the_change() {
    let redis = Redis::start().await;
    let proxy = Proxy::start(redis.port()).await;
    let send = |key: &'static str| {
        let url = proxy.url();
        tokio::spawn(async move {
            let mut connection = connect(&url).await?;
            set(key).exec_async(&mut connection).await
        })
    };

    proxy.hold_at(FOREVER, |command| command.text(1) == "held");
    let held = send("held");
    until("the command is held", async || proxy.holds() == 1).await;
    send("free").await.unwrap().unwrap();
    assert_eq!(redis.keyspace().await.keys(), ["free"]);
    assert!(!held.is_finished());

    proxy.answer_late(FOREVER, |command| command.text(1) == "unanswered");
    let unanswered = send("unanswered");
    until("it is run", async || redis.keyspace().await.keys().contains(&"unanswered")).await;
    assert!(!unanswered.is_finished());
    assert!(!proxy.is_armed());
}

#[tokio::test]
async fn a_proxy_changes_commands_and_knows_what_redis_left_unanswered() {
    let mut redis = Redis::synchronous().await;
    let settings: Vec<String> = redis.query(&["CONFIG", "GET", "appendfsync"]).await;
    assert_eq!(settings, ["appendfsync", "always"]);
    let proxy = Proxy::rewriting(redis.port(), |command| command.replace("1", "22")).await;
    let mut connection = connect(&proxy.url()).await.unwrap();
    set("a").exec_async(&mut connection).await.unwrap();
    assert_eq!(redis.query::<String>(&["GET", "a"]).await, "22");

    redis.pause();
    proxy.answer_late(Duration::ZERO, |command| command.is("SET"));
    let sent = tokio::spawn(async move { set("b").exec_async(&mut connection).await });
    until("the command is on its way", async || proxy.holds() == 1).await;
    redis.kill9();
    assert!(sent.await.unwrap().is_err());
    until("the connection is counted", async || proxy.unanswered() == 1).await;
}

#[tokio::test]
async fn a_change_of_the_keyspace_is_named() {
    let redis = Redis::start().await;
    let () = redis.query(&["HSET", "h", "f", "1", "g", "2"]).await;
    let before = redis.keyspace().await;
    assert_eq!(redis.keyspace().await.changes_since(&before), "");
    let () = redis.query(&["HSET", "h", "f", "3"]).await;
    let after = redis.keyspace().await;
    assert!(after.changes_since(&before).starts_with("~ h: "));
    let volatile = |key: &str, field: &str| key == "h" && field == "f";
    assert_eq!(after.clone().without(volatile).changes_since(&before.without(volatile)), "");
    let () = redis.query(&["PEXPIRE", "h", "100000"]).await;
    assert!(redis.keyspace().await.changes_since(&after).contains("expires: true"));
}

#[tokio::test]
async fn a_stub_can_cut_a_connection_and_be_stopped_and_started_on_its_port() {
    let mut server = Server::start(|request| async move {
        if request.uri.path() == "/cut" { Reply::Cut } else { Reply::status(204) }
    })
    .await;
    let http = http_client();
    let get = |path: &str| http.get(format!("{}{path}", server.url())).send();
    assert_eq!(get("/").await.unwrap().status(), 204);
    assert!(get("/cut").await.is_err());
    let url = server.url();
    server.stop().await;
    assert!(http.get(&url).send().await.unwrap_err().is_connect());
    server.restart().await;
    assert_eq!(http.get(&url).send().await.unwrap().status(), 204);
}

#[tokio::test]
async fn a_processor_counts_what_it_has_under_way() {
    let gate = kit::Gate::closed();
    let held = gate.clone();
    let processor = Processor::start(ProcessorSpec::new("p"), move |call| {
        let held = held.clone();
        async move {
            held.pass().await;
            Reply::json(&call.data())
        }
    })
    .await;
    let url = format!("{}/process", processor.registration().url);
    let body = serde_json::json!({
        "action_id": "act_1", "step": 0, "steps": 1, "attempt": 1, "token": "t", "data": {"n": 1},
        "complete_url": "http://127.0.0.1:1", "lease_ms": 1, "expires_at": 1
    });
    let call = || tokio::spawn(http_client().post(&url).body(body.to_string()).send());
    let calls = [call(), call()];
    processor.wait_for(2).await;
    assert_eq!((processor.busy(), processor.most_busy()), (2, 2));
    gate.open();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap().text().await.unwrap(), r#"{"n":1}"#);
    }
    assert_eq!((processor.busy(), processor.most_busy()), (0, 2));
}
