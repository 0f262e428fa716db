//! A small HTTP server whose answers are closures, and which can misbehave.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Either, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use crate::endless::Endless;

/// A request, read whole.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The path, with its query.
    pub uri: Uri,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Request {
    /// A header by its lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// What a stub answers.
#[derive(Debug, Clone)]
pub enum Reply {
    /// A status, headers and a body.
    Answer(StatusCode, HeaderMap, Bytes),
    /// A status, headers, and a body that repeats a piece, each time after a while, and never ends.
    Endless(StatusCode, HeaderMap, Bytes, Duration),
    /// Nothing: the request hangs until the client or the stub ends.
    Silence,
    /// The connection is closed without an answer.
    Cut,
}

impl Reply {
    /// 200 with JSON.
    #[must_use]
    pub fn json(value: &impl Serialize) -> Self {
        let body = serde_json::to_vec(value).expect("what a stub answers is JSON");
        Self::raw(200, body).with(header::CONTENT_TYPE.as_str(), "application/json")
    }

    /// A status with an empty body.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self::raw(status, Bytes::new())
    }

    /// 202: `/complete` will follow.
    #[must_use]
    pub fn accepted() -> Self {
        Self::status(202)
    }

    /// A status with a body as it is.
    #[must_use]
    pub fn raw(status: u16, body: impl Into<Bytes>) -> Self {
        let status = StatusCode::from_u16(status).expect("an HTTP status");
        Self::Answer(status, HeaderMap::new(), body.into())
    }

    /// A status and a body that never ends: this piece again and again, each time after a while.
    #[must_use]
    pub fn endless(status: u16, piece: impl Into<Bytes>, pause: Duration) -> Self {
        let status = StatusCode::from_u16(status).expect("an HTTP status");
        Self::Endless(status, HeaderMap::new(), piece.into(), pause)
    }

    /// The same answer with another body.
    #[must_use]
    pub fn with_body(mut self, bytes: Bytes) -> Self {
        if let Self::Answer(_, _, body) = &mut self {
            *body = bytes;
        }
        self
    }

    /// The same answer with one header more.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        if let Self::Answer(_, headers, _) | Self::Endless(_, headers, ..) = &mut self {
            let name: header::HeaderName = name.parse().expect("a header name");
            headers.append(name, value.parse().expect("a header value"));
        }
        self
    }
}

type Handler = Arc<dyn Fn(Request) -> BoxFuture + Send + Sync>;
type BoxFuture = std::pin::Pin<Box<dyn Future<Output = Reply> + Send>>;

/// A server on a loopback port of its own. It can be stopped and started again on the same port.
pub struct Server {
    address: SocketAddr,
    handler: Handler,
    accepting: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Server {
    /// Starts it on a free port.
    pub async fn start<F, R>(handler: F) -> Self
    where
        F: Fn(Request) -> R + Send + Sync + 'static,
        R: Future<Output = Reply> + Send + 'static,
    {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), handler).await
    }

    /// Starts it at an address.
    pub async fn start_at<F, R>(address: SocketAddr, handler: F) -> Self
    where
        F: Fn(Request) -> R + Send + Sync + 'static,
        R: Future<Output = Reply> + Send + 'static,
    {
        Self::on(TcpListener::bind(address).await.expect("the address is free"), handler)
    }

    /// Starts it where somebody listens already.
    #[must_use]
    pub fn on<F, R>(listener: TcpListener, handler: F) -> Self
    where
        F: Fn(Request) -> R + Send + Sync + 'static,
        R: Future<Output = Reply> + Send + 'static,
    {
        let handler: Handler = Arc::new(move |request| Box::pin(handler(request)));
        let address = listener.local_addr().expect("a bound listener has an address");
        let accepting = Some(tokio::spawn(accept(listener, Arc::clone(&handler))));
        Self { address, handler, accepting }
    }

    /// `http://127.0.0.1:<port>`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops listening and cuts every connection: clients are refused.
    pub async fn stop(&mut self) {
        if let Some(accepting) = self.accepting.take() {
            accepting.abort();
            // The listener is closed when the task has ended, not when it was told to.
            let _ = accepting.await;
        }
    }

    /// Listens again, on the port it had.
    pub async fn restart(&mut self) {
        self.stop().await;
        let listener = TcpListener::bind(self.address).await.expect("the port is still free");
        self.accepting = Some(tokio::spawn(accept(listener, Arc::clone(&self.handler))));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(accepting) = self.accepting.take() {
            accepting.abort();
        }
    }
}

/// Owns the connections, so that aborting it cuts them.
async fn accept(listener: TcpListener, handler: Handler) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                let _ = stream.set_nodelay(true);
                let handler = Arc::clone(&handler);
                let service = service_fn(move |request| serve(request, Arc::clone(&handler)));
                let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                connections.spawn(connection);
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(
    request: hyper::Request<Incoming>,
    handler: Handler,
) -> Result<Response<Either<Full<Bytes>, Endless>>, io::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let request = Request { method: head.method, uri: head.uri, headers: head.headers, body };
    let answer = |status, headers, body| {
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    };
    match handler(request).await {
        Reply::Answer(status, headers, body) => {
            answer(status, headers, Either::Left(Full::new(body)))
        }
        Reply::Endless(status, headers, piece, pause) => {
            answer(status, headers, Either::Right(Endless::new(piece, pause)))
        }
        Reply::Silence => std::future::pending().await,
        Reply::Cut => Err(io::Error::other("the stub was told to cut the connection")),
    }
}
