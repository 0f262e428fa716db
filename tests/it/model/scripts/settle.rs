//! `advance_action`, `finish_action`, `retry_attempt`, `fail_action`: what settles an attempt.

use super::fence::Fence;
use super::{Wish, output, standing};
use crate::guards::Guards;
use crate::place;
use crate::properties::Wrong;
use crate::state::{
    ATTEMPTS, Answer, Claim, Delivery, Lease, Mark, Nonce, Record, STEPS, State, Status, Token,
    View,
};

impl State {
    #[expect(clippy::too_many_arguments, reason = "a script has as many KEYS and ARGV")]
    pub(super) fn succeed(
        &mut self,
        guards: &Guards,
        receiver: bool,
        action: u8,
        view: &View,
        report: u8,
        name: u8,
        wish: Wish,
    ) -> Answer {
        let Some(mut record) = self.action(action).record else { return Answer::Stale };
        let nonce = Nonce::Report(report);
        let refused = match self.fence(guards, &record, view, nonce) {
            Fence::Again(mark) => Answer::Done(still(&mark, &record, wish.token)),
            Fence::Duplicate => Answer::Duplicate,
            Fence::Stale => Answer::Stale,
            Fence::Current if guards.token && record.data != view.before => Answer::Stale,
            Fence::Current if guards.present && !self.has_payload(action, name) => {
                return Answer::Missing;
            }
            Fence::Current => {
                self.apply(guards, action, &record, view, report, name);
                let claim = self.go_on(receiver, action, &mut record, view, name, wish);
                let mark = Mark { token: view.token, nonce, claim, delivery: record.d_token };
                record.settled[usize::from(view.step)] = Some(mark);
                self.action(action).record = Some(record);
                self.bump(action);
                return Answer::Done(claim);
            }
        };
        if name != view.before && (record.data != name || !guards.named) {
            self.unlink(action, name);
        }
        refused
    }

    /// Makes a report's payload the action's data.
    fn apply(
        &mut self,
        guards: &Guards,
        action: u8,
        record: &Record,
        view: &View,
        report: u8,
        name: u8,
    ) {
        self.action(action).shift(place::PENDING << view.holder, 0);
        self.action(action).lease = Lease::Runs;
        let content = if name == view.before {
            // It stays what it was.
            self.action(action).content(name)
        } else {
            self.persist(action, name);
            self.unlink(action, view.before);
            Some(output(guards, view, report).1)
        };
        let works_on = self.action(action).works[view.token.index()].map(|work| work.view.step);
        if record.token != view.token || works_on.is_some_and(|step| step != record.step) {
            self.note(Wrong::StaleApplied);
        }
        let entry = self.action(action);
        let twice = entry.accepted != record.step;
        entry.accepted = record.step + 1;
        entry.expected = content.unwrap_or(entry.expected);
        if twice {
            self.note(Wrong::AppliedTwice);
        }
    }

    /// The next step, or the outcome; claimed at once when that was asked for and nothing waits.
    fn go_on(
        &mut self,
        receiver: bool,
        action: u8,
        record: &mut Record,
        view: &View,
        name: u8,
        wish: Wish,
    ) -> Option<Claim> {
        record.data = name;
        record.token = Token::NONE;
        record.holder = 0;
        if view.step + 1 < STEPS {
            record.step = view.step + 1;
            record.tries = 0;
            return self.ready(action, record, wish.processor, wish.token);
        }
        self.conclude(receiver, action, record, Status::Succeeded, wish.deliver)
    }

    /// Writes an outcome and puts it on its way.
    pub(super) fn conclude(
        &mut self,
        receiver: bool,
        action: u8,
        record: &mut Record,
        status: Status,
        deliver: bool,
    ) -> Option<Claim> {
        let end = if status == Status::Succeeded { place::DONE } else { place::FAILED };
        let idle = self.actions.iter().all(|a| !(a.is_in(place::OUTPUT) && a.due));
        record.status = status;
        let entry = self.action(action);
        entry.shift(place::LIVE, end);
        entry.lease = Lease::Runs;
        entry.announced = Some((record.run, status, entry.content(record.data).unwrap_or(u8::MAX)));
        if !receiver {
            self.retire(action, record);
            return None;
        }
        record.delivery = Delivery::Pending;
        let claimed = deliver && idle;
        entry.shift(0, place::OUTPUT);
        entry.due = !claimed;
        if claimed {
            record.d_tries = 1;
            record.d_token = 1;
        }
        claimed.then_some(Claim::Delivery)
    }

    /// Nothing is left to do: only now its keys get a TTL.
    pub(super) fn retire(&mut self, action: u8, record: &mut Record) {
        record.ttl = true;
        if let Some(payload) = &mut self.action(action).payloads[usize::from(record.data)] {
            payload.ttl = true;
        }
    }

    /// An attempt failed, as its holder tells or because its lease is over: another one, or the end.
    pub(super) fn fail(
        &mut self,
        guards: &Guards,
        receiver: bool,
        action: u8,
        view: &View,
        nonce: Nonce,
        deliver: bool,
    ) -> Answer {
        let Some(mut record) = self.action(action).record else { return Answer::Stale };
        let lapse = matches!(nonce, Nonce::Reaper(_));
        match self.fence(guards, &record, view, nonce) {
            Fence::Again(mark) => return Answer::Done(still(&mark, &record, Token::NONE)),
            Fence::Duplicate => return Answer::Duplicate,
            Fence::Stale => return Answer::Stale,
            Fence::Current => {}
        }
        if lapse && self.action(action).lease != Lease::Over {
            if guards.lease {
                return Answer::Stale;
            }
            self.note(Wrong::Robbed);
        }
        self.action(action).shift(place::PENDING << view.holder, 0);
        record.token = Token::NONE;
        record.holder = 0;
        let claim = if view.tries < ATTEMPTS {
            self.action(action).shift(0, place::DELAYED);
            self.action(action).lease = Lease::Runs;
            None
        } else {
            self.conclude(receiver, action, &mut record, Status::Failed, deliver)
        };
        let mark = Mark { token: view.token, nonce, claim, delivery: record.d_token };
        if lapse {
            record.lapsed = Some(mark);
        } else {
            record.settled[usize::from(view.step)] = Some(mark);
        }
        self.action(action).record = Some(record);
        self.bump(action);
        Answer::Done(claim)
    }
}

/// The first answer: its claim only while it still stands.
pub(super) fn still(mark: &Mark, record: &Record, wanted: Token) -> Option<Claim> {
    match mark.claim? {
        Claim::Attempt(_) => standing(mark.claim, record.token, wanted),
        Claim::Delivery => mark.claim.filter(|_| record.d_token == mark.delivery),
    }
}
