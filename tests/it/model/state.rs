//! What the model remembers: Redis, what managers and processors hold, and what was seen to go wrong.
//!
//! Everything is small, flat and comparable: the checker keeps millions of states.

use crate::calls::{Again, Ask, End, Look};
use crate::guards::{Budget, Config};
use crate::processor::{Processor, Start};

pub(crate) const MANAGERS: u8 = 2;
pub(crate) const PROCESSORS: u8 = 2;
pub(crate) const STEPS: u8 = 2;
/// Runs of an action: an operator redrives it no further.
pub(crate) const RUNS: u8 = 2;
/// Attempts of one step in one run; sends of one outcome, unless leases end.
pub(crate) const ATTEMPTS: u8 = 2;
/// How often a step is handed back by restarts of its processors, in one run.
pub(crate) const HAND_BACKS: u8 = 1;
/// Claims of one step: its attempts, and as many for a second run, or for one that was handed back.
pub(crate) const CLAIMS: u8 = RUNS * ATTEMPTS;
/// Actions a processor may have pending.
pub(crate) const CAPACITY: usize = 1;
pub(crate) const MAX_ACTIONS: usize = 2;
pub(crate) const DISPATCHES: usize = (STEPS * CLAIMS) as usize;
/// Reports of one attempt: its own, a second one, and one that a manager's death made necessary.
pub(crate) const REPORTS: usize = 3;
/// Payloads: the input, and one for each report.
pub(crate) const NAMES: usize = 1 + REPORTS * DISPATCHES;
/// Sends of an action, in all its runs and redeliveries.
pub(crate) const SENDS: usize = 6;
/// Readers of a record that have not acted on it yet.
pub(crate) const LOOKS: usize = 2;

/// Types that are small, flat and comparable.
macro_rules! plain {
    ($($item:item)*) => { $(
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        $item
    )* };
}

plain! {
    pub(crate) enum Status { Live, Succeeded, Partial, Failed, Cancelled }

    pub(crate) enum Delivery { None, Pending, Delivered, Exhausted }

    /// A secret of one claim, by the dispatch that it is for. Zero is none.
    pub(crate) struct Token(u8);

    /// Who may have settled an attempt: a report; a reaper, or who saw a restart, of one manager; or who
    /// acted without a token.
    pub(crate) enum Nonce { Report(u8), Reaper(u8), Restart(u8), Ask(Ask, u8) }

    /// What a script claimed for its caller: an attempt at a processor, or a delivery under a token.
    pub(crate) enum Claim { Attempt(u8), Delivery(u8) }

    /// The settlement that the record keeps: token, nonce and first answer.
    pub(crate) struct Mark {
        pub(crate) token: Token,
        pub(crate) nonce: Nonce,
        pub(crate) claim: Option<Claim>,
    }

    /// The hash `action:<id>`.
    pub(crate) struct Record {
        pub(crate) status: Status,
        pub(crate) run: u8,
        pub(crate) step: u8,
        /// Attempts of the step in this run.
        pub(crate) tries: u8,
        /// Claims of the step in all runs.
        pub(crate) claims: u8,
        /// How often the step was handed back in this run.
        pub(crate) handed: u8,
        /// Whether a step was skipped, in any run.
        pub(crate) skipped: bool,
        pub(crate) token: Token,
        pub(crate) holder: u8,
        pub(crate) held: Start,
        /// The payload's name.
        pub(crate) data: u8,
        pub(crate) submitted: Option<Claim>,
        pub(crate) settled: [Option<Mark>; STEPS as usize],
        /// The last attempt that lapsed or was handed back by a restart; or the deadline, or the cancel.
        pub(crate) lapsed: Option<Mark>,
        /// The last redrive and the last redelivery.
        pub(crate) asked: [Option<Mark>; 2],
        pub(crate) delivery: Delivery,
        pub(crate) d_token: u8,
        /// Sends since delivery began, or began anew.
        pub(crate) d_tries: u8,
        /// Sends in all: the last one's token.
        pub(crate) d_sent: u8,
        pub(crate) d_settled: u8,
        pub(crate) ttl: bool,
    }

    pub(crate) struct Payload {
        pub(crate) content: u8,
        pub(crate) ttl: bool,
    }

    /// A pending entry's score, as far as it matters.
    pub(crate) enum Lease {
        Runs,
        Over,
        /// A heartbeat came after it was over: some reaper may have seen that it was.
        RunsAgain,
    }

    /// What the claimer of an attempt knows of it.
    pub(crate) struct View {
        pub(crate) token: Token,
        pub(crate) step: u8,
        pub(crate) tries: u8,
        pub(crate) holder: u8,
        pub(crate) before: u8,
    }

    /// How a result travels: as the reply to the dispatcher, or by `/complete` to any manager.
    pub(crate) enum Via { Reply, Complete }

    /// One report of an attempt.
    pub(crate) enum Slot {
        Idle,
        /// The processor works; `None` when the manager that called it is gone.
        Running(Option<u8>),
        /// A manager has the result, and has sent its payload.
        Written(u8, Via),
    }

    /// An attempt outside Redis, with its reports.
    pub(crate) struct Work {
        pub(crate) view: View,
        pub(crate) slots: [Slot; REPORTS],
    }

    /// A send of an outcome, from its claim on.
    pub(crate) struct Send {
        pub(crate) manager: u8,
        pub(crate) tries: u8,
        pub(crate) end: Option<End>,
    }

    pub(crate) enum Submission {
        New,
        Written(u8),
        Sent,
        /// Nothing will happen to the action: its caller got no answer, or it has ended.
        Gone,
    }

    /// An action's whole share of the state.
    pub(crate) struct Action {
        pub(crate) record: Option<Record>,
        pub(crate) places: u8,
        pub(crate) lease: Lease,
        /// Whether the output entry's score is not in the future.
        pub(crate) due: bool,
        pub(crate) payloads: [Option<Payload>; NAMES],
        pub(crate) submission: Submission,
        pub(crate) works: [Option<Work>; DISPATCHES],
        pub(crate) sends: [Option<Send>; SENDS],
        /// How many steps have an accepted output.
        pub(crate) accepted: u8,
        /// The content that the current data must have.
        pub(crate) expected: u8,
        /// Whether a step went on without an output of its own.
        pub(crate) skipped: bool,
        /// Failures of the step in this run.
        pub(crate) misses: u8,
        /// The redeliveries that were done, a bit for each nonce.
        pub(crate) redelivered: u8,
        /// What every send must say: run, status and content.
        pub(crate) announced: Option<(u8, Status, u8)>,
    }

    pub(crate) struct State {
        pub(crate) actions: [Action; MAX_ACTIONS],
        pub(crate) up: [bool; MANAGERS as usize],
        pub(crate) processors: [Processor; PROCESSORS as usize],
        pub(crate) looks: [Option<Look>; LOOKS],
        pub(crate) again: Option<Again>,
        pub(crate) left: Budget,
        /// One bit for each [`crate::properties::Wrong`] that happened.
        pub(crate) wrong: u32,
    }
}

pub(crate) use plain;

impl Record {
    /// Nobody holds the action any more.
    pub(crate) fn release(&mut self) {
        self.token = Token::NONE;
        self.holder = 0;
        self.held = Start::NONE;
    }
}

impl Token {
    pub(crate) const NONE: Self = Self(0);

    /// The token of a claim, the step's first being number one.
    pub(crate) fn of(step: u8, claim: u8) -> Self {
        Self(step * CLAIMS + claim)
    }

    /// The index of its dispatch.
    pub(crate) fn index(self) -> usize {
        usize::from(self.0) - 1
    }
}

impl Action {
    pub(crate) const NEW: Self = Self {
        record: None,
        places: 0,
        lease: Lease::Runs,
        due: false,
        payloads: [None; NAMES],
        submission: Submission::New,
        works: [None; DISPATCHES],
        sends: [None; SENDS],
        accepted: 0,
        expected: 0,
        skipped: false,
        misses: 0,
        redelivered: 0,
        announced: None,
    };

    pub(crate) fn is_in(&self, place: u8) -> bool {
        self.places & place != 0
    }

    /// Moves an entry: out of the sets `from`, into the sets `to`.
    pub(crate) fn shift(&mut self, from: u8, to: u8) {
        self.places = (self.places & !from) | to;
    }

    pub(crate) fn content(&self, name: u8) -> Option<u8> {
        self.payloads[usize::from(name)].map(|payload| payload.content)
    }

    /// What the holder of the current attempt knows.
    pub(crate) fn view(&self) -> Option<View> {
        let r = self.record.filter(|r| r.token != Token::NONE)?;
        let (token, step, tries, holder) = (r.token, r.step, r.tries, r.holder);
        Some(View { token, step, tries, holder, before: r.data })
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.record.map_or(self.submission == Submission::Gone, |r| {
            r.status != Status::Live && r.delivery != Delivery::Pending
        })
    }
}

impl State {
    pub(crate) fn new(config: &Config) -> Self {
        let mut actions = [Action::NEW; MAX_ACTIONS];
        for unused in &mut actions[config.actions..] {
            unused.submission = Submission::Gone;
        }
        Self {
            actions,
            up: [true; MANAGERS as usize],
            processors: [Processor::NEW; PROCESSORS as usize],
            looks: [None; LOOKS],
            again: None,
            left: config.budget,
            wrong: 0,
        }
    }

    pub(crate) fn action(&mut self, index: u8) -> &mut Action {
        &mut self.actions[usize::from(index)]
    }

    /// A transition raises the record's version: whoever looked before looked too early.
    pub(crate) fn bump(&mut self, action: u8) {
        for look in self.looks.iter_mut().flatten().filter(|look| look.action == action) {
            look.fresh = false;
        }
    }

    pub(crate) fn managers(&self) -> impl Iterator<Item = u8> + use<> {
        let up = self.up;
        (0..MANAGERS).filter(move |m| up[usize::from(*m)])
    }
}
