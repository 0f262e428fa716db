//! Makes states equal that no future can tell apart, so that the checker visits one of them.
//!
//! What nobody can ask for any more is forgotten: a settled token that no report and no re-sent script
//! carries, the name under which the current data was written, an action that has ended for everybody.
//! And since the two managers are alike, and the two processors, the smallest of the four ways to name
//! them stands for all.

use crate::calls::{Again, Answer, Ask, Call, Request};
use crate::event::payload_of;
use crate::guards::Config;
use crate::place;
use crate::state::{
    Action, Claim, Mark, Nonce, Record, Slot, State, Status, Submission, Token, View,
};

impl State {
    pub(crate) fn reduce(&mut self, config: &Config) {
        self.forget_looks(config);
        let more = self.left.redrives + self.left.redeliveries > 0;
        for (index, action) in (0u8..).zip(&mut self.actions) {
            let again = self.again.filter(|again| again.request.action == index);
            let asked = more || self.looks.iter().flatten().any(|look| look.action == index);
            action.forget(config, again.as_ref(), asked);
        }
        let mut least = *self;
        for (managers, processors) in [(true, false), (false, true), (true, true)] {
            let mut other = *self;
            other.rename(managers, processors);
            least = least.min(other);
        }
        *self = least;
    }

    /// Who looked too early to do anything is as good as gone.
    fn forget_looks(&mut self, config: &Config) {
        let guards = &config.guards;
        if guards.version && guards.run && guards.asker {
            let runs = self.actions.map(|action| action.record.map(|record| record.run));
            for look in &mut self.looks {
                *look = look.filter(|look| match look.ask {
                    Ask::Redrive => runs[usize::from(look.action)] == Some(look.run),
                    Ask::Cancel | Ask::Redeliver | Ask::Deadline => look.fresh,
                });
            }
        }
        self.looks.sort_unstable();
    }

    fn rename(&mut self, managers: bool, processors: bool) {
        if managers {
            self.up.reverse();
        }
        if processors {
            self.processors.reverse();
        }
        let names = Names { managers, processors };
        for action in &mut self.actions {
            names.of_action(action);
        }
        for look in self.looks.iter_mut().flatten() {
            look.running.iter_mut().for_each(|view| names.of_view(view));
        }
        self.looks.sort_unstable();
        if let Some(again) = &mut self.again {
            names.of_request(&mut again.request);
            if let Answer::Done(Some(claim)) = &mut again.first {
                names.of_claim(claim);
            }
        }
    }
}

impl Action {
    /// `asked` when somebody may still want the action back.
    fn forget(&mut self, config: &Config, again: Option<&Again>, asked: bool) {
        let Some(mut record) = self.record else { return };
        let call = again.map(|again| again.request.call);
        let carried = match call {
            Some(
                Call::Succeed { view, .. } | Call::Fail { view, .. } | Call::HandBack { view, .. },
            ) => Some(view.token),
            Some(Call::Claim { token, .. }) => Some(token),
            _ => None,
        };
        let current = record.token;
        if !matches!(call, Some(Call::Submit { .. })) {
            record.submitted = None;
        }
        for mark in &mut record.settled {
            *mark = mark.filter(|mark| {
                let works = self.works[mark.token.index()].is_some();
                works || carried == Some(mark.token) || current == mark.token
            });
        }
        let acts = matches!(call, Some(Call::Act { .. }));
        let reaper = matches!(call, Some(Call::HandBack { .. } | Call::Fail { .. }));
        let acts = acts || !config.guards.asker;
        record.lapsed = record.lapsed.filter(|_| reaper || acts);
        if !acts {
            record.asked = [None; 2];
            self.redelivered = 0;
        }
        let send = matches!(call, Some(Call::SettleDelivery { .. } | Call::ClaimDelivery { .. }));
        let late = record.d_settled > 0 && self.sends[usize::from(record.d_settled) - 1].is_some();
        if !send && !late && record.d_settled != record.d_token {
            record.d_settled = 0;
        }
        let may_return = record.status == Status::Failed && (asked || acts);
        if record.status != Status::Live && !may_return {
            record.step = 0;
            record.tries = 0;
            record.claims = 0;
            record.handed = 0;
            self.misses = 0;
        }
        self.record = Some(record);
        let written = again.and_then(|again| payload_of(config, &again.request));
        let before = match call {
            Some(Call::Succeed { view, .. }) => Some(view.before),
            _ => None,
        };
        let names = [written.map(|(_, name, _)| name), before];
        let free = !names.contains(&Some(record.data)) && !names.contains(&Some(0));
        if record.data != 0 && free && self.payloads[0].is_none() {
            self.rename_data(record.data);
        }
        let quiet = again.is_none() && self.works.iter().all(Option::is_none);
        let passing = self.payloads.iter().flatten().count() > 1;
        if self.has_ended() && quiet && !asked && !passing && self.sends.iter().all(Option::is_none)
        {
            *self = Self { submission: Submission::Gone, ..Self::NEW };
        }
    }

    /// The current data is called as the input was: nobody else writes under either name.
    fn rename_data(&mut self, old: u8) {
        self.payloads[0] = self.payloads[usize::from(old)].take();
        if let Some(payload) = &mut self.payloads[0] {
            payload.content = 0;
        }
        self.expected = 0;
        if let Some(record) = &mut self.record {
            record.data = 0;
        }
        for work in self.works.iter_mut().flatten().filter(|work| work.view.before == old) {
            work.view.before = 0;
        }
        if let Some((_, _, content)) = &mut self.announced {
            *content = 0;
        }
    }
}

/// Which names are exchanged.
struct Names {
    managers: bool,
    processors: bool,
}

impl Names {
    fn of_manager(&self, manager: &mut u8) {
        *manager ^= u8::from(self.managers);
    }

    fn of_processor(&self, processor: &mut u8) {
        *processor ^= u8::from(self.processors);
    }

    fn of_action(&self, action: &mut Action) {
        if let Submission::Written(manager) = &mut action.submission {
            self.of_manager(manager);
        }
        if self.processors {
            let (one, two) = (place::PENDING, place::PENDING << 1);
            let pending = ((action.places & one) << 1) | ((action.places & two) >> 1);
            action.shift(one | two, pending);
        }
        action.record.iter_mut().for_each(|record| self.of_record(record));
        for work in action.works.iter_mut().flatten() {
            self.of_view(&mut work.view);
            for slot in &mut work.slots {
                if let Slot::Running(Some(manager)) | Slot::Written(manager, _) = slot {
                    self.of_manager(manager);
                }
            }
        }
        action.sends.iter_mut().flatten().for_each(|send| self.of_manager(&mut send.manager));
    }

    fn of_record(&self, record: &mut Record) {
        if record.token != Token::NONE {
            self.of_processor(&mut record.holder);
        }
        record.submitted.iter_mut().for_each(|claim| self.of_claim(claim));
        record.settled.iter_mut().flatten().for_each(|mark| self.of_mark(mark));
        record.lapsed.iter_mut().for_each(|mark| self.of_mark(mark));
    }

    fn of_mark(&self, mark: &mut Mark) {
        self.of_nonce(&mut mark.nonce);
        mark.claim.iter_mut().for_each(|claim| self.of_claim(claim));
    }

    fn of_nonce(&self, nonce: &mut Nonce) {
        if let Nonce::Reaper(manager) | Nonce::Restart(manager) = nonce {
            self.of_manager(manager);
        }
    }

    fn of_claim(&self, claim: &mut Claim) {
        if let Claim::Attempt(processor) = claim {
            self.of_processor(processor);
        }
    }

    fn of_view(&self, view: &mut View) {
        self.of_processor(&mut view.holder);
    }

    fn of_request(&self, request: &mut Request) {
        self.of_manager(&mut request.manager);
        match &mut request.call {
            Call::Submit { hand } => hand.iter_mut().for_each(|p| self.of_processor(p)),
            Call::Claim { processor, .. } => self.of_processor(processor),
            Call::Succeed { view, hand, .. } => {
                self.of_view(view);
                hand.iter_mut().for_each(|p| self.of_processor(p));
            }
            Call::Fail { view, nonce, hand, .. } => {
                self.of_view(view);
                self.of_nonce(nonce);
                hand.iter_mut().for_each(|p| self.of_processor(p));
            }
            Call::HandBack { view, .. } => self.of_view(view),
            Call::Act { look, .. } => {
                look.running.iter_mut().for_each(|view| self.of_view(view));
            }
            Call::ClaimDelivery { .. } | Call::SettleDelivery { .. } => {}
        }
    }
}
