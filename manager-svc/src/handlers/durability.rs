//! What a crash or failover of the store could lose, in words. It is stated, not assumed.

use crate::config::Durability;
use crate::store::{Kept, StoreInfo};

/// As the server tells it, or where it does not, as it was configured.
pub(super) fn in_words(info: &StoreInfo, told: Option<Durability>) -> String {
    let kept = match &info.kept {
        Kept::AppendOnly(synced) => append_only(synced),
        Kept::Snapshots => {
            "no append-only file: a crash loses all since the last snapshot, or everything"
        }
        Kept::Untold => configured(told),
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

fn configured(told: Option<Durability>) -> &'static str {
    match told {
        Some(Durability::Sync) => {
            "a write is on several machines before it is answered, as configured: a crash or failover loses \
             nothing that was accepted"
        }
        Some(Durability::Async) => {
            "a write is copied to other machines after it is answered, as configured: a failover loses the last \
             moments"
        }
        Some(Durability::None) => "one machine, in memory, as configured: a crash loses everything",
        None => "not known: the server refuses `CONFIG`, and BATON_REDIS_DURABILITY is not set",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(kept: Kept, eviction: &str, told: Option<Durability>) -> String {
        let info = StoreInfo {
            cluster: false,
            version: String::new(),
            memory_bytes: 0,
            memory_limit_bytes: None,
            kept,
            eviction: Some(eviction.to_owned()),
        };
        in_words(&info, told)
    }

    #[test]
    fn what_the_server_tells_goes_before_what_is_configured() {
        let told = Some(Durability::Sync);
        let words = |kept| words(kept, "noeviction", told);
        assert!(words(Kept::Snapshots).starts_with("no append-only file"));
        assert!(words(Kept::AppendOnly("always".to_owned())).contains("at every write"));
        assert!(words(Kept::AppendOnly("everysec".to_owned())).contains("every second"));
        assert!(words(Kept::AppendOnly("no".to_owned())).contains("when the system likes"));
    }

    #[test]
    fn a_server_that_does_not_tell_is_described_as_configured() {
        let words = |told| words(Kept::Untold, "noeviction", told);
        assert!(words(Some(Durability::Sync)).ends_with("loses nothing that was accepted"));
        assert!(words(Some(Durability::Async)).ends_with("loses the last moments"));
        assert!(words(Some(Durability::None)).ends_with("loses everything"));
        assert!(words(None).contains("not known"));
    }

    #[test]
    fn an_eviction_policy_is_named_with_the_remedy_if_there_is_one() {
        let none = |kept| words(kept, "noeviction", None);
        assert!(
            !none(Kept::Snapshots).contains("eviction") && !none(Kept::Untold).contains("evict")
        );
        assert!(words(Kept::Snapshots, "volatile-lru", None).contains("set `noeviction`"));
        assert!(words(Kept::Untold, "allkeys-lru", None).contains("set `noeviction`"));
        let managed = words(Kept::Untold, "volatile-lru", Some(Durability::Async));
        assert!(managed.contains("volatile-lru") && !managed.contains("set `"), "{managed}");
    }
}
