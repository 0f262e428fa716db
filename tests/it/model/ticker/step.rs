//! What handlers, ticks and Redis do, each event one atomic step.

use super::config::Config;
use super::event::{Event, How};
use super::properties::Wrong;
use super::state::{Handler, Key, Phase, Place, State, Tick};

impl State {
    pub(super) fn happen(&mut self, config: &Config, event: Event) {
        match event {
            Event::Submit { action } => {
                let now = config.guards.commits_first;
                self.places[action] = if now { Place::Queued } else { Place::Committing };
                self.enter(Handler::Committed);
            }
            Event::Complete { action } => {
                self.advance(action);
                self.enter(Handler::Committed);
            }
            Event::Register => {
                self.served = true;
                self.enter(Handler::Committed);
            }
            Event::Commit { handler } => self.commit_late(handler),
            Event::Announce { handler } => {
                let won = self.announce(config);
                self.handlers[handler] = match (won, config.guards.commits_first) {
                    (true, _) => Handler::Announced,
                    (false, true) => Handler::Idle,
                    (false, false) => Handler::Nudged,
                };
            }
            Event::Invoke { handler, how } => {
                let invoked = self.invoke(0, how);
                self.handlers[handler] = match (invoked, config.guards.commits_first) {
                    (false, _) if config.guards.withdraws => Handler::Failed,
                    (_, true) => Handler::Idle,
                    (_, false) => Handler::Nudged,
                };
                self.judge_announcement(how);
            }
            Event::Withdraw { handler } => {
                self.withdraw(config);
                self.handlers[handler] = Handler::Idle;
            }
            Event::Die { handler } => {
                self.left.deaths -= 1;
                self.fail();
                self.handlers[handler] = Handler::Idle;
            }
            Event::Start { handoffs, again } => self.start(handoffs, again),
            Event::Lose { handoffs } => {
                self.left.losses -= 1;
                self.fail();
                self.events[handoffs] -= 1;
            }
            Event::Expire => {
                if !self.is_orphan() {
                    self.left.expiries -= 1;
                }
                self.believed = !config.guards.expires && self.key == Key::Starting;
                self.key = Key::Free;
            }
            Event::Beat { waited } => {
                self.waited += u8::from(waited);
                self.left.beats -= u8::from(!waited);
                self.excused &= self.is_orphan();
                self.events[0] += 1;
            }
            Event::CallEnds { action, later: true } => self.places[action] = Place::Away,
            Event::CallEnds { action, later: false } => self.advance(action),
            Event::LeaseEnds { action } => self.places[action] = Place::Lapsed,
            Event::Kill { tick } => self.kill(tick),
            Event::Take { tick }
            | Event::Round { tick, .. }
            | Event::TimeIsUp { tick, .. }
            | Event::RenewInVain { tick }
            | Event::Release { tick }
            | Event::Look { tick }
            | Event::AnnounceNext { tick }
            | Event::InvokeNext { tick, .. }
            | Event::WithdrawNext { tick }
            | Event::LookAfterCalls { tick } => self.go_on(config, tick, event),
        }
        self.reduce();
    }

    fn commit_late(&mut self, handler: usize) {
        if let Some(place) = self.places.iter_mut().find(|place| **place == Place::Committing) {
            *place = Place::Queued;
        }
        self.handlers[handler] = Handler::Idle;
    }

    fn enter(&mut self, phase: Handler) {
        if let Some(idle) = self.handlers.iter_mut().find(|handler| **handler == Handler::Idle) {
            *idle = phase;
        }
    }

    fn advance(&mut self, action: usize) {
        self.steps[action] -= 1;
        let over = self.steps[action] == 0;
        self.places[action] = if over { Place::Done } else { Place::Queued };
    }

    /// `SET ticker starting NX`.
    pub(super) fn announce(&mut self, config: &Config) -> bool {
        self.excused &= self.is_orphan();
        if self.key != Key::Free || (!config.guards.expires && self.believed) {
            return false;
        }
        self.key = Key::Starting;
        true
    }

    /// Whether the caller hears that the tick will run.
    pub(super) fn invoke(&mut self, handoffs: usize, how: How) -> bool {
        match how {
            How::Accepted => self.events[handoffs] += 1,
            How::Late => {
                self.left.late -= 1;
                self.events[handoffs] += 1;
            }
            How::Refused => {
                self.left.refusals -= 1;
                self.fail();
            }
        }
        how == How::Accepted
    }

    pub(super) fn withdraw(&mut self, config: &Config) {
        if config.guards.withdraw_compares && self.key != Key::Starting {
            return;
        }
        self.free_from(None);
    }

    /// Frees the key, on behalf of a tick or of none.
    pub(super) fn free_from(&mut self, tick: Option<usize>) {
        if let Key::Held(holder) = self.key
            && Some(holder) != tick
        {
            self.note(Wrong::Robbed);
        }
        self.key = Key::Free;
    }

    fn start(&mut self, handoffs: usize, again: bool) {
        if again {
            self.left.copies -= 1;
        } else {
            self.events[handoffs] -= 1;
        }
        let knows = self.served;
        let tick = Tick { phase: Phase::Started, handoffs, spent: false, knows };
        if let Some(place) = self.ticks.iter_mut().find(|place| place.is_none()) {
            *place = Some(tick);
        }
    }

    fn kill(&mut self, tick: usize) {
        self.left.kills -= 1;
        self.fail();
        self.ticks[tick] = None;
        if self.key == Key::Held(tick) {
            self.key = Key::Dead;
        }
        for place in self.places.iter_mut().filter(|place| **place == Place::Called(tick)) {
            *place = Place::Lost;
        }
    }

    pub(super) fn fail(&mut self) {
        self.failures += 1;
        self.excused = true;
    }

    /// A start that failed and was not withdrawn keeps the next nudges off.
    fn judge_announcement(&mut self, how: How) {
        let withdraws = self.handlers.contains(&Handler::Failed);
        if how == How::Refused && !withdraws && self.key == Key::Starting && self.is_orphan() {
            self.note(Wrong::StillAnnounced);
        }
    }
}
