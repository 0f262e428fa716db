//! A call of the store with all its arguments, so that it can be sent again exactly as it was.

use std::fmt;
use std::rc::Rc;

use manager_svc::domain::action::Status;
use manager_svc::domain::{Action, ActionId, Nonce, TokenHash};
use manager_svc::store::{
    Back, ClaimAsk, DeliveryAsk, DeliveryEnd, Drained, Ended, Found, HandOver, IdempotencyKey,
    NewAction, Output, Processor, Registered, Registration, Remains, Settled, StepEnd, Submitted,
    Switch, Switched, Why,
};

use crate::outcomes::failure;
use crate::world::{PLENTY, World, ending};

/// How often a check is due, in milliseconds.
pub(super) const INTERVAL: u64 = 10_000;
/// How long what has ended is kept, in milliseconds.
const RETENTION: u64 = 1_000_000;

/// On what ground something ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ground {
    Token,
    Lease,
    Deadline,
    Cancel,
}

/// One call. `at` is the action as the caller saw it; its attempt's token is the one that settles.
pub(super) enum Call {
    Submit {
        new: Vec<NewAction>,
        key: Option<IdempotencyKey>,
        wish: Option<HandOver>,
    },
    Claim(ClaimAsk),
    /// A step that succeeded, or is skipped: `advance` or, after the last one, `finish`.
    GoOn {
        at: Rc<Action>,
        ground: Ground,
        skipped: bool,
        output: Output,
        wish: Option<HandOver>,
        send: Option<TokenHash>,
    },
    Retry {
        at: Rc<Action>,
        ground: Ground,
        nonce: Nonce,
        backoff: u64,
    },
    End {
        at: Rc<Action>,
        ground: Ground,
        nonce: Nonce,
        send: Option<TokenHash>,
    },
    GiveBack {
        at: Rc<Action>,
        nonce: Nonce,
        back: Back,
    },
    Renew {
        at: Rc<Action>,
        nonce: Nonce,
    },
    Promote(Vec<(ActionId, String)>),
    Redrive {
        at: Rc<Action>,
        nonce: Nonce,
    },
    Redeliver {
        at: Rc<Action>,
        nonce: Nonce,
    },
    ClaimDeliveries {
        ask: DeliveryAsk,
        lease: u64,
    },
    SettleDelivery {
        at: Rc<Action>,
        token: TokenHash,
        end: DeliveryEnd,
    },
    Switch {
        id: &'static str,
        seen: u64,
        nonce: Nonce,
        wanted: Switch,
    },
    Drain {
        id: &'static str,
        name: String,
        epoch: Option<u64>,
    },
    Register {
        registration: Box<Registration>,
        nonce: Nonce,
    },
    Check {
        processor: Box<Processor>,
        nonce: Nonce,
        found: Found,
    },
    Forget {
        index: Ended,
        seen: Vec<(u64, ActionId, Remains)>,
    },
}

/// What a call was answered.
#[derive(Debug, Clone, Default)]
pub(super) struct Answer {
    /// Whether it was done, now or when it was first sent.
    pub(super) accepted: bool,
    /// The answer without what was claimed.
    pub(super) text: String,
    /// The actions whose next attempt or delivery it claimed.
    pub(super) claimed: Vec<ActionId>,
    /// The tokens of the deliveries that it claimed.
    pub(super) sends: Vec<(ActionId, TokenHash)>,
}

impl Answer {
    fn new(accepted: bool, text: impl fmt::Debug) -> Self {
        Self { accepted, text: format!("{text:?}"), ..Self::default() }
    }

    /// A claim that brought nothing was refused.
    fn if_any(self) -> Self {
        Self { accepted: !self.claimed.is_empty(), ..self }
    }

    fn settled<T: fmt::Debug>(answer: &Settled<T>) -> Self {
        Self::new(matches!(answer, Settled::Accepted(_)), answer)
    }
}

impl Ground {
    fn why(self, at: &Action) -> Why<'_> {
        let token = || &at.attempt.as_ref().unwrap().token;
        match self {
            Self::Token => Why::Token(token()),
            Self::Lease => Why::Lease(token()),
            Self::Deadline => Why::Deadline,
            Self::Cancel => Why::Cancel,
        }
    }
}

impl Call {
    /// Sends it, for the first time or again.
    pub(super) async fn send(&self, world: &World) -> Answer {
        let (store, failed) = (&world.store, failure());
        match self {
            Self::Submit { new, key, wish } => {
                let submit = store.submit(new, key.as_ref(), PLENTY, wish.as_ref());
                match submit.await.unwrap() {
                    Submitted::Accepted { now, claim } => {
                        let claimed = claim.map(|_| new[0].action.id.clone());
                        Answer { claimed: claimed.into_iter().collect(), ..Answer::new(true, now) }
                    }
                    refused => Answer::new(false, refused),
                }
            }
            Self::Claim(ask) => {
                let claims = store.claim_attempts(std::slice::from_ref(ask)).await.unwrap();
                assert!(claims.bare.is_empty(), "claimed without data: {:?}", claims.bare);
                let claimed: Vec<_> = claims.whole.into_iter().map(|one| one.action.id).collect();
                Answer { claimed, ..Answer::new(true, "") }.if_any()
            }
            Self::GoOn { .. } => self.go_on(world).await,
            Self::Retry { at, ground, nonce, backoff } => {
                let retry = store.retry(at, ground.why(at), nonce, *backoff, &failed);
                Answer::settled(&retry.await.unwrap())
            }
            Self::End { at, ground, nonce, send } => {
                let ending = ending(send.as_ref());
                let ended = store.end(at, ground.why(at), nonce, &failed, ending);
                of_outcome(ended.await.unwrap().map(|end| (end.now, end.claimed)), at, send)
            }
            Self::GiveBack { at, nonce, back } => {
                let token = &at.attempt.as_ref().unwrap().token;
                let given = store.give_back(at, token, nonce, *back, &failed);
                Answer::settled(&given.await.unwrap())
            }
            Self::Renew { at, nonce } => {
                let token = &at.attempt.as_ref().unwrap().token;
                Answer::settled(&store.renew(at, token, nonce).await.unwrap())
            }
            Self::Promote(due) => {
                store.promote(due).await.unwrap();
                Answer::new(true, "")
            }
            Self::Redrive { at, nonce } => {
                Answer::settled(&store.redrive(at, nonce).await.unwrap())
            }
            Self::Redeliver { at, nonce } => {
                Answer::settled(&store.redeliver(at, nonce).await.unwrap())
            }
            Self::ClaimDeliveries { ask, lease } => {
                let claims = store.claim_deliveries(std::slice::from_ref(ask), *lease);
                let claims = claims.await.unwrap();
                assert!(claims.bare.is_empty(), "claimed without data: {:?}", claims.bare);
                let sends = claims.whole.into_iter().map(|one| (one.action.id, one.token));
                let sends: Vec<_> = sends.collect();
                let claimed = sends.iter().map(|(id, _)| id.clone()).collect();
                Answer { claimed, sends, ..Answer::new(true, "") }.if_any()
            }
            Self::SettleDelivery { at, token, end } => {
                let receiver = at.receiver.as_ref().unwrap();
                let settled = store.settle_delivery(at, receiver, token, end, RETENTION);
                let settled = settled.await.unwrap();
                Answer::new(settled, settled)
            }
            Self::Switch { .. }
            | Self::Drain { .. }
            | Self::Register { .. }
            | Self::Check { .. } => self.of_processor(world).await,
            Self::Forget { index, seen } => {
                store.forget(*index, seen).await.unwrap();
                Answer::new(true, "")
            }
        }
    }

    async fn go_on(&self, world: &World) -> Answer {
        let Self::GoOn { at, ground, skipped, output, wish, send } = self else { unreachable!() };
        let failure = failure();
        let end = StepEnd { why: ground.why(at), output, skipped: skipped.then_some(&failure) };
        if at.next_job().is_some() {
            let answer = world.store.advance(at, end, wish.as_ref()).await.unwrap();
            let claim = match &answer {
                Settled::Accepted(advanced) => advanced.claim.clone(),
                _ => None,
            };
            let claimed = claim.map(|_| at.id.clone()).into_iter().collect();
            return Answer { claimed, ..Answer::settled(&answer.map(|advanced| advanced.now)) };
        }
        let partial = *skipped || at.has_skipped();
        let outcome = if partial { Status::Partial } else { Status::Succeeded };
        let answer = world.store.finish(at, end, outcome, ending(send.as_ref())).await.unwrap();
        of_outcome(answer.map(|end| (end.now, end.claimed)), at, send)
    }

    async fn of_processor(&self, world: &World) -> Answer {
        let store = &world.store;
        match self {
            Self::Switch { id, seen, nonce, wanted } => {
                match store.switch(id, *seen, nonce, *wanted).await.unwrap() {
                    Switched::Now(status, _) => Answer::new(true, status),
                    refused => Answer::new(false, refused),
                }
            }
            Self::Drain { id, name, epoch } => {
                let drained = store.drain_named(id, name, *epoch).await.unwrap();
                Answer::new(matches!(drained, Drained::Draining(_) | Drained::Gone), drained)
            }
            Self::Register { registration, nonce } => {
                let answer = store.register(registration, nonce, INTERVAL).await.unwrap();
                let accepted = matches!(answer, Registered::Added(_) | Registered::Renewed(_));
                Answer::new(accepted, answer)
            }
            Self::Check { processor, nonce, found } => {
                let record = store.record_check(processor, nonce, *found, 2, INTERVAL);
                record.await.unwrap();
                Answer::new(true, "")
            }
            _ => unreachable!(),
        }
    }
}

/// What an end was answered, with whether `send` claimed the delivery.
fn of_outcome(answer: Settled<(u64, bool)>, at: &Action, send: &Option<TokenHash>) -> Answer {
    let claims = matches!(answer, Settled::Accepted((_, true)));
    let sends = send.iter().filter(|_| claims).map(|token| (at.id.clone(), token.clone()));
    let sends: Vec<_> = sends.collect();
    let claimed = sends.iter().map(|(id, _)| id.clone()).collect();
    Answer { claimed, sends, ..Answer::settled(&answer.map(|(now, _)| now)) }
}
