//! Standard Webhooks 1.0 signatures, both ways.
//!
//! `webhook-signature` is `v1,` + base64(HMAC-SHA256(`id.timestamp.body`)), one for each secret,
//! separated by spaces: while a secret rotates, both the old and the new one sign, and a verifier
//! that knows either accepts. The `standardwebhooks` crate takes one key per object, checks against
//! its own clock and hashes without the CPU's SHA instructions; the tests compare the two.

use std::fmt;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// The header that names the message: constant over retries.
pub const WEBHOOK_ID: &str = "webhook-id";
/// The header with the time of the attempt, in seconds since the Unix epoch.
pub const WEBHOOK_TIMESTAMP: &str = "webhook-timestamp";
/// The header with the signatures.
pub const WEBHOOK_SIGNATURE: &str = "webhook-signature";
/// How far a timestamp may be from the verifier's clock, in seconds.
pub const TOLERANCE_SECS: u64 = 300;

const PREFIX: &str = "whsec_";

/// One or more signing secrets, newest first.
#[derive(Clone)]
pub struct Secrets(Vec<Hmac<Sha256>>);

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({} redacted)", self.0.len())
    }
}

/// Why secrets were refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// There is none.
    #[error("no secret is given: write at least one `whsec_…`")]
    Empty,
    /// It does not start with `whsec_`.
    #[error("secret {0} does not start with `whsec_`")]
    Prefix(usize),
    /// What follows the prefix is not base64.
    #[error("secret {0} is not base64 after `whsec_`")]
    Base64(usize),
    /// It has fewer than 24 or more than 64 bytes.
    #[error("secret {0} has {1} bytes: 24 to 64 are right")]
    Length(usize, usize),
}

/// Why a signature was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// A header is absent or not ASCII.
    #[error("header `{0}` is missing")]
    Missing(&'static str),
    /// The timestamp is not a number of seconds.
    #[error("header `webhook-timestamp` is not a number of seconds")]
    Timestamp,
    /// The timestamp is more than [`TOLERANCE_SECS`] away.
    #[error("the message's timestamp is too old or too new")]
    Tolerance,
    /// No signature matches any secret.
    #[error("no signature matches")]
    Mismatch,
}

impl Secrets {
    /// Reads secrets separated by white space, newest first.
    ///
    /// # Errors
    /// Names the first secret that is not `whsec_` + base64 of 24 to 64 bytes, counted from 1.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let mut keys = Vec::new();
        for (index, secret) in text.split_whitespace().enumerate() {
            let number = index + 1;
            let encoded = secret.strip_prefix(PREFIX).ok_or(SecretError::Prefix(number))?;
            let bytes = STANDARD.decode(encoded).map_err(|_| SecretError::Base64(number))?;
            if !(24..=64).contains(&bytes.len()) {
                return Err(SecretError::Length(number, bytes.len()));
            }
            let key = Hmac::new_from_slice(&bytes)
                .map_err(|_| SecretError::Length(number, bytes.len()))?;
            keys.push(key);
        }
        if keys.is_empty() { Err(SecretError::Empty) } else { Ok(Self(keys)) }
    }

    /// The value of `webhook-signature`: one signature for each secret.
    #[must_use]
    pub fn sign(&self, id: &str, timestamp_secs: u64, body: &[u8]) -> String {
        let head = head(id, timestamp_secs);
        let mut value = String::with_capacity(self.0.len() * 48);
        for key in &self.0 {
            if !value.is_empty() {
                value.push(' ');
            }
            value.push_str("v1,");
            STANDARD.encode_string(mac(key, &head, body).finalize().into_bytes(), &mut value);
        }
        value
    }

    /// Checks a received message. `header` looks a header up by its lower-case name.
    ///
    /// # Errors
    /// Says which header is missing or malformed, or that no signature matches.
    pub fn verify<'h>(
        &self,
        header: impl Fn(&str) -> Option<&'h str>,
        body: &[u8],
        now_secs: u64,
    ) -> Result<(), VerifyError> {
        let id = header(WEBHOOK_ID).ok_or(VerifyError::Missing(WEBHOOK_ID))?;
        let timestamp: u64 = header(WEBHOOK_TIMESTAMP)
            .ok_or(VerifyError::Missing(WEBHOOK_TIMESTAMP))?
            .parse()
            .map_err(|_| VerifyError::Timestamp)?;
        let signatures =
            header(WEBHOOK_SIGNATURE).ok_or(VerifyError::Missing(WEBHOOK_SIGNATURE))?;
        if timestamp.abs_diff(now_secs) > TOLERANCE_SECS {
            return Err(VerifyError::Tolerance);
        }
        let head = head(id, timestamp);
        let matches = signatures
            .split(' ')
            .filter_map(|signature| signature.strip_prefix("v1,"))
            .filter_map(|encoded| STANDARD.decode(encoded).ok())
            .any(|given| {
                self.0.iter().any(|key| mac(key, &head, body).verify_slice(&given).is_ok())
            });
        if matches { Ok(()) } else { Err(VerifyError::Mismatch) }
    }
}

/// A new secret of 32 random bytes, as text.
#[must_use]
pub fn generate_secret() -> String {
    let bytes: [u8; 32] = rand::random();
    format!("{PREFIX}{}", STANDARD.encode(bytes))
}

fn head(id: &str, timestamp_secs: u64) -> String {
    let mut head = String::with_capacity(id.len() + 24);
    // Writing to a `String` cannot fail.
    let _ = write!(head, "{id}.{timestamp_secs}.");
    head
}

/// `key` holds the padded key's state already, so that a signature costs the body and two blocks.
fn mac(key: &Hmac<Sha256>, head: &str, body: &[u8]) -> Hmac<Sha256> {
    let mut mac = key.clone();
    mac.update(head.as_bytes());
    mac.update(body);
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn headers<'h>(signature: &'h str, timestamp: &'h str) -> impl Fn(&str) -> Option<&'h str> {
        move |name| match name {
            WEBHOOK_ID => Some("msg_1"),
            WEBHOOK_TIMESTAMP => Some(timestamp),
            WEBHOOK_SIGNATURE => Some(signature),
            _ => None,
        }
    }

    #[test]
    fn signs_as_the_reference_library_does() {
        let ours = Secrets::parse(SECRET).unwrap().sign("msg_1", 1_700_000_000, b"{\"a\":1}");
        let theirs = standardwebhooks::Webhook::new(SECRET)
            .unwrap()
            .sign("msg_1", 1_700_000_000, b"{\"a\":1}")
            .unwrap();
        assert_eq!(ours, theirs);
    }

    #[test]
    fn either_secret_verifies_while_one_rotates() {
        let old = Secrets::parse(SECRET).unwrap();
        let new = generate_secret();
        let both = Secrets::parse(&format!("{new} {SECRET}")).unwrap();
        let signature = both.sign("msg_1", 1000, b"x");
        assert_eq!(signature.split(' ').count(), 2);
        old.verify(headers(&signature, "1000"), b"x", 1000).unwrap();
        Secrets::parse(&new).unwrap().verify(headers(&signature, "1000"), b"x", 1000).unwrap();
    }

    #[test]
    fn a_changed_body_or_an_old_timestamp_is_refused() {
        let secrets = Secrets::parse(SECRET).unwrap();
        let signature = secrets.sign("msg_1", 1000, b"x");
        let check = |body: &[u8], now| secrets.verify(headers(&signature, "1000"), body, now);
        assert_eq!(check(b"y", 1000), Err(VerifyError::Mismatch));
        assert_eq!(check(b"x", 1301), Err(VerifyError::Tolerance));
        assert_eq!(check(b"x", 699), Err(VerifyError::Tolerance));
        assert_eq!(check(b"x", 1300), Ok(()));
    }

    #[test]
    fn bad_secrets_are_named_and_never_shown() {
        assert_eq!(Secrets::parse(" ").unwrap_err(), SecretError::Empty);
        assert_eq!(Secrets::parse("abc").unwrap_err(), SecretError::Prefix(1));
        assert_eq!(Secrets::parse("whsec_MTIz").unwrap_err(), SecretError::Length(1, 3));
        let debug = format!("{:?}", Secrets::parse(SECRET).unwrap());
        assert_eq!(debug, "Secrets(1 redacted)");
    }
}
