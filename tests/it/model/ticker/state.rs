//! What the model of the ticker remembers.

use super::config::{Budget, Config};

/// How many steps each action has, all for the one processor.
pub(super) const STEPS: [u8; 2] = [2, 1];
const ACTIONS: usize = STEPS.len();
/// Handlers that run at a time.
pub(super) const HANDLERS: usize = 2;
/// Ticks that run at a time: more events wait.
pub(super) const TICKS: usize = 2;
/// How many ticks may start one another in a row: eight in the product, where nothing depends on the number.
pub(super) const HANDOFFS: usize = 1;

/// What the key says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Key {
    Free,
    Starting,
    Held(usize),
    /// By a tick that was killed.
    Dead,
}

/// Where an action is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Place {
    New,
    /// A mutant's, that nudges first: the commit is still to come.
    Committing,
    Queued,
    /// A tick waits for the processor's reply.
    Called(usize),
    /// The processor answered 202, and completes it later.
    Away,
    /// Its tick was killed, its lease runs.
    Lost,
    /// Its lease is over.
    Lapsed,
    Done,
}

/// A handler, from its commit on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Handler {
    Idle,
    /// It has committed, and nudges next.
    Committed,
    /// Its announcement stands: it invokes next.
    Announced,
    /// Its invocation failed, or was answered too late: it withdraws next.
    Failed,
    /// A mutant's, that nudges first: it commits next.
    Nudged,
}

/// How far a tick is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Phase {
    Started,
    Lingering,
    /// A mutant that looks first and deletes its key then.
    LookingFirst,
    Releasing,
    Looking,
    /// It leaves claimable work, and nudges.
    Announcing,
    Announced,
    Failed,
    /// For its own calls to end.
    Waiting,
}

/// A tick that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Tick {
    pub(super) phase: Phase,
    pub(super) handoffs: usize,
    /// Its time is nearly up: it claims nothing more.
    pub(super) spent: bool,
    /// Whether its copy of the processors holds the one there is.
    pub(super) knows: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct State {
    pub(super) key: Key,
    /// Whether the processor is registered.
    pub(super) served: bool,
    pub(super) places: [Place; ACTIONS],
    /// How many steps are still to do.
    pub(super) steps: [u8; ACTIONS],
    pub(super) handlers: [Handler; HANDLERS],
    /// Invocations under way, by their count of hand-offs.
    pub(super) events: [u8; HANDOFFS + 1],
    pub(super) ticks: [Option<Tick>; TICKS],
    pub(super) left: Budget,
    /// A mutant's belief: somebody is starting a tick, though the announcement has expired.
    pub(super) believed: bool,
    /// Something failed, and nobody has nudged or beaten without hindrance since.
    pub(super) excused: bool,
    pub(super) failures: u8,
    /// The beats that were waited for.
    pub(super) waited: u8,
    /// A bit for each [`super::properties::Wrong`].
    pub(super) wrong: u8,
}

impl State {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            key: Key::Free,
            served: !config.registers,
            places: [Place::New; ACTIONS],
            steps: STEPS,
            handlers: [Handler::Idle; HANDLERS],
            events: [0; HANDOFFS + 1],
            ticks: [None; TICKS],
            left: config.budget,
            believed: false,
            excused: false,
            failures: 0,
            waited: 0,
            wrong: 0,
        }
    }

    /// Whether a look finds something that can be claimed now, if it knows the processor.
    pub(super) fn is_claimable(&self, capacity: usize) -> bool {
        self.served && self.places.contains(&Place::Queued) && self.in_flight() < capacity
    }

    pub(super) fn in_flight(&self) -> usize {
        use Place::{Away, Called, Lapsed, Lost};
        let pending = |place: &&Place| matches!(place, Called(_) | Away | Lost | Lapsed);
        self.places.iter().filter(pending).count()
    }

    pub(super) fn has_calls(&self, tick: usize) -> bool {
        self.places.contains(&Place::Called(tick))
    }

    pub(super) fn is_done(&self) -> bool {
        self.places.iter().all(|place| *place == Place::Done)
    }

    pub(super) fn has_events(&self) -> bool {
        self.events.iter().any(|events| *events > 0)
    }

    pub(super) fn is_any_tick(&self, phases: &[Phase]) -> bool {
        self.ticks.iter().flatten().any(|tick| phases.contains(&tick.phase))
    }

    /// Whether the key keeps nudges off though nobody will look: what its maker failed at shows for 3 s.
    pub(super) fn is_orphan(&self) -> bool {
        match self.key {
            Key::Free | Key::Held(_) => false,
            Key::Dead => true,
            Key::Starting => {
                !self.has_events()
                    && !self.handlers.contains(&Handler::Announced)
                    && !self.is_any_tick(&[Phase::Announced, Phase::Started])
            }
        }
    }

    /// The numbers of actions and of ticks mean nothing: the smallest of the ways to give them stands for all.
    pub(super) fn reduce(&mut self) {
        self.handlers.sort_unstable();
        let mut other = *self;
        other.ticks.reverse();
        if let Key::Held(tick) = &mut other.key {
            *tick = 1 - *tick;
        }
        for place in &mut other.places {
            if let Place::Called(tick) = place {
                *tick = 1 - *tick;
            }
        }
        for state in [&mut *self, &mut other] {
            if (state.places[1], state.steps[1]) < (state.places[0], state.steps[0]) {
                state.places.reverse();
                state.steps.reverse();
            }
        }
        *self = other.min(*self);
    }
}
