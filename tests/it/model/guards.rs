//! What protects the transitions, each removable, and how much a run of the checker may go wrong.

use crate::calls::Ask;

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
    /// A skipped step is remembered until the outcome.
    pub(crate) skipped: bool,
    /// A request without a token is kept with its first answer.
    pub(crate) asked: bool,
    /// Such an answer is given only to the request that got it.
    pub(crate) asker: bool,
    /// A redrive starts only the run after the one it saw.
    pub(crate) run: bool,
    /// A redrive takes the old run's delivery out of its queue.
    pub(crate) dropped: bool,
    /// A redrive clears the token of a send of the old run.
    pub(crate) unsent: bool,
    /// A redrive gives the step its attempts anew.
    pub(crate) anew: bool,
    /// A redrive and a redelivery take the TTL off again.
    pub(crate) persist: bool,
    /// A redelivery is another send of the same run.
    pub(crate) same_run: bool,
    /// An attempt is handed back only when it was claimed under an earlier start.
    pub(crate) boot: bool,
    /// An attempt is handed back only by a start of the registration that it was claimed under, or of one that
    /// renewed it.
    pub(crate) since: bool,
    /// A token that was handed back is kept.
    pub(crate) returned: bool,
    /// An attempt that is handed back does not count.
    pub(crate) free: bool,
    /// A step is handed back only so often.
    pub(crate) few: bool,
    /// A check does not bring an earlier start back.
    pub(crate) later: bool,
    /// A claim takes only while the processor's record says `active`.
    pub(crate) active: bool,
    /// A registration that renews one leaves it paused.
    pub(crate) paused: bool,
    /// A pause and a resume carry the number of switches that was seen.
    pub(crate) switch: bool,
    /// An older epoch drains nothing.
    pub(crate) epoch: bool,
    /// A processor's record is removed only when its pending set is empty.
    pub(crate) empty: bool,
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
        skipped: true,
        asked: true,
        asker: true,
        run: true,
        dropped: true,
        unsent: true,
        anew: true,
        persist: true,
        same_run: true,
        boot: true,
        since: true,
        returned: true,
        free: true,
        few: true,
        later: true,
        active: true,
        paused: true,
        switch: true,
        epoch: true,
        empty: true,
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
    /// The steps that are skipped when they fail, a bit for each.
    pub(crate) skips: u8,
    /// Whether an attempt may fail for good.
    pub(crate) permanent: bool,
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
    pub(crate) cancels: u8,
    pub(crate) redrives: u8,
    pub(crate) redeliveries: u8,
    /// Starts of processors after their first.
    pub(crate) restarts: u8,
    /// Attempts that a processor declines for the moment.
    pub(crate) busy: u8,
    pub(crate) pauses: u8,
    pub(crate) drains: u8,
    /// Payload writes that fail alone.
    pub(crate) lost_writes: u8,
}

impl Budget {
    /// How many may still ask.
    pub(crate) fn of(&self, ask: Ask) -> u8 {
        match ask {
            Ask::Cancel => self.cancels,
            Ask::Redrive => self.redrives,
            Ask::Redeliver => self.redeliveries,
            Ask::Deadline => self.deadlines,
        }
    }

    /// Takes one of them; its number is a nonce.
    pub(crate) fn take(&mut self, ask: Ask) -> u8 {
        let left = match ask {
            Ask::Cancel => &mut self.cancels,
            Ask::Redrive => &mut self.redrives,
            Ask::Redeliver => &mut self.redeliveries,
            Ask::Deadline => &mut self.deadlines,
        };
        let nonce = *left;
        *left -= 1;
        nonce
    }
}
