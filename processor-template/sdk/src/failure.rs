//! How a job fails.

use std::error::Error;
use std::time::Duration;

/// Why a job has no result, and whether another attempt may succeed.
///
/// `?` turns every error into a retryable failure. Say [`Failure::permanent`] where trying again
/// cannot help: the action then ends at once and does not use up its attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Failure {
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Permanent,
    Retryable { after: Option<Duration> },
    Unavailable { after: Duration },
}

impl Failure {
    /// Another attempt would fail too: the data or the parameters are wrong.
    pub fn permanent(message: impl Into<String>) -> Self {
        Self::new(message, Kind::Permanent)
    }

    /// Another attempt may succeed. The manager waits longer after each.
    pub fn retryable(message: impl Into<String>) -> Self {
        Self::new(message, Kind::Retryable { after: None })
    }

    /// This processor can do nothing for a while, whatever the job: something it needs is away or
    /// overloaded. Answered in time (see [`Processor::answer_within`](crate::Processor::answer_within))
    /// it is 503 with `Retry-After`: it costs the action no attempt, and this processor gets no work that long,
    /// at most 5 minutes, while others of its name take what waits. Reported later it is a retryable failure,
    /// which costs an attempt: the action's next one waits that long.
    pub fn unavailable(message: impl Into<String>, retry_after: Duration) -> Self {
        Self::new(message, Kind::Unavailable { after: retry_after })
    }

    /// With a code of your own, for those who read the action's timeline or its outcome by program.
    /// Without one it is `processor_failed`.
    pub fn code(mut self, code: impl Into<String>) -> Self {
        self.code = code.into();
        self
    }

    /// With the earliest time for the next attempt. A permanent failure has none and stays as it is.
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.kind = match self.kind {
            Kind::Permanent => Kind::Permanent,
            Kind::Retryable { .. } => Kind::Retryable { after: Some(delay) },
            Kind::Unavailable { .. } => Kind::Unavailable { after: delay },
        };
        self
    }

    fn new(message: impl Into<String>, kind: Kind) -> Self {
        Self { code: "processor_failed".to_owned(), message: message.into(), kind }
    }

    /// Whether another attempt may succeed.
    pub(crate) fn is_retryable(&self) -> bool {
        match self.kind {
            Kind::Permanent => false,
            Kind::Retryable { .. } | Kind::Unavailable { .. } => true,
        }
    }

    /// How long the next attempt should wait.
    pub(crate) fn delay(&self) -> Option<Duration> {
        match self.kind {
            Kind::Permanent => None,
            Kind::Retryable { after } => after,
            Kind::Unavailable { after } => Some(after),
        }
    }
}

/// Retryable, with the error and its causes in words. (That is why `Failure` itself is no `Error`.)
impl<E: Error> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            message.push_str(": ");
            message.push_str(&inner.to_string());
            cause = inner.source();
        }
        Self::retryable(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the lookup failed")]
    struct Lookup(#[source] std::num::ParseIntError);

    #[test]
    fn any_error_becomes_a_retryable_failure_with_its_causes() {
        let parse = |text: &str| -> Result<u32, Failure> { Ok(text.parse().map_err(Lookup)?) };
        let failure = parse("x").unwrap_err();
        assert!(failure.is_retryable());
        assert_eq!(failure.message, "the lookup failed: invalid digit found in string");
        assert_eq!(failure.code, "processor_failed");
    }

    #[test]
    fn a_permanent_failure_stays_permanent() {
        let failure = Failure::permanent("no").retry_after(Duration::from_secs(1)).code("bad");
        assert!(!failure.is_retryable());
        assert_eq!(failure.delay(), None);
        assert_eq!(failure.code, "bad");
    }
}
