use std::time::Duration;

use baton_wire::signature::Secrets;
use bytes::Bytes;

use super::testing::{Act, LONG, SECRET, SHORT, Server, deaf, egress, http, local};
use super::{Egress, ProcessCall, ProcessReply};

const BODY: &[u8] = b"{\"data\":1}";

async fn call(egress: &Egress, url: &str, wait: Duration) -> ProcessReply {
    let call = ProcessCall {
        url,
        body: Bytes::from_static(BODY),
        message_id: "msg_1",
        idempotency_key: "act_1-0",
        traceparent: None,
        now_secs: 1_700_000_000,
        wait,
    };
    egress.process(call).await
}

async fn reply_to(act: Act, wait: Duration) -> ProcessReply {
    let server = Server::start(vec![act]).await;
    call(&local(), &server.url, wait).await
}

/// The code of a failure, and whether it may be tried again.
fn failure(reply: ProcessReply) -> (String, bool) {
    match reply {
        ProcessReply::Failed { code, message, retryable } => {
            assert!(!message.is_empty());
            (code, retryable)
        }
        other => panic!("not a failure: {other:?}"),
    }
}

#[tokio::test]
async fn replies_are_read_by_their_status() {
    let output = |text: &'static str| ProcessReply::Output(Bytes::from_static(text.as_bytes()));
    let hold = |status, secs: Option<u64>| ProcessReply::Hold {
        status,
        retry_after: secs.map(Duration::from_secs),
    };
    let chunked = "HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n\
                   3\r\n[1,\r\n2\r\n2]\r\n0\r\n\r\n";
    for (act, expected) in [
        (http(200, "", "{\"a\":1}\n"), output("{\"a\":1}")),
        (http(201, "content-encoding: identity\r\n", "null"), output("null")),
        (Act::Reply(chunked.into()), output("[1,2]")),
        (
            Act::ReplyAndClose("HTTP/1.1 200 X\r\n\r\n\"to the end\"".into()),
            output("\"to the end\""),
        ),
        (http(202, "", "{\"accepted\":true}"), ProcessReply::Accepted),
        (http(204, "", ""), ProcessReply::Unchanged),
        (http(429, "", "later"), hold(429, None)),
        (http(429, "retry-after: 7\r\n", ""), hold(429, Some(7))),
        (http(429, "retry-after: soon\r\n", ""), hold(429, None)),
        (http(503, "retry-after: Tue, 14 Nov 2023 22:13:30 GMT\r\n", ""), hold(503, Some(10))),
    ] {
        assert_eq!(reply_to(act, LONG).await, expected);
    }
}

#[tokio::test]
async fn failures_have_stable_codes_and_say_whether_to_try_again() {
    let big = format!("\"{}\"", "x".repeat(1000));
    let endless = format!("HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n3ea\r\n{big}\r\n");
    let deep = "[".repeat(300) + &"]".repeat(300);
    for (act, code, retryable) in [
        (http(500, "", "oops"), "processor_status_500", true),
        (http(503, "", ""), "processor_status_503", true),
        (http(503, "retry-after: soon\r\n", ""), "processor_status_503", true),
        (http(599, "", ""), "processor_status_599", true),
        (http(408, "", ""), "processor_status_408", true),
        (http(425, "", ""), "processor_status_425", true),
        (http(400, "", ""), "processor_status_400", false),
        (http(404, "", ""), "processor_status_404", false),
        (http(410, "", ""), "processor_status_410", false),
        (http(206, "", "{}"), "processor_status_206", false),
        (http(302, "location: http://127.0.0.1:1/\r\n", ""), "redirect_refused", false),
        (http(200, "", "<html>"), "reply_not_json", false),
        (http(200, "", ""), "reply_not_json", false),
        (http(200, "", "{} {}"), "reply_not_json", false),
        (http(200, "", &deep), "reply_not_json", false),
        (http(200, "content-encoding: gzip\r\n", "{}"), "reply_encoded", false),
        (http(200, "", &big), "reply_too_large", false),
        (Act::ReplyAndHang(endless), "reply_too_large", false),
        (Act::ReplyAndClose("SSH-2.0-OpenSSH_9\r\n".into()), "reply_malformed", true),
        (Act::ReplyAndClose(String::new()), "connection_lost", true),
        (Act::ReplyAndClose("HTTP/1.1 200 X\r\ncontent-le".into()), "connection_lost", true),
        (
            Act::ReplyAndClose("HTTP/1.1 200 X\r\ncontent-length: 9\r\n\r\n[1".into()),
            "connection_lost",
            true,
        ),
    ] {
        assert_eq!(failure(reply_to(act, LONG).await), (code.to_owned(), retryable));
    }
}

#[tokio::test]
async fn a_problem_becomes_the_recorded_error() {
    let problem = "content-type: application/problem+json; charset=utf-8\r\n";
    let body = "{\"code\":\"bad_input\",\"title\":\"Bad\",\"detail\":\"no text\\u0007\"}";
    for (status, retryable) in [(422, false), (500, true)] {
        let reply = reply_to(http(status, problem, body), LONG).await;
        let expected = ProcessReply::Failed {
            code: "bad_input".into(),
            message: "no text ".into(),
            retryable,
        };
        assert_eq!(reply, expected);
    }
    // Only a problem speaks for itself: any other body may be a payload, or cannot be read.
    for headers in
        ["content-type: application/json\r\n", &format!("{problem}content-encoding: br\r\n")]
    {
        let reply = reply_to(http(422, headers, body), LONG).await;
        let ProcessReply::Failed { code, message, .. } = reply else { panic!("{reply:?}") };
        assert_eq!(code, "processor_status_422");
        assert!(!message.contains("no text"), "{message}");
    }
}

#[tokio::test]
async fn silence_after_the_request_was_written_is_no_failure() {
    let server = Server::start(vec![Act::ReplyAndHang(String::new())]).await;
    assert_eq!(call(&local(), &server.url, SHORT).await, ProcessReply::Silent);
}

#[tokio::test]
async fn a_reply_that_stalls_is_a_failure() {
    let head = "HTTP/1.1 200 X\r\ncontent-length: 9\r\n\r\n[1".to_owned();
    let stalled = reply_to(Act::ReplyAndHang(head), SHORT).await;
    assert_eq!(failure(stalled), ("reply_stalled".into(), true));
    // Where the status says it all, the body is not waited for.
    let head = "HTTP/1.1 202 X\r\ncontent-length: 9\r\n\r\n[1".to_owned();
    assert_eq!(reply_to(Act::ReplyAndHang(head), LONG).await, ProcessReply::Accepted);
}

#[tokio::test]
async fn a_call_that_never_got_through_is_unreachable() {
    let egress = local();
    let unreachable = ("unreachable".to_owned(), true);
    assert_eq!(failure(call(&egress, &deaf().await, LONG).await), unreachable);
    assert_eq!(failure(call(&egress, "http://no-such-host.invalid", LONG).await), unreachable);
    // TLS is never answered, or answered by something else.
    let silent = Server::start(vec![Act::ReplyAndHang(String::new())]).await;
    let url = silent.url.replace("http:", "https:");
    assert_eq!(failure(call(&egress, &url, SHORT).await), unreachable);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let (reply, ()) = tokio::join!(call(&egress, &url, LONG), async {
        let (stream, _) = listener.accept().await.unwrap();
        stream.writable().await.unwrap();
        stream.try_write(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
    });
    let ProcessReply::Failed { ref message, .. } = reply else { panic!("{reply:?}") };
    assert!(message.contains("TLS"), "{message}");
    assert_eq!(failure(reply), unreachable);
}

#[tokio::test]
async fn an_address_that_the_policy_refuses_is_never_connected_to() {
    let mut server = Server::start(vec![http(200, "", "{}")]).await;
    let refused = ("address_refused".to_owned(), true);
    let elsewhere = egress(&["10.0.0.0/8"]);
    for host in ["127.0.0.1", "localhost", "2130706433", "[::ffff:127.0.0.1]", "0.0.0.0"] {
        let url = format!("http://{host}:{}", server.port());
        assert_eq!(failure(call(&elsewhere, &url, LONG).await), refused, "{url}");
    }
    assert!(server.seen.try_recv().is_err());
    let url = format!("http://localhost:{}", server.port());
    assert_eq!(call(&local(), &url, LONG).await, ProcessReply::Output("{}".into()));
}

#[tokio::test]
async fn a_url_that_cannot_be_called_is_named_so() {
    for url in ["", "nonsense", "/path", "http://user:pw@127.0.0.1:1", "http://a b"] {
        let invalid = ("request_invalid".to_owned(), false);
        assert_eq!(failure(call(&local(), url, LONG).await), invalid, "{url}");
    }
}

#[tokio::test]
async fn the_request_is_signed_and_carries_its_headers() {
    let mut server = Server::start(vec![http(204, "", "")]).await;
    let egress = local();
    for trace in [Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), Some("a\nb")] {
        let reply = egress
            .process(ProcessCall {
                url: &format!("{}/base", server.url),
                body: Bytes::from_static(BODY),
                message_id: "msg_1",
                idempotency_key: "act_1-0",
                traceparent: trace,
                now_secs: 1_700_000_000,
                wait: LONG,
            })
            .await;
        assert_eq!(reply, ProcessReply::Unchanged);
        let seen = server.seen.recv().await.unwrap();
        assert_eq!(seen.line, "POST /base/process");
        assert_eq!(seen.body, BODY);
        assert_eq!(seen.header("host"), Some(server.url.trim_start_matches("http://")));
        assert_eq!(seen.header("content-type"), Some("application/json"));
        assert_eq!(seen.header("content-length"), Some("10"));
        assert_eq!(seen.header("user-agent"), Some("baton/test"));
        assert_eq!(seen.header("idempotency-key"), Some("act_1-0"));
        assert_eq!(seen.header("webhook-id"), Some("msg_1"));
        assert_eq!(seen.header("traceparent"), trace.filter(|trace| !trace.contains('\n')));
        assert_eq!(seen.header("accept-encoding"), None);
        let secrets = Secrets::parse(SECRET).unwrap();
        secrets.verify(|name| seen.header(name), &seen.body, 1_700_000_000).unwrap();
    }
}

#[tokio::test]
async fn one_connection_serves_calls_that_follow_each_other() {
    let acts =
        vec![http(500, "", "oops"), http(202, "", "{}"), http(204, "", ""), http(200, "", "[]")];
    let mut server = Server::start(acts).await;
    let egress = local();
    for _ in 0..4 {
        call(&egress, &server.url, LONG).await;
        assert_eq!(server.seen.recv().await.unwrap().connection, 0);
    }
}

#[tokio::test]
async fn a_connection_that_the_peer_ends_is_not_used_again() {
    let last = "HTTP/1.1 204 X\r\nconnection: close\r\n\r\n".to_owned();
    let mut server = Server::start(vec![Act::ReplyAndClose(last)]).await;
    let egress = local();
    for connection in 0..3 {
        assert_eq!(call(&egress, &server.url, LONG).await, ProcessReply::Unchanged);
        assert_eq!(server.seen.recv().await.unwrap().connection, connection);
    }
}

#[test]
fn nothing_secret_is_shown() {
    let shown = format!("{:?}", local());
    assert!(shown.contains("127.0.0.0/8") && !shown.contains("whsec_"), "{shown}");
}
