//! One tick, from the take of its key to its end: `tick/linger.rs`, step by step.

use super::config::Config;
use super::event::Event;
use super::properties::Wrong;
use super::state::{HANDOFFS, Key, Phase, Place, State, Tick};

impl State {
    pub(super) fn go_on(&mut self, config: &Config, index: usize, event: Event) {
        let Some(mut tick) = self.ticks[index] else { return };
        let guards = &config.guards;
        match event {
            Event::Take { .. } => {
                tick.phase =
                    if self.take(config, index) { Phase::Lingering } else { Phase::Looking };
            }
            Event::Round { fresh, .. } => {
                tick.knows |= fresh && self.served;
                let claimable = self.run(config, index, &tick, !tick.spent);
                if !claimable && !self.has_calls(index) {
                    tick.phase = Self::ending(config);
                }
            }
            Event::TimeIsUp { spent, .. } => {
                self.left.ends -= 1;
                tick.spent = spent;
                tick.phase = Self::ending(config);
            }
            Event::RenewInVain { .. } => tick.phase = Self::ending(config),
            Event::Release { .. } => {
                if !guards.release_compares || self.key == Key::Held(index) {
                    self.free_from(Some(index));
                }
                tick.phase = Phase::Looking;
                if !guards.deletes_first {
                    return self.rest(index, tick);
                }
            }
            Event::Look { .. } => {
                tick.knows |= guards.fresh && self.served;
                let claimable = self.run(config, index, &tick, !tick.spent);
                if tick.phase == Phase::LookingFirst {
                    tick.phase = Phase::Releasing;
                } else {
                    return self.leave(config, index, tick, claimable);
                }
            }
            Event::AnnounceNext { .. } => {
                if !self.announce(config) {
                    return self.rest(index, tick);
                }
                tick.phase = Phase::Announced;
            }
            Event::InvokeNext { how, .. } => {
                if self.invoke(tick.handoffs + 1, how) || !guards.withdraws {
                    return self.rest(index, tick);
                }
                tick.phase = Phase::Failed;
            }
            Event::WithdrawNext { .. } => {
                self.withdraw(config);
                return self.rest(index, tick);
            }
            Event::LookAfterCalls { .. } => {
                if !guards.looks_after_calls {
                    return self.end(index);
                }
                let claimable = self.run(config, index, &tick, !guards.claims_no_more);
                if self.has_calls(index) {
                    // Lambda freezes the process, and the call with it.
                    self.note(Wrong::Cut);
                }
                return self.leave(config, index, tick, claimable);
            }
            _ => {}
        }
        self.ticks[index] = Some(tick);
    }

    fn take(&mut self, config: &Config, index: usize) -> bool {
        match self.key {
            Key::Free => {}
            Key::Starting if config.guards.takes_over => {}
            Key::Held(_) if !config.guards.take_compares => self.note(Wrong::Robbed),
            Key::Starting | Key::Held(_) | Key::Dead => return false,
        }
        self.key = Key::Held(index);
        true
    }

    /// Takes back what lapsed, claims what there is room for; answers whether some is left that could be claimed.
    fn run(&mut self, config: &Config, index: usize, tick: &Tick, claims: bool) -> bool {
        for place in self.places.iter_mut().filter(|place| **place == Place::Lapsed) {
            *place = Place::Queued;
        }
        if !tick.knows {
            return false;
        }
        while claims && self.is_claimable(config.capacity) {
            let queued = self.places.iter_mut().find(|place| **place == Place::Queued);
            queued.into_iter().for_each(|place| *place = Place::Called(index));
        }
        self.is_claimable(config.capacity)
    }

    fn ending(config: &Config) -> Phase {
        if config.guards.deletes_first { Phase::Releasing } else { Phase::LookingFirst }
    }

    /// After a last look: another tick goes on with what it left.
    fn leave(&mut self, config: &Config, index: usize, mut tick: Tick, claimable: bool) {
        if !claimable || !config.guards.hands_off {
            return self.rest(index, tick);
        }
        if tick.handoffs == HANDOFFS {
            self.fail();
            return self.rest(index, tick);
        }
        tick.phase = Phase::Announcing;
        self.ticks[index] = Some(tick);
    }

    /// Waits for its calls, or ends.
    fn rest(&mut self, index: usize, mut tick: Tick) {
        if !self.has_calls(index) {
            return self.end(index);
        }
        tick.phase = Phase::Waiting;
        self.ticks[index] = Some(tick);
    }

    fn end(&mut self, index: usize) {
        self.ticks[index] = None;
        if self.key == Key::Held(index) {
            // Its number is used again.
            self.key = Key::Dead;
        }
    }
}
