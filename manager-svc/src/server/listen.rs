//! Accepting connections: slow clients are cut off, a stop lets running requests end.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};

/// How long a client may take to send a request's headers.
pub(super) const HEADERS_WITHIN: Duration = Duration::from_secs(10);
/// How many connections are open at once; more wait to be accepted.
const CONNECTIONS: usize = 4096;
/// How long running requests may take to end after a stop.
const REQUESTS_END_WITHIN: Duration = Duration::from_secs(3);

/// Turns true at the first SIGTERM or SIGINT; a second one ends the process at once.
pub(super) fn stop_signal() -> io::Result<watch::Receiver<bool>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if sender.send_replace(true) {
                tracing::warn!("told to stop twice: exiting at once");
                std::process::exit(130);
            }
        }
    });
    Ok(receiver)
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

/// Serves the router until told to stop; from then on new connections are refused. A client that takes
/// longer than `headers_within` to send a request's headers is cut off.
pub(super) async fn accept(
    listener: TcpListener,
    router: Router,
    headers_within: Duration,
    mut stop: watch::Receiver<bool>,
) -> Requests {
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(headers_within);
    let service = TowerToHyperService::new(router);
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let next = async {
            // Never closed, so there is always a place in the end.
            let place = Arc::clone(&places).acquire_owned().await.ok();
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            next = next => next,
            _ = stop.wait_for(|stop| *stop) => return Requests(graceful),
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
        let connection = http.serve_connection(TokioIo::new(stream), service.clone());
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
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpStream};

    use axum::routing::get;
    use tokio::sync::Notify;
    use tokio::task::{JoinHandle, spawn_blocking};

    use super::*;

    struct Server {
        address: SocketAddr,
        stop: watch::Sender<bool>,
        accepting: JoinHandle<Requests>,
    }

    async fn start(router: Router, headers_within: Duration) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        let accepting = tokio::spawn(accept(listener, router, headers_within, stopped));
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
        let server = start(Router::new().route("/", get(handler)), HEADERS_WITHIN).await;
        let running = exchange(server.address, "GET / HTTP/1.1\r\nhost: x\r\n\r\n");
        begun.notified().await;
        server.stop.send_replace(true);
        let requests = server.accepting.await.unwrap();
        let refused = spawn_blocking(move || TcpStream::connect(server.address)).await.unwrap();
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        go_on.notify_one();
        requests.end().await;
        let answer = running.await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("done"), "{answer}");
    }

    #[tokio::test]
    async fn an_idle_connection_does_not_hold_a_stop_up() {
        let router = Router::new().route("/", get(async || "here"));
        let server = start(router, HEADERS_WITHIN).await;
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
        server.stop.send_replace(true);
        server.accepting.await.unwrap().end().await;
        let rest = spawn_blocking(move || {
            let mut rest = String::new();
            idle.read_to_string(&mut rest).map(|_| rest)
        });
        assert!(rest.await.unwrap().unwrap().ends_with("here"));
    }

    #[tokio::test]
    async fn a_client_that_does_not_finish_its_headers_is_cut_off() {
        let server = start(Router::new(), Duration::from_millis(50)).await;
        let answer = exchange(server.address, "GET / HTTP/1.1\r\nhost:").await.unwrap();
        assert!(!answer.starts_with("HTTP/1.1 2"), "{answer}");
    }
}
