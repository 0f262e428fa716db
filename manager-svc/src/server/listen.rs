//! Accepting connections: slow clients are cut off, a stop lets running requests end.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_io_timeout::TimeoutStream;

/// How many connections are open at once; more wait to be accepted.
const CONNECTIONS: usize = 4096;
/// How long running requests may take to end after a stop.
const REQUESTS_END_WITHIN: Duration = Duration::from_secs(3);

/// How slow a client may be before it is cut off.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// How long it may take to send a request's headers.
    pub(super) headers: Duration,
    /// How long it may take no byte of what it is sent.
    pub(super) reading: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { headers: Duration::from_secs(10), reading: Duration::from_secs(30) }
    }
}

/// The requests that still run when no more are accepted.
pub(super) struct Requests(GracefulShutdown);

impl Requests {
    /// Closes idle connections and lets running requests end, within a bound.
    pub(super) async fn end(self) {
        if timeout(REQUESTS_END_WITHIN, self.0.shutdown()).await.is_err() {
            tracing::warn!("some requests were cut off");
        }
    }
}

/// Serves the router until `stop`; from then on new connections are refused. Clients that are slower than
/// `patience` are cut off.
pub(super) async fn accept(
    listener: TcpListener,
    router: Router,
    patience: Patience,
    stop: impl Future<Output = ()>,
) -> Requests {
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(patience.headers);
    let service = TowerToHyperService::new(router);
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut stop = std::pin::pin!(stop);
    loop {
        let next = async {
            // Never closed, so there is always a place in the end.
            let place = Arc::clone(&places).acquire_owned().await.ok();
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            next = next => next,
            () = &mut stop => return Requests(graceful),
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
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read, Write};
    use std::net::{SocketAddr, TcpStream};

    use axum::body::{Body, Bytes};
    use axum::routing::get;
    use tokio::sync::Notify;
    use tokio::task::{JoinHandle, spawn_blocking};

    use super::*;

    struct Server {
        address: SocketAddr,
        stop: Arc<Notify>,
        accepting: JoinHandle<Requests>,
    }

    async fn start(router: Router, patience: Patience) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = Arc::new(Notify::new());
        let stopped = Arc::clone(&stop);
        let accepting =
            tokio::spawn(
                async move { accept(listener, router, patience, stopped.notified()).await },
            );
        Server { address, stop, accepting }
    }

    /// Sends some bytes and answers all that comes back until the server closes.
    fn exchange(address: SocketAddr, request: &'static str) -> JoinHandle<String> {
        spawn_blocking(move || {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(request.as_bytes()).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        })
    }

    #[tokio::test]
    async fn after_a_stop_a_running_request_is_answered_and_no_other_is_taken() {
        let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let handler = {
            let (begun, go_on) = (Arc::clone(&begun), Arc::clone(&go_on));
            move || async move {
                begun.notify_one();
                go_on.notified().await;
                "done"
            }
        };
        let server = start(Router::new().route("/", get(handler)), Patience::default()).await;
        let running = exchange(server.address, "GET / HTTP/1.1\r\nhost: x\r\n\r\n");
        begun.notified().await;
        server.stop.notify_one();
        let requests = server.accepting.await.unwrap();
        let refused = spawn_blocking(move || TcpStream::connect(server.address)).await.unwrap();
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        go_on.notify_one();
        requests.end().await;
        let answer = running.await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("done"), "{answer}");
    }

    #[tokio::test]
    async fn an_idle_connection_does_not_hold_a_stop_up() {
        let router = Router::new().route("/", get(async || "here"));
        let server = start(router, Patience::default()).await;
        let address = server.address;
        let (mut idle, begun) = spawn_blocking(move || {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
            let mut begun = [0; 12];
            stream.read_exact(&mut begun).unwrap();
            (stream, begun)
        })
        .await
        .unwrap();
        assert_eq!(&begun, b"HTTP/1.1 200");
        server.stop.notify_one();
        server.accepting.await.unwrap().end().await;
        let rest = spawn_blocking(move || {
            let mut rest = String::new();
            idle.read_to_string(&mut rest).map(|_| rest)
        });
        assert!(rest.await.unwrap().unwrap().ends_with("here"));
    }

    #[tokio::test]
    async fn a_client_that_does_not_finish_its_headers_is_cut_off() {
        let patience = Patience { headers: Duration::from_millis(50), ..Patience::default() };
        let server = start(Router::new(), patience).await;
        let answer = exchange(server.address, "GET / HTTP/1.1\r\nhost:").await.unwrap();
        assert!(!answer.starts_with("HTTP/1.1 2"), "{answer}");
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
        let patience = Patience { reading: Duration::from_millis(50), ..Patience::default() };
        let server = start(Router::new().route("/", get(handler)), patience).await;
        let mut client = spawn_blocking(move || {
            let mut client = TcpStream::connect(server.address).unwrap();
            client.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
            client
        })
        .await
        .unwrap();
        timeout(Duration::from_secs(60), let_go.notified()).await.expect("it is cut off");
        let read = spawn_blocking(move || {
            let (mut read, mut piece) = (0, vec![0; 1024 * 1024]);
            // The end, or a reset: either way no more comes.
            while let Ok(more @ 1..) = client.read(&mut piece) {
                read += more;
            }
            read
        });
        assert!(read.await.unwrap() < SIZE);
    }
}
