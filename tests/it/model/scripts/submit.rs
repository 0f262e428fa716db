//! `submit_actions`: accepts an action; claims it at once when a hand-over was asked for.

use super::standing;
use crate::guards::Guards;
use crate::place;
use crate::state::{Answer, CAPACITY, Claim, Delivery, Lease, Record, STEPS, State, Status, Token};

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
            token: Token::NONE,
            holder: 0,
            data: 0,
            submitted: None,
            settled: [None; STEPS as usize],
            lapsed: None,
            delivery: Delivery::None,
            d_token: 0,
            d_tries: 0,
            d_settled: 0,
            ttl: false,
        };
        record.submitted = self.ready(action, &mut record, hand, token);
        self.action(action).shift(0, place::LIVE);
        self.action(action).record = Some(record);
        Answer::Done(record.submitted)
    }

    /// Queues an action, or claims it for the candidate when it has room and nothing waits.
    pub(super) fn ready(
        &mut self,
        action: u8,
        record: &mut Record,
        hand: Option<u8>,
        token: Token,
    ) -> Option<Claim> {
        let chosen = hand.filter(|p| self.may_hand_over(*p));
        match chosen {
            Some(processor) => self.hold(action, record, processor, token),
            None => self.action(action).shift(0, place::INPUT),
        }
        chosen.map(Claim::Attempt)
    }

    /// A hand-over overtakes nobody.
    pub(crate) fn may_hand_over(&self, processor: u8) -> bool {
        self.actions.iter().all(|a| !a.is_in(place::INPUT)) && self.has_room(processor)
    }

    pub(super) fn has_room(&self, processor: u8) -> bool {
        let pending = place::PENDING << processor;
        self.actions.iter().filter(|a| a.is_in(pending)).count() < CAPACITY
    }

    /// Puts an action into a pending set, under a token.
    pub(super) fn hold(&mut self, action: u8, record: &mut Record, processor: u8, token: Token) {
        record.token = token;
        record.holder = processor;
        record.tries += 1;
        let entry = self.action(action);
        entry.shift(0, place::PENDING << processor);
        entry.lease = Lease::Runs;
    }
}
