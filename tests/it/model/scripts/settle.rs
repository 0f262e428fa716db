//! `settle_attempts`, `retry_attempt`, `end_action`: what settles an attempt.

use super::fence::Fence;
use super::{Wish, output, standing};
use crate::calls::Answer;
use crate::guards::{Config, Guards};
use crate::place;
use crate::properties::Wrong;
use crate::state::{
    ATTEMPTS, Claim, Delivery, Lease, Mark, Nonce, Record, STEPS, State, Status, Token, View,
};

impl State {
    pub(super) fn succeed(
        &mut self,
        config: &Config,
        action: u8,
        view: &View,
        report: u8,
        name: u8,
        wish: Wish,
    ) -> Answer {
        let guards = &config.guards;
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
                let claim = self.go_on(config, action, &mut record, view, name, wish);
                let mark = Mark { token: view.token, nonce, claim };
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
        config: &Config,
        action: u8,
        record: &mut Record,
        view: &View,
        name: u8,
        wish: Wish,
    ) -> Option<Claim> {
        record.data = name;
        record.release();
        self.action(action).misses = 0;
        if view.step + 1 < STEPS {
            record.step = view.step + 1;
            record.tries = 0;
            record.claims = 0;
            record.handed = 0;
            return self.ready(&config.guards, action, record, wish.processor, wish.token);
        }
        let status = if record.skipped { Status::Partial } else { Status::Succeeded };
        self.conclude(config.receiver, action, record, status, wish.deliver)
    }

    /// A step that fails for good is skipped: `settle_attempts` with the data as it was
    /// (KEYS 2 and 3 the same) and a failure, which `failed` counts. In the timeline it stays the step's last word:
    /// the outcome of an action with such a step behind it is `partial`. By a token it settles the attempt; by a
    /// lease that is over (the script compares) it goes into `lapsed`, and the late holder is told 409.
    fn skip(
        &mut self,
        config: &Config,
        action: u8,
        record: &mut Record,
        view: &View,
        wish: Wish,
    ) -> Option<Claim> {
        record.skipped = config.guards.skipped;
        let entry = self.action(action);
        let twice = entry.accepted != record.step;
        entry.accepted = record.step + 1;
        entry.skipped = true;
        if twice {
            self.note(Wrong::AppliedTwice);
        }
        self.go_on(config, action, record, view, record.data, wish)
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
        let end = if status == Status::Failed { place::FAILED } else { place::DONE };
        let idle = self.actions.iter().all(|a| !(a.is_in(place::OUTPUT) && a.due));
        record.status = status;
        let entry = self.action(action);
        let told = match status {
            Status::Succeeded => !entry.skipped,
            Status::Partial => entry.skipped,
            Status::Live | Status::Failed | Status::Cancelled => true,
        };
        entry.shift(place::LIVE, end);
        entry.lease = Lease::Runs;
        entry.announced = Some((record.run, status, entry.content(record.data).unwrap_or(u8::MAX)));
        if !told {
            self.note(Wrong::SkipUntold);
        }
        if !receiver {
            self.retire(action, record);
            return None;
        }
        record.delivery = Delivery::Pending;
        let claimed = deliver && idle;
        let entry = self.action(action);
        entry.shift(0, place::OUTPUT);
        entry.due = !claimed;
        if claimed {
            record.d_tries = 1;
            record.d_sent += 1;
            record.d_token = record.d_sent;
        }
        claimed.then_some(Claim::Delivery(record.d_token))
    }

    /// Nothing is left to do: only now its keys get a TTL.
    pub(super) fn retire(&mut self, action: u8, record: &mut Record) {
        record.ttl = true;
        if let Some(payload) = &mut self.action(action).payloads[usize::from(record.data)] {
            payload.ttl = true;
        }
    }

    /// An attempt failed, as its holder tells or because its lease is over: another one, the next step, or the
    /// end.
    pub(super) fn fail(
        &mut self,
        config: &Config,
        action: u8,
        view: &View,
        nonce: Nonce,
        last: bool,
        wish: Wish,
    ) -> Answer {
        let guards = &config.guards;
        let Some(mut record) = self.action(action).record else { return Answer::Stale };
        let lapse = matches!(nonce, Nonce::Reaper(_));
        match self.fence(guards, &record, view, nonce) {
            Fence::Again(mark) => return Answer::Done(still(&mark, &record, wish.token)),
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
        let entry = self.action(action);
        entry.shift(place::PENDING << view.holder, 0);
        entry.lease = Lease::Runs;
        entry.misses += 1;
        let short = last && view.tries >= ATTEMPTS && entry.misses < ATTEMPTS;
        record.release();
        let claim = if !last {
            self.action(action).shift(0, place::DELAYED);
            None
        } else if config.skips & (1 << view.step) != 0 {
            self.skip(config, action, &mut record, view, wish)
        } else {
            let status = Status::Failed;
            self.conclude(config.receiver, action, &mut record, status, wish.deliver)
        };
        if short {
            self.note(Wrong::ShortOfAttempts);
        }
        let mark = Mark { token: view.token, nonce, claim };
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
        Claim::Delivery(token) => mark.claim.filter(|_| record.d_token == token),
    }
}
