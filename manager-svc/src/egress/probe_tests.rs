use baton_wire::processor::Usage;

use super::testing::{Act, LONG, SHORT, Server, deaf, egress, http, local};
use super::{ProbeError, UrlError};

#[tokio::test]
async fn meta_is_read_with_what_a_processor_adds_to_it() {
    let full = "{\"id\":\"a\",\"name\":\"n\",\"usage\":{\"cpu_percent\":1.5,\"memory_bytes\":7},\
                \"started_at\":5,\"version\":\"9\"}";
    let mut server =
        Server::start(vec![http(200, "", full), http(200, "", "{\"id\":\"a\",\"name\":\"n\"}")])
            .await;
    let egress = local();
    let meta = egress.fetch_meta(&server.url, LONG).await.unwrap();
    assert_eq!((meta.id.as_str(), meta.name.as_str(), meta.started_at), ("a", "n", Some(5)));
    assert_eq!(meta.usage, Some(Usage { cpu_percent: 1.5, memory_bytes: 7 }));
    let seen = server.seen.recv().await.unwrap();
    assert_eq!(seen.line, "GET /meta");
    assert_eq!(seen.header("user-agent"), Some("baton/test"));
    assert_eq!(seen.header("accept-encoding"), None);
    let bare = egress.fetch_meta(&server.url, LONG).await.unwrap();
    assert_eq!((bare.usage, bare.started_at), (None, None));
}

#[tokio::test]
async fn anything_but_a_meta_is_refused() {
    let endless = format!(
        "HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n11170\r\n{}\r\n",
        " ".repeat(70_000)
    );
    for (act, expected) in [
        (http(404, "", ""), ProbeError::Status(404)),
        (http(204, "", ""), ProbeError::Status(204)),
        (http(500, "", "{\"id\":\"a\",\"name\":\"n\"}"), ProbeError::Status(500)),
        (http(302, "location: /x\r\n", ""), ProbeError::Redirect(302)),
        (http(200, "", &" ".repeat(70_000)), ProbeError::TooLarge),
        (Act::ReplyAndHang(endless), ProbeError::TooLarge),
    ] {
        let server = Server::start(vec![act]).await;
        assert_eq!(local().fetch_meta(&server.url, LONG).await, Err(expected));
    }
    for (body, word) in [("<html>", "expected value"), ("{\"id\":\"a\"}", "`name`"), ("", "EOF")] {
        let server = Server::start(vec![http(200, "", body)]).await;
        let error = local().fetch_meta(&server.url, LONG).await.unwrap_err();
        assert!(matches!(&error, ProbeError::NotMeta(why) if why.contains(word)), "{error:?}");
    }
}

#[tokio::test]
async fn a_processor_that_cannot_be_reached_is_named_so() {
    let egress = local();
    let refused = egress.fetch_meta(&deaf().await, LONG).await;
    assert_eq!(refused, Err(ProbeError::Unreachable("connection refused".into())));
    let unknown = egress.fetch_meta("http://no-such-host.invalid", LONG).await;
    assert!(matches!(unknown, Err(ProbeError::Unreachable(_))), "{unknown:?}");
    let server = Server::start(vec![Act::ReplyAndClose(String::new())]).await;
    let closed = egress.fetch_meta(&server.url, LONG).await;
    assert!(matches!(closed, Err(ProbeError::Unreachable(_))), "{closed:?}");
    for head in ["", "HTTP/1.1 200 X\r\ncontent-length: 9\r\n\r\n{"] {
        let server = Server::start(vec![Act::ReplyAndHang(head.to_owned())]).await;
        assert_eq!(egress.fetch_meta(&server.url, SHORT).await, Err(ProbeError::TimedOut));
    }
}

#[tokio::test]
async fn an_address_that_the_policy_refuses_is_never_asked() {
    let mut server = Server::start(vec![http(200, "", "{\"id\":\"a\",\"name\":\"n\"}")]).await;
    let elsewhere = egress(&["10.0.0.0/8"]);
    for host in ["127.0.0.1", "localhost", "0x7f.1", "[::ffff:127.0.0.1]", "0.0.0.0"] {
        let url = format!("http://{host}:{}", server.port());
        let meta = elsewhere.fetch_meta(&url, LONG).await;
        assert_eq!(meta, Err(ProbeError::Refused), "{url}");
        assert_eq!(elsewhere.probe_process(&url, LONG).await, Err(ProbeError::Refused), "{url}");
    }
    let invalid = elsewhere.fetch_meta("nonsense", LONG).await;
    assert_eq!(invalid, Err(ProbeError::Url(UrlError::Invalid)));
    assert!(server.seen.try_recv().is_err());
    let url = format!("http://localhost:{}", server.port());
    assert_eq!(local().fetch_meta(&url, LONG).await.unwrap().id, "a");
}

#[tokio::test]
async fn a_name_is_judged_by_the_addresses_it_resolves_to() {
    use super::connect::{ConnectError, resolve};
    use super::names::Names;
    use super::policy::{Policy, Reach};
    let private = Policy::default();
    let refused = resolve(&Names::System, &private, Reach::Public, "localhost", 443).await;
    assert!(matches!(refused, Err(ConnectError::Refused)), "{refused:?}");
    let loopback = Policy { allowed: vec!["127.0.0.0/8".parse().unwrap()], ..private };
    let found =
        resolve(&Names::System, &loopback, Reach::Allowed, "localhost", 9000).await.unwrap();
    assert_eq!(found, ["127.0.0.1:9000".parse().unwrap()]);
}

#[tokio::test]
async fn process_must_not_be_missing() {
    for (status, expected) in [
        (200, Ok(())),
        (204, Ok(())),
        (405, Ok(())),
        (500, Ok(())),
        (404, Err(ProbeError::Status(404))),
        (308, Err(ProbeError::Redirect(308))),
    ] {
        let mut server = Server::start(vec![http(status, "", "")]).await;
        assert_eq!(local().probe_process(&server.url, LONG).await, expected, "{status}");
        assert_eq!(server.seen.recv().await.unwrap().line, "OPTIONS /process");
    }
}
