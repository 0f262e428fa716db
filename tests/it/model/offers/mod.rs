//! What can happen next: every call that somebody may make now, and every mishap that is left.

mod asked;
mod delivery;
mod processors;
mod queues;
mod reports;

use crate::calls::{Call, Request};
use crate::event::{Event, Fate, payload_of};
use crate::guards::Config;
use crate::scripts::output;
use crate::state::{Action, PROCESSORS, Slot, State, Submission};

struct Offers<'a> {
    config: &'a Config,
    state: &'a State,
    events: &'a mut Vec<Event>,
    requests: Vec<Request>,
}

impl State {
    pub(crate) fn events(&self, config: &Config, events: &mut Vec<Event>) {
        let mut offers = Offers { config, state: self, events, requests: Vec::new() };
        for action in (0u8..).take(config.actions) {
            offers.of_queues(action);
            offers.of_delivery(action);
            offers.of_submission(action);
            offers.of_reports(action);
            offers.of_asked(action);
            offers.of_hand_back(action);
            offers.of_payloads(action);
        }
        for processor in 0..PROCESSORS {
            offers.of_processor(processor);
        }
        offers.of_requests();
        offers.of_mishaps();
    }
}

impl Offers<'_> {
    fn entry(&self, action: u8) -> &Action {
        &self.state.actions[usize::from(action)]
    }

    fn ask(&mut self, action: u8, manager: u8, call: Call) {
        self.requests.push(Request { action, manager, call });
    }

    fn of_requests(&mut self) {
        for request in std::mem::take(&mut self.requests) {
            self.events.push(Event::Script { request, fate: Fate::Answered });
            if self.state.left.resends > 0 && self.may_meet_mishaps(request.action) {
                self.events.push(Event::Script { request, fate: Fate::Lost });
                if self.config.late_copies {
                    self.events.push(Event::Script { request, fate: Fate::LateCopy });
                }
            }
        }
    }

    fn of_mishaps(&mut self) {
        if let Some(again) = self.state.again {
            let written = again.written || self.config.whole;
            let unwritten = !written && payload_of(self.config, &again.request).is_some();
            self.events.push(if unwritten { Event::WriteAgain } else { Event::ScriptAgain });
        }
        if self.state.left.crashes > 0 {
            for manager in self.state.managers() {
                self.events.push(Event::Crash { manager, calls_survive: true });
                self.events.push(Event::Crash { manager, calls_survive: false });
            }
        }
    }

    fn of_submission(&mut self, action: u8) {
        match self.entry(action).submission {
            Submission::New if self.config.whole => {
                for manager in self.state.managers() {
                    self.of_submit(action, manager);
                }
            }
            Submission::New => {
                for manager in self.state.managers() {
                    self.events.push(Event::WriteInput { action, manager, lost: false });
                    if self.state.left.lost_writes > 0 {
                        self.events.push(Event::WriteInput { action, manager, lost: true });
                    }
                }
            }
            Submission::Written(manager) => self.of_submit(action, manager),
            Submission::Sent | Submission::Gone => {}
        }
    }

    fn of_submit(&mut self, action: u8, manager: u8) {
        for hand in self.candidates() {
            self.ask(action, manager, Call::Submit { hand });
        }
    }

    fn may_meet_mishaps(&self, action: u8) -> bool {
        action == 0 || !self.config.aside
    }

    /// No hand-over, or one to a processor that would get it.
    fn candidates(&self) -> Vec<Option<u8>> {
        let able = (0..PROCESSORS).filter(|p| self.state.may_hand_over(&self.config.guards, *p));
        std::iter::once(None).chain(able.map(Some)).collect()
    }

    /// Who runs a script that has no holder: whoever is up, and each that goes on with a delivery.
    fn reapers(&self, deliver: bool) -> Vec<(u8, bool)> {
        let first = self.state.managers().take(1).map(|manager| (manager, false));
        let rest = self.state.managers().filter(|_| deliver).map(|manager| (manager, true));
        first.chain(rest).collect()
    }

    fn of_payloads(&mut self, action: u8) {
        let named = self.entry(action).record.map(|record| record.data);
        for name in (0u8..).take(self.entry(action).payloads.len()) {
            let passing = self.entry(action).payloads[usize::from(name)].is_some_and(|p| p.ttl);
            // An ended action's payload outlives the model.
            if passing && named != Some(name) && !self.is_in_use(action, name) {
                self.events.push(Event::PayloadExpires { action, name });
            }
        }
    }

    /// Whether a pipeline that wrote a payload is still on its way.
    fn is_in_use(&self, action: u8, name: u8) -> bool {
        let entry = self.entry(action);
        let submits = name == 0 && matches!(entry.submission, Submission::Written(_));
        let reports = entry.works.iter().flatten().any(|work| {
            (0u8..).zip(&work.slots).any(|(report, slot)| {
                matches!(slot, Slot::Written(..))
                    && output(&self.config.guards, &work.view, report).0 == name
            })
        });
        let again = self.state.again.and_then(|again| payload_of(self.config, &again.request));
        submits || reports || again.is_some_and(|(a, n, _)| (a, n) == (action, name))
    }
}
