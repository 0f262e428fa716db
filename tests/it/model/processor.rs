//! A processor's record, and how much of its holder's life the model follows.

use crate::guards::Guards;
use crate::state::{HAND_BACKS, Record, plain};

plain! {
    /// The record's status; `Gone` is no record.
    pub(crate) enum Standing { Active, Paused, Draining, Gone }

    /// A registration and a start of a processor, as a lease notes them.
    pub(crate) struct Start {
        pub(crate) epoch: u8,
        pub(crate) boot: u8,
        /// What the model alone knows: the latest start that Baton had been told of.
        pub(crate) latest: u8,
    }

    /// The hash `processor:<id>`.
    pub(crate) struct Processor {
        pub(crate) standing: Standing,
        pub(crate) epoch: u8,
        /// The first epoch of this row of registrations: each renewed the one before, none was drained.
        pub(crate) since: u8,
        /// `started_at`.
        pub(crate) boot: u8,
        /// The latest start that Baton was ever told of.
        pub(crate) latest: u8,
        /// How often it was paused or resumed.
        pub(crate) switches: u8,
        /// Whether an operator paused it, and did not resume it since.
        pub(crate) stopped: bool,
    }
}

impl Start {
    pub(crate) const NONE: Self = Self { epoch: 0, boot: 0, latest: 0 };
}

impl Processor {
    pub(crate) const NEW: Self = Self {
        standing: Standing::Active,
        epoch: 1,
        since: 1,
        boot: 1,
        latest: 1,
        switches: 0,
        stopped: false,
    };

    pub(crate) fn start(&self) -> Start {
        Start { epoch: self.epoch, boot: self.boot, latest: self.latest }
    }

    /// Whether its record lets a claim take.
    pub(crate) fn takes(&self, guards: &Guards) -> bool {
        self.standing == Standing::Active || !guards.active
    }

    /// Whether Baton was told of a start since it claimed the attempt, in the same row of registrations.
    pub(crate) fn has_lost(&self, record: &Record) -> bool {
        record.held.latest < self.latest && record.held.epoch >= self.since
    }

    /// Whether `hand_back_attempt` finds that it was claimed under an earlier start.
    pub(crate) fn gives_back(&self, guards: &Guards, record: &Record) -> bool {
        let earlier = record.held.boot < self.boot || !guards.boot;
        let same = record.held.epoch >= self.since || !guards.since;
        earlier && same && (record.handed < HAND_BACKS || !guards.few)
    }
}
