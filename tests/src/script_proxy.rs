//! The network between the store and its Redis, where scripts can be changed and everything be sent twice.
//!
//! The product has no hook for either: a script is changed when it is loaded, and called by the hash of
//! what it became.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use redis::aio::MultiplexedConnection;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::command::{Command, parse};
use crate::keyspace::Keyspace;

use crate::redis::Redis;
use crate::resp::Upstream;
use crate::script_edits::{Scripts, files};

/// A script that was loaded: its name, and the hash of what it became.
type Loaded = (String, Vec<u8>);

struct State {
    scripts: Scripts,
    /// The port of each server, and of the proxy before it.
    ports: Vec<(u16, u16)>,
    /// By the hash of a script as it is.
    loaded: Mutex<HashMap<Vec<u8>, Loaded>>,
    called: Mutex<BTreeSet<String>>,
    findings: Mutex<Vec<String>>,
    open: watch::Sender<bool>,
}

/// TCP proxies before each server of a Redis.
pub struct ScriptProxy {
    state: Arc<State>,
    accepting: Vec<JoinHandle<()>>,
}

impl std::fmt::Debug for ScriptProxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ScriptProxy").field("ports", &self.state.ports).finish_non_exhaustive()
    }
}

impl ScriptProxy {
    /// Proxies before every server of `redis`; a cluster's servers name the proxies to each other's clients.
    pub async fn start(redis: &Redis, scripts: Scripts) -> Self {
        let (mut ports, mut listeners) = (Vec::new(), Vec::new());
        for port in redis.ports() {
            let any = SocketAddr::from(([127, 0, 0, 1], 0));
            let listener = TcpListener::bind(any).await.expect("a free loopback port");
            let own = listener.local_addr().expect("a bound listener has an address").port();
            ports.push((port, own));
            listeners.push((listener, port));
        }
        let state = Arc::new(State {
            scripts,
            ports,
            loaded: Mutex::default(),
            called: Mutex::default(),
            findings: Mutex::default(),
            open: watch::Sender::new(true),
        });
        let accept = |(listener, port)| tokio::spawn(accept(listener, port, Arc::clone(&state)));
        let accepting = listeners.into_iter().map(accept).collect();
        Self { state, accepting }
    }

    /// The URL of Redis through this proxy.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.state.ports[0].1)
    }

    /// What was different the second time, in words.
    #[must_use]
    pub fn findings(&self) -> Vec<String> {
        lock(&self.state.findings).clone()
    }

    /// The names of the scripts that were called.
    #[must_use]
    pub fn called(&self) -> BTreeSet<String> {
        lock(&self.state.called).clone()
    }

    /// The names of all scripts there are.
    #[must_use]
    pub fn all() -> BTreeSet<String> {
        files().into_keys().collect()
    }

    /// Cuts every connection and refuses new ones, until [`ScriptProxy::restore`].
    pub fn refuse(&self) {
        self.state.open.send_replace(false);
    }

    /// Accepts connections again.
    pub fn restore(&self) {
        self.state.open.send_replace(true);
    }
}

impl Drop for ScriptProxy {
    fn drop(&mut self) {
        self.accepting.iter().for_each(JoinHandle::abort);
    }
}

async fn accept(listener: TcpListener, port: u16, state: Arc<State>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((client, _)) = accepted else { continue };
                let (mut open, state) = (state.open.subscribe(), Arc::clone(&state));
                if *open.borrow_and_update() {
                    connections.spawn(async move {
                        tokio::select! {
                            _ = open.wait_for(|open| !open) => {}
                            _ = serve(client, port, &state) => {}
                        }
                    });
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Answers burst after burst; `None` when either side is gone.
async fn serve(mut client: TcpStream, port: u16, state: &State) -> Option<()> {
    let upstream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    let _ = (client.set_nodelay(true), upstream.set_nodelay(true));
    let mut upstream = Upstream::new(upstream);
    let mut buffer = Vec::new();
    while client.read_buf(&mut buffer).await.ok()? > 0 {
        let mut burst = Vec::new();
        while let Some((command, length)) = parse(&buffer) {
            buffer.drain(..length);
            burst.push(command);
        }
        let mut replies = Vec::new();
        if burst.iter().any(is_load) {
            for command in burst {
                replies.extend(one(command, &mut upstream, state).await?);
            }
        } else if !burst.is_empty() {
            let names: Vec<_> = burst.iter_mut().map(|command| state.replace(command)).collect();
            replies = upstream.ask(&burst).await?;
            if state.scripts.twice && names.iter().any(Option::is_some) {
                again(&burst, &names, &replies, &mut upstream, port, state).await?;
            }
            let pairs = burst.iter().zip(&mut replies);
            pairs.for_each(|(command, reply)| state.name_proxies(command, reply));
        }
        client.write_all(&replies.concat()).await.ok()?;
    }
    None
}

/// A command that stands alone, or loads a script: then what it becomes is loaded too.
async fn one(mut command: Command, upstream: &mut Upstream, state: &State) -> Option<Vec<Vec<u8>>> {
    if !is_load(&command) {
        state.replace(&mut command);
        return upstream.ask(&[command]).await;
    }
    let source = command.text(2).to_owned();
    let found = files().into_iter().find(|(_, text)| source.ends_with(text.as_str()));
    let (name, _) = found.unwrap_or_else(|| panic!("no file holds this script:\n{source}"));
    let mut edited = command.clone();
    edited.0[2] = (state.scripts.edit)(&name, &source).into_bytes();
    let mut replies = upstream.ask(&[command, edited]).await?;
    let became = replies.pop()?;
    assert!(became.starts_with(b"$40"), "{name} does not load: {}", lossy(&became));
    lock(&state.loaded).insert(hash(&replies[0]), (name, hash(&became)));
    Some(replies)
}

/// Whether two answers say something else. The fields of a record that is too large for a listpack come in any
/// order, which changes while Redis moves them to a larger table.
fn differ(script: Option<&str>, first: &[u8], second: &[u8]) -> bool {
    let sorted = |answer: &[u8]| {
        let mut lines: Vec<_> = answer.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        lines.sort_unstable();
        lines
    };
    match script {
        Some("claim_attempts" | "claim_deliveries") => sorted(first) != sorted(second),
        _ => first != second,
    }
}

/// Sends the same burst once more, and notes what is different.
async fn again(
    burst: &[Command],
    names: &[Option<String>],
    first: &[Vec<u8>],
    upstream: &mut Upstream,
    port: u16,
    state: &State,
) -> Option<()> {
    let client = redis::Client::open(format!("redis://127.0.0.1:{port}")).ok()?;
    let mut looker = client.get_multiplexed_async_connection().await.ok()?;
    let before = keyspace(&mut looker).await;
    let second = upstream.ask(burst).await?;
    let changes = keyspace(&mut looker).await.changes_since(&before);
    let mut findings = Vec::new();
    for (((command, name), first), second) in burst.iter().zip(names).zip(first).zip(&second) {
        // The nil of a payload that is there already is no error, and the clock goes on.
        let counts = !command.is("SET") && name.as_deref() != Some("read_clock");
        if counts && differ(name.as_deref(), first, second) {
            findings.push(format!("{name:?}: {} became {}", lossy(first), lossy(second)));
        }
    }
    if !changes.is_empty() {
        findings.push(format!("{names:?} changed, sent again:\n{changes}"));
    }
    lock(&state.findings).extend(findings);
    Some(())
}

impl State {
    /// Puts the hash of what a script became into a call of it; answers the script's name.
    fn replace(&self, command: &mut Command) -> Option<String> {
        if !command.is("EVALSHA") {
            return None;
        }
        let (name, became) = lock(&self.loaded).get(&command.0[1])?.clone();
        command.0[1] = became;
        lock(&self.called).insert(name.clone());
        Some(name)
    }

    /// Where a cluster names its servers, puts the proxies before them.
    fn name_proxies(&self, command: &Command, reply: &mut Vec<u8>) {
        if command.is("CLUSTER") && command.text(1).eq_ignore_ascii_case("SLOTS") {
            // Ports are far above the numbers of slots, so only they are replaced.
            let text = self.ports.iter().fold(lossy(reply), |text, (port, own)| {
                text.replace(&format!(":{port}\r\n"), &format!(":{own}\r\n"))
            });
            *reply = text.into_bytes();
        }
    }
}

fn is_load(command: &Command) -> bool {
    command.is("SCRIPT") && command.text(1).eq_ignore_ascii_case("LOAD")
}

async fn keyspace(connection: &mut MultiplexedConnection) -> Keyspace {
    let mut all = Keyspace::default();
    all.add(connection).await;
    all
}

/// The hash in a reply to `SCRIPT LOAD`.
fn hash(reply: &[u8]) -> Vec<u8> {
    reply[5..45].to_vec()
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no holder panics")
}
