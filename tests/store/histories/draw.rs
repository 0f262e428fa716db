//! Draws the next call: one that could be made as everything stands, or as it once stood.

use std::rc::Rc;

use bytes::Bytes;
use manager_svc::domain::action::{DeliveryStatus, Status};
use manager_svc::domain::{Action, Job, Jobs, OnFailure, TokenHash};
use manager_svc::store::{
    Back, ClaimAsk, DeliveryAsk, DeliveryEnd, Ended, HandOver, IdempotencyKey, NewAction, Output,
};
use rand::Rng as _;
use rand::seq::IndexedRandom as _;

use super::History;
use super::call::{Call, Ground};
use super::oracle::named;
use crate::world::{HOST, LEASE, candidate};

/// The processors: id, name, capacity.
pub(super) const PROCESSORS: [(&str, &str, u32); 3] =
    [("p", "work", 2), ("q", "work", 1), ("r", "more", 2)];
const TARGETS: [&str; 6] = ["work", "work", "more", "p", "q", "r"];
/// How many actions there are at a time.
const MOST: usize = 6;
/// Longer than a history.
const LONG: u64 = 500_000;

impl History<'_> {
    /// The next call that is not a copy.
    pub(super) async fn draw(&mut self) -> Call {
        self.late = self.one_in(5);
        loop {
            let drawn = match self.random.random_range(0..56) {
                0..5 => self.submit(),
                5..14 => self.claim().await,
                14..20 => self.go_on(),
                20..26 => self.retry_or_end(),
                26..28 => self.expire_or_cancel(),
                28..32 => self.give_back().await,
                32 => self.renew(),
                33..36 => self.promote().await,
                36..39 => self.redrive(),
                39 => self.redeliver(),
                40..42 => self.claim_delivery().await,
                42..46 => self.settle_delivery(),
                46 => self.switch().await,
                47 => self.drain().await,
                48..50 => self.register().await,
                50..54 => self.check().await,
                _ => self.forget().await,
            };
            if let Some(call) = drawn {
                return call;
            }
        }
    }

    pub(super) fn one_in(&mut self, many: u32) -> bool {
        self.random.random_ratio(1, many)
    }

    pub(super) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        *of.choose(&mut self.random).unwrap()
    }

    /// An action as it is or, when the call is late, as it once was.
    fn seen(&mut self, like: impl Fn(&Action) -> bool) -> Option<Rc<Action>> {
        let now = self.oracle.records();
        let all: Vec<_> = if self.late { self.past.iter().collect() } else { now.collect() };
        let like: Vec<_> = all.into_iter().filter(|action| like(action)).collect();
        like.choose(&mut self.random).map(|action| Rc::clone(action))
    }

    /// The wish to hand a step over to whoever may serve it.
    fn hand_over(&mut self, target: &str) -> Option<HandOver> {
        let serves = |(id, name, _): &&(&str, &str, u32)| *id == target || *name == target;
        let candidates: Vec<_> =
            PROCESSORS.iter().filter(serves).map(|(id, name, _)| (*id, *name)).collect();
        self.random.random::<bool>().then(|| self.world.hand_over(&candidates))
    }

    fn new_action(&mut self) -> NewAction {
        let targets: Vec<_> =
            (0..self.random.random_range(1..=3)).map(|_| self.pick(&TARGETS)).collect();
        let mut new = if self.random.random() {
            self.world.action(&targets)
        } else {
            self.world.action_to_host(&targets)
        };
        let mut jobs: Vec<Job> = new.action.jobs.iter().cloned().collect();
        for job in &mut jobs {
            job.timeout_ms = self.pick(&[1, LEASE]);
            job.on_failure = self.pick(&[OnFailure::Skip, OnFailure::Fail]);
        }
        new.action.jobs = Jobs::new(jobs).unwrap();
        if self.one_in(10) {
            new.action.expires_in_ms = 1;
        }
        new.delay_ms = self.pick(&[0, 0, 0, 0, 0, 1, 5, LONG]);
        new.data = named(new.nonce());
        new
    }

    fn submit(&mut self) -> Option<Call> {
        let room = MOST.checked_sub(self.oracle.records().count()).filter(|room| *room > 0)?;
        let count = if self.one_in(5) { room.min(2) } else { 1 };
        let new: Vec<_> = (0..count).map(|_| self.new_action()).collect();
        let key = self.one_in(4).then(|| IdempotencyKey {
            key: self.pick(&["k0", "k1", "k2", "k3", "k4", "k5"]).to_owned(),
            body: self.pick(&["body", "body", "other"]).to_owned(),
        });
        let alone = new.len() == 1 && new[0].delay_ms == 0;
        let wish = if alone { self.hand_over(new[0].action.job().target.as_str()) } else { None };
        Some(Call::Submit { new, key, wish })
    }

    async fn claim(&mut self) -> Option<Call> {
        let (id, name, capacity) = self.pick(&PROCESSORS);
        let (now, processor) = (
            self.world.direct.clock().await.unwrap(),
            self.world.direct.processor(id).await.unwrap(),
        );
        let takes = processor.is_some_and(|processor| {
            processor.takes_work(now) && processor.in_flight < capacity.into()
        });
        if !takes && !self.late {
            return None;
        }
        let heads = self.world.direct.heads(&[], &[(id, 3), (name, 3)]).await.unwrap();
        let mut waiting = heads.waiting.concat();
        waiting.sort_by_key(|(seq, _)| *seq);
        waiting.truncate(self.random.random_range(1..=3));
        let actions = waiting.into_iter().map(|(seq, action)| (action, seq, self.world.token()));
        let actions: Vec<_> = actions.collect();
        let ask = ClaimAsk { processor: candidate(id, name), seen_at: heads.seen_at, actions };
        (!ask.actions.is_empty()).then_some(Call::Claim(ask))
    }

    /// The ground on which an attempt ends without success: mostly a good one.
    fn ground(&mut self, at: &Action) -> Ground {
        let short = at.job().timeout_ms < LEASE;
        let lease = if short { self.random.random() } else { self.one_in(10) };
        if lease { Ground::Lease } else { Ground::Token }
    }

    fn delivery_token(&mut self) -> Option<TokenHash> {
        self.random.random::<bool>().then(|| self.world.token().hash())
    }

    fn go_on(&mut self) -> Option<Call> {
        let at = self.seen(|action| action.attempt.is_some())?;
        let skipped = at.job().on_failure == OnFailure::Skip && self.random.random();
        let ground = if skipped { self.ground(&at) } else { Ground::Token };
        let data = !skipped && !self.one_in(4);
        let nonce = self.world.nonce();
        let data: Option<Bytes> = data.then(|| named(&nonce));
        let wish = at.next_job().and_then(|job| self.hand_over(job.target.as_str()));
        let send = self.delivery_token();
        Some(Call::GoOn { at, ground, skipped, output: Output { nonce, data }, wish, send })
    }

    fn retry_or_end(&mut self) -> Option<Call> {
        let at = self.seen(|action| action.attempt.is_some())?;
        let (ground, nonce) = (self.ground(&at), self.world.nonce());
        if self.random.random() {
            let send = self.delivery_token();
            return Some(Call::End { at, ground, nonce, send });
        }
        let backoff = self.pick(&[1, 1, 1, 1, 2, 2, 3, 5, LONG]);
        Some(Call::Retry { at, ground, nonce, backoff })
    }

    fn expire_or_cancel(&mut self) -> Option<Call> {
        let expire = !self.one_in(3);
        let short = !self.one_in(5);
        let live = |action: &Action| matches!(action.status, Status::Queued | Status::Running);
        let at = if expire && short {
            self.seen(|action| live(action) && action.expires_in_ms < 1_000)?
        } else {
            self.seen(live)?
        };
        let ground = if expire { Ground::Deadline } else { Ground::Cancel };
        let (nonce, send) = (self.world.nonce(), self.delivery_token());
        Some(Call::End { at, ground, nonce, send })
    }

    /// Of what a processor that started anew still holds, if there is such a thing; else of anything.
    async fn give_back(&mut self) -> Option<Call> {
        let nonce = self.world.nonce();
        let processors = self.world.direct.processors().await.unwrap();
        let restarted = |action: &Action| {
            action.attempt.as_ref().is_some_and(|running| {
                let holder = processors.iter().find(|one| one.id == running.processor);
                running.started_at < holder.and_then(|one| one.started_at)
            })
        };
        if let Some(at) = self.seen(restarted) {
            return Some(Call::GiveBack { at, nonce, back: Back::Restart });
        }
        let at = self.seen(|action| action.attempt.is_some())?;
        let back = match self.random.random_range(0..8) {
            0 => Back::Busy(None),
            1 => Back::Restart,
            hold => Back::Busy(Some(hold)),
        };
        Some(Call::GiveBack { at, nonce, back })
    }

    fn renew(&mut self) -> Option<Call> {
        let at = self.seen(|action| action.attempt.is_some())?;
        Some(Call::Renew { at, nonce: self.world.nonce() })
    }

    async fn promote(&mut self) -> Option<Call> {
        let (early, look) = (self.one_in(5), self.world.direct.look().await.unwrap());
        let due = look.delayed.into_iter().filter(|(at, _)| early || *at <= look.now);
        let due: Vec<_> = due
            .map(|(_, id)| {
                let target = self.oracle.record(&id).job().target.to_string();
                (id, target)
            })
            .collect();
        (!due.is_empty()).then_some(Call::Promote(due))
    }

    fn redrive(&mut self) -> Option<Call> {
        let at = self.seen(|action| action.status == Status::Failed)?;
        Some(Call::Redrive { at, nonce: self.world.nonce() })
    }

    fn redeliver(&mut self) -> Option<Call> {
        let settled = [DeliveryStatus::Delivered, DeliveryStatus::Exhausted];
        let at = self.seen(|action| settled.contains(&action.delivery.status))?;
        Some(Call::Redeliver { at, nonce: self.world.nonce() })
    }

    async fn claim_delivery(&mut self) -> Option<Call> {
        let most = self.random.random_range(1..=2);
        let queue = self.world.direct.deliveries(&[HOST], most).await.unwrap().remove(0);
        let asked = queue.into_iter().map(|(due, id)| (id, due, self.world.token().hash()));
        let ask = DeliveryAsk { host: HOST.to_owned(), actions: asked.collect(), not_before: 0 };
        let lease = self.pick(&[1, 5, 30_000]);
        (!ask.actions.is_empty()).then_some(Call::ClaimDeliveries { ask, lease })
    }

    fn settle_delivery(&mut self) -> Option<Call> {
        let index = self.random.random_range(0..self.sends.len().max(1));
        let (at, token) = self.sends.get(index)?.clone();
        if !self.one_in(4) {
            self.sends.remove(index);
        }
        let end = match self.random.random_range(0..6) {
            0 | 1 => DeliveryEnd::Exhausted("410".to_owned()),
            2 => DeliveryEnd::Again(self.pick(&[1, 2, 3, LONG]), "503".to_owned()),
            _ => DeliveryEnd::Delivered,
        };
        Some(Call::SettleDelivery { at, token, end })
    }

    async fn forget(&mut self) -> Option<Call> {
        let index = self.pick(&[Ended::Done, Ended::Failed]);
        let (_, [done, failed]) = self.world.direct.oldest_ended([0, 0], 100).await.unwrap();
        let mut oldest = if index == Ended::Done { done.first } else { failed.first };
        oldest.truncate(self.random.random_range(1..=3));
        if oldest.is_empty() {
            return None;
        }
        let ids: Vec<_> = oldest.iter().map(|(_, id)| id.clone()).collect();
        let remains = self.world.direct.remains(&ids).await.unwrap();
        let seen = oldest.into_iter().zip(remains).map(|((at, id), of)| (at, id, of));
        let seen: Vec<_> = seen.collect();
        Some(Call::Forget { index, seen })
    }
}
