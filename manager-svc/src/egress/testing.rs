//! A server that writes what a test tells it to, byte for byte.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use baton_wire::signature::Secrets;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::{Egress, Policy, Settings};

pub(super) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
pub(super) const WEBHOOK_SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";
/// Long enough for whatever does come.
pub(super) const LONG: Duration = Duration::from_secs(30);
/// For what never comes.
pub(super) const SHORT: Duration = Duration::from_millis(150);

/// An `Egress` that may call the given networks.
pub(super) fn egress(allowed: &[&str]) -> Egress {
    Egress::new(settings(allowed)).unwrap()
}

/// What it is made of.
pub(super) fn settings(allowed: &[&str]) -> Settings {
    let policy = Policy {
        allowed: allowed.iter().map(|net| net.parse().unwrap()).collect(),
        ..Policy::default()
    };
    Settings {
        processor: policy.clone(),
        response: policy,
        processor_secrets: Secrets::parse(SECRET).unwrap(),
        webhook_secrets: Secrets::parse(WEBHOOK_SECRET).unwrap(),
        own_origins: Vec::new(),
        max_reply_bytes: 1000,
        user_agent: "baton/test".into(),
    }
}

/// An `Egress` for servers on this machine.
pub(super) fn local() -> Egress {
    egress(&["127.0.0.0/8"])
}

/// What the server does about one request.
#[derive(Clone)]
pub(super) enum Act {
    /// Writes, and waits for the next request.
    Reply(String),
    /// Writes, and closes.
    ReplyAndClose(String),
    /// Writes, and does nothing more.
    ReplyAndHang(String),
}

/// A reply with a length, after which the connection can be used again.
pub(super) fn http(status: u16, headers: &str, body: &str) -> Act {
    let length = body.len();
    let length =
        if status == 204 { String::new() } else { format!("content-length: {length}\r\n") };
    Act::Reply(format!("HTTP/1.1 {status} X\r\n{headers}{length}\r\n{body}"))
}

/// A request as it arrived.
#[derive(Debug)]
pub(super) struct Seen {
    /// Which connection it came on, from 0.
    pub(super) connection: usize,
    /// Method and path.
    pub(super) line: String,
    pub(super) headers: HashMap<String, String>,
    pub(super) body: Vec<u8>,
}

impl Seen {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// It answers the n-th request by the n-th act, and every further one by the last.
pub(super) struct Server {
    pub(super) url: String,
    pub(super) seen: mpsc::UnboundedReceiver<Seen>,
    _tasks: JoinSet<()>,
}

impl Server {
    pub(super) async fn start(acts: Vec<Act>) -> Self {
        Self::start_at("127.0.0.1:0", acts).await
    }

    pub(super) async fn start_at(address: &str, acts: Vec<Act>) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (sender, seen) = mpsc::unbounded_channel();
        let acts = Arc::new(Mutex::new(acts.into_iter().peekable()));
        let next = move || {
            let mut acts = acts.lock().unwrap();
            let act = acts.next().unwrap();
            if acts.peek().is_none() {
                *acts = vec![act.clone()].into_iter().peekable();
            }
            act
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            for connection in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn(converse(stream, connection, sender.clone(), next.clone()));
            }
        });
        Self { url, seen, _tasks: tasks }
    }

    /// The port, as `localhost:port` and the like need it.
    pub(super) fn port(&self) -> &str {
        self.url.rsplit(':').next().unwrap()
    }
}

async fn converse(
    mut stream: TcpStream,
    connection: usize,
    sender: mpsc::UnboundedSender<Seen>,
    next: impl Fn() -> Act,
) {
    while let Some(seen) = read_request(&mut stream, connection).await {
        let _ = sender.send(seen);
        let (text, after) = match next() {
            Act::Reply(text) => (text, None),
            Act::ReplyAndClose(text) => (text, Some(true)),
            Act::ReplyAndHang(text) => (text, Some(false)),
        };
        if stream.write_all(text.as_bytes()).await.is_err() || after == Some(true) {
            return;
        }
        if after == Some(false) {
            std::future::pending::<()>().await;
        }
    }
}

async fn read_request(stream: &mut TcpStream, connection: usize) -> Option<Seen> {
    let mut bytes = Vec::new();
    let end = loop {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).ok()?;
    let mut lines = head.trim_end().split("\r\n");
    let line = lines.next()?.trim_end_matches(" HTTP/1.1").to_owned();
    let headers: HashMap<_, _> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let length: usize = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    while bytes.len() < end + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    Some(Seen { connection, line, headers, body: bytes[end..].to_vec() })
}

/// An address at which nobody listens.
pub(super) async fn deaf() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}
