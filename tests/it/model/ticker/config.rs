//! What protects the nudges, each guard removable, and what may go wrong.

/// The guards. A mutant is a model without one of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Guards {
    /// A handler commits, then nudges.
    pub(super) commits_first: bool,
    /// An announcement that has expired keeps nobody off.
    pub(super) expires: bool,
    /// A tick takes the key over only from an announcement, or from nobody.
    pub(super) take_compares: bool,
    /// A tick takes an announcement over.
    pub(super) takes_over: bool,
    /// A tick renews its own key alone.
    pub(super) renew_compares: bool,
    /// A tick deletes its own key alone.
    pub(super) release_compares: bool,
    /// Who withdraws an announcement deletes nothing else.
    pub(super) withdraw_compares: bool,
    /// A failed start is withdrawn.
    pub(super) withdraws: bool,
    /// A tick that ends deletes its key, then looks.
    pub(super) deletes_first: bool,
    /// That look goes by a fresh copy of the processors.
    pub(super) fresh: bool,
    /// A tick that leaves claimable work nudges.
    pub(super) hands_off: bool,
    /// It looks once more when its last call has ended.
    pub(super) looks_after_calls: bool,
    /// It claims nothing then: it would end with a call open.
    pub(super) claims_no_more: bool,
}

impl Guards {
    pub(super) const ALL: Self = Self {
        commits_first: true,
        expires: true,
        take_compares: true,
        takes_over: true,
        renew_compares: true,
        release_compares: true,
        withdraw_compares: true,
        withdraws: true,
        deletes_first: true,
        fresh: true,
        hands_off: true,
        looks_after_calls: true,
        claims_no_more: true,
    };
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Config {
    pub(super) guards: Guards,
    /// How many attempts the processor takes at a time.
    pub(super) capacity: usize,
    /// Whether the processor registers while work waits for it.
    pub(super) registers: bool,
    pub(super) budget: Budget,
}

/// How much may still happen that need not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Budget {
    /// No failures: beats that nobody waited for.
    pub(super) beats: u8,
    /// The key expires though its maker lives.
    pub(super) expiries: u8,
    /// A tick's time is up.
    pub(super) ends: u8,
    /// One event starts two ticks.
    pub(super) copies: u8,
    /// An accepted invocation is answered too late.
    pub(super) late: u8,
    /// Failures, each of which may cost a beat: a tick is killed.
    pub(super) kills: u8,
    /// A handler dies after its commit.
    pub(super) deaths: u8,
    /// An invocation is refused.
    pub(super) refusals: u8,
    /// An accepted one is lost.
    pub(super) losses: u8,
}
