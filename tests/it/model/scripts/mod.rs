//! The Redis scripts: each runs whole, checks everything, then writes.

mod asked;
mod claim;
mod deliver;
mod fence;
mod hand_back;
mod processors;
mod settle;
mod submit;

use crate::calls::{Answer, Call, Request};
use crate::guards::{Config, Guards};
use crate::state::{Claim, Payload, REPORTS, State, Token, View};

/// Where a claim is to go, and under which token.
#[derive(Clone, Copy)]
struct Wish {
    processor: Option<u8>,
    token: Token,
    deliver: bool,
}

impl State {
    /// Runs one script.
    pub(crate) fn run(&mut self, config: &Config, request: &Request) -> Answer {
        let guards = &config.guards;
        let a = request.action;
        match request.call {
            Call::Submit { hand } => self.submit(guards, a, hand),
            Call::Claim { processor, token } => self.claim_attempt(guards, a, processor, token),
            Call::Succeed { view, report, name, hand, token, deliver } => {
                let wish = Wish { processor: hand, token, deliver };
                self.succeed(config, a, &view, report, name, wish)
            }
            Call::Fail { view, nonce, last, hand, deliver } => {
                let wish = Wish { processor: hand, token: Token::of(view.step + 1, 1), deliver };
                self.fail(config, a, &view, nonce, last, wish)
            }
            Call::HandBack { view, back } => {
                self.hand_back(guards, a, &view, back, request.manager)
            }
            Call::Act { look, deliver } => self.act(config, &look, deliver),
            Call::ClaimDelivery { token } => self.claim_delivery(guards, a, token),
            Call::SettleDelivery { token, end } => self.settle_delivery(guards, a, token, end),
        }
    }

    /// `SET … NX PX`, in the pipeline before a transition.
    pub(crate) fn write(&mut self, guards: &Guards, action: u8, name: u8, content: u8) {
        let payload = &mut self.action(action).payloads[usize::from(name)];
        if payload.is_none() || !guards.absent {
            *payload = Some(Payload { content, ttl: true });
        }
    }

    pub(crate) fn unlink(&mut self, action: u8, name: u8) {
        self.action(action).payloads[usize::from(name)] = None;
    }

    /// Whether a script finds the payload it was handed.
    pub(crate) fn has_payload(&self, action: u8, name: u8) -> bool {
        self.actions[usize::from(action)].payloads[usize::from(name)].is_some()
    }

    pub(crate) fn persist(&mut self, action: u8, name: u8) {
        if let Some(payload) = &mut self.action(action).payloads[usize::from(name)] {
            payload.ttl = false;
        }
    }
}

/// The name under which a report writes its payload, and what is in it.
pub(crate) fn output(guards: &Guards, view: &View, report: u8) -> (u8, u8) {
    let dispatch = u8::try_from(view.token.index() * REPORTS).unwrap_or(u8::MAX);
    let content = 1 + dispatch + report;
    (if guards.names { content } else { 1 + view.step }, content)
}

/// The answer to a hand-over that was sent again: the claim it made, while that claim still stands.
fn standing(claim: Option<Claim>, current: Token, wanted: Token) -> Option<Claim> {
    claim.filter(|_| current == wanted)
}
