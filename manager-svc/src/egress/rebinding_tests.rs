//! A resolver that says one thing when a URL is handed in, and another when it is called.

use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;

use super::names::Names;
use super::testing::{LONG, Server, http, settings};
use super::{DeliveryCall, DeliveryReply, Egress, ProbeError, ProcessCall, ProcessReply};

/// The peer that is allowed, and the one that is not: both are this machine.
const ALLOWED: &str = "127.0.0.1";
const REFUSED: &str = "127.0.0.2";
const META: &str = r#"{"id":"a","name":"b"}"#;

/// Answers by turns, the last again and again; counts how often it is asked.
#[derive(Clone, Default)]
struct Resolver {
    answers: Arc<Mutex<Vec<Vec<IpAddr>>>>,
    asked: Arc<AtomicUsize>,
}

impl Resolver {
    fn say(&self, answers: &[&[&str]]) {
        let parse = |answer: &&[&str]| answer.iter().map(|ip| ip.parse().unwrap()).collect();
        *self.answers.lock().unwrap() = answers.iter().map(parse).collect();
    }

    fn names(&self) -> Names {
        let resolver = self.clone();
        Names::Scripted(Arc::new(move |_| {
            resolver.asked.fetch_add(1, Ordering::SeqCst);
            let mut answers = resolver.answers.lock().unwrap();
            if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() }
        }))
    }
}

/// A server at each of the two addresses, on one port, and calls that may go to these networks.
struct Stage {
    allowed: Server,
    refused: Server,
    resolver: Resolver,
    egress: Egress,
    url: String,
}

impl Stage {
    async fn start(networks: &[&str]) -> Self {
        let acts = || vec![http(200, "connection: close\r\n", META)];
        let allowed = Server::start(acts()).await;
        let refused = Server::start_at(&format!("{REFUSED}:{}", allowed.port()), acts()).await;
        let resolver = Resolver::default();
        let egress = Egress::resolving(settings(networks), resolver.names()).unwrap();
        let url = format!("http://rebinding.example:{}", allowed.port());
        Self { allowed, refused, resolver, egress, url }
    }

    async fn process(&self) -> ProcessReply {
        let call = ProcessCall {
            url: &self.url,
            body: Bytes::from_static(b"{}"),
            message_id: "m",
            idempotency_key: "k",
            traceparent: None,
            now_secs: 1_700_000_000,
            wait: LONG,
        };
        self.egress.process(call).await
    }

    async fn deliver(&self) -> DeliveryReply {
        let call = DeliveryCall {
            url: &self.url,
            body: Bytes::from_static(b"{}"),
            webhook_id: "w",
            traceparent: None,
            now_secs: 1_700_000_000,
            timeout: LONG,
        };
        self.egress.deliver(call).await
    }

    /// Every kind of call once: who was reached is for the caller to see.
    async fn call_all(&self) -> [bool; 4] {
        let is_output = matches!(self.process().await, ProcessReply::Output(_));
        let is_delivered = matches!(self.deliver().await, DeliveryReply::Delivered { .. });
        let meta = self.egress.fetch_meta(&self.url, Duration::from_secs(10)).await;
        let probed = self.egress.probe_process(&self.url, Duration::from_secs(10)).await;
        [is_output, is_delivered, meta.is_ok(), probed.is_ok()]
    }
}

#[tokio::test]
async fn a_second_answer_leads_no_call_to_an_address_that_is_refused() {
    let mut stage = Stage::start(&["127.0.0.1/32"]).await;
    stage.resolver.say(&[&[ALLOWED]]);
    // The URL is accepted, and every call gets through.
    stage.egress.check_response_url(&stage.url).unwrap();
    stage.egress.check_processor_url(&stage.url).unwrap();
    assert_eq!(stage.call_all().await, [true; 4]);
    assert!(stage.allowed.seen.try_recv().is_ok());
    // The name leads elsewhere now.
    stage.resolver.say(&[&[REFUSED]]);
    let failed = stage.process().await;
    let ProcessReply::Failed { code, .. } = failed else { panic!("{failed:?}") };
    assert_eq!(code, "address_refused");
    let DeliveryReply::Retry { reason, .. } = stage.deliver().await else { panic!("delivered") };
    assert_eq!(reason, "address_refused");
    let meta = stage.egress.fetch_meta(&stage.url, LONG).await;
    assert_eq!(meta.unwrap_err(), ProbeError::Refused);
    let probed = stage.egress.probe_process(&stage.url, LONG).await;
    assert_eq!(probed.unwrap_err(), ProbeError::Refused);
    assert!(stage.refused.seen.try_recv().is_err(), "it was connected to");
}

#[tokio::test]
async fn the_answer_that_is_judged_is_the_one_that_is_connected_to() {
    // Were a name asked for twice for one connection, the second answer would be used unjudged.
    for call in 0..4 {
        let mut stage = Stage::start(&["127.0.0.1/32"]).await;
        stage.resolver.say(&[&[ALLOWED], &[REFUSED]]);
        let got_through = match call {
            0 => matches!(stage.process().await, ProcessReply::Output(_)),
            1 => matches!(stage.deliver().await, DeliveryReply::Delivered { .. }),
            2 => stage.egress.fetch_meta(&stage.url, LONG).await.is_ok(),
            _ => stage.egress.probe_process(&stage.url, LONG).await.is_ok(),
        };
        assert!(got_through, "call {call}");
        assert_eq!(stage.resolver.asked.load(Ordering::SeqCst), 1, "call {call}");
        assert!(stage.refused.seen.try_recv().is_err(), "call {call}");
    }
}

#[tokio::test]
async fn of_several_addresses_only_those_that_are_allowed_are_tried() {
    let mut stage = Stage::start(&["127.0.0.1/32"]).await;
    stage.resolver.say(&[&[REFUSED, "169.254.169.254", "::ffff:127.0.0.2", ALLOWED]]);
    assert_eq!(stage.call_all().await, [true; 4]);
    assert!(stage.refused.seen.try_recv().is_err());
    assert!(stage.allowed.seen.try_recv().is_ok());
}

#[tokio::test]
async fn without_the_guard_every_call_would_get_there() {
    let mut stage = Stage::start(&["0.0.0.0/0", "::/0"]).await;
    stage.resolver.say(&[&[REFUSED]]);
    assert_eq!(stage.call_all().await, [true; 4]);
    for _ in 0..4 {
        assert!(stage.refused.seen.try_recv().is_ok());
    }
}
