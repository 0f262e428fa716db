//! What managers, processors and receivers do with the answers they get.

use crate::calls::{Again, Answer, Ask, Back, Call, Look, Request};
use crate::event::{Event, Fate, end_of, payload_of};
use crate::guards::Config;
use crate::properties::Wrong;
use crate::scripts::output;
use crate::state::{Claim, Lease, Nonce, REPORTS, Send, Slot, State, Submission, Via, View, Work};

impl State {
    pub(crate) fn happen(&mut self, config: &Config, event: Event) {
        let guards = &config.guards;
        match event {
            Event::WriteInput { action, manager, lost } => {
                self.action(action).submission = Submission::Written(manager);
                self.left.lost_writes -= u8::from(lost);
                if !lost {
                    self.write(guards, action, 0, 0);
                }
            }
            Event::WriteOutput { action, dispatch, report, manager, via, lost } => {
                self.left.lost_writes -= u8::from(lost);
                let Some(work) = self.action(action).works[dispatch] else { return };
                if self.known(config, action, &work, via).is_none() {
                    // The record refuses a stranger before a payload is sent.
                    self.set_slot(action, &work.view, usize::from(report), Slot::Idle);
                    return;
                }
                self.set_slot(action, &work.view, usize::from(report), Slot::Written(manager, via));
                let (name, content) = output(guards, &work.view, report);
                if !lost {
                    self.write(guards, action, name, content);
                }
            }
            Event::Script { request, fate } => {
                if config.whole {
                    self.write_payload(config, &request);
                }
                let first = self.run(config, &request);
                match fate {
                    Fate::Answered => self.follow(&request, first),
                    Fate::Lost => self.await_answer(&request),
                    Fate::LateCopy => self.follow(&request, first),
                }
                // A claim that took nothing is asked for anew, not again.
                if fate != Fate::Answered && first != Answer::Nothing {
                    self.left.resends -= 1;
                    let read = fate == Fate::LateCopy;
                    self.again = Some(Again { request, first, read, written: false });
                }
            }
            Event::WriteAgain => {
                let Some(mut again) = self.again else { return };
                again.written = true;
                self.again = Some(again);
                self.write_payload(config, &again.request);
            }
            Event::ScriptAgain => {
                let Some(again) = self.again.take() else { return };
                if config.whole {
                    self.write_payload(config, &again.request);
                }
                let second = self.run(config, &again.request);
                if !self.is_same(&again.request, again.first, second) {
                    self.note(Wrong::AnswerChanged);
                }
                if !again.read {
                    self.follow(&again.request, second);
                }
            }
            Event::Promote { action } => self.promote(action),
            Event::Renew { action } => {
                self.left.renewals -= 1;
                self.action(action).lease = Lease::RunsAgain;
            }
            Event::Echo { action, dispatch } => {
                self.left.echoes -= 1;
                if let Some(work) = &mut self.action(action).works[dispatch] {
                    work.slots[1] = Slot::Running(None);
                }
            }
            Event::Answer { action, send, received } => self.post(action, send, received),
            Event::LeaseEnds { action } => {
                let alive = self.actions[usize::from(action)]
                    .view()
                    .is_some_and(|view| self.is_alive(action, &view));
                self.left.late -= u8::from(alive);
                self.action(action).lease = Lease::Over;
            }
            Event::SendLeaseEnds { action } => {
                self.left.late -= u8::from(self.is_sending(action));
                self.action(action).due = true;
            }
            Event::PayloadExpires { action, name } => self.unlink(action, name),
            Event::Look { action, ask } => self.look(action, ask),
            Event::Switch { processor, pause, seen } => {
                self.switch(guards, processor, pause, seen);
            }
            Event::Drain { processor, epoch } => self.drain(guards, processor, epoch),
            Event::Register { processor } => self.register(guards, processor),
            Event::Restart { processor, registers, lost } => {
                self.restart(processor, lost);
                if registers {
                    self.register(guards, processor);
                } else {
                    self.see_start(processor);
                }
            }
            Event::Check { processor, old } => self.see_known_start(guards, processor, old),
            Event::Crash { manager, calls_survive } => self.crash(manager, calls_survive),
        }
    }

    fn look(&mut self, action: u8, ask: Ask) {
        let nonce = self.left.take(ask);
        let entry = &self.actions[usize::from(action)];
        let run = entry.record.map_or(0, |record| record.run);
        let running = entry.view();
        if let Some(free) = self.looks.iter_mut().find(|look| look.is_none()) {
            *free = Some(Look { action, ask, nonce, run, running, fresh: true });
        }
    }

    /// It acted on what it saw.
    fn look_away(&mut self, look: &Look) {
        for one in &mut self.looks {
            *one = one.filter(|one| !one.is(look));
        }
    }

    fn write_payload(&mut self, config: &Config, request: &Request) {
        if let Some((action, name, content)) = payload_of(config, request) {
            self.write(&config.guards, action, name, content);
        }
    }

    /// The sender of a script acts on its answer.
    fn follow(&mut self, request: &Request, answer: Answer) {
        let (a, m) = (request.action, request.manager);
        match request.call {
            Call::Submit { .. } => {
                let refused = answer == Answer::Missing;
                self.action(a).submission =
                    if refused { Submission::New } else { Submission::Sent };
            }
            Call::Succeed { view, report, .. } => {
                let slot = usize::from(report);
                let written = self.action(a).works[view.token.index()].map(|w| w.slots[slot]);
                let next = match (answer, written) {
                    // It cost no attempt: the pipeline is sent again while the lease runs.
                    (Answer::Missing, Some(Slot::Written(m, Via::Reply))) => Slot::Running(Some(m)),
                    (Answer::Missing, _) => Slot::Running(None),
                    _ => Slot::Idle,
                };
                self.set_slot(a, &view, slot, next);
            }
            Call::Fail { view, nonce: Nonce::Report(report), .. }
            | Call::HandBack { view, back: Back::Busy(report) } => {
                self.set_slot(a, &view, usize::from(report), Slot::Idle);
            }
            Call::Act { look, .. } => self.look_away(&look),
            Call::SettleDelivery { token, .. } => {
                self.action(a).sends[usize::from(token) - 1] = None;
            }
            Call::Fail { .. }
            | Call::HandBack { .. }
            | Call::Claim { .. }
            | Call::ClaimDelivery { .. } => {}
        }
        let Answer::Done(Some(claim)) = answer else { return };
        let entry = self.action(a);
        match claim {
            Claim::Attempt(_) => {
                if let Some(view) = entry.view() {
                    let mut slots = [Slot::Idle; REPORTS];
                    slots[0] = Slot::Running(Some(m));
                    entry.works[view.token.index()] = Some(Work { view, slots });
                }
            }
            Claim::Delivery(_) => self.begin_send(a, m),
        }
    }

    /// The reply is lost: nothing more is done for the request until it was sent again.
    fn await_answer(&mut self, request: &Request) {
        match request.call {
            Call::Submit { .. } => self.action(request.action).submission = Submission::Sent,
            Call::Succeed { view, report, .. }
            | Call::Fail { view, nonce: Nonce::Report(report), .. }
            | Call::HandBack { view, back: Back::Busy(report) } => {
                self.set_slot(request.action, &view, usize::from(report), Slot::Idle);
            }
            Call::Act { look, .. } => self.look_away(&look),
            Call::SettleDelivery { token, .. } => {
                self.action(request.action).sends[usize::from(token) - 1] = None;
            }
            Call::Fail { .. }
            | Call::HandBack { .. }
            | Call::Claim { .. }
            | Call::ClaimDelivery { .. } => {}
        }
    }

    pub(crate) fn set_slot(&mut self, action: u8, view: &View, slot: usize, to: Slot) {
        let work = &mut self.action(action).works[view.token.index()];
        let mut next = work.unwrap_or(Work { view: *view, slots: [Slot::Idle; REPORTS] });
        next.slots[slot] = to;
        *work = (next.slots != [Slot::Idle; REPORTS]).then_some(next);
    }

    /// A manager has an outcome to send: what it sends is what the record says now.
    fn begin_send(&mut self, action: u8, manager: u8) {
        let entry = self.action(action);
        let Some(r) = entry.record.filter(|r| r.d_token > 0) else { return };
        let send = Send { manager, tries: r.d_tries, end: None };
        entry.sends[usize::from(r.d_token) - 1] = Some(send);
        let content = entry.payloads[usize::from(r.data)].map_or(u8::MAX, |p| p.content);
        if Some((r.run, r.status, content)) != entry.announced {
            self.note(Wrong::OtherWebhook);
        }
    }

    /// The receiver answers.
    fn post(&mut self, action: u8, send: usize, received: bool) {
        if let Some(sent) = &mut self.action(action).sends[send] {
            sent.end = Some(end_of(sent.tries, received));
        }
    }
}
