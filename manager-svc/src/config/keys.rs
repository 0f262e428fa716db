//! Bearer keys: which there are, as hashes. A key itself is in memory no longer than it takes to read it.

use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

use super::lookup::Lookup;

/// 128 bits as hexadecimal digits.
const MIN_LEN: usize = 32;
const MAX_LEN: usize = 512;

/// What bearer keys there are, by what they open. Without any the manager is open.
#[derive(Debug, Clone, Default)]
pub struct AccessConfig {
    /// `BATON_CALLER_KEYS`: submitting, reading and cancelling actions.
    pub caller: Keys,
    /// `BATON_OPERATOR_KEYS`: everything.
    pub operator: Keys,
    /// `BATON_PROCESSOR_KEYS`: processors that register and leave.
    pub processor: Keys,
}

/// Several keys, so that one can take the place of another, as their SHA-256.
#[derive(Clone, Default)]
pub struct Keys(Vec<[u8; 32]>);

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keys({})", self.0.len())
    }
}

impl Keys {
    /// Reads keys that are separated by spaces.
    ///
    /// # Errors
    /// Says what a key looks like, without repeating one.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let keys: Vec<&str> = text.split_whitespace().collect();
        let is_key = |key: &&str| {
            (MIN_LEN..=MAX_LEN).contains(&key.len())
                && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b))
        };
        if keys.is_empty() || !keys.iter().all(is_key) {
            return Err(format!(
                "must have keys of {MIN_LEN} to {MAX_LEN} letters, digits and `-._~+/=`, separated by spaces: \
                 `openssl rand -hex 32` makes one"
            ));
        }
        Ok(Self(keys.into_iter().map(digest).collect()))
    }

    /// Whether a key with this hash is among them. All are looked at, whichever it is.
    pub(crate) fn hold(&self, digest: &[u8; 32]) -> bool {
        let found = |found: Choice, key: &[u8; 32]| found | key.as_slice().ct_eq(digest.as_slice());
        self.0.iter().fold(Choice::from(0), found).into()
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What is kept of a key.
pub(crate) fn digest(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

impl AccessConfig {
    pub(super) fn read(l: &mut Lookup<impl Fn(&str) -> Option<String>>) -> Self {
        Self {
            caller: l.read("BATON_CALLER_KEYS", Keys::default(), Keys::parse),
            operator: l.read("BATON_OPERATOR_KEYS", Keys::default(), Keys::parse),
            processor: l.read("BATON_PROCESSOR_KEYS", Keys::default(), Keys::parse),
        }
    }

    /// Whether there is no key at all.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.caller.is_empty() && self.operator.is_empty() && self.processor.is_empty()
    }

    /// A key opens what its kind opens, so it has one kind.
    pub(super) fn refuse_shared(&self, l: &mut Lookup<impl Fn(&str) -> Option<String>>) {
        let shares = |a: &Keys, b: &Keys| a.0.iter().any(|key| b.hold(key));
        for (name, keys, others) in [
            ("BATON_CALLER_KEYS", &self.caller, [&self.operator, &self.processor]),
            ("BATON_PROCESSOR_KEYS", &self.processor, [&self.operator, &Keys::default()]),
        ] {
            if others.into_iter().any(|other| shares(keys, other)) {
                l.problem(name, "has a key of another kind", "make one for each kind");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn each_of_several_keys_is_held_and_nothing_near_it() {
        let other = KEY.to_uppercase();
        let keys = Keys::parse(&format!("{KEY}\n {other}")).unwrap();
        assert!(keys.hold(&digest(KEY)) && keys.hold(&digest(&other)));
        for near in ["", &KEY[1..], &format!("{KEY} "), &format!("{KEY}{KEY}"), "0123"] {
            assert!(!keys.hold(&digest(near)), "{near}");
        }
        assert!(!Keys::default().hold(&digest("")));
    }

    #[test]
    fn what_is_no_key_is_refused_without_being_shown() {
        let long = "hush".repeat(MAX_LEN);
        for bad in ["", "hush", &KEY[1..], &format!("{KEY} hush"), &format!("{KEY}\u{e9}"), &long] {
            let error = Keys::parse(bad).unwrap_err();
            assert!(error.contains("openssl rand -hex 32"), "{error}");
            assert!(!error.contains("hush") && !error.contains(&KEY[1..]), "{error}");
        }
    }

    #[test]
    fn no_key_is_shown() {
        let shown = format!("{:?}", Keys::parse(KEY).unwrap());
        assert_eq!(shown, "Keys(1)");
    }
}
