//! Accepting connections: slow clients are cut off, a stop lets running requests end.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tokio_io_timeout::TimeoutStream;

/// How many connections are open at once; more wait to be accepted.
const CONNECTIONS: usize = 4096;

/// How slow a client may be before it is cut off.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// How long it may take to send a request's headers.
    headers: Duration,
    /// How long it may take no byte of what it is sent.
    reading: Duration,
    /// How many connections are open at once.
    connections: usize,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            headers: Duration::from_secs(10),
            reading: Duration::from_secs(30),
            connections: CONNECTIONS,
        }
    }
}

/// Serves the router until `stop`; then idle connections close, and it ends when running requests have.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    patience: Patience,
    stop: impl Future<Output = ()>,
) {
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(patience.headers);
    let service = TowerToHyperService::new(router);
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(patience.connections));
    let mut stop = std::pin::pin!(stop);
    loop {
        let next = async {
            // Never closed, so there is always a place in the end.
            let place = Arc::clone(&places).acquire_owned().await.ok();
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            next = next => next,
            () = &mut stop => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file descriptors, most likely: wait until some are closed.
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection keeps its delay");
        }
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(patience.reading));
        let connection = http.serve_connection(TokioIo::new(Box::pin(stream)), service.clone());
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(place);
        });
    }
    drop(listener);
    graceful.shutdown().await;
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::io::ErrorKind;
    use std::net::SocketAddr;

    use axum::body::{Body, Bytes};
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;
    use tokio::sync::Notify;
    use tokio::time::timeout;

    use super::*;

    /// Bounds a hang; nothing is measured by it.
    const HANGS: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_millis(50);

    async fn start(router: Router, patience: Patience) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, router, patience, pending()));
        address
    }

    async fn ask(address: SocketAddr) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        stream
    }

    /// How much comes until the server closes, with an end or a reset.
    async fn length(mut stream: TcpStream) -> usize {
        let (mut length, mut piece) = (0, vec![0; 1024 * 1024]);
        while let Ok(more @ 1..) =
            timeout(HANGS, stream.read(&mut piece)).await.expect("it is closed")
        {
            length += more;
        }
        length
    }

    #[tokio::test]
    async fn a_client_that_does_not_finish_its_headers_is_cut_off() {
        let patience = Patience { headers: SHORT, ..Patience::default() };
        let router = Router::new().route("/", get(async || "here"));
        let mut stream = TcpStream::connect(start(router, patience).await).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost:").await.unwrap();
        length(stream).await;
    }

    /// An answer larger than what the system keeps for a client, which says when the server lets go of it.
    struct Answer(Vec<u8>, Arc<Notify>);

    impl AsRef<[u8]> for Answer {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }

    impl Drop for Answer {
        fn drop(&mut self) {
            self.1.notify_one();
        }
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_its_answer_is_cut_off() {
        const SIZE: usize = 64 * 1024 * 1024;
        let let_go = Arc::new(Notify::new());
        let handler = {
            let let_go = Arc::clone(&let_go);
            async move || Body::from(Bytes::from_owner(Answer(vec![0; SIZE], let_go)))
        };
        let patience = Patience { reading: SHORT, ..Patience::default() };
        let address = start(Router::new().route("/", get(handler)), patience).await;
        let client = ask(address).await;
        timeout(HANGS, let_go.notified()).await.expect("it is cut off");
        assert!(length(client).await < SIZE);
    }

    #[tokio::test]
    async fn connections_beyond_the_bound_wait_for_a_place() {
        /// Asks again on a connection, and waits for the whole answer.
        async fn ask_again(stream: &mut TcpStream) {
            stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
            let mut answer = Vec::new();
            while !answer.ends_with(b"here") {
                assert!(stream.read_buf(&mut answer).await.unwrap() > 0, "it is closed");
            }
        }
        let patience = Patience { connections: 1, ..Patience::default() };
        let address = start(Router::new().route("/", get(async || "here")), patience).await;
        let mut first = TcpStream::connect(address).await.unwrap();
        ask_again(&mut first).await;
        let mut second = ask(address).await;
        // The one that has the place is served, time and again, while the other waits.
        for _ in 0..20 {
            ask_again(&mut first).await;
            let waits = second.try_read(&mut [0; 1]).unwrap_err();
            assert_eq!(waits.kind(), ErrorKind::WouldBlock);
        }
        drop(first);
        let mut status = [0; 12];
        second.read_exact(&mut status).await.unwrap();
        assert_eq!(&status, b"HTTP/1.1 200");
    }
}
