//! The network between a manager and its Redis, to be cut at a chosen command.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};

use crate::command::{Command, pack, parse};
use crate::gate::Gate;
use crate::receiver::reach;

/// What happens to a connection, seen from a command.
#[derive(Debug, Clone)]
enum Moment {
    /// It is cut: Redis never sees the command.
    Before,
    /// It is cut: Redis runs the command, and its reply is lost.
    After,
    /// The command, and whatever follows it, reaches Redis so much later.
    Held(Duration),
    /// The command, and whatever follows it, reaches Redis once the gate is open.
    Gated(Gate),
    /// Redis runs the command; its reply, and whatever follows it, comes so much later.
    Answered(Duration),
}

type Test = Box<dyn FnMut(&Command) -> bool + Send>;
type Rewrite = Box<dyn Fn(&mut Command) -> bool + Send + Sync>;

struct State {
    upstream: SocketAddr,
    /// The next cut. Each happens once.
    cut: Mutex<Option<(Moment, Test)>>,
    cuts: watch::Sender<usize>,
    holds: AtomicUsize,
    writes: AtomicUsize,
    /// Connections that Redis ended after it was sent a write and before it answered anything more.
    unanswered: AtomicUsize,
    rewrite: Option<Rewrite>,
    /// While it says false, connections are cut and new ones are refused.
    open: watch::Sender<bool>,
}

/// A TCP proxy that understands the requests of the Redis protocol.
pub struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
    accepting: JoinHandle<()>,
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proxy").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Proxy {
    /// A proxy before the Redis that listens on this loopback port.
    pub async fn start(port: u16) -> Self {
        Self::with(port, None).await
    }

    /// One that changes commands on their way: `rewrite` answers whether it changed the one it was given.
    pub async fn rewriting(
        port: u16,
        rewrite: impl Fn(&mut Command) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self::with(port, Some(Box::new(rewrite))).await
    }

    async fn with(port: u16, rewrite: Option<Rewrite>) -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = TcpListener::bind(any).await.expect("a free loopback port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let state = Arc::new(State {
            upstream: SocketAddr::from(([127, 0, 0, 1], port)),
            cut: Mutex::default(),
            cuts: watch::Sender::new(0),
            holds: AtomicUsize::new(0),
            writes: AtomicUsize::new(0),
            unanswered: AtomicUsize::new(0),
            rewrite,
            open: watch::Sender::new(true),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&state)));
        Self { address, state, accepting }
    }

    /// The URL of Redis through this proxy.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Cuts the connection of the next command that passes `test`, before Redis sees it.
    pub fn cut_before(&self, test: impl FnMut(&Command) -> bool + Send + 'static) {
        *self.state.lock() = Some((Moment::Before, Box::new(test)));
    }

    /// Cuts the connection of the next command that passes `test`, after Redis has run it and
    /// before its reply comes back. Replies to commands sent just before it may be lost too.
    pub fn cut_after(&self, test: impl FnMut(&Command) -> bool + Send + 'static) {
        *self.state.lock() = Some((Moment::After, Box::new(test)));
    }

    /// Holds the connection of the next command that passes `test` for `time` before Redis sees it. What
    /// was held reaches Redis also when its sender is gone by then.
    pub fn hold_at(&self, time: Duration, test: impl FnMut(&Command) -> bool + Send + 'static) {
        *self.state.lock() = Some((Moment::Held(time), Box::new(test)));
    }

    /// Holds the connection of the next command that passes `test` before Redis sees it, until `gate` is open.
    pub fn hold_behind(&self, gate: &Gate, test: impl FnMut(&Command) -> bool + Send + 'static) {
        *self.state.lock() = Some((Moment::Gated(gate.clone()), Box::new(test)));
    }

    /// Lets Redis run the next command that passes `test`, and holds all replies on its connection for
    /// `time` from then on.
    pub fn answer_late(&self, time: Duration, test: impl FnMut(&Command) -> bool + Send + 'static) {
        *self.state.lock() = Some((Moment::Answered(time), Box::new(test)));
    }

    /// Forgets the next cut or hold if it has not happened yet.
    pub fn disarm(&self) {
        *self.state.lock() = None;
    }

    /// Whether the next cut or hold has still to happen.
    #[must_use]
    pub fn is_armed(&self) -> bool {
        self.state.lock().is_some()
    }

    /// How many cuts have happened since the start.
    #[must_use]
    pub fn cuts(&self) -> usize {
        *self.state.cuts.borrow()
    }

    /// How many connections were held, on the way to Redis or back, since the start.
    #[must_use]
    pub fn holds(&self) -> usize {
        self.state.holds.load(SeqCst)
    }

    /// How many writes have come by since the start.
    #[must_use]
    pub fn writes(&self) -> usize {
        self.state.writes.load(SeqCst)
    }

    /// How many connections Redis has ended with a write unanswered since the start.
    #[must_use]
    pub fn unanswered(&self) -> usize {
        self.state.unanswered.load(SeqCst)
    }

    /// Waits until `n` cuts have happened since the start.
    pub async fn wait_for_cuts(&self, n: usize) {
        reach(&self.state.cuts, n, "cuts").await;
    }

    /// Cuts every connection and refuses new ones, until [`Proxy::restore`].
    pub fn refuse(&self) {
        self.state.open.send_replace(false);
    }

    /// Accepts connections again.
    pub fn restore(&self) {
        self.state.open.send_replace(true);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((client, _)) = accepted else { continue };
                connections.spawn(serve(client, Arc::clone(&state)));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Whatever ends first ends the connection, on both sides.
async fn serve(client: TcpStream, state: Arc<State>) {
    let mut open = state.open.subscribe();
    if !*open.borrow_and_update() {
        return;
    }
    let Ok(upstream) = TcpStream::connect(state.upstream).await else { return };
    let _ = (client.set_nodelay(true), upstream.set_nodelay(true));
    let ((client_in, client_out), (redis_in, redis_out)) =
        (client.into_split(), upstream.into_split());
    let way = Way::default();
    tokio::select! {
        _ = open.wait_for(|open| !open) => {}
        () = requests(client_in, redis_out, &state, &way) => {}
        () = replies(redis_in, client_out, &way) => {
            if way.writes.load(SeqCst) {
                state.unanswered.fetch_add(1, SeqCst);
            }
        }
    }
    if *way.muted.borrow() {
        state.cuts.send_modify(|cuts| *cuts += 1);
    }
}

/// What the two directions of a connection tell each other.
#[derive(Default)]
struct Way {
    /// Replies are dropped from now on.
    muted: watch::Sender<bool>,
    /// When replies may be forwarded.
    answers: watch::Sender<Option<Instant>>,
    /// A write was sent, and nothing has been answered since.
    writes: AtomicBool,
}

/// Forwards commands one by one. Returns when the client or the next cut ends the connection;
/// after a cut that lets Redis run the command, waits for Redis to close it.
async fn requests(mut client: OwnedReadHalf, mut redis: OwnedWriteHalf, state: &State, way: &Way) {
    let (mut buffer, mut out) = (Vec::new(), Vec::new());
    while client.read_buf(&mut buffer).await.is_ok_and(|read| read > 0) {
        let mut done = 0;
        while let Some((mut command, length)) = parse(&buffer[done..]) {
            let moment = state.cut_at(&command);
            let last = matches!(moment, Some(Moment::After));
            match moment {
                Some(Moment::Before) => {
                    let _ = redis.write_all(&out).await;
                    state.cuts.send_modify(|cuts| *cuts += 1);
                    return;
                }
                Some(Moment::Held(time)) => {
                    forward(&mut redis, &out).await;
                    out.clear();
                    state.holds.fetch_add(1, SeqCst);
                    sleep(time).await;
                }
                Some(Moment::Gated(gate)) => {
                    forward(&mut redis, &out).await;
                    out.clear();
                    state.holds.fetch_add(1, SeqCst);
                    gate.pass().await;
                }
                Some(Moment::Answered(time)) => {
                    state.holds.fetch_add(1, SeqCst);
                    way.answers.send_replace(Some(Instant::now() + time));
                }
                Some(Moment::After) => drop(way.muted.send_replace(true)),
                None => {}
            }
            if state.rewrite.as_ref().is_some_and(|rewrite| rewrite(&mut command)) {
                out.extend(pack(&command));
            } else {
                out.extend_from_slice(&buffer[done..done + length]);
            }
            done += length;
            if command.is("EVALSHA") || command.is("SET") {
                way.writes.store(true, SeqCst);
                state.writes.fetch_add(1, SeqCst);
            }
            if last {
                let _ = redis.write_all(&out).await;
                // Redis runs what it has read before it notices that no more will come.
                let _ = redis.shutdown().await;
                return std::future::pending().await;
            }
        }
        forward(&mut redis, &out).await;
        out.clear();
        buffer.drain(..done);
    }
}

/// Sends to Redis. When it is gone this never ends: what reads the replies notices, and knows what is open.
async fn forward(redis: &mut OwnedWriteHalf, bytes: &[u8]) {
    if redis.write_all(bytes).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Forwards replies until Redis closes the connection; from the moment of a cut it drops them.
async fn replies(mut redis: OwnedReadHalf, mut client: OwnedWriteHalf, way: &Way) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = redis.read(&mut buffer).await {
        let from = *way.answers.borrow();
        if let Some(from) = from {
            sleep_until(from).await;
        }
        way.writes.store(false, SeqCst);
        if !*way.muted.borrow() && client.write_all(&buffer[..read]).await.is_err() {
            // It is the client that is gone, whatever it still waits for.
            way.writes.store(false, SeqCst);
            return;
        }
    }
}

impl State {
    fn lock(&self) -> MutexGuard<'_, Option<(Moment, Test)>> {
        self.cut.lock().expect("no holder panics")
    }

    fn cut_at(&self, command: &Command) -> Option<Moment> {
        let mut cut = self.lock();
        let (moment, test) = cut.as_mut()?;
        let moment = moment.clone();
        if !test(command) {
            return None;
        }
        *cut = None;
        Some(moment)
    }
}
