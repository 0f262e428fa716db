//! What a script that runs again may answer.

use crate::calls::{Answer, Call, Request};
use crate::state::{Claim, Nonce, State, Token};

impl State {
    /// The same answer as the first time; but a claim only while it stands, and no memory of an attempt
    /// after a later one of its step was settled.
    pub(crate) fn is_same(&self, request: &Request, first: Answer, second: Answer) -> bool {
        let Some(r) = self.actions[usize::from(request.action)].record else {
            return first == second;
        };
        match (request.call, first, second) {
            // What changed nothing the first time may be made the second time.
            (_, Answer::Nothing | Answer::Missing, _) => true,
            // A refusal stays one.
            (_, Answer::Stale | Answer::Duplicate, Answer::Stale | Answer::Duplicate) => true,
            // But a lease that ran may be over now, and a processor may have started again.
            (
                Call::Fail { nonce: Nonce::Reaper(_), .. } | Call::HandBack { .. },
                Answer::Stale,
                _,
            ) => true,
            (Call::Claim { token, .. }, _, Answer::Nothing) => r.token != token,
            (Call::ClaimDelivery { token }, _, Answer::Nothing) => r.d_token != token,
            (Call::Submit { .. }, Answer::Done(Some(_)), Answer::Done(None)) => {
                r.token != Token::of(0, 1)
            }
            (
                Call::Succeed { view, .. } | Call::Fail { view, .. },
                Answer::Done(Some(Claim::Attempt(_))),
                Answer::Done(None),
            ) => r.token != Token::of(view.step + 1, 1),
            (_, Answer::Done(Some(Claim::Delivery(token))), Answer::Done(None)) => {
                r.d_token != token
            }
            // A request is remembered until the next of its kind.
            (Call::Act { look, .. }, _, Answer::Stale) => {
                let kept = r.asked(look.ask);
                first == second
                    || kept.is_none_or(|mark| mark.nonce != Nonce::Ask(look.ask, look.nonce))
            }
            (
                Call::Succeed { view, .. } | Call::Fail { view, .. } | Call::HandBack { view, .. },
                _,
                Answer::Stale,
            ) => {
                let kept = [r.settled[usize::from(view.step)], r.lapsed];
                first == second || kept.iter().flatten().all(|mark| mark.token != view.token)
            }
            (Call::SettleDelivery { token, .. }, _, Answer::Stale) => {
                first == second || r.d_settled != token
            }
            _ => first == second,
        }
    }
}
