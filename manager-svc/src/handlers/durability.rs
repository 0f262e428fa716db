//! What a crash or failover of the store could lose, in words. It is stated, not assumed.

use crate::store::{Kept, StoreInfo};

const UNKNOWN: &str =
    "not known: the server refuses `CONFIG`, and BATON_REDIS_DURABILITY is not set";

/// As the server tells it, or where it does not, in the words of the configuration.
pub(super) fn in_words(info: &StoreInfo, configured: Option<&'static str>) -> String {
    let kept = match &info.kept {
        Kept::AppendOnly(synced) => append_only(synced),
        Kept::Snapshots => {
            "no append-only file: a crash loses all since the last snapshot, or everything"
        }
        Kept::Untold => configured.unwrap_or(UNKNOWN),
    };
    match info.eviction.as_deref() {
        Some("noeviction") | None => kept.to_owned(),
        // A managed store may have no other. Only what has ended has a TTL.
        Some(policy) if info.kept == Kept::Untold && policy.starts_with("volatile-") => {
            format!(
                "{kept}; eviction policy is {policy}: full memory drops ended actions early, and what lives never"
            )
        }
        Some(policy) => {
            format!(
                "{kept}; eviction policy is {policy}: set `noeviction`, so that full memory refuses and never drops"
            )
        }
    }
}

fn append_only(synced: &str) -> &'static str {
    match synced {
        "always" => {
            "append-only file, synced at every write: a crash loses nothing that was accepted"
        }
        "everysec" => {
            "append-only file, synced every second: a crash of the machine loses up to about a second; \
             a failover to a replica loses what was not replicated yet"
        }
        _ => {
            "append-only file, synced when the system likes: a crash of the machine loses some seconds"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(kept: Kept, eviction: &str) -> String {
        let info = StoreInfo {
            cluster: false,
            version: String::new(),
            memory_bytes: 0,
            memory_limit_bytes: None,
            kept,
            eviction: Some(eviction.to_owned()),
        };
        in_words(&info, Some("as configured"))
    }

    #[test]
    fn what_the_server_tells_goes_before_what_is_configured() {
        let words = |kept| words(kept, "noeviction");
        assert!(words(Kept::Snapshots).starts_with("no append-only file"));
        assert!(words(Kept::AppendOnly("always".to_owned())).contains("at every write"));
        assert!(words(Kept::AppendOnly("everysec".to_owned())).contains("every second"));
        assert!(words(Kept::AppendOnly("no".to_owned())).contains("when the system likes"));
        assert_eq!(words(Kept::Untold), "as configured");
    }

    #[test]
    fn an_eviction_policy_is_named_with_the_remedy_if_there_is_one() {
        assert!(!words(Kept::Snapshots, "noeviction").contains("eviction"));
        assert!(words(Kept::Snapshots, "volatile-lru").contains("set `noeviction`"));
        assert!(words(Kept::Untold, "allkeys-lru").contains("set `noeviction`"));
        let managed = words(Kept::Untold, "volatile-lru");
        assert!(managed.contains("volatile-lru") && !managed.contains("set `"), "{managed}");
    }
}
