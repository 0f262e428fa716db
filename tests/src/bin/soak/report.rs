//! What a run came to: in words, in one line, and as an exit code.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use crate::faults::World;
use crate::ledger::Account;

/// The least number of actions that must be accepted per second of load.
const LEAST_PER_SECOND: f64 = 500.0;

/// Everything that is known at the end.
pub(crate) struct Report {
    pub(crate) seed: u64,
    pub(crate) account: Account,
    pub(crate) findings: Vec<String>,
    /// Why the manager was not at rest at the end, in words.
    pub(crate) unrest: Option<String>,
    pub(crate) repaired: u64,
    /// How long actions were offered, in seconds.
    pub(crate) seconds: f64,
    /// How often each fault took effect.
    pub(crate) effects: Vec<(&'static str, usize)>,
}

/// How often each fault took effect, by what it did.
pub(crate) fn effects(world: &World) -> Vec<(&'static str, usize)> {
    let effects = &world.shop.effects;
    let of = |counter: &AtomicUsize| counter.load(SeqCst);
    let sum = |count: fn(&kit::Proxy) -> usize| world.proxies.iter().map(count).sum();
    vec![
        ("caller connections cut with a request in flight", world.front.cuts()),
        ("store connections cut with a command in flight", sum(kit::Proxy::cuts)),
        ("store connections held up", sum(kit::Proxy::holds)),
        ("managers killed", of(&effects.kills)),
        ("managers killed with leases held", of(&effects.kills_with_leases)),
        ("Redis killed", of(&effects.redis_kills)),
        ("Redis killed with writes unanswered, connections", sum(kit::Proxy::unanswered)),
        ("processors killed", of(&effects.deaths)),
        ("attempts failed", of(&effects.failures)),
        ("attempts left without a word", of(&effects.hangs)),
        ("attempts kept by heartbeats", of(&effects.renewed)),
        ("replies after the lease's end", of(&effects.late)),
        ("double completions", of(&effects.doubles)),
        ("receiver refusals", of(&effects.refusals)),
        ("receiver hangs", of(&effects.receiver_hangs)),
        ("submits made again", of(&effects.resubmits)),
    ]
}

impl Report {
    /// Prints it; the last line is for programs.
    pub(crate) fn print(&self) {
        let Account { accepted, succeeded, failed, partial, lost, wrong, dup_new_id, repeated } =
            self.account;
        for (what, times) in &self.effects {
            println!("{times:>8}  {what}");
        }
        println!("{partial:>8}  outcomes partial");
        println!("{repeated:>8}  outcomes delivered more than once, under one id");
        for finding in &self.findings {
            println!("FOUND: {finding}");
        }
        for why in self.complaints() {
            println!("FAILED: {why}");
        }
        println!(
            "soak: seed={} accepted={accepted} succeeded={succeeded} failed={failed} lost={lost} wrong={wrong} dup_new_id={dup_new_id} repaired={}",
            self.seed, self.repaired
        );
    }

    /// Whether everything is as it must be.
    pub(crate) fn is_good(&self) -> bool {
        self.complaints().is_empty()
    }

    fn complaints(&self) -> Vec<String> {
        let account = self.account;
        let counts = [
            (account.lost as u64, "accepted and lost"),
            (account.wrong as u64, "wrong"),
            (account.dup_new_id as u64, "delivered under a second id"),
            (self.repaired, "repaired by the manager"),
        ];
        let mut complaints: Vec<_> = counts
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        let least = self.seconds * LEAST_PER_SECOND;
        if (account.accepted as f64) < least {
            complaints.push(format!("{} accepted, fewer than {least:.0}", account.accepted));
        }
        let idle = self.effects.iter().filter(|(_, times)| *times == 0);
        complaints.extend(idle.map(|(what, _)| format!("no effect: {what}")));
        complaints.extend(self.unrest.clone());
        complaints
    }
}
