//! Everything a Redis holds, as text that can be compared.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use redis::aio::MultiplexedConnection;

/// Keys with their type, content and whether they expire, in an order of their own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keyspace(BTreeMap<String, Entry>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    kind: String,
    expires: bool,
    /// Members or fields with scores or values, sorted; a string has one with an empty name.
    content: BTreeMap<String, String>,
}

impl Keyspace {
    /// The names of all keys, sorted.
    #[must_use]
    pub fn keys(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }

    /// The names of the keys that contain `part`.
    #[must_use]
    pub fn matching(&self, part: &str) -> Vec<&str> {
        self.0.keys().filter(|key| key.contains(part)).map(String::as_str).collect()
    }

    /// Whether a key is there and expires by itself.
    #[must_use]
    pub fn expires(&self, key: &str) -> bool {
        self.0.get(key).is_some_and(|entry| entry.expires)
    }

    /// The members, fields or lines of a key with their scores or values; the one of a string has
    /// an empty name.
    #[must_use]
    pub fn content(&self, key: &str) -> Option<&BTreeMap<String, String>> {
        Some(&self.0.get(key)?.content)
    }

    /// The same without keys and fields that `volatile` names: `(key, field)`, the field empty for
    /// the key as a whole.
    #[must_use]
    pub fn without(mut self, volatile: impl Fn(&str, &str) -> bool) -> Self {
        self.0.retain(|key, entry| {
            entry.content.retain(|field, _| field.is_empty() || !volatile(key, field));
            !volatile(key, "")
        });
        self
    }

    /// What differs from an earlier state, one line for each key or field; empty when nothing does.
    #[must_use]
    pub fn changes_since(&self, before: &Self) -> String {
        let mut text = String::new();
        let keys: std::collections::BTreeSet<_> = self.0.keys().chain(before.0.keys()).collect();
        for key in keys {
            match (before.0.get(key), self.0.get(key)) {
                (Some(old), Some(new)) if old == new => {}
                (Some(old), Some(new)) => {
                    let _ = writeln!(text, "~ {key}: {old:?} -> {new:?}");
                }
                (None, Some(new)) => {
                    let _ = writeln!(text, "+ {key}: {new:?}");
                }
                (old, None) => {
                    let _ = writeln!(text, "- {key}: {old:?}");
                }
            }
        }
        text
    }

    pub(crate) async fn add(&mut self, connection: &mut MultiplexedConnection) {
        for key in call::<Vec<String>>(connection, &["KEYS", "*"]).await {
            let kind: String = call(connection, &["TYPE", &key]).await;
            let ttl: i64 = call(connection, &["PTTL", &key]).await;
            let content = match kind.as_str() {
                "string" => {
                    let value: Option<Vec<u8>> = call(connection, &["GET", &key]).await;
                    let text = String::from_utf8_lossy(&value.unwrap_or_default()).into_owned();
                    BTreeMap::from([(String::new(), text)])
                }
                "hash" => pairs(&call::<Vec<_>>(connection, &["HGETALL", &key]).await),
                "zset" => pairs(
                    &call::<Vec<_>>(connection, &["ZRANGE", &key, "0", "-1", "WITHSCORES"]).await,
                ),
                "set" => {
                    let members: Vec<String> = call(connection, &["SMEMBERS", &key]).await;
                    members.into_iter().map(|member| (member, String::new())).collect()
                }
                "list" => {
                    let items: Vec<String> = call(connection, &["LRANGE", &key, "0", "-1"]).await;
                    items
                        .into_iter()
                        .enumerate()
                        .map(|(at, item)| (format!("{at:06}"), item))
                        .collect()
                }
                // It expired between the two commands.
                "none" => continue,
                other => panic!("{key} is a {other}, which Baton does not use"),
            };
            self.0.insert(key, Entry { kind, expires: ttl >= 0, content });
        }
    }
}

fn pairs(flat: &[Vec<u8>]) -> BTreeMap<String, String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    flat.chunks_exact(2).map(|pair| (text(&pair[0]), text(&pair[1]))).collect()
}

async fn call<T: redis::FromRedisValue>(
    connection: &mut MultiplexedConnection,
    parts: &[&str],
) -> T {
    let mut command = redis::Cmd::new();
    command.arg(parts);
    let answer = command.query_async(connection).await;
    answer.unwrap_or_else(|error| panic!("{parts:?}: {error}"))
}
