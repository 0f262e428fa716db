//! The processors' own life: pauses, drains, restarts, and what follows from a restart.

use super::Offers;
use crate::calls::{Back, Call};
use crate::event::Event;
use crate::place;
use crate::processor::Standing;

impl Offers<'_> {
    pub(super) fn of_processor(&mut self, processor: u8) {
        let record = self.state.processors[usize::from(processor)];
        let left = &self.state.left;
        let stands = matches!(record.standing, Standing::Active | Standing::Paused);
        if left.pauses > 0 && stands {
            for seen in 0..=record.switches {
                self.events.push(Event::Switch { processor, pause: true, seen });
            }
        }
        if record.standing == Standing::Paused {
            for seen in 0..=record.switches {
                self.events.push(Event::Switch { processor, pause: false, seen });
            }
        }
        if left.drains > 0 && stands {
            for epoch in 1..=record.epoch {
                self.events.push(Event::Drain { processor, epoch });
            }
        }
        let pending = self.state.actions.iter().any(|a| a.is_in(place::PENDING << processor));
        if record.standing == Standing::Draining && !pending {
            self.events.push(Event::Drain { processor, epoch: record.epoch });
        }
        // After a registration a check that asked before it is refused by the epoch.
        if record.latest > record.epoch {
            self.events.push(Event::Check { processor, old: true });
            self.events.push(Event::Check { processor, old: false });
        }
        if !stands {
            self.events.push(Event::Register { processor });
        } else if left.restarts > 0 {
            for (registers, lost) in [(false, false), (false, true), (true, false), (true, true)] {
                self.events.push(Event::Restart { processor, registers, lost });
            }
        }
    }

    /// Who sees a restart hands back what the record says is lost.
    pub(super) fn of_hand_back(&mut self, action: u8) {
        let entry = *self.entry(action);
        let (Some(record), Some(view)) = (entry.record, entry.view()) else { return };
        let processor = self.state.processors[usize::from(view.holder)];
        if processor.latest > 1 && processor.gives_back(&self.config.guards, &record) {
            for manager in self.state.managers() {
                self.ask(action, manager, Call::HandBack { view, back: Back::Restart });
            }
        }
    }
}
