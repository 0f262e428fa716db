//! Identifiers and credentials, parsed at the edge.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// Why an identifier was refused, with what would be right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct IdError(pub(super) &'static str);

/// An action's id: `act_p0_` and 26 lower-case base 32 characters (130 bits, 128 of them random).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ActionId(String);

const ACTION_PREFIX: &str = "act_p0_";

impl ActionId {
    /// A new id from 128 random bits. `p0` is the partition it lives in.
    #[must_use]
    pub fn from_random(random: u128) -> Self {
        Self(format!("{ACTION_PREFIX}{}", base32(random, 26)))
    }

    /// Reads an id.
    ///
    /// # Errors
    /// When it cannot be an id that this system gave out.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let digits = text.strip_prefix(ACTION_PREFIX);
        let ok = |d: &str| d.len() == 26 && d.bytes().all(|b| ALPHABET.contains(&b));
        if digits.is_some_and(ok) {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdError("is not an action id: take it from the answer to `POST /action`"))
        }
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ActionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a job names, and what a processor registers as id and as name: 1 to 64 characters of
/// `A–Z a–z 0–9 . _ -`, beginning with a letter or a digit. They become part of keys and headers.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Target(String);

impl Target {
    /// Reads an id or a name.
    ///
    /// # Errors
    /// Says which characters and lengths are right.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let fits = (1..=64).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
            && text.as_bytes()[0].is_ascii_alphanumeric();
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdError(
                "must be 1 to 64 characters of A-Z a-z 0-9 . _ - and begin with a letter or digit",
            ))
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The credential of one attempt: 128 random bits. Only its hash is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(redacted)")
    }
}

impl Token {
    /// A new token.
    #[must_use]
    pub fn from_random(random: u128) -> Self {
        Self(format!("tok_{}", base32(random, 26)))
    }

    /// Takes what a processor sent; an impossible token hashes to nothing that is stored.
    #[must_use]
    pub fn from_received(text: String) -> Self {
        Self(text)
    }

    /// What the store knows of it: the first 128 bits of its SHA-256, as many as the token has.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        TokenHash(URL_SAFE_NO_PAD.encode(&Sha256::digest(self.0.as_bytes())[..16]))
    }

    /// The token itself, for the call to the processor alone.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// The hash of a [`Token`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenHash(String);

impl TokenHash {
    /// Takes what the store holds.
    #[must_use]
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The hash as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What makes one request different from every other: it names the payload that the request writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nonce(String);

impl Nonce {
    /// A new nonce.
    #[must_use]
    pub fn from_random(random: u128) -> Self {
        Self(base32(random, 20))
    }

    /// Takes what the store holds.
    #[must_use]
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The nonce as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// The lowest `digits` base 32 digits of `value` (Crockford's alphabet, lower case).
fn base32(mut value: u128, digits: usize) -> String {
    let mut text = vec![b'0'; digits];
    for digit in text.iter_mut().rev() {
        *digit = ALPHABET[(value & 31) as usize];
        value >>= 5;
    }
    text.into_iter().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_id_reads_back_and_nothing_else_does() {
        let id = ActionId::from_random(u128::MAX);
        assert_eq!(ActionId::parse(id.as_str()), Ok(id.clone()));
        for bad in ["", "act_p0_", "act_p1_00000000000000000000000000", "act_p0_{p0}:seq", "ACT"] {
            assert!(ActionId::parse(bad).is_err(), "{bad}");
        }
        assert!(ActionId::parse(&id.as_str().to_uppercase()).is_err());
    }

    #[test]
    fn targets_are_short_and_plain() {
        for good in ["a", "resize", "gpu-1.eu_west", &"x".repeat(64)] {
            assert!(Target::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "a b", "a:b", "{x}", "ü", &"x".repeat(65)] {
            assert!(Target::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_token_is_never_shown() {
        let token = Token::from_random(7);
        assert_eq!(format!("{token:?}"), "Token(redacted)");
        assert_ne!(token.hash().as_str(), token.expose());
    }
}
