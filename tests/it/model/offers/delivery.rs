//! The deliveries' part: claims, sends and their leases.

use super::Offers;
use crate::calls::Call;
use crate::event::Event;
use crate::place;
use crate::state::{Send, State};

impl Offers<'_> {
    pub(super) fn of_delivery(&mut self, action: u8) {
        let entry = *self.entry(action);
        let Some(record) = entry.record else { return };
        let queued = entry.is_in(place::OUTPUT);
        let guards = &self.config.guards;
        let may = if queued { entry.due || !guards.lease } else { !guards.entry };
        if may {
            let token = record.d_sent + 1;
            for manager in self.state.managers() {
                self.ask(action, manager, Call::ClaimDelivery { token });
            }
        }
        if queued {
            let late = self.state.left.late > 0 && self.may_meet_mishaps(action);
            let may_end = late || !self.state.is_sending(action);
            if !entry.due && may_end {
                self.events.push(Event::SendLeaseEnds { action });
            }
        }
        for (send, token) in (0..entry.sends.len()).zip(1u8..) {
            match entry.sends[send] {
                None => {}
                Some(Send { end: None, .. }) => {
                    self.events.push(Event::Answer { action, send, received: true });
                    self.events.push(Event::Answer { action, send, received: false });
                }
                Some(Send { manager, end: Some(end), .. }) => {
                    self.ask(action, manager, Call::SettleDelivery { token, end });
                }
            }
        }
    }
}

impl State {
    /// Whether the current send is under way, or its sender will learn that it may.
    pub(crate) fn is_sending(&self, action: u8) -> bool {
        let entry = &self.actions[usize::from(action)];
        let token = entry.record.map_or(0, |record| usize::from(record.d_token));
        let awaited = self.again.is_some_and(|a| !a.read && a.request.action == action);
        awaited || (token > 0 && entry.sends[token - 1].is_some())
    }
}
