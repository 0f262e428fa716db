//! Where variables come from: the environment, and in the cloud one secret besides.

use std::collections::BTreeMap;
use std::fmt;

use super::ConfigError;

/// Variables by name.
#[derive(Clone, Default)]
pub struct Variables(BTreeMap<String, String>);

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values may be secret.
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl FromIterator<(String, String)> for Variables {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(pairs: T) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl Variables {
    /// The process's environment.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn of_process() -> Self {
        // What is no text becomes replacement characters, which are refused like any other bad value.
        let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect()
    }

    /// The value of one variable.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The names of all that are set.
    pub fn names(&self) -> impl Iterator<Item = String> {
        self.0.keys().cloned()
    }

    /// Adds the fields of a secret: a JSON object of strings, each named like a variable.
    ///
    /// # Errors
    /// When it is something else, or says what the environment says too. No value is repeated.
    pub fn add_secret(&mut self, json: &str) -> Result<(), ConfigError> {
        let fields: BTreeMap<String, serde_json::Value> = serde_json::from_str(json)
            .map_err(|_| ConfigError(vec!["the secret is not a JSON object".to_owned()]))?;
        let mut problems = Vec::new();
        for (name, value) in fields {
            let problem = match value {
                serde_json::Value::String(_) if self.0.contains_key(&name) => {
                    "is in the environment too: say it once"
                }
                serde_json::Value::String(_) if !could_be_ours(&name) => {
                    "is no variable of Baton: remove it"
                }
                serde_json::Value::String(value) => {
                    self.0.insert(name, value);
                    continue;
                }
                _ => "is not a string: write it in quotes",
            };
            problems.push(format!("the secret's field `{name}` {problem}"));
        }
        if problems.is_empty() { Ok(()) } else { Err(ConfigError(problems)) }
    }
}

/// A misspelt name behind our prefix is found with the environment's.
fn could_be_ours(name: &str) -> bool {
    name.starts_with("BATON_") || ["REDIS_URL", "REDIS_PASSWORD"].contains(&name)
}
