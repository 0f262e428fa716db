//! Baton's endpoints as Lambda functions, and the scheduler as one more.
//!
//! Each endpoint function serves a slice of the one route table ([`routes`]) to an HTTP API, by payload format 2.0:
//! [`serve`] is its whole program. [`tick`](tick()) is the scheduler's: a cron beat or a nudge starts it.
//!
//! A function never dispatches. What it commits waits in Redis for a tick, which it starts when `BATON_TICK_FUNCTION`
//! names one: that function is invoked asynchronously, with the event `{"source": "nudge", "handoffs": n}`.
//!
//! A process is made ready once, at its cold start: configuration from the environment and, with the feature `aws`,
//! from the secret that `BATON_SECRET_ARN` names; then the connection to Redis. A bad configuration ends the process. A
//! Redis that is away does not: requests are answered 503, and each tries again.

#[cfg(feature = "aws")]
mod aws;
mod event;
mod function;
mod invoke;
mod metrics;
#[cfg(not(feature = "aws"))]
mod plain;
mod ready;
pub mod routes;
mod serve;
mod tick;

pub use serve::serve;
pub use tick::tick;
