//! The scripts: one file each, what they share in `scripts/lib`, prepended at compile time.

use std::sync::LazyLock;

use deadpool_redis::redis::{Cmd, Script as RedisScript, ToRedisArgs};

/// A script and the hash by which it is called.
pub(super) struct Script {
    pub(super) source: &'static str,
    hash: LazyLock<String>,
}

macro_rules! scripts {
    ($($name:ident = [$($lib:literal),*] $file:literal;)*) => {
        $(pub(super) static $name: Script = Script {
            source: concat!($(include_str!(concat!("scripts/lib/", $lib, ".lua")),)*
                include_str!(concat!("scripts/", $file, ".lua"))),
            hash: LazyLock::new(|| RedisScript::new($name.source).get_hash().to_owned()),
        };)*
        /// Every script, to be loaded before the first call.
        pub(super) static ALL: &[(&str, &Script)] = &[$(($file, &$name)),*];
    };
}

scripts! {
    CLAIM_ATTEMPTS = ["clock", "gather", "held"] "claim_attempts";
    CLAIM_CHECK = ["clock"] "claim_check";
    CLAIM_DELIVERIES = ["clock", "gather"] "claim_deliveries";
    DRAIN_PROCESSOR = ["clock", "leave"] "drain_processor";
    END_ACTION = ["clock", "gather", "fence", "count", "settle", "outcome"] "end_action";
    EXPIRE_PAYLOAD = ["clock"] "expire_payload";
    FORGET_PROCESSOR = ["clock", "leave"] "forget_processor";
    FORGET_TARGETS = ["clock"] "forget_targets";
    PROMOTE_DELAYED = ["clock", "gather", "queue"] "promote_delayed";
    READ_CLOCK = ["clock"] "read_clock";
    RECORD_CHECK = ["clock"] "record_check";
    REDELIVER_ACTION = ["clock", "fence", "settle", "outcome"] "redeliver_action";
    REDRIVE_ACTION = ["clock", "gather", "fence", "queue", "outcome"] "redrive_action";
    REGISTER_PROCESSOR = ["clock"] "register_processor";
    RELEASE_TICKER = ["clock"] "release_ticker";
    RENEW_LEASE = ["clock", "fence"] "renew_lease";
    REPAIR_ACTION = ["clock", "outcome", "list"] "repair_action";
    REPAIR_QUEUE = ["clock", "list"] "repair_queue";
    RENEW_TICKER = ["clock"] "renew_ticker";
    RETRY_ATTEMPT = ["clock", "fence", "count", "settle"] "retry_attempt";
    RETURN_ATTEMPT = ["clock", "fence", "settle"] "return_attempt";
    SETTLE_ATTEMPTS = [
        "clock", "gather", "queue", "choose", "held", "fence", "count", "settle", "outcome", "follow"
    ] "settle_attempts";
    SETTLE_DELIVERIES = ["clock", "gather", "outcome"] "settle_deliveries";
    SUBMIT_ACTIONS = [
        "clock", "gather", "queue", "choose", "held", "admit", "submission"
    ] "submit_actions";
    SWITCH_PROCESSOR = ["clock"] "switch_processor";
    TAKE_TICKER = ["clock"] "take_ticker";
    TRIM_ENDED = ["clock"] "trim_ended";
    WRITE_MARKS = ["clock"] "write_marks";
}

impl Script {
    /// A call with its keys; arguments follow.
    pub(super) fn call<K: AsRef<str>>(&self, keys: &[K]) -> Cmd {
        // As long as the longest calls without payload: growing costs more than the memory.
        let mut cmd = Cmd::with_capacity(64, 2048);
        cmd.arg("EVALSHA").arg(self.hash.as_str()).arg(keys.len());
        for key in keys {
            cmd.arg(key.as_ref());
        }
        cmd
    }

    /// The command that loads it.
    pub(super) fn load(&self) -> Cmd {
        let mut cmd = Cmd::new();
        cmd.arg("SCRIPT").arg("LOAD").arg(self.source);
        cmd
    }
}

/// Arguments to be appended to a call.
pub(super) fn arguments() -> Cmd {
    Cmd::with_capacity(24, 512)
}

/// Appends arguments in order.
pub(super) trait Args {
    fn with<A: ToRedisArgs>(self, argument: A) -> Self;
}

impl Args for Cmd {
    fn with<A: ToRedisArgs>(mut self, argument: A) -> Self {
        self.arg(argument);
        self
    }
}
