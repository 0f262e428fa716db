//! What becomes of scripts on their way to Redis: a shim that refuses undeclared keys, and one check less.

use std::collections::HashMap;
use std::path::Path;

/// Where the scripts live.
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../manager-svc/src/store/scripts");

/// From a script's name and source to what it becomes.
type Edit = Box<dyn Fn(&str, &str) -> String + Send + Sync>;

/// What a [`crate::ScriptProxy`] does with the traffic.
pub struct Scripts {
    pub(crate) edit: Edit,
    pub(crate) twice: bool,
}

impl std::fmt::Debug for Scripts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scripts").field("twice", &self.twice).finish_non_exhaustive()
    }
}

impl Scripts {
    /// Scripts as they are.
    #[must_use]
    pub fn as_they_are() -> Self {
        Self::edited(|_, source| source.to_owned())
    }

    /// Scripts as `edit` makes them from their name (the file's, without its ending) and source.
    pub fn edited(edit: impl Fn(&str, &str) -> String + Send + Sync + 'static) -> Self {
        Self { edit: Box::new(edit), twice: false }
    }

    /// Sends every pipeline that calls a script a second time, and notes when the second answers are not
    /// the first ones or when it changes a key. Only for a store that makes one call at a time.
    #[must_use]
    pub fn twice(mut self) -> Self {
        self.twice = true;
        self
    }
}

/// The scripts by name, as their files hold them.
pub(crate) fn files() -> HashMap<String, String> {
    let entries = std::fs::read_dir(Path::new(SCRIPTS)).expect("the scripts are there");
    let paths = entries.map(|entry| entry.expect("a directory can be read").path());
    paths
        .filter(|path| path.extension().is_some_and(|ending| ending == "lua"))
        .map(|path| {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            (name, std::fs::read_to_string(&path).expect("a script can be read"))
        })
        .collect()
}

/// Stands in front of a script: `redis` with a `call` that knows where each command's keys are, and
/// fails when one of them is not in KEYS.
const SHIM: &str = r"
local server, declared = redis, {}
for _, key in ipairs(KEYS) do declared[key] = true end
local FIRST = {HSET=1, HGET=1, HMGET=1, HGETALL=1, HINCRBY=1, HDEL=1, ZADD=1, ZREM=1, ZCARD=1, ZSCORE=1, ZMSCORE=1,
  ZCOUNT=1, ZRANGE=1, ZREMRANGEBYSCORE=1, SADD=1, SREM=1, SCARD=1, SISMEMBER=1, SMEMBERS=1, PERSIST=1,
  PEXPIRE=1, INCR=1, INCRBY=1, SET=1, GET=1, TYPE=1, BITFIELD=1}
local EVERY, NONE = {EXISTS=1, UNLINK=1, DEL=1, MGET=1}, {TIME=1}
local redis = {call = function(command, ...)
  local last = FIRST[command] and 1 or EVERY[command] and select('#', ...) or NONE[command] and 0
  if not last then error('shim: where are the keys of ' .. command .. '?') end
  for i = 1, last do
    local key = select(i, ...)
    if not declared[key] then error('shim: ' .. command .. ' touches ' .. tostring(key) .. ', not in KEYS') end
  end
  return server.call(command, ...)
end}
";

/// The script, with every key that it touches checked against KEYS.
#[must_use]
pub fn with_shim(source: &str) -> String {
    format!("{SHIM}\n{source}")
}

/// A check taken out of the scripts that make it: what it guards against must then be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Break {
    /// Any token settles the attempt that runs.
    Token,
    /// A payload keeps its time to live when it becomes the action's data.
    Persist,
    /// A lease counts as over at any time.
    Lease,
    /// A delivery is settled with any token.
    Delivery,
}

impl Break {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Token, Self::Persist, Self::Lease, Self::Delivery];

    /// The one of this name, in lower case.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|which| format!("{which:?}").eq_ignore_ascii_case(name))
    }

    /// The script of this name without the check, if it makes it.
    #[must_use]
    pub fn edit(self, name: &str, source: &str) -> String {
        match (self, name) {
            (
                Self::Token,
                "settle_attempts" | "end_action" | "retry_attempt" | "return_attempt",
            ) => {
                replaced(source, "r[1] == step and r[2] == token and r[3]", "r[1] == step and r[3]")
            }
            (Self::Persist, "settle_attempts") => {
                replaced(source, "call('PERSIST', after) == 0 and ", "")
            }
            (Self::Lease, "settle_attempts") => replaced(
                source,
                "('ZSCORE', pending, id) or 0) > now",
                "('ZSCORE', pending, id) or 0) < 0",
            ),
            (Self::Lease, "retry_attempt") => replaced(
                source,
                "('ZSCORE', KEYS[2], ARGV[1]) or 0) > now",
                "('ZSCORE', KEYS[2], ARGV[1]) or 0) < 0",
            ),
            (Self::Lease, "end_action") => replaced(
                source,
                "('ZSCORE', KEYS[3], ARGV[1]) or 0) > now",
                "('ZSCORE', KEYS[3], ARGV[1]) or 0) < 0",
            ),
            (Self::Delivery, "settle_deliveries") => {
                replaced(source, "local held = r[1] == ARGV[a + 1]", "local held = r[1] ~= mine")
            }
            _ => source.to_owned(),
        }
    }
}

fn replaced(source: &str, check: &str, by: &str) -> String {
    assert_eq!(source.matches(check).count(), 1, "the script makes this check once: {check}");
    source.replace(check, by)
}
