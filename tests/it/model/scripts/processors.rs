//! `switch_processor`, `drain_processor`, `register_processor`, `record_check`.
//!
//! The keys of a processor's queues and pending set follow from its id and name, so these scripts take what
//! they saw of the record alone.

use crate::guards::Guards;
use crate::place;
use crate::processor::Standing;
use crate::properties::Wrong;
use crate::state::State;

impl State {
    /// `switch_processor`: pauses or resumes.
    ///
    /// - KEYS: the record. ARGV: the version of the last switch that was seen, a nonce, the status wanted.
    /// - Again: the nonce is the one in `switched`: the same answer, nothing is written.
    /// - Refused: no record (unknown); the status is `draining`; the version of `switched` is another (stale: a pause
    ///   that comes late must not undo a resume).
    /// - Writes: `status` (`paused`, or `active`: the next miss stops it again if it is unhealthy), `switched` = a
    ///   version that no switch had before, and the nonce; a removal first. What is pending goes on, nothing is
    ///   moved, and a check leaves `paused` as it is.
    pub(crate) fn switch(&mut self, guards: &Guards, processor: u8, pause: bool, seen: u8) {
        let record = &mut self.processors[usize::from(processor)];
        let late = seen != record.switches;
        let live = matches!(record.standing, Standing::Active | Standing::Paused);
        if !live || (late && guards.switch) {
            return;
        }
        record.standing = if pause { Standing::Paused } else { Standing::Active };
        record.switches += 1;
        record.stopped = pause;
        self.left.pauses -= u8::from(pause);
        if late {
            self.note(Wrong::LateSwitch);
        }
    }

    /// `drain_processor`.
    ///
    /// - KEYS: the record, its pending set, and the indexes it is in. ARGV: its id, the epoch that is drained.
    /// - Nothing: the epoch is older than the record's: an instance that was replaced takes its leave.
    /// - Writes: with an empty pending set the record is removed, else its status is `draining`, and whoever finds
    ///   it so (the tick, in each pass) runs the script again. Sent again it answers by what it finds.
    pub(crate) fn drain(&mut self, guards: &Guards, processor: u8, epoch: u8) {
        let pending = self.actions.iter().any(|a| a.is_in(place::PENDING << processor));
        let record = &mut self.processors[usize::from(processor)];
        let older = epoch < record.epoch;
        if record.standing == Standing::Gone || (older && guards.epoch) {
            return;
        }
        let first = record.standing != Standing::Draining;
        let gone = !pending || !guards.empty;
        record.standing = if gone { Standing::Gone } else { Standing::Draining };
        record.stopped = false;
        self.left.drains -= u8::from(first);
        if older {
            self.note(Wrong::OtherDrained);
        }
        if gone && pending {
            self.note(Wrong::Orphaned);
        }
    }

    /// `register_processor`: what it does to epochs.
    ///
    /// - Writes also `since`, the epoch with which a row of registrations began: it stays when there is a record
    ///   that is not draining (whoever it was is gone, or was started again), else it is the new epoch. A paused
    ///   record stays paused; every other becomes `active`.
    pub(crate) fn register(&mut self, guards: &Guards, processor: u8) {
        let record = &mut self.processors[usize::from(processor)];
        record.epoch += 1;
        record.latest += 1;
        record.boot = record.latest;
        match record.standing {
            Standing::Active => {}
            Standing::Paused if guards.paused => {}
            Standing::Paused => record.standing = Standing::Active,
            Standing::Draining | Standing::Gone => {
                record.standing = Standing::Active;
                record.since = record.epoch;
            }
        }
    }

    /// `record_check`: what it does to starts.
    ///
    /// - Refused: the epoch that was checked is not the record's.
    /// - Writes, as today; but `started_at` only grows: a check that asked before the restart and answers after the
    ///   next one must not bring the earlier start back.
    pub(crate) fn see_start(&mut self, processor: u8) {
        let record = &mut self.processors[usize::from(processor)];
        record.latest += 1;
        record.boot = record.latest;
    }

    /// A check finds the start that was found before; or it asked before that, and answers late.
    pub(crate) fn see_known_start(&mut self, guards: &Guards, processor: u8, old: bool) {
        let record = &mut self.processors[usize::from(processor)];
        if !guards.later {
            record.boot = record.latest - u8::from(old);
        }
    }
}
