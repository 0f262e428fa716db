//! What a processor is told by its environment.

use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroU16;

use baton_wire::signature::{SecretError, Secrets};
use reqwest::Url;
use reqwest::header::HeaderValue;

/// Where a processor runs and whom it works for.
///
/// | variable | default | meaning |
/// | --- | --- | --- |
/// | `MANAGER_URL` | `http://127.0.0.1:8080` | the manager to register with |
/// | `PROCESSOR_NAME` | the name in the code | the kind of work, shared by all instances |
/// | `PROCESSOR_ID` | the name and a random end | this instance |
/// | `BIND` | `127.0.0.1:0` | the address to listen on; port 0 takes a free one |
/// | `PUBLIC_URL` | `http://` and the bound address | where the manager reaches this processor |
/// | `CAPACITY` | 10 | how many jobs it works on at a time, 1 to 65,535 |
/// | `PROCESSOR_SECRETS` | none, required | one or more `whsec_…`, separated by spaces: requests must be signed with one of them |
/// | `PROCESSOR_KEY` | none | the key to register with, where the manager asks for one |
#[derive(Clone)]
pub struct Config {
    pub(crate) manager_url: String,
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) bind: SocketAddr,
    pub(crate) public_url: Option<String>,
    pub(crate) capacity: u16,
    pub(crate) secrets: Secrets,
    pub(crate) authorization: Option<HeaderValue>,
}

/// Why the environment was refused: the variable, what is wrong with it, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A URL that is no http(s) URL to which a path can be appended.
    #[error("{0} must be an http or https URL without user, query and fragment, as in `{1}`")]
    Url(&'static str, &'static str),
    /// An id or name that the manager would not accept.
    #[error(
        "{0} must be 1 to 64 characters of A-Z a-z 0-9 . _ - and begin with a letter or a digit"
    )]
    Target(&'static str),
    /// An instance cannot be called like the kind of work.
    #[error("PROCESSOR_ID must differ from PROCESSOR_NAME: append a number, as in `{0}-1`")]
    SameIdAndName(String),
    /// Not an address to listen on.
    #[error("BIND must be an IP address and a port, as in `127.0.0.1:0` (port 0: any free one)")]
    Bind,
    /// It listens on every address, so which one the manager uses cannot be known.
    #[error("PUBLIC_URL must say where the manager reaches this processor, because BIND is {0}")]
    PublicUrl(SocketAddr),
    /// Not a capacity.
    #[error("CAPACITY must be a whole number from 1 to 65535")]
    Capacity,
    /// There are no secrets.
    #[error(
        "PROCESSOR_SECRETS is not set: give it the manager's BATON_PROCESSOR_SECRETS (a local \
         manager prints the name of the file that holds its own when it starts)"
    )]
    NoSecrets,
    /// The secrets cannot be read.
    #[error("PROCESSOR_SECRETS: {0}")]
    Secrets(#[from] SecretError),
    /// A key that no header can carry.
    #[error("PROCESSOR_KEY must be visible ASCII without spaces: copy one key, and nothing else")]
    Key,
}

impl Config {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// Names the variable that is wrong, and the remedy.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn from_env(default_name: &str) -> Result<Self, ConfigError> {
        Self::from_lookup(default_name, |name| std::env::var(name).ok())
    }

    /// Reads variables by `lookup`. An empty one counts as unset.
    ///
    /// # Errors
    /// Names the variable that is wrong, and the remedy.
    pub fn from_lookup(
        default_name: &str,
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let get = |name: &str| {
            lookup(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
        };
        let manager_url = get("MANAGER_URL").unwrap_or_else(|| "http://127.0.0.1:8080".to_owned());
        let manager_url = base_url(&manager_url)
            .ok_or(ConfigError::Url("MANAGER_URL", "http://127.0.0.1:8080"))?;
        let name = get("PROCESSOR_NAME").unwrap_or_else(|| default_name.to_owned());
        let name = target(name).ok_or(ConfigError::Target("PROCESSOR_NAME"))?;
        let id = get("PROCESSOR_ID").unwrap_or_else(|| random_id(&name));
        let id = target(id).ok_or(ConfigError::Target("PROCESSOR_ID"))?;
        if id == name {
            return Err(ConfigError::SameIdAndName(name));
        }
        let bind: SocketAddr = get("BIND")
            .map_or(Ok(SocketAddr::from(([127, 0, 0, 1], 0))), |bind| bind.parse())
            .map_err(|_| ConfigError::Bind)?;
        let example = "https://processor.example.com";
        let public_url = get("PUBLIC_URL")
            .map(|url| base_url(&url).ok_or(ConfigError::Url("PUBLIC_URL", example)))
            .transpose()?;
        if public_url.is_none() && bind.ip().is_unspecified() {
            return Err(ConfigError::PublicUrl(bind));
        }
        let capacity = get("CAPACITY")
            .map_or(Ok(10), |capacity| capacity.parse().map(NonZeroU16::get))
            .map_err(|_| ConfigError::Capacity)?;
        let secrets = Secrets::parse(&get("PROCESSOR_SECRETS").ok_or(ConfigError::NoSecrets)?)?;
        let authorization = get("PROCESSOR_KEY").map(|key| bearer(&key)).transpose()?;
        Ok(Self { manager_url, id, name, bind, public_url, capacity, secrets, authorization })
    }
}

/// Without the key, and with the secrets redacted.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("manager_url", &self.manager_url)
            .field("id", &self.id)
            .field("name", &self.name)
            .field("bind", &self.bind)
            .field("public_url", &self.public_url)
            .field("capacity", &self.capacity)
            .field("secrets", &self.secrets)
            .finish_non_exhaustive()
    }
}

/// A URL that paths are appended to, without its final slashes.
fn base_url(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let plain = matches!(url.scheme(), "http" | "https")
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    plain.then(|| url.as_str().trim_end_matches('/').to_owned())
}

/// What the manager accepts as an id or a name.
fn target(text: String) -> Option<String> {
    let fits = (1..=64).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
    fits.then_some(text)
}

/// A name is cut where its random end would make it too long.
fn random_id(name: &str) -> String {
    let kept = &name[..name.len().min(55)];
    format!("{kept}-{:08x}", rand::random::<u32>())
}

fn bearer(key: &str) -> Result<HeaderValue, ConfigError> {
    if !key.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(ConfigError::Key);
    }
    let mut value =
        HeaderValue::from_str(&format!("Bearer {key}")).map_err(|_| ConfigError::Key)?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn config(set: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::from_lookup("clean", |name| {
            let default = (name == "PROCESSOR_SECRETS").then(|| SECRET.to_owned());
            let found = set.iter().find(|(key, _)| *key == name);
            found.map_or(default, |(_, value)| Some((*value).to_owned()))
        })
    }

    #[test]
    fn only_the_secrets_are_required() {
        let config = config(&[]).unwrap();
        assert_eq!(config.manager_url, "http://127.0.0.1:8080");
        assert_eq!(config.name, "clean");
        let random = config.id.strip_prefix("clean-").unwrap();
        assert!(random.len() == 8 && random.bytes().all(|b| b.is_ascii_hexdigit()), "{random}");
        assert_eq!(config.bind, "127.0.0.1:0".parse().unwrap());
        assert_eq!((config.public_url, config.capacity), (None, 10));
        assert_eq!(config.authorization, None);
    }

    #[test]
    fn every_variable_is_taken() {
        let config = config(&[
            ("MANAGER_URL", "https://baton.example.com/api/"),
            ("PROCESSOR_ID", "clean-7"),
            ("PROCESSOR_NAME", "cleaner"),
            ("BIND", "0.0.0.0:9000"),
            ("PUBLIC_URL", "http://10.0.0.7:9000"),
            ("CAPACITY", "3"),
            ("PROCESSOR_KEY", "key-1"),
        ])
        .unwrap();
        assert_eq!(config.manager_url, "https://baton.example.com/api");
        assert_eq!((config.id.as_str(), config.name.as_str()), ("clean-7", "cleaner"));
        assert_eq!(config.bind, "0.0.0.0:9000".parse().unwrap());
        assert_eq!(config.public_url.as_deref(), Some("http://10.0.0.7:9000"));
        assert_eq!(config.capacity, 3);
        assert_eq!(config.authorization.clone().unwrap(), "Bearer key-1");
        let debug = format!("{config:?}");
        assert!(!debug.contains("key-1") && !debug.contains(SECRET), "{debug}");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_remedy() {
        let cases: &[(&str, &str, &[&str])] = &[
            ("PROCESSOR_SECRETS", "", &["PROCESSOR_SECRETS is not set", "BATON_PROCESSOR_SECRETS"]),
            ("PROCESSOR_SECRETS", "abc", &["PROCESSOR_SECRETS", "secret 1", "whsec_"]),
            ("MANAGER_URL", "localhost:8080", &["MANAGER_URL", "http://127.0.0.1:8080"]),
            ("MANAGER_URL", "http://user:pass@host", &["MANAGER_URL", "without user"]),
            ("PUBLIC_URL", "http://host/?a=b", &["PUBLIC_URL", "query"]),
            ("BIND", "localhost", &["BIND", "127.0.0.1:0"]),
            ("BIND", "0.0.0.0:9000", &["PUBLIC_URL", "0.0.0.0:9000"]),
            ("CAPACITY", "0", &["CAPACITY", "from 1"]),
            ("CAPACITY", "ten", &["CAPACITY", "whole number"]),
            ("PROCESSOR_ID", "-x", &["PROCESSOR_ID", "begin with"]),
            ("PROCESSOR_ID", "clean", &["PROCESSOR_ID must differ", "clean-1"]),
            ("PROCESSOR_NAME", "a b", &["PROCESSOR_NAME", "1 to 64"]),
            ("PROCESSOR_KEY", "two keys", &["PROCESSOR_KEY", "one key"]),
        ];
        for (name, value, words) in cases {
            let message = config(&[(name, value)]).unwrap_err().to_string();
            for word in *words {
                assert!(message.contains(word), "{name}={value}: {message}");
            }
        }
    }

    #[test]
    fn a_long_name_still_gets_an_id_that_fits() {
        let config = config(&[("PROCESSOR_NAME", &"n".repeat(64))]).unwrap();
        assert_eq!(config.id.len(), 64);
    }
}
