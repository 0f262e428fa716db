//! `submit_actions`: accepts an action; claims it at once when a hand-over was asked for.

use super::standing;
use crate::calls::Answer;
use crate::guards::Guards;
use crate::place;
use crate::processor::{Standing, Start};
use crate::properties::Wrong;
use crate::state::{
    ATTEMPTS, CAPACITY, Claim, Delivery, HAND_BACKS, Lease, Record, STEPS, State, Status, Token,
};

impl State {
    pub(super) fn submit(&mut self, guards: &Guards, action: u8, hand: Option<u8>) -> Answer {
        let token = Token::of(0, 1);
        if let Some(record) = self.action(action).record {
            if record.data != 0 || !guards.named {
                self.unlink(action, 0);
            }
            return Answer::Done(standing(record.submitted, record.token, token));
        }
        if guards.present && !self.has_payload(action, 0) {
            return Answer::Missing;
        }
        self.persist(action, 0);
        let mut record = Record {
            status: Status::Live,
            run: 1,
            step: 0,
            tries: 0,
            claims: 0,
            handed: 0,
            skipped: false,
            token: Token::NONE,
            holder: 0,
            held: Start::NONE,
            data: 0,
            submitted: None,
            settled: [None; STEPS as usize],
            lapsed: None,
            asked: [None; 2],
            delivery: Delivery::None,
            d_token: 0,
            d_tries: 0,
            d_sent: 0,
            d_settled: 0,
            ttl: false,
        };
        record.submitted = self.ready(guards, action, &mut record, hand, token);
        self.action(action).shift(0, place::LIVE);
        self.action(action).record = Some(record);
        Answer::Done(record.submitted)
    }

    /// Queues an action, or claims it for the candidate when it has room and nothing waits.
    pub(super) fn ready(
        &mut self,
        guards: &Guards,
        action: u8,
        record: &mut Record,
        hand: Option<u8>,
        token: Token,
    ) -> Option<Claim> {
        let chosen = hand.filter(|p| self.may_hand_over(guards, *p));
        match chosen {
            Some(processor) => self.hold(action, record, processor, token),
            None => self.action(action).shift(0, place::INPUT),
        }
        chosen.map(Claim::Attempt)
    }

    /// A hand-over overtakes nobody.
    pub(crate) fn may_hand_over(&self, guards: &Guards, processor: u8) -> bool {
        let takes = self.processors[usize::from(processor)].takes(guards);
        let idle = self.actions.iter().all(|a| !a.is_in(place::INPUT));
        takes && idle && self.has_room(processor)
    }

    pub(super) fn has_room(&self, processor: u8) -> bool {
        let pending = place::PENDING << processor;
        self.actions.iter().filter(|a| a.is_in(pending)).count() < CAPACITY
    }

    /// Puts an action into a pending set, under a token.
    pub(super) fn hold(&mut self, action: u8, record: &mut Record, processor: u8, token: Token) {
        let claimer = self.processors[usize::from(processor)];
        if claimer.standing != Standing::Active || claimer.stopped {
            self.note(Wrong::ClaimedAgainstWill);
        }
        record.token = token;
        record.holder = processor;
        record.held = claimer.start();
        record.tries += 1;
        record.claims += 1;
        if record.tries + record.handed > ATTEMPTS + HAND_BACKS {
            self.note(Wrong::Endless);
        }
        let entry = self.action(action);
        entry.shift(0, place::PENDING << processor);
        entry.lease = Lease::Runs;
    }
}
