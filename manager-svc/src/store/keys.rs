//! Every key, in one place. All carry one hash tag, so that they live in one slot and a script may
//! touch any of them; an action's id begins with the same partition. `docs/redis.md` shows them at work.

use crate::domain::{ActionId, Nonce};

/// STRING, the last sequence number: `INCR` by whatever makes an action ready. No TTL.
pub(super) const SEQ: &str = "{p0}:seq";
/// STRING, the last epoch, or version of a pause: `INCR` by `register_processor`, `switch_processor`. No TTL.
pub(super) const EPOCHS: &str = "{p0}:epochs";
/// ZSET, actions without outcome by deadline (ms). Written by `submit_actions`, `settle_attempts`, `end_action`, `redrive_action`.
pub(super) const LIVE: &str = "{p0}:live";
/// ZSET, actions that wait for a delay or a backoff, by the time they are ready (ms).
/// Written by `submit_actions`, `retry_attempt`, `promote_delayed`, `end_action`.
pub(super) const DELAYED: &str = "{p0}:delayed";
/// SET, the targets whose input queue is not empty. Written by whatever fills or empties one.
pub(super) const TARGETS: &str = "{p0}:targets";
/// ZSET, the hosts whose output queue is not empty, by when each may next be tried (ms).
/// Written by `settle_attempts`, `end_action`, `claim_deliveries`, `settle_deliveries`, `redrive_action`,
/// `redeliver_action`.
pub(super) const RECEIVERS: &str = "{p0}:receivers";
/// ZSET, actions with an outcome other than failed, by the time it was reached (ms).
/// Written by `settle_attempts`, `end_action`, `trim_ended`.
pub(super) const DONE: &str = "{p0}:done";
/// ZSET, failed actions by the time they failed (ms). Written by `end_action`,
/// `redrive_action`, `trim_ended`.
pub(super) const FAILED: &str = "{p0}:failed";
/// ZSET, processor ids by when their next health check is due (ms).
/// Written by `register_processor`, `claim_check`, `record_check`, `drain_processor`, `forget_processor`.
pub(super) const PROCESSORS: &str = "{p0}:processors";
/// ZSET, ids and names that were ever registered, by when they were last seen (ms): what a job may name.
/// Written by `register_processor`, `record_check`, `forget_targets`.
pub(super) const KNOWN: &str = "{p0}:known";
/// HASH, ids of processors that were removed: the `epoch answer nonce` of their last registration.
/// Written by `drain_processor`, `forget_processor`, `register_processor`; `forget_targets` removes an id together with `known`.
pub(super) const LEFT: &str = "{p0}:left";
/// STRING, how many violations of the invariants were repaired: `INCR` by `repair_action`, `repair_queue`,
/// `expire_payload`. No TTL.
pub(super) const REPAIRED: &str = "{p0}:repaired";
/// What every key matches.
pub(super) const ALL: &str = "{p0}:*";
/// What the keys of all actions' records, and of all payloads, begin with.
pub(super) const ACTIONS: &str = "{p0}:action:";
/// See [`ACTIONS`].
pub(super) const PAYLOADS: &str = "{p0}:data:";
/// HASH, what submitting is refused for: `memory`, and each host whose output queue is over its bound. TTL, so
/// that the marks of a scheduler that died do not last. Written by `write_marks`.
pub(super) const MARKS: &str = "{p0}:marks";
/// STRING, the tick that lingers, or `starting`, where ticks are started by nudges. TTL 3 s, renewed.
/// Written by a nudge, `take_ticker`, `renew_ticker`, `release_ticker`.
pub(super) const TICKER: &str = "{p0}:ticker";
/// Never exists: fills a place in KEYS that a call does not use.
pub(super) const NONE: &str = "{p0}:none";

/// HASH, the action's record (`codec.rs` lists its fields). TTL only once the action has ended.
pub(super) fn action(id: &ActionId) -> String {
    of("action", id.as_str())
}

/// STRING, one payload as raw JSON, under a name that is written once. TTL until a transition makes it
/// the action's current data, and again once the action has ended.
pub(super) fn data(id: &ActionId, nonce: &Nonce) -> String {
    let (id, nonce) = (id.as_str(), nonce.as_str());
    let mut key = String::with_capacity(11 + id.len() + nonce.len());
    key.push_str("{p0}:data:");
    key.push_str(id);
    key.push(':');
    key.push_str(nonce);
    key
}

/// ZSET, actions ready for a target by sequence number: first in, first out.
/// Written by `submit_actions`, `settle_attempts`, `promote_delayed`, `claim_attempts`,
/// `return_attempt`, `end_action`, `redrive_action`.
pub(super) fn input(target: &str) -> String {
    of("input", target)
}

/// ZSET, actions dispatched to a processor, by the end of their lease (ms). Its size is the in-flight count.
/// Written by `submit_actions`, `claim_attempts`, `settle_attempts`, `renew_lease` and what settles an attempt.
pub(super) fn pending(processor: &str) -> String {
    of("pending", processor)
}

/// ZSET, outcomes for a host (name and port), by due time or end of the send's lease (ms).
/// Written by `settle_attempts`, `end_action`, `claim_deliveries`, `settle_deliveries`, `redrive_action`,
/// `redeliver_action`.
pub(super) fn output(host: &str) -> String {
    of("output", host)
}

/// HASH, a processor's record (`processors` lists its fields). No TTL.
/// Written by `register_processor`, `drain_processor`, `forget_processor`, `switch_processor`, `record_check`,
/// `claim_check` and what settles an attempt.
pub(super) fn processor(id: &str) -> String {
    of("processor", id)
}

/// STRING, a processor's counters as four 64-bit numbers: processed, failed, the time of the succeeded added up and
/// of the last one (ms). No TTL. Written by what settles an attempt; removed with the processor by
/// `drain_processor`.
pub(super) fn stats(id: &str) -> String {
    of("stats", id)
}

/// SET, the ids of the processors that share a name. Written by `register_processor`, `drain_processor`,
/// `forget_processor`.
pub(super) fn name(name: &str) -> String {
    of("name", name)
}

/// HASH, what an idempotency key stands for: `hash` of the body, `ids` of the actions, `open` ones among them.
/// TTL 24 h once the last of them ended. Written by `submit_actions` and what ends an action.
pub(super) fn idempotency(key_hash: &str) -> String {
    of("idempotency", key_hash)
}

fn of(kind: &str, name: &str) -> String {
    let mut key = String::with_capacity(6 + kind.len() + name.len());
    key.push_str("{p0}:");
    key.push_str(kind);
    key.push(':');
    key.push_str(name);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_as_documented() {
        let id = ActionId::from_random(1);
        let nonce = Nonce::from_random(2);
        assert_eq!(action(&id), "{p0}:action:act_p0_00000000000000000000000001");
        assert_eq!(
            data(&id, &nonce),
            "{p0}:data:act_p0_00000000000000000000000001:00000000000000000002"
        );
        assert_eq!(input("resize"), "{p0}:input:resize");
        assert_eq!(pending("resize-1"), "{p0}:pending:resize-1");
        assert_eq!(output("example.com:443"), "{p0}:output:example.com:443");
        assert_eq!(processor("resize-1"), "{p0}:processor:resize-1");
        assert_eq!(stats("resize-1"), "{p0}:stats:resize-1");
        assert_eq!(name("resize"), "{p0}:name:resize");
        assert_eq!(idempotency("h"), "{p0}:idempotency:h");
    }
}
