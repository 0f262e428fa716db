//! What the manager answered.

use baton_wire::problem::{MEDIA_TYPE, Problem};
use bytes::Bytes;
use http::HeaderMap;
use serde::de::DeserializeOwned;

/// An answer as it came.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// A refusal: an error status with its problem.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// The status code.
    pub status: u16,
    /// The problem it carries.
    pub problem: Box<Problem>,
    /// `Retry-After` in seconds, if the answer had one.
    pub retry_after: Option<u64>,
}

impl Answer {
    /// A header by its lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Reads it: 2xx must hold `T`, everything else a well-formed problem.
    ///
    /// # Errors
    /// The refusal, if it is one.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        if (200..300).contains(&self.status) {
            return Ok(self.parse());
        }
        Err(self.refusal())
    }

    /// The refusal; panics when the answer is no error with a well-formed problem.
    #[must_use]
    pub fn refusal(&self) -> Refusal {
        let text = String::from_utf8_lossy(&self.body);
        assert!(self.status >= 400, "not an error: {} {text}", self.status);
        assert_eq!(self.header("content-type"), Some(MEDIA_TYPE), "{} {text}", self.status);
        let problem: Box<Problem> = self.parse();
        assert_eq!(problem.status, self.status, "{text}");
        assert_eq!(problem.kind, format!("/errors#{}", problem.code), "{text}");
        let retry_after = self.header("retry-after").map(|v| v.parse().expect("whole seconds"));
        Refusal { status: self.status, problem, retry_after }
    }

    fn parse<T: DeserializeOwned>(&self) -> T {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            let body = String::from_utf8_lossy(&self.body);
            panic!(
                "{} with a body that is no {}: {error}: {body}",
                self.status,
                std::any::type_name::<T>()
            )
        })
    }
}
