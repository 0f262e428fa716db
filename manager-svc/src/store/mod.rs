//! The store: Redis, and nothing else knows it.
//!
//! An action's record is a HASH; where it stands is exactly one entry in one ZSET:
//!
//! ```text
//! delayed ──due──► input:<target> ──claim──► pending:<processor> ──settle──► input:<next> … done | failed
//!    ▲                 (by sequence)             (by lease)    │                        └► output:<host>
//!    └────────────────────── retry ────────────────────────────┘                             (by due time)
//! ```
//!
//! Every transition is one script, named for what it does, and sent in one pipeline with the payload it
//! makes current; those of the hot path that are asked for at the same time share one (`together.rs`). Scripts answer small integers that become enums here: an expected refusal is a value.
//! Each may be sent again after a dropped connection: it answers as it did the first time.

mod claim;
mod codec;
mod deliver;
mod end;
mod forget;
mod invariants;
mod keys;
mod lease;
mod link;
mod list;
mod login;
mod look;
mod marks;
mod pool;
mod processors;
mod read;
mod repair;
mod reply;
mod script;
mod settle;
mod submit;
mod ticker;
mod together;

use deadpool_redis::redis::{ErrorKind, RedisError};

pub use claim::{Assignment, Candidate, ClaimAsk, Claimed, Claims, HandOver};
pub use codec::CodecError;
pub use deliver::{ClaimedDelivery, DeliveryAsk, DeliveryEnd};
pub use forget::{Ended, Oldest, REMEMBERED_MS, Remains};
pub use invariants::Violation;
pub use lease::Back;
pub use list::{Begin, Index, Place};
pub use login::{Issue, Login, LoginError, Logins};
pub use look::{Heads, Look};
pub use marks::{MARKS_LAST_MS, Marks, Memory};
pub use processors::{
    CheckAsk, Checked, Drained, Found, Processor, ProcessorStatus, Registered, Registration, Seen,
    Switch, Switched,
};
pub use read::{Kept, QueueSizes, StoreInfo};
pub use repair::{Reconciler, RepairRules, Repaired};
pub use settle::{Advanced, Ending, Finished, Output, Settled, StepEnd, Why};
pub use submit::{IdempotencyKey, NewAction, Submitted};

use link::Link;
use together::Together;

/// How many items one script may take.
pub const BATCH: usize = 100;

/// What went wrong between us and the store. An expected refusal is a value, never one of these.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// Redis cannot be reached, or did not answer in time; what was sent may have been done.
    #[error("the store is away: {0}")]
    Away(#[source] RedisError),
    /// Redis refuses writes: its memory is full.
    #[error("the store is full: {0}")]
    Full(#[source] RedisError),
    /// Redis answered with an error, which points to a bug or a wrong server.
    #[error("the store refused a command: {0}")]
    Refused(#[source] RedisError),
    /// Redis answered something that a script never returns.
    #[error("the store answered what nobody understands: {0}")]
    Answer(&'static str),
    /// A stored record does not read back.
    #[error(transparent)]
    Record(#[from] CodecError),
}

impl From<RedisError> for Error {
    fn from(error: RedisError) -> Self {
        if error.code() == Some("OOM") {
            Self::Full(error)
        } else if error.is_io_error()
            || error.is_timeout()
            || error.is_connection_dropped()
            || error.is_connection_refusal()
            || error.is_cluster_error()
            || error.kind() == ErrorKind::ClusterConnectionNotFound
            // The next login may be a good one: keys are rotated, tokens are renewed.
            || error.kind() == ErrorKind::AuthenticationFailed
            || matches!(
                error.code(),
                Some(
                    "LOADING"
                        | "MISCONF"
                        | "NOREPLICAS"
                        | "BUSY"
                        | "CLUSTERDOWN"
                        | "MASTERDOWN"
                        | "READONLY"
                        | "TRYAGAIN"
                )
            )
        {
            Self::Away(error)
        } else {
            Self::Refused(error)
        }
    }
}

/// Redis, as the rest of the manager knows it. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    link: Link,
    together: Together,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("link", &self.link).finish_non_exhaustive()
    }
}

impl Store {
    /// Connects, and loads the scripts. Within a runtime, which it is used in from then on.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses the URL's credentials.
    pub async fn connect(url: &str) -> Result<Self, Error> {
        Self::connect_as(url, None).await
    }

    /// Connects with logins that are issued for a short time, instead of what the URL says, and loads the scripts.
    ///
    /// # Errors
    /// When the server cannot be reached, none was issued, or the server refuses it.
    pub async fn connect_as(url: &str, logins: Option<Logins>) -> Result<Self, Error> {
        let link = Link::connect(url, logins).await?;
        Ok(Self { together: Together::over(link.clone()), link })
    }

    /// Whether the store is reached, by a round trip.
    ///
    /// # Errors
    /// When it is not.
    pub async fn ping(&self) -> Result<(), Error> {
        self.clock().await.map(|_| ())
    }

    /// The store's clock, in milliseconds since the Unix epoch.
    ///
    /// # Errors
    /// When the store is away.
    pub async fn clock(&self) -> Result<u64, Error> {
        let value = self.link.one(script::READ_CLOCK.call(&[keys::SEQ])).await?;
        reply::number(&value)
    }
}
