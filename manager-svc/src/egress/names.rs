//! From names to addresses: the system's resolver, once for each connection.

use std::io;
use std::net::SocketAddr;

use tokio::net::lookup_host;

/// Who is asked for the addresses of a host.
#[derive(Clone)]
pub(super) enum Names {
    /// The system.
    System,
    /// A test, which may answer differently each time.
    #[cfg(test)]
    Scripted(Script),
}

#[cfg(test)]
type Script = std::sync::Arc<dyn Fn(&str) -> Vec<std::net::IpAddr> + Send + Sync>;

impl std::fmt::Debug for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Names")
    }
}

impl Names {
    /// Every address of a host; of one that is written as an address, that one.
    pub(super) async fn lookup(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        match self {
            Self::System => Ok(lookup_host((host, port)).await?.collect()),
            #[cfg(test)]
            Self::Scripted(answer) => {
                let found = host.parse().map_or_else(|_| answer(host), |literal| vec![literal]);
                Ok(found.into_iter().map(|ip| SocketAddr::new(ip, port)).collect())
            }
        }
    }
}
