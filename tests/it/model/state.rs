//! What the model remembers: Redis, what managers and processors hold, and what was seen to go wrong.
//!
//! Everything is small, flat and comparable: the checker keeps millions of states.

use crate::guards::{Budget, Config};

pub(crate) const MANAGERS: u8 = 2;
pub(crate) const PROCESSORS: u8 = 2;
pub(crate) const STEPS: u8 = 2;
/// Attempts of one step; sends of one outcome, unless leases end.
pub(crate) const ATTEMPTS: u8 = 2;
/// Actions a processor may have pending.
pub(crate) const CAPACITY: usize = 1;
pub(crate) const MAX_ACTIONS: usize = 2;
pub(crate) const DISPATCHES: usize = (STEPS * ATTEMPTS) as usize;
/// Reports of one attempt: its own, a second one, and one that a manager's death made necessary.
pub(crate) const REPORTS: usize = 3;
/// Payloads: the input, and one for each report.
pub(crate) const NAMES: usize = 1 + REPORTS * DISPATCHES;
pub(crate) const SENDS: usize = 4;

macro_rules! plain {
    ($($item:item)*) => { $(
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        $item
    )* };
}

plain! {
    pub(crate) enum Status { Live, Succeeded, Failed }

    pub(crate) enum Delivery { None, Pending, Delivered, Exhausted }

    /// A secret of one claim, by the dispatch that it is for. Zero is none.
    pub(crate) struct Token(u8);

    /// Who may have settled an attempt: a report, or a reaper, of one manager.
    pub(crate) enum Nonce { Report(u8), Reaper(u8) }

    /// What a script claimed for its caller.
    pub(crate) enum Claim { Attempt(u8), Delivery }

    /// The settlement that the record keeps: token, nonce and first answer.
    pub(crate) struct Mark {
        pub(crate) token: Token,
        pub(crate) nonce: Nonce,
        pub(crate) claim: Option<Claim>,
        /// The delivery's token, when `claim` is one.
        pub(crate) delivery: u8,
    }

    /// The hash `action:<id>`.
    pub(crate) struct Record {
        pub(crate) status: Status,
        pub(crate) run: u8,
        pub(crate) step: u8,
        pub(crate) tries: u8,
        pub(crate) token: Token,
        pub(crate) holder: u8,
        /// The payload's name.
        pub(crate) data: u8,
        pub(crate) submitted: Option<Claim>,
        pub(crate) settled: [Option<Mark>; STEPS as usize],
        pub(crate) lapsed: Option<Mark>,
        pub(crate) delivery: Delivery,
        pub(crate) d_token: u8,
        pub(crate) d_tries: u8,
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

    pub(crate) enum End { Delivered, Retry, Exhausted }

    /// A send of an outcome, from its claim on.
    pub(crate) struct Send {
        pub(crate) manager: u8,
        pub(crate) run: u8,
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
        /// What every send must say: run, status and content.
        pub(crate) announced: Option<(u8, Status, u8)>,
    }

    /// What the reaper of deadlines read of an action, some time ago.
    pub(crate) struct Look {
        pub(crate) action: u8,
        pub(crate) running: Option<View>,
        /// Whether the version is still the same.
        pub(crate) fresh: bool,
    }

    /// One script call, with all it has in KEYS and ARGV.
    pub(crate) enum Call {
        Submit { hand: Option<u8> },
        /// Its token is named after the dispatch that it saw would be next: that is its version.
        Claim { processor: u8, token: Token },
        Succeed {
            view: View,
            report: u8,
            name: u8,
            hand: Option<u8>,
            token: Token,
            deliver: bool,
        },
        Fail { view: View, nonce: Nonce, deliver: bool },
        Deadline { look: Look, deliver: bool },
        ClaimDelivery { token: u8 },
        SettleDelivery { token: u8, end: End },
    }

    pub(crate) struct Request {
        pub(crate) action: u8,
        pub(crate) manager: u8,
        pub(crate) call: Call,
    }

    pub(crate) enum Answer { Done(Option<Claim>), Duplicate, Stale, Missing, Nothing }

    /// A call that will run a second time.
    pub(crate) struct Again {
        pub(crate) request: Request,
        pub(crate) first: Answer,
        /// Whether its sender had the first answer already: then nobody reads the second.
        pub(crate) read: bool,
        pub(crate) written: bool,
    }

    pub(crate) struct State {
        pub(crate) actions: [Action; MAX_ACTIONS],
        pub(crate) up: [bool; MANAGERS as usize],
        pub(crate) look: Option<Look>,
        pub(crate) again: Option<Again>,
        pub(crate) left: Budget,
        /// One bit for each [`crate::properties::Wrong`] that happened.
        pub(crate) wrong: u16,
    }
}

impl Token {
    pub(crate) const NONE: Self = Self(0);

    /// The token of an attempt, the first being number one.
    pub(crate) fn of(step: u8, attempt: u8) -> Self {
        Self(step * ATTEMPTS + attempt)
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
            look: None,
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
        if let Some(look) = self.look.as_mut().filter(|look| look.action == action) {
            look.fresh = false;
        }
    }

    pub(crate) fn managers(&self) -> impl Iterator<Item = u8> + use<> {
        let up = self.up;
        (0..MANAGERS).filter(move |m| up[usize::from(*m)])
    }
}
