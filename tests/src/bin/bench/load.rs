//! The submitter: keeps a number of actions under way for a while, and measures what that takes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::board::Board;
use crate::meter::{RedisMeter, cpu};
use crate::payload;

/// How long the last action of a phase may take before it counts as lost.
const PATIENCE: Duration = Duration::from_secs(30);

/// One of the two orchestrators.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Front {
    /// Where actions are submitted.
    pub(crate) address: SocketAddr,
    /// Its process.
    pub(crate) pid: u32,
}

/// How actions are submitted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// The connections that submit.
    pub(crate) connections: u32,
    /// How many actions a request carries; one is sent without an array.
    pub(crate) batch: u32,
    /// How many actions are under way at most, from submit to webhook.
    pub(crate) window: u32,
    /// How long each connection rests before it submits.
    pub(crate) rest: Duration,
}

/// When a phase ends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Until {
    /// After this time.
    Elapsed(Duration),
    /// After this many actions.
    Submitted(usize),
}

/// What a phase took.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    /// Actions that came back, per second.
    pub(crate) rate: f64,
    /// The orchestrator's CPU time per action, in microseconds.
    pub(crate) cpu_us: f64,
    /// The CPU time of Redis per action, in microseconds.
    pub(crate) redis_cpu_us: f64,
    /// Redis commands per action, those of scripts included.
    pub(crate) commands: f64,
    /// Reads of Redis per action: its round trips.
    pub(crate) round_trips: f64,
    /// From submit to webhook, the median, in milliseconds.
    pub(crate) p50_ms: f64,
    /// The same, the 99th percentile.
    pub(crate) p99_ms: f64,
    /// Actions that did not come back.
    pub(crate) lost: usize,
}

/// Everything a phase needs but its front and shape.
pub(crate) struct Lab {
    pub(crate) board: Arc<Board>,
    pub(crate) meter: RedisMeter,
    pub(crate) redis_pid: u32,
    /// What follows the data in a submitted action: the jobs and the response URL.
    pub(crate) tail: Arc<str>,
}

impl Lab {
    /// Runs one phase to its end: nothing is under way before or after it.
    pub(crate) async fn phase(&mut self, front: Front, shape: Shape, until: Until) -> Sample {
        let window = shape.window as usize;
        self.board.window.add_permits(window);
        drop(self.board.take_latencies());
        let arrived = self.board.arrived();
        let redis = self.meter.read().await;
        let (cpu_before, redis_cpu) = (cpu(front.pid), cpu(self.redis_pid));
        let start = Instant::now();

        let requests = match until {
            Until::Elapsed(_) => usize::MAX,
            Until::Submitted(actions) => actions / shape.batch as usize,
        };
        let each = requests.div_ceil(shape.connections as usize);
        let mut tasks = JoinSet::new();
        for _ in 0..shape.connections {
            let connection = Connection::open(front.address).await;
            let (board, tail) = (Arc::clone(&self.board), Arc::clone(&self.tail));
            tasks.spawn(connection.submit(board, tail, shape, each, move || match until {
                Until::Elapsed(time) => start.elapsed() >= time,
                Until::Submitted(_) => false,
            }));
        }
        let limit = match until {
            Until::Elapsed(time) => time + PATIENCE,
            Until::Submitted(_) => PATIENCE,
        };
        // Beyond it so much is lost that the window is closed: the submitters are given up.
        let _ = timeout(limit, tasks.join_all()).await;
        let drained = timeout(PATIENCE, self.board.window.acquire_many(shape.window)).await;
        let elapsed = start.elapsed();
        let lost = match drained {
            Ok(permits) => {
                permits.expect("the window is never closed").forget();
                0
            }
            Err(_) => window - self.board.window.forget_permits(window),
        };
        let actions = (self.board.arrived() - arrived).max(1) as f64;
        let counters = settled(&mut self.meter).await;
        let per_action = |time: Duration| time.as_secs_f64() * 1e6 / actions;
        let mut latencies = self.board.take_latencies();
        latencies.sort_unstable();
        Sample {
            rate: actions / elapsed.as_secs_f64(),
            cpu_us: per_action(cpu(front.pid) - cpu_before),
            redis_cpu_us: per_action(cpu(self.redis_pid) - redis_cpu),
            commands: counters.commands_since(redis) as f64 / actions,
            round_trips: counters.reads_since(redis) as f64 / actions,
            p50_ms: percentile(&latencies, 50),
            p99_ms: percentile(&latencies, 99),
            lost,
        }
    }

    /// Arrivals that were damaged, repeated or of nobody, so far.
    pub(crate) fn wrong(&self) -> usize {
        self.board.wrong.load(Relaxed)
    }
}

/// The counters a moment later: after its webhook, an orchestrator still has to note it.
async fn settled(meter: &mut RedisMeter) -> crate::meter::Counters {
    sleep(Duration::from_millis(20)).await;
    meter.read().await
}

fn percentile(sorted: &[Duration], percent: usize) -> f64 {
    let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(at).map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e3)
}

/// A connection that submits.
struct Connection {
    sender: SendRequest<Full<Bytes>>,
    host: String,
}

impl Connection {
    async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("the orchestrator listens");
        let _ = stream.set_nodelay(true);
        let (sender, connection) = handshake(TokioIo::new(stream)).await.expect("HTTP/1.1");
        tokio::spawn(connection);
        Self { sender, host: address.to_string() }
    }

    async fn submit(
        mut self,
        board: Arc<Board>,
        tail: Arc<str>,
        Shape { batch, rest, .. }: Shape,
        requests: usize,
        over: impl Fn() -> bool,
    ) {
        for _ in 0..requests {
            let permits = board.window.acquire_many(batch).await;
            permits.expect("the window is never closed").forget();
            if !rest.is_zero() {
                sleep(rest).await;
            }
            if over() {
                board.window.add_permits(batch as usize);
                return;
            }
            let body = actions(&board, &tail, batch);
            let request = Request::post("/action")
                .header(header::HOST, &self.host)
                .header(header::CONTENT_TYPE, "application/json")
                .body(Full::new(body.into()))
                .expect("a request");
            self.sender.ready().await.expect("the connection stays open");
            let response = self.sender.send_request(request).await.expect("an answer");
            let status = response.status();
            let body = response.into_body().collect().await.expect("a whole answer").to_bytes();
            assert_eq!(status, 202, "{}", String::from_utf8_lossy(&body));
        }
    }
}

/// One action, or an array of them.
fn actions(board: &Board, tail: &str, batch: u32) -> Vec<u8> {
    let mut body = Vec::with_capacity(batch as usize * (payload::LENGTH + tail.len() + 16) + 2);
    for number in 0..batch {
        if batch > 1 {
            body.push(if number == 0 { b'[' } else { b',' });
        }
        body.extend_from_slice(b"{\"data\":");
        payload::push(board.submit(), &mut body);
        body.extend_from_slice(tail.as_bytes());
    }
    if batch > 1 {
        body.push(b']');
    }
    body
}
