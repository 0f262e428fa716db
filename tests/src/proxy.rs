//! The network between a manager and its Redis, to be cut at a chosen command.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::receiver::reach;

/// One command on its way to Redis: its name and its arguments.
#[derive(Debug, Clone)]
pub struct Command(pub(crate) Vec<Vec<u8>>);

impl Command {
    /// The argument at `index` as text; the command's name is argument 0.
    #[must_use]
    pub fn text(&self, index: usize) -> &str {
        self.0.get(index).and_then(|part| std::str::from_utf8(part).ok()).unwrap_or_default()
    }

    /// Whether it is this command, in any case.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.text(0).eq_ignore_ascii_case(name)
    }

    /// Whether any argument contains `needle`.
    #[must_use]
    pub fn mentions(&self, needle: &str) -> bool {
        let needle = needle.as_bytes();
        self.0.iter().any(|part| part.windows(needle.len()).any(|window| window == needle))
    }
}

/// When to cut, seen from a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// Redis never sees it.
    Before,
    /// Redis runs it, and its reply is lost.
    After,
}

type Test = Box<dyn FnMut(&Command) -> bool + Send>;

struct State {
    upstream: SocketAddr,
    /// The next cut. Each happens once.
    cut: Mutex<Option<(Moment, Test)>>,
    cuts: watch::Sender<usize>,
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
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = TcpListener::bind(any).await.expect("a free loopback port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let state = Arc::new(State {
            upstream: SocketAddr::from(([127, 0, 0, 1], port)),
            cut: Mutex::default(),
            cuts: watch::Sender::new(0),
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
    let muted = watch::Sender::new(false);
    tokio::select! {
        _ = open.wait_for(|open| !open) => {}
        () = requests(client_in, redis_out, &state, &muted) => {}
        () = replies(redis_in, client_out, &muted) => {}
    }
    if *muted.borrow() {
        state.cuts.send_modify(|cuts| *cuts += 1);
    }
}

/// Forwards commands one by one. Returns when the client or the next cut ends the connection;
/// after a cut that lets Redis run the command, waits for Redis to close it.
async fn requests(
    mut client: OwnedReadHalf,
    mut redis: OwnedWriteHalf,
    state: &State,
    muted: &watch::Sender<bool>,
) {
    let mut buffer = Vec::new();
    while client.read_buf(&mut buffer).await.is_ok_and(|read| read > 0) {
        let mut done = 0;
        while let Some((command, length)) = parse(&buffer[done..]) {
            match state.cut_at(&command) {
                Some(Moment::Before) => {
                    let _ = redis.write_all(&buffer[..done]).await;
                    state.cuts.send_modify(|cuts| *cuts += 1);
                    return;
                }
                Some(Moment::After) => {
                    muted.send_replace(true);
                    let _ = redis.write_all(&buffer[..done + length]).await;
                    // Redis runs what it has read before it notices that no more will come.
                    let _ = redis.shutdown().await;
                    return std::future::pending().await;
                }
                None => done += length,
            }
        }
        if redis.write_all(&buffer[..done]).await.is_err() {
            return;
        }
        buffer.drain(..done);
    }
}

/// Forwards replies until Redis closes the connection; from the moment of a cut it drops them.
async fn replies(
    mut redis: OwnedReadHalf,
    mut client: OwnedWriteHalf,
    muted: &watch::Sender<bool>,
) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = redis.read(&mut buffer).await {
        if !*muted.borrow() && client.write_all(&buffer[..read]).await.is_err() {
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
        let moment = *moment;
        if !test(command) {
            return None;
        }
        *cut = None;
        Some(moment)
    }
}

/// The first command of `bytes` and its length, if it is there whole.
pub(crate) fn parse(bytes: &[u8]) -> Option<(Command, usize)> {
    let (count, mut at) = header(bytes, b'*')?;
    let mut parts = Vec::with_capacity(count);
    for _ in 0..count {
        let (length, used) = header(bytes.get(at..)?, b'$')?;
        at += used;
        parts.push(bytes.get(at..at + length)?.to_vec());
        at += length + 2;
    }
    (at <= bytes.len()).then_some((Command(parts), at))
}

/// A line of a mark and a number: the number, and the line's length.
fn header(bytes: &[u8], mark: u8) -> Option<(usize, usize)> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    let (first, digits) = bytes[..end].split_first()?;
    assert_eq!(*first, mark, "clients send arrays of bulk strings");
    let number = std::str::from_utf8(digits).ok()?.parse().expect("a length");
    Some((number, end + 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_parsed_only_when_it_is_whole() {
        let bytes = b"*2\r\n$3\r\nGET\r\n$4\r\na\r\nb\r\n*1\r\n";
        for end in 0..23 {
            assert!(parse(&bytes[..end]).is_none(), "{end}");
        }
        let (command, length) = parse(bytes).unwrap();
        assert_eq!(length, 23);
        assert!(command.is("get") && command.mentions("\r\n"));
        assert_eq!(command.text(1), "a\r\nb");
    }
}
