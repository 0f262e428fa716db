//! Connecting: resolve, ask the policy about every address, connect, and speak TLS for https.
//!
//! The policy is asked here about the addresses that the socket will really go to, so a name that
//! resolves to something else than it did when the URL was accepted gains nothing.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use http::uri::Scheme;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tower_service::Service;

use super::names::Names;
use super::policy::{Policy, Reach};

/// The bound on resolving, connecting and the TLS handshake together. A caller's own deadline may be
/// sooner; this one also ends handshakes whose caller found another connection meanwhile.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// How long one address may take while there is another to try.
const ADDRESS_LIMIT: Duration = Duration::from_secs(3);

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type BoxFuture<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    #[error("the URL has no host")]
    NoHost,
    #[error("the host name could not be resolved")]
    Resolve,
    #[error("the host has no address that may be called")]
    Refused,
    #[error("{}", .0.kind())]
    Tcp(io::Error),
    #[error("connecting took too long")]
    TimedOut,
}

/// The TLS settings that both clients share: ring, the system's roots, no client certificate.
pub(super) fn tls_config() -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(match builder.clone().with_native_roots() {
        Ok(builder) => builder.with_no_client_auth(),
        Err(error) => {
            // A manager whose processors are all plain http must start without them.
            tracing::warn!(%error, "no root certificates: every https call will fail");
            builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth()
        }
    })
}

/// The addresses of a host that a call may go to.
pub(super) async fn resolve(
    names: &Names,
    policy: &Policy,
    reach: Reach,
    host: &str,
    port: u16,
) -> Result<Vec<SocketAddr>, ConnectError> {
    let mut permitted = names.lookup(host, port).await.map_err(|_| ConnectError::Resolve)?;
    permitted.retain(|addr| policy.permits(reach, addr.ip()));
    if permitted.is_empty() { Err(ConnectError::Refused) } else { Ok(permitted) }
}

/// A TCP connection that tells hyper nothing about itself: what `TcpStream` tells (the addresses)
/// would be copied into each response.
#[derive(Debug)]
pub(super) struct Stream(TokioIo<TcpStream>);

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl Write for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }
}

/// Connects over TCP to where the policy allows.
#[derive(Debug, Clone)]
struct TcpConnector {
    policy: Arc<Policy>,
    names: Names,
}

impl TcpConnector {
    async fn connect(self, uri: Uri) -> Result<Stream, ConnectError> {
        let https = uri.scheme() == Some(&Scheme::HTTPS);
        let port = uri.port_u16().unwrap_or(if https { 443 } else { 80 });
        let host = uri.host().ok_or(ConnectError::NoHost)?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let reach = self.policy.reach(https, host, port);
        let mut addrs = resolve(&self.names, &self.policy, reach, host, port).await?.into_iter();
        let mut failure = ConnectError::Refused;
        while let Some(addr) = addrs.next() {
            let limit = if addrs.len() == 0 { CONNECT_LIMIT } else { ADDRESS_LIMIT };
            match timeout(limit, TcpStream::connect(addr)).await {
                Ok(Ok(stream)) => {
                    stream.set_nodelay(true).map_err(ConnectError::Tcp)?;
                    return Ok(Stream(TokioIo::new(stream)));
                }
                Ok(Err(error)) => failure = ConnectError::Tcp(error),
                Err(_) => failure = ConnectError::TimedOut,
            }
        }
        Err(failure)
    }
}

impl Service<Uri> for TcpConnector {
    type Response = Stream;
    type Error = ConnectError;
    type Future = BoxFuture<Stream, ConnectError>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().connect(uri))
    }
}

/// Connects, with TLS where the scheme asks for it, within [`CONNECT_LIMIT`].
#[derive(Debug, Clone)]
pub(super) struct Connector(HttpsConnector<TcpConnector>);

impl Connector {
    pub(super) fn new(policy: Arc<Policy>, names: Names, tls: Arc<ClientConfig>) -> Self {
        Self(HttpsConnector::from((TcpConnector { policy, names }, tls)))
    }
}

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<Stream>;
    type Error = BoxError;
    type Future = BoxFuture<Self::Response, BoxError>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.0.call(uri);
        Box::pin(async move {
            timeout(CONNECT_LIMIT, connecting).await.map_err(|_| ConnectError::TimedOut)?
        })
    }
}
