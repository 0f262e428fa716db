//! `fail_action` on the ground of the deadline: no token, but what was seen some time ago.

use super::settle::still;
use crate::guards::Guards;
use crate::place;
use crate::state::{Answer, Look, Mark, Nonce, State, Status, Token};

impl State {
    /// Ends an action whose time is up. The keys are those of the record that was seen.
    pub(super) fn expire(
        &mut self,
        guards: &Guards,
        receiver: bool,
        look: &Look,
        manager: u8,
        deliver: bool,
    ) -> Answer {
        let action = look.action;
        let Some(mut record) = self.action(action).record else { return Answer::Stale };
        let nonce = Nonce::Reaper(manager);
        if let Some(mark) = record.lapsed.filter(|m| m.token == Token::NONE && m.nonce == nonce) {
            return Answer::Done(still(&mark, &record, Token::NONE));
        }
        // A copy that runs late has no look left to be fresh.
        let fresh = self.look.is_some_and(|now| now.action == action && now.fresh);
        if record.status != Status::Live || (guards.version && !fresh) {
            return Answer::Stale;
        }
        let pending = look.running.map_or(0, |view| place::PENDING << view.holder);
        self.action(action).shift(pending | place::INPUT | place::DELAYED, 0);
        record.token = Token::NONE;
        record.holder = 0;
        let claim = self.conclude(receiver, action, &mut record, Status::Failed, deliver);
        let mark = Mark { token: Token::NONE, nonce, claim, delivery: record.d_token };
        record.lapsed = Some(mark);
        self.action(action).record = Some(record);
        self.bump(action);
        Answer::Done(claim)
    }
}
