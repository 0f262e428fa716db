use std::time::Duration;

use baton_wire::signature::Secrets;
use bytes::Bytes;

use super::testing::{Act, LONG, SHORT, Server, WEBHOOK_SECRET, deaf, egress, http, local};
use super::{DeliveryCall, DeliveryReply, Egress};

async fn call(egress: &Egress, url: &str, timeout: Duration) -> DeliveryReply {
    let call = DeliveryCall {
        url,
        body: Bytes::from_static(b"{\"type\":\"action.succeeded\"}"),
        webhook_id: "act_1_1",
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        now_secs: 1_700_000_000,
        timeout,
    };
    egress.deliver(call).await
}

#[tokio::test]
async fn a_delivery_ends_by_its_status() {
    let retry = |reason: &str, secs: Option<u64>| DeliveryReply::Retry {
        reason: reason.to_owned(),
        retry_after: secs.map(Duration::from_secs),
    };
    let stalled = "HTTP/1.1 200 X\r\ncontent-length: 9\r\n\r\nok".to_owned();
    for (act, expected) in [
        (http(200, "", "thanks"), DeliveryReply::Delivered { status: 200 }),
        (http(204, "", ""), DeliveryReply::Delivered { status: 204 }),
        (http(299, "", ""), DeliveryReply::Delivered { status: 299 }),
        (Act::ReplyAndHang(stalled), DeliveryReply::Delivered { status: 200 }),
        (http(410, "", ""), DeliveryReply::Gone),
        (http(301, "location: /elsewhere\r\n", ""), retry("redirect_refused", None)),
        (http(400, "", ""), retry("receiver_status_400", None)),
        (http(429, "retry-after: 9\r\n", ""), retry("receiver_status_429", Some(9))),
        (http(503, "retry-after: 5\r\n", "busy"), retry("receiver_status_503", Some(5))),
        (Act::ReplyAndClose(String::new()), retry("connection_lost", None)),
        (Act::ReplyAndClose("220 smtp ready\r\n".into()), retry("reply_malformed", None)),
    ] {
        let server = Server::start(vec![act]).await;
        assert_eq!(call(&local(), &server.url, LONG).await, expected);
    }
}

#[tokio::test]
async fn a_receiver_that_cannot_be_reached_is_tried_again() {
    let reason = |reply| match reply {
        DeliveryReply::Retry { reason, retry_after: None } => reason,
        other => panic!("{other:?}"),
    };
    let server = Server::start(vec![Act::ReplyAndHang(String::new())]).await;
    assert_eq!(reason(call(&local(), &server.url, SHORT).await), "timed_out");
    let refused = reason(call(&local(), &deaf().await, LONG).await);
    assert_eq!(refused, "unreachable: connection refused");
    let elsewhere = reason(call(&egress(&[]), &server.url, LONG).await);
    assert_eq!(elsewhere, "address_refused");
    assert_eq!(reason(call(&local(), "nonsense", LONG).await), "request_invalid");
}

#[tokio::test]
async fn a_delivery_is_posted_to_the_url_itself_and_signed_with_the_webhook_secret() {
    let mut server = Server::start(vec![http(200, "", "")]).await;
    let url = format!("{}/hook?a=1", server.url);
    assert_eq!(call(&local(), &url, LONG).await, DeliveryReply::Delivered { status: 200 });
    let seen = server.seen.recv().await.unwrap();
    assert_eq!(seen.line, "POST /hook?a=1");
    assert_eq!(seen.header("webhook-id"), Some("act_1_1"));
    assert_eq!(seen.header("idempotency-key"), None);
    assert!(seen.header("traceparent").is_some());
    let secrets = Secrets::parse(WEBHOOK_SECRET).unwrap();
    secrets.verify(|name| seen.header(name), &seen.body, 1_700_000_000).unwrap();
}
