//! What managers, processors and receivers do with the answers they get, and how they fail.

use crate::event::{Event, Fate, end_of, payload_of};
use crate::guards::Config;
use crate::properties::Wrong;
use crate::scripts::output;
use crate::state::{
    Again, Answer, Call, Claim, Lease, Look, Nonce, REPORTS, Request, Send, Slot, State,
    Submission, Token, Via, View, Work,
};

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
            Event::LookAtDeadline { action } => {
                self.left.deadlines -= 1;
                let entry = &self.actions[usize::from(action)];
                let running = entry.view();
                self.look = Some(Look { action, running, fresh: true });
            }
            Event::Crash { manager, calls_survive } => self.crash(manager, calls_survive),
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
            Call::Fail { view, nonce: Nonce::Report(report), .. } => {
                self.set_slot(a, &view, usize::from(report), Slot::Idle);
            }
            Call::Deadline { .. } => self.look = None,
            Call::SettleDelivery { token, .. } => {
                self.action(a).sends[usize::from(token) - 1] = None;
            }
            Call::Fail { .. } | Call::Claim { .. } | Call::ClaimDelivery { .. } => {}
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
            Claim::Delivery => {
                if let Some(r) = entry.record.filter(|r| r.d_token > 0) {
                    let send = Send { manager: m, run: r.run, end: None };
                    entry.sends[usize::from(r.d_token) - 1] = Some(send);
                }
            }
        }
    }

    /// The reply is lost: nothing more is done for the request until it was sent again.
    fn await_answer(&mut self, request: &Request) {
        match request.call {
            Call::Submit { .. } => self.action(request.action).submission = Submission::Sent,
            Call::Succeed { view, report, .. }
            | Call::Fail { view, nonce: Nonce::Report(report), .. } => {
                self.set_slot(request.action, &view, usize::from(report), Slot::Idle);
            }
            Call::Deadline { .. } => self.look = None,
            Call::SettleDelivery { token, .. } => {
                self.action(request.action).sends[usize::from(token) - 1] = None;
            }
            Call::Fail { .. } | Call::Claim { .. } | Call::ClaimDelivery { .. } => {}
        }
    }

    fn set_slot(&mut self, action: u8, view: &View, slot: usize, to: Slot) {
        let work = &mut self.action(action).works[view.token.index()];
        let mut next = work.unwrap_or(Work { view: *view, slots: [Slot::Idle; REPORTS] });
        next.slots[slot] = to;
        *work = (next.slots != [Slot::Idle; REPORTS]).then_some(next);
    }

    /// The same answer as the first time; but a claim only while it stands, and no memory of an attempt
    /// after a later one of its step was settled.
    fn is_same(&self, request: &Request, first: Answer, second: Answer) -> bool {
        let Some(r) = self.actions[usize::from(request.action)].record else {
            return first == second;
        };
        match (request.call, first, second) {
            // What changed nothing the first time may be made the second time.
            (_, Answer::Nothing | Answer::Missing, _) => true,
            // A refusal stays one.
            (_, Answer::Stale | Answer::Duplicate, Answer::Stale | Answer::Duplicate) => true,
            // But a lease that ran may be over now.
            (Call::Fail { nonce: Nonce::Reaper(_), .. }, Answer::Stale, _) => true,
            (Call::Claim { token, .. }, _, Answer::Nothing) => r.token != token,
            (Call::ClaimDelivery { token }, _, Answer::Nothing) => r.d_token != token,
            (Call::Submit { .. }, Answer::Done(Some(_)), Answer::Done(None)) => {
                r.token != Token::of(0, 1)
            }
            (
                Call::Succeed { token, .. },
                Answer::Done(Some(Claim::Attempt(_))),
                Answer::Done(None),
            ) => r.token != token,
            (_, Answer::Done(Some(Claim::Delivery)), Answer::Done(None)) => r.d_token != 1,
            (Call::Succeed { view, .. } | Call::Fail { view, .. }, _, Answer::Stale) => {
                let kept = [r.settled[usize::from(view.step)], r.lapsed];
                first == second || kept.iter().flatten().all(|mark| mark.token != view.token)
            }
            (Call::SettleDelivery { token, .. }, _, Answer::Stale) => {
                first == second || r.d_settled != token
            }
            _ => first == second,
        }
    }

    /// The receiver gets a webhook.
    fn post(&mut self, action: u8, send: usize, received: bool) {
        let entry = self.action(action);
        let Some(sent) = &mut entry.sends[send] else { return };
        sent.end = Some(end_of(send, received));
        let says = entry.record.map(|r| {
            (sent.run, r.status, entry.payloads[usize::from(r.data)].map_or(u8::MAX, |p| p.content))
        });
        if says != entry.announced {
            self.note(Wrong::OtherWebhook);
        }
    }

    /// A manager dies. What it held in memory is gone; what it sent has run or will never run.
    fn crash(&mut self, manager: u8, calls_survive: bool) {
        self.left.crashes -= 1;
        self.up[usize::from(manager)] = false;
        for action in &mut self.actions {
            if action.submission == Submission::Written(manager) {
                action.submission = Submission::Gone;
            }
            for work in &mut action.works {
                if let Some(mut left) = *work {
                    left.abandon(manager, calls_survive);
                    *work = (left.slots != [Slot::Idle; REPORTS]).then_some(left);
                }
            }
            for send in &mut action.sends {
                *send = send.filter(|send| send.manager != manager);
            }
        }
        if let Some(again) = self.again.filter(|a| !a.read && a.request.manager == manager) {
            self.again = None;
            let entry = self.action(again.request.action);
            if entry.record.is_none() {
                entry.submission = Submission::Gone;
            }
            let report = match again.request.call {
                Call::Succeed { view, .. } | Call::Fail { view, nonce: Nonce::Report(_), .. } => {
                    Some(view)
                }
                _ => None,
            };
            if let Some(view) = report.filter(|_| calls_survive) {
                self.set_slot(again.request.action, &view, REPORTS - 1, Slot::Running(None));
            }
        }
    }
}

impl Work {
    /// The manager is gone: a processor that saw its call go reports again elsewhere, with a new nonce
    /// when the manager had the result already.
    fn abandon(&mut self, manager: u8, calls_survive: bool) {
        for report in 0..REPORTS {
            match self.slots[report] {
                Slot::Running(Some(by)) if by == manager => {
                    self.slots[report] =
                        if calls_survive { Slot::Running(None) } else { Slot::Idle };
                }
                Slot::Written(by, _) if by == manager => {
                    self.slots[report] = Slot::Idle;
                    if calls_survive {
                        self.slots[REPORTS - 1] = Slot::Running(None);
                    }
                }
                Slot::Idle | Slot::Running(_) | Slot::Written(..) => {}
            }
        }
    }
}
