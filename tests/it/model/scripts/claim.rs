//! `claim_attempts` and `promote_delayed`.

use crate::calls::Answer;
use crate::guards::Guards;
use crate::place;
use crate::properties::Wrong;
use crate::state::{ATTEMPTS, CLAIMS, Claim, State, Status, Token};

impl State {
    /// Takes a queued action for a processor that takes work and has room. A re-sent claim finds its token in place.
    pub(super) fn claim_attempt(
        &mut self,
        guards: &Guards,
        action: u8,
        processor: u8,
        token: Token,
    ) -> Answer {
        let Some(mut record) = self.action(action).record else { return Answer::Nothing };
        if record.token == token {
            return Answer::Done(Some(Claim::Attempt(record.holder)));
        }
        let queued = self.action(action).is_in(place::INPUT);
        let takes = queued || (!guards.entry && record.status == Status::Live);
        let fresh = token == Token::of(record.step, record.claims + 1) || !guards.version;
        let bounded = record.tries < ATTEMPTS && record.claims < CLAIMS;
        let room = self.has_room(processor) || !guards.room;
        let takes = takes && self.processors[usize::from(processor)].takes(guards);
        if !takes || !fresh || !bounded || !room {
            return Answer::Nothing;
        }
        if record.token != Token::NONE {
            self.note(Wrong::Robbed);
        }
        self.action(action).shift(place::INPUT, 0);
        self.hold(action, &mut record, processor, token);
        self.action(action).record = Some(record);
        self.bump(action);
        Answer::Done(Some(Claim::Attempt(processor)))
    }

    /// A backoff is over: the action returns to its place in the queue.
    pub(crate) fn promote(&mut self, action: u8) {
        self.action(action).shift(place::DELAYED, place::INPUT);
        self.bump(action);
    }
}
