//! A listener between a function and Redis, which notes when it connects, and when it was answered last.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::Instant;

type Times = Arc<Mutex<Option<(Instant, Instant)>>>;

/// It ends with this value.
pub(crate) struct Tap {
    address: SocketAddr,
    times: Times,
    accepting: JoinHandle<()>,
}

impl Tap {
    /// Passes connections on to a port of this machine.
    pub(crate) async fn start(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let times = Times::default();
        let accepting = tokio::spawn(accept(listener, port, Arc::clone(&times)));
        Self { address, times, accepting }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// When the first connection came, and when Redis said something last.
    pub(crate) fn times(&self) -> (Instant, Instant) {
        let times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        times.expect("the function has connected")
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, port: u16, times: Times) {
    while let Ok((client, _)) = listener.accept().await {
        let now = Instant::now();
        times.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert((now, now));
        tokio::spawn(pass(client, port, Arc::clone(&times)));
    }
}

async fn pass(client: TcpStream, port: u16, times: Times) -> std::io::Result<()> {
    let redis = TcpStream::connect(("127.0.0.1", port)).await?;
    client.set_nodelay(true)?;
    redis.set_nodelay(true)?;
    let ((mut from_client, mut to_client), (mut from_redis, mut to_redis)) =
        (client.into_split(), redis.into_split());
    let asked = tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_redis).await });
    let mut answer = vec![0; 64 * 1024];
    loop {
        let length = from_redis.read(&mut answer).await?;
        if length == 0 {
            asked.abort();
            return Ok(());
        }
        if let Some((_, last)) = &mut *times.lock().unwrap_or_else(PoisonError::into_inner) {
            *last = Instant::now();
        }
        to_client.write_all(&answer[..length]).await?;
    }
}
