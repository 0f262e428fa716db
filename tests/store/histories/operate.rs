//! Draws what operators and processors do.

use manager_svc::store::{Checked, Found, ProcessorStatus, Switch};

use super::History;
use super::call::Call;
use super::draw::PROCESSORS;
use crate::world::registration;

impl History<'_> {
    /// Pauses or resumes one: mostly what makes a difference.
    pub(super) async fn switch(&mut self) -> Option<Call> {
        let (id, ..) = self.pick(&PROCESSORS);
        let seen = self.world.direct.seen(id).await.unwrap();
        let paused = seen.processor.is_some_and(|one| one.status == ProcessorStatus::Paused);
        let switched = if self.one_in(8) { seen.switched.saturating_sub(1) } else { seen.switched };
        let wanted = if paused != self.one_in(8) { Switch::Resume } else { Switch::Pause };
        Some(Call::Switch { id, seen: switched, nonce: self.world.nonce(), wanted })
    }

    pub(super) async fn drain(&mut self) -> Option<Call> {
        let (id, ..) = self.pick(&PROCESSORS);
        let seen = self.world.direct.seen(id).await.unwrap();
        let epoch =
            self.pick(&[None, Some(seen.epoch), Some(seen.epoch), Some(seen.epoch.max(1) - 1)]);
        Some(Call::Drain { id, name: seen.name, epoch })
    }

    /// When a processor started: now and then anew, by a clock that only grows.
    fn boot(&mut self, id: &'static str) -> u64 {
        let anew = self.one_in(2);
        let next = self.boots.values().max().unwrap_or(&0) + 1;
        let boot = self.boots.entry(id).or_insert(1);
        if anew {
            *boot = next;
        }
        *boot
    }

    /// Registers one that leaves or has gone, or now and then one that stays.
    pub(super) async fn register(&mut self) -> Option<Call> {
        let (id, name, capacity) = self.pick(&PROCESSORS);
        let seen = self.world.direct.seen(id).await.unwrap();
        let stays = seen.processor.is_some_and(|one| one.status != ProcessorStatus::Draining);
        if stays && !self.one_in(8) {
            return None;
        }
        let epoch = if self.one_in(8) { seen.epoch + 1 } else { seen.epoch };
        let mut new = registration(id, name, capacity);
        new.seen = Some((epoch, seen.name));
        new.started_at = Some(self.boot(id));
        Some(Call::Register { registration: Box::new(new), nonce: self.world.nonce() })
    }

    /// Checks one that does not answer or has something in flight, so that an earlier start may hold it; or any.
    pub(super) async fn check(&mut self) -> Option<Call> {
        let (id, ..) = self.pick(&PROCESSORS);
        let processor = Box::new(self.world.direct.processor(id).await.unwrap()?);
        let unhealthy = processor.status == ProcessorStatus::Unhealthy;
        if processor.in_flight == 0 && !unhealthy && !self.one_in(8) {
            return None;
        }
        let started_at = Some(self.boot(id));
        let answer = Found::Answer(Checked { started_at, usage: None });
        let found = self.pick(&[answer, answer, answer, Found::Miss, Found::Nothing]);
        Some(Call::Check { processor, nonce: self.world.nonce(), found })
    }
}
