//! The processors' part: results, failures and second reports.

use super::Offers;
use crate::calls::{Back, Call};
use crate::event::Event;
use crate::guards::Config;
use crate::scripts::output;
use crate::state::{ATTEMPTS, Nonce, STEPS, Slot, State, Token, Via, View, Work};

impl Offers<'_> {
    pub(super) fn of_reports(&mut self, action: u8) {
        let works = self.entry(action).works;
        for (dispatch, work) in works.iter().enumerate() {
            let Some(work) = work else { continue };
            for (report, slot) in (0u8..).zip(work.slots) {
                match slot {
                    Slot::Idle => {}
                    Slot::Running(Some(manager)) => {
                        self.of_result(action, dispatch, work, report, manager, Via::Reply);
                    }
                    Slot::Running(None) => {
                        for manager in self.state.managers() {
                            self.of_result(action, dispatch, work, report, manager, Via::Complete);
                        }
                    }
                    Slot::Written(manager, via) => {
                        let known = self.state.known(self.config, action, work, via);
                        let (name, _) = output(&self.config.guards, &work.view, report);
                        self.of_success(action, manager, known.unwrap_or(work.view), report, name);
                    }
                }
            }
            if self.state.left.echoes > 0
                && self.may_meet_mishaps(action)
                && work.slots[1] == Slot::Idle
            {
                self.events.push(Event::Echo { action, dispatch });
            }
        }
    }

    /// A result: data, which is written first; none, which leaves the data as it was; or a failure.
    fn of_result(
        &mut self,
        action: u8,
        dispatch: usize,
        work: &Work,
        report: u8,
        manager: u8,
        via: Via,
    ) {
        if self.config.whole {
            if let Some(view) = self.state.known(self.config, action, work, via) {
                let (name, _) = output(&self.config.guards, &work.view, report);
                self.of_success(action, manager, view, report, name);
            }
        } else {
            self.of_write(action, dispatch, report, manager, via);
        }
        let Some(view) = self.state.known(self.config, action, work, via) else { return };
        if self.may_meet_mishaps(action) {
            let nonce = Nonce::Report(report);
            if view.tries < ATTEMPTS {
                let fail = Call::Fail { view, nonce, last: false, hand: None, deliver: false };
                self.ask(action, manager, fail);
            }
            if view.tries >= ATTEMPTS || self.config.permanent {
                self.of_last_failure(action, manager, view, nonce);
            }
        }
        if via == Via::Reply && self.state.left.busy > 0 && self.may_meet_mishaps(action) {
            let back = Back::Busy(report);
            self.ask(action, manager, Call::HandBack { view, back });
        }
        if self.config.unchanged {
            self.of_success(action, manager, view, report, view.before);
        }
    }

    /// An attempt fails for good: the next step when this one may be skipped, else the end.
    fn of_last_failure(&mut self, action: u8, manager: u8, view: View, nonce: Nonce) {
        let fail = |hand, deliver| Call::Fail { view, nonce, last: true, hand, deliver };
        let skips = self.config.skips & (1 << view.step) != 0;
        self.ask(action, manager, fail(None, false));
        if skips && view.step + 1 < STEPS {
            for hand in self.candidates().into_iter().skip(1) {
                self.ask(action, manager, fail(hand, false));
            }
        } else if self.config.receiver {
            self.ask(action, manager, fail(None, true));
        }
    }

    fn of_write(&mut self, action: u8, dispatch: usize, report: u8, manager: u8, via: Via) {
        let write = |lost| Event::WriteOutput { action, dispatch, report, manager, via, lost };
        self.events.push(write(false));
        if self.state.left.lost_writes > 0 {
            self.events.push(write(true));
        }
    }

    fn of_success(&mut self, action: u8, manager: u8, view: View, report: u8, name: u8) {
        let token = Token::of(view.step + 1, 1);
        let succeed = |hand, deliver| Call::Succeed { view, report, name, hand, token, deliver };
        self.ask(action, manager, succeed(None, false));
        if view.step + 1 < STEPS {
            for hand in self.candidates().into_iter().skip(1) {
                self.ask(action, manager, succeed(hand, false));
            }
        } else if self.config.receiver {
            self.ask(action, manager, succeed(None, true));
        }
    }
}

impl State {
    /// What whoever settles an attempt knows of it: the dispatcher what it claimed; a handler of
    /// `/complete` what the record says of the token, if anything.
    pub(crate) fn known(&self, config: &Config, action: u8, work: &Work, via: Via) -> Option<View> {
        if via == Via::Reply {
            return Some(work.view);
        }
        let entry = &self.actions[usize::from(action)];
        let current = entry.view().filter(|v| v.token == work.view.token || !config.guards.token);
        current.map(|view| View { token: work.view.token, ..view }).or_else(|| {
            let settled = entry.record?.settled[usize::from(work.view.step)]?;
            (settled.token == work.view.token).then_some(work.view)
        })
    }
}
