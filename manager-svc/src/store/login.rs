//! Logins that are issued for a short time: asked for at each connect, and renewed while the connection lives.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use deadpool_redis::redis::{BasicAuth, ErrorKind, RedisError, StreamingCredentialsProvider};
use futures_util::{Stream, stream};

/// How often a living connection logs in again: ElastiCache and MemoryDB close one that has not for 12 hours.
const RENEW: Duration = Duration::from_secs(6 * 3600);

/// Who logs in, and with what.
pub struct Login {
    /// The user.
    pub user: String,
    /// The password, or the token that stands for one.
    pub password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("user", &self.user).finish_non_exhaustive()
    }
}

/// Why no login could be issued.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct LoginError(pub String);

/// Issues one login.
pub type Issue =
    dyn Fn() -> Pin<Box<dyn Future<Output = Result<Login, LoginError>> + Send>> + Send + Sync;

/// Where logins come from. Clones are the same source.
#[derive(Clone)]
pub struct Logins(Arc<Issue>);

impl fmt::Debug for Logins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Logins")
    }
}

impl Logins {
    /// Logins that are issued in this way.
    #[must_use]
    pub fn new(issue: Box<Issue>) -> Self {
        Self(Arc::from(issue))
    }
}

impl StreamingCredentialsProvider for Logins {
    fn subscribe(
        &self,
    ) -> Pin<Box<dyn Stream<Item = Result<BasicAuth, RedisError>> + Send + 'static>> {
        let first = (Arc::clone(&self.0), Duration::ZERO);
        Box::pin(stream::unfold(first, |(issue, wait)| async move {
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
            let login = issue().await;
            let login = login.map(|Login { user, password }| BasicAuth::new(user, password));
            let refused =
                |error: LoginError| (ErrorKind::AuthenticationFailed, "no login", error.0).into();
            Some((login.map_err(refused), (issue, RENEW)))
        }))
    }
}
