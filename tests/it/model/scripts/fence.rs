//! Who may settle an attempt (`scripts/lib/fence.lua`).

use crate::guards::Guards;
use crate::properties::Wrong;
use crate::state::{Mark, Nonce, Record, State, Status, Token, View};

pub(crate) enum Fence {
    Current,
    /// The same request, sent again.
    Again(Mark),
    Duplicate,
    Stale,
}

impl State {
    /// What a request with this token and nonce is to the record.
    pub(super) fn fence(
        &mut self,
        guards: &Guards,
        record: &Record,
        view: &View,
        nonce: Nonce,
    ) -> Fence {
        let settled = record.settled[usize::from(view.step)];
        let lapsed = record.lapsed.filter(|mark| mark.nonce == nonce);
        if let Some(mark) = settled.or(lapsed).filter(|mark| mark.token == view.token) {
            if mark.nonce == nonce && guards.answer {
                return Fence::Again(mark);
            }
            if guards.nonce {
                return Fence::Duplicate;
            }
            self.note(Wrong::ToldTwice);
            return Fence::Again(mark);
        }
        if let Some(mark) = lapsed.filter(|mark| mark.token == view.token) {
            return Fence::Again(mark);
        }
        let mine = record.token == view.token || !guards.token;
        if record.status == Status::Live && record.step == view.step && mine && running(record) {
            Fence::Current
        } else {
            Fence::Stale
        }
    }
}

fn running(record: &Record) -> bool {
    record.token != Token::NONE
}
