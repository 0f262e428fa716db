//! What protects the transitions, each removable, and how much a run of the checker may go wrong.

/// The guards. A mutant is a model without one of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Guards {
    /// Only the current attempt's token settles it.
    pub(crate) token: bool,
    /// A settled token answers only the request that settled it; another one is a duplicate.
    pub(crate) nonce: bool,
    /// The settled token is kept with its first answer.
    pub(crate) answer: bool,
    /// What is held is taken only when its lease is over.
    pub(crate) lease: bool,
    /// What is claimed is in the queue, and leaves it.
    pub(crate) entry: bool,
    /// An attempt is claimed only for a processor whose pending set is below its capacity.
    pub(crate) room: bool,
    /// A transition without a token of the attempt carries what it saw, and finds it unchanged.
    pub(crate) version: bool,
    /// Every payload has a name of its own.
    pub(crate) names: bool,
    /// A payload is written only where none is (`SET … NX`).
    pub(crate) absent: bool,
    /// A transition refuses when its payload is not there.
    pub(crate) present: bool,
    /// A refusal unlinks the payload it was handed only when the record does not name it.
    pub(crate) named: bool,
}

impl Guards {
    pub(crate) const ALL: Self = Self {
        token: true,
        nonce: true,
        answer: true,
        lease: true,
        entry: true,
        room: true,
        version: true,
        names: true,
        absent: true,
        present: true,
        named: true,
    };
}

/// One model to check.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Config {
    pub(crate) guards: Guards,
    /// Actions, up to [`crate::state::MAX_ACTIONS`].
    pub(crate) actions: usize,
    /// Whether outcomes are delivered.
    pub(crate) receiver: bool,
    /// Whether a step may succeed without data.
    pub(crate) unchanged: bool,
    /// Whether a payload and its transition arrive together. Else others may come between, or the writer die.
    pub(crate) whole: bool,
    /// Whether the first copy of a re-sent script may run late, after its sender went on.
    pub(crate) late_copies: bool,
    /// Whether only the first action's attempts fail, outlive their leases and are settled twice, and only its
    /// scripts are sent again: mishaps of two actions then never meet. This keeps the everyday checks short.
    pub(crate) aside: bool,
    /// Whether states that no future can tell apart are made equal.
    pub(crate) reduced: bool,
    pub(crate) budget: Budget,
}

/// How much may still go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Budget {
    pub(crate) crashes: u8,
    pub(crate) resends: u8,
    /// Leases that end though somebody still works.
    pub(crate) late: u8,
    /// Second reports of one attempt.
    pub(crate) echoes: u8,
    pub(crate) renewals: u8,
    pub(crate) deadlines: u8,
    /// Payload writes that fail alone.
    pub(crate) lost_writes: u8,
}
