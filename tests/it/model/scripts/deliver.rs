//! `claim_deliveries` and `settle_deliveries`.

use crate::calls::{Answer, End};
use crate::guards::Guards;
use crate::place;
use crate::properties::Wrong;
use crate::state::{Claim, Delivery, SENDS, State, Status};

impl State {
    /// Takes an outcome that is due. A re-sent claim finds its token in place.
    pub(super) fn claim_delivery(&mut self, guards: &Guards, action: u8, token: u8) -> Answer {
        let Some(mut record) = self.action(action).record else { return Answer::Nothing };
        if record.d_token == token {
            return Answer::Done(Some(Claim::Delivery(token)));
        }
        let entry = self.action(action);
        let queued = entry.is_in(place::OUTPUT);
        let may = if queued { entry.due || !guards.lease } else { !guards.entry };
        let waits = may && record.status != Status::Live;
        let fresh = token == record.d_sent + 1 || !guards.version;
        if !waits || !fresh || usize::from(record.d_sent) == SENDS {
            return Answer::Nothing;
        }
        if queued && !entry.due {
            self.note(Wrong::SendRobbed);
        }
        if record.delivery != Delivery::Pending {
            self.note(Wrong::SentAgain);
        }
        record.d_token = token;
        record.d_tries += 1;
        record.d_sent += 1;
        let entry = self.action(action);
        entry.shift(0, place::OUTPUT);
        entry.due = false;
        entry.record = Some(record);
        self.bump(action);
        Answer::Done(Some(Claim::Delivery(token)))
    }

    /// Records what a send met.
    pub(super) fn settle_delivery(
        &mut self,
        guards: &Guards,
        action: u8,
        token: u8,
        end: End,
    ) -> Answer {
        let Some(mut record) = self.action(action).record else { return Answer::Stale };
        if record.d_settled == token {
            return Answer::Done(None);
        } else if record.d_token != token {
            if guards.token {
                return Answer::Stale;
            }
            self.note(Wrong::StaleApplied);
        }
        record.d_token = 0;
        record.d_settled = token;
        match end {
            End::Retry => self.action(action).due = true,
            End::Delivered | End::Exhausted => {
                self.action(action).shift(place::OUTPUT, 0);
                self.action(action).due = false;
                record.delivery = match end {
                    End::Delivered => Delivery::Delivered,
                    End::Exhausted | End::Retry => Delivery::Exhausted,
                };
                self.retire(action, &mut record);
            }
        }
        self.action(action).record = Some(record);
        self.bump(action);
        Answer::Done(None)
    }
}
