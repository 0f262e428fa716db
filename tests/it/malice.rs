//! Processors and receivers that mean harm: each does no more than fail its own action, and the manager's memory stays
//! within a bound.

use std::time::Duration;

use baton_wire::action::{DeliveryStatus, Status};
use baton_wire::problem::MEDIA_TYPE;
use kit::{Form, Processor, Receiver, Reply, Request, Server, action, until};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::world::World;

/// How often each does its worst at the same time.
const TIMES: usize = 8;
/// What all of it may add to the server's memory: of the calls under way at a time, 10 to a processor, each may hold a
/// reply of `BATON_MAX_DATA_BYTES` (256 KiB) and a read buffer (64 KiB), so the 12 processors here 38 MB.
const MEMORY: u64 = 64 << 20;
/// A cloud's metadata, which nobody here is.
const METADATA: &str = "http://169.254.169.254/latest/meta-data/";

/// As fast as it is taken.
fn flood(status: u16) -> Reply {
    Reply::endless(status, vec![b'1'; 64 << 10], Duration::ZERO)
}

fn drip(status: u16) -> Reply {
    Reply::endless(status, "1", Duration::from_millis(20))
}

fn raw(body: impl Into<Vec<u8>>) -> Reply {
    Reply::raw(200, body.into()).with("content-type", "application/json")
}

/// What processors answer, and the error of their actions.
fn hostile(trap: &str) -> Vec<(&'static str, Reply, &'static str)> {
    let problem = json!({"code": "c".repeat(1_000), "detail": "d\u{7}\n".repeat(1_000)});
    let headers = (0..500).fold(raw("1"), |reply, n| reply.with(&format!("x-{n}"), "y"));
    // What a gigabyte of zeros begins with.
    let bomb = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xec, 0xc1, 1, 1, 0, 0, 0, 0x80, 0x90];
    vec![
        ("announced", raw(vec![b'1'; 16 << 20]), "reply_too_large"),
        ("unannounced", flood(200), "reply_too_large"),
        ("slow", drip(200), "reply_stalled"),
        ("metadata", Reply::status(302).with("location", METADATA), "redirect_refused"),
        ("elsewhere", Reply::status(307).with("location", trap), "redirect_refused"),
        ("page", Reply::raw(200, "<p>").with("content-type", "text/html"), "reply_not_json"),
        ("bytes", raw(b"\"\xff\xfe\xc3\x28\""), "reply_not_json"),
        ("deep", raw([vec![b'['; 100_000], vec![b']'; 100_000]].concat()), "reply_not_json"),
        ("bomb", raw(bomb).with("content-encoding", "gzip"), "reply_encoded"),
        ("headers", headers, "reply_malformed"),
        ("slow-error", drip(400), "processor_status_400"),
        ("wordy", Reply::raw(400, problem.to_string()).with("content-type", MEDIA_TYPE), "ccc"),
    ]
}

/// A server that must not be reached, and says who does.
async fn trap() -> (Server, mpsc::UnboundedReceiver<Request>) {
    let (sender, reached) = mpsc::unbounded_channel();
    let server = Server::start(move |request| {
        let _ = sender.send(request);
        async { Reply::status(200) }
    });
    (server.await, reached)
}

#[tokio::test]
async fn a_hostile_processor_fails_its_own_actions_and_nothing_else() {
    let world = World::with(&[("BATON_DISPATCH_WAIT_MS", "2000")]).await;
    let (trap, mut reached) = trap().await;
    let hostile = hostile(&trap.url());
    let mut processors = vec![world.adder("good").await];
    for (id, reply, _) in &hostile {
        let reply = reply.clone();
        let answer = move |_| {
            let reply = reply.clone();
            async { reply }
        };
        processors.push(world.processor(world.spec(id), answer).await);
    }
    world.baton.reset_peak_memory();
    let before = world.baton.peak_memory();
    let (mut bad, mut good) = (Vec::new(), Vec::new());
    for _ in 0..TIMES {
        for (id, _, code) in &hostile {
            let mut submitted = action(&json!([]), &["good", id], None);
            submitted.jobs[1].max_attempts = Some(1);
            bad.push((id, code, world.baton.submit(&submitted).await));
            good.push(world.baton.submit(&action(&json!([]), &["good"], None)).await);
        }
    }
    for id in good {
        assert_eq!(world.baton.outcome(&id).await.status, Status::Succeeded);
    }
    for (processor, code, id) in bad {
        let ended = world.baton.outcome(&id).await;
        let error = ended.error.unwrap();
        assert_eq!((ended.status, error.step), (Status::Failed, Some(1)), "{processor}");
        assert!(error.code.starts_with(code) && error.code.len() <= 64, "{processor}: {error:?}");
        let message = error.message;
        assert!(message.len() <= 500 && !message.contains(char::is_control), "{message:?}");
        // The input of the step is what is left.
        assert_eq!(ended.data.unwrap().get(), r#"["good"]"#, "{processor}");
    }
    assert!(reached.try_recv().is_err(), "a redirect was followed");
    if Form::of_run() == Form::Server {
        let grown = world.baton.peak_memory().saturating_sub(before);
        assert!(grown < MEMORY, "{grown} bytes more");
    }
    world.assert_sound().await;
}

#[tokio::test]
async fn what_a_processor_says_twice_is_passed_on_as_it_said_it() {
    let world = World::start().await;
    let text = r#"{"a":1,"a":2,"__proto__":{"a":3}}"#;
    let twice = world.processor(world.spec("twice"), move |_| async move { raw(text) });
    let _twice = twice.await;
    let id = world.baton.submit(&action(&1, &["twice"], Some(&world.receiver.url()))).await;
    let ended = world.baton.ended(&id).await;
    assert_eq!((ended.status, ended.data.unwrap().get()), (Status::Succeeded, text));
    let [delivery] = world.receiver.of(&id).try_into().unwrap();
    assert_eq!(delivery.body.data.result.get(), text);
}

#[tokio::test]
async fn a_processor_whose_meta_is_hostile_is_not_accepted() {
    let world = World::start().await;
    let (trap, mut reached) = trap().await;
    let p = Processor::start(world.spec("p"), |_| async { raw("1") }).await;
    let before = world.keyspace().await;
    for reply in [
        raw(vec![b' '; 16 << 20]),
        flood(200),
        drip(200),
        Reply::status(302).with("location", METADATA),
        Reply::status(301).with("location", &trap.url()),
        raw(b"{\"id\":\"p\",\"name\":\"\xff\"}"),
        raw(r#"{"id":"p","id":"p","name":"p-kind"}"#),
        raw(format!(r#"{{"id":"p","name":"p-kind","x":{}"#, "[".repeat(60_000))),
        raw("<p>"),
        Reply::Silence,
        Reply::Cut,
    ] {
        p.answer_meta_with(Some(reply.clone()));
        let refused = world.baton.register(&p.registration()).await.unwrap_err();
        let code = refused.problem.code;
        assert!(["processor_unreachable", "processor_mismatch"].contains(&code.as_str()), "{code}");
    }
    assert!(reached.try_recv().is_err(), "a redirect was followed");
    assert_eq!(world.keyspace().await.changes_since(&before), "");
}

#[tokio::test]
async fn a_processor_whose_meta_turns_hostile_is_unhealthy_and_no_other_is() {
    let world = World::with(&[("BATON_HEALTH_INTERVAL_MS", "200")]).await;
    let (good, bad) = (world.adder("good").await, world.adder("bad").await);
    bad.answer_meta_with(Some(flood(200)));
    let status = async |id: &str| {
        let meta = world.baton.meta().await;
        json!(meta.processors.iter().find(|p| p.id == id).unwrap().status)
    };
    until("it is given no more work", async || status("bad").await == "unhealthy").await;
    good.wait_for_checks(2).await;
    assert_eq!(status("good").await, "active");
    let id = world.baton.submit(&action(&json!([]), &["good"], None)).await;
    assert_eq!(world.baton.outcome(&id).await.status, Status::Succeeded);
}

/// Somebody who begins an answer, and never comes to the end of its headers.
async fn endless_headers() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut piece = "HTTP/1.1 200 OK\r\n".to_owned();
                while stream.write_all(piece.as_bytes()).await.is_ok() {
                    "x: y\r\n".clone_into(&mut piece);
                    // Its pace: faster, it would be refused for the size of its headers.
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            });
        }
    });
    url
}

#[tokio::test]
async fn a_hostile_receiver_fails_its_own_deliveries_and_nothing_else() {
    let world = World::with(&[("BATON_DELIVERY_SCHEDULE_MS", "0 100")]).await;
    let _p = world.adder("p").await;
    let (trap, mut reached) = trap().await;
    let secrets = || world.baton.webhook_secrets();
    let many = (0..500).fold(Reply::status(200), |reply, n| reply.with(&format!("x-{n}"), "y"));
    // The status of a reply is what counts, whatever follows it.
    let (taken, lost) = (DeliveryStatus::Delivered, DeliveryStatus::Exhausted);
    let cases = [
        (flood(200), taken, ""),
        (drip(200), taken, ""),
        (raw(b"\xff\xfe"), taken, ""),
        (flood(500), lost, "receiver_status_500"),
        (drip(404), lost, "receiver_status_404"),
        (Reply::status(302).with("location", METADATA), lost, "redirect_refused"),
        (Reply::status(308).with("location", &trap.url()), lost, "redirect_refused"),
        (many, lost, "reply_malformed"),
        (Reply::Cut, lost, "connection_lost"),
    ];
    world.baton.reset_peak_memory();
    let before = world.baton.peak_memory();
    let (mut receivers, mut bad) = (Vec::new(), Vec::new());
    for (reply, expected, error) in cases {
        let answer = reply.clone();
        let receiver = Receiver::scripted(secrets(), move |_| answer.clone()).await;
        let submitted = action(&json!([]), &["p"], Some(&receiver.url()));
        let ids = world.baton.submit_all(&vec![submitted; TIMES]).await;
        bad.extend(ids.into_iter().map(|id| (id, expected, error)));
        receivers.push(receiver);
    }
    let slow = action(&json!([]), &["p"], Some(&endless_headers().await));
    let slow = world.baton.submit_all(&vec![slow; TIMES]).await;
    let fine = action(&json!([]), &["p"], Some(&world.receiver.url()));
    let fine = world.baton.submit_all(&vec![fine; TIMES]).await;
    world.receiver.wait_for(fine.len()).await;
    for (id, expected, error) in bad {
        let ended = world.baton.ended(&id).await;
        assert_eq!((ended.status, ended.delivery.status), (Status::Succeeded, expected), "{error}");
        assert_eq!(ended.delivery.last_error.as_deref().unwrap_or_default(), error);
    }
    for id in slow {
        assert_eq!(world.baton.outcome(&id).await.status, Status::Succeeded);
    }
    assert!(reached.try_recv().is_err(), "a redirect was followed");
    if Form::of_run() == Form::Server {
        let grown = world.baton.peak_memory().saturating_sub(before);
        assert!(grown < MEMORY, "{grown} bytes more");
    }
}

#[tokio::test]
async fn no_call_goes_by_a_proxy_or_carries_a_cookie() {
    let (trap, mut reached) = trap().await;
    let proxy = trap.url();
    let names =
        ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
    let env: Vec<_> = names.iter().map(|name| (*name, proxy.as_str())).collect();
    let world = World::with(&[&env[..], &[("BATON_HEALTH_INTERVAL_MS", "200")]].concat()).await;
    let cookie = |reply: Reply| reply.with("set-cookie", "a=b; Path=/");
    let p = Processor::start(world.spec("p"), move |call| {
        let data: Value = call.data();
        async move { cookie(Reply::json(&data)) }
    });
    let p = p.await;
    p.answer_meta_with(Some(cookie(Reply::json(&p.meta()))));
    p.register(&world.baton).await;
    let receiver =
        Receiver::scripted(world.baton.webhook_secrets(), move |_| cookie(Reply::status(204)));
    let receiver = receiver.await;
    for _ in 0..3 {
        let id = world.baton.submit(&action(&1, &["p"], Some(&receiver.url()))).await;
        assert_eq!(world.baton.ended(&id).await.delivery.status, DeliveryStatus::Delivered);
    }
    p.wait_for_checks(2).await;
    let arrivals = p.arrivals().into_iter().map(|arrival| arrival.request);
    let deliveries = receiver.deliveries().into_iter().map(|delivery| delivery.request);
    for request in arrivals.chain(deliveries) {
        assert_eq!(request.header("cookie"), None);
    }
    assert!(reached.try_recv().is_err(), "the proxy was used");
}
