//! `return_attempt`: an attempt that its processor will not make goes back to its queue. It costs none.

use super::fence::Fence;
use crate::calls::{Answer, Back};
use crate::guards::Guards;
use crate::place;
use crate::properties::Wrong;
use crate::state::{Lease, Mark, Nonce, State, View};

impl State {
    /// Returns an attempt to its queue, at once and at its original place: because its processor was started
    /// again, so that what the earlier start held is not worked on; or because it said that it is busy.
    ///
    /// - KEYS: the action, the processor's pending set and record, the input of the job's target, `targets`.
    ///   ARGV: id, step, token seen, a nonce, the ground, the target, the error.
    /// - Again: token and nonce are kept (below): the same answer, nothing is written.
    /// - Refused (stale): the token is not the current one of a running action. By a restart also: `held` names an
    ///   epoch before the processor's `since`, or a `started_at` that is not earlier than the processor's; no
    ///   processor record, or no `started_at` in either; restarts gave the step back five times in this run (then
    ///   its lease decides).
    /// - Writes: out of `pending`; into `input` by the sequence number of `queued`, whose second number is now + 1:
    ///   a copy of a claim that saw the queue before must find that it looked too early, also within one
    ///   millisecond; `targets`; `token` empty, `tries` one less, `error`, `v` one more. By a restart `returns` is one
    ///   more (advance, skip and redrive begin anew), and token, nonce and answer go to `lapsed`: the token settles
    ///   nothing, and its holder is told 409, as after a lease that ended. By a busy processor they settle the
    ///   attempt, in `s:<step>`. Neither `processed` nor `failed` counts it.
    pub(super) fn hand_back(
        &mut self,
        guards: &Guards,
        action: u8,
        view: &View,
        back: Back,
        manager: u8,
    ) -> Answer {
        let Some(mut record) = self.action(action).record else { return Answer::Stale };
        let nonce = match back {
            Back::Restart => Nonce::Restart(manager),
            Back::Busy(report) => Nonce::Report(report),
        };
        match self.fence(guards, &record, view, nonce) {
            Fence::Again(_) if !guards.returned => return Answer::Stale,
            Fence::Again(_) => return Answer::Done(None),
            Fence::Duplicate => return Answer::Duplicate,
            Fence::Stale => return Answer::Stale,
            Fence::Current => {}
        }
        let mark = Some(Mark { token: view.token, nonce, claim: None });
        match back {
            Back::Restart => {
                let processor = self.processors[usize::from(view.holder)];
                if !processor.gives_back(guards, &record) {
                    return Answer::Stale;
                }
                if !processor.has_lost(&record) {
                    self.note(Wrong::Robbed);
                }
                record.handed += 1;
                record.lapsed = mark;
            }
            Back::Busy(_) => {
                self.left.busy -= 1;
                record.settled[usize::from(view.step)] = mark;
            }
        }
        self.action(action).shift(place::PENDING << view.holder, place::INPUT);
        self.action(action).lease = Lease::Runs;
        record.release();
        record.tries -= u8::from(guards.free);
        self.action(action).record = Some(record);
        self.bump(action);
        Answer::Done(None)
    }
}
