//! The scheduler's part: claims, backoffs, and leases.

use super::Offers;
use crate::calls::Call;
use crate::event::Event;
use crate::place;
use crate::state::{ATTEMPTS, Lease, Nonce, PROCESSORS, State, Status, Token, View};

impl Offers<'_> {
    pub(super) fn of_queues(&mut self, action: u8) {
        let entry = *self.entry(action);
        let Some(record) = entry.record.filter(|r| r.status == Status::Live) else { return };
        if entry.is_in(place::INPUT) || !self.config.guards.entry {
            let token = Token::of(record.step, record.claims + 1);
            for manager in self.state.managers() {
                for processor in 0..PROCESSORS {
                    let call = Call::Claim { processor, token };
                    self.ask(action, manager, call);
                }
            }
        }
        if entry.is_in(place::DELAYED) {
            self.events.push(Event::Promote { action });
        }
        let Some(view) = entry.view() else { return };
        let alive = self.state.is_alive(action, &view);
        let late = self.state.left.late > 0 && self.may_meet_mishaps(action);
        if entry.lease != Lease::Over && (!alive || late) {
            self.events.push(Event::LeaseEnds { action });
        }
        if entry.lease == Lease::Over && alive && self.state.left.renewals > 0 {
            self.events.push(Event::Renew { action });
        }
        if entry.lease != Lease::Runs {
            let last = view.tries >= ATTEMPTS;
            for (manager, deliver) in self.reapers(last && self.config.receiver) {
                let nonce = Nonce::Reaper(manager);
                let fail = Call::Fail { view, nonce, last, hand: None, deliver };
                self.ask(action, manager, fail);
            }
        }
    }
}

impl State {
    /// Whether somebody still works under a token, or will learn that he may.
    pub(crate) fn is_alive(&self, action: u8, view: &View) -> bool {
        let awaited = self.again.is_some_and(|again| !again.read && again.request.action == action);
        awaited || self.actions[usize::from(action)].works[view.token.index()].is_some()
    }
}
