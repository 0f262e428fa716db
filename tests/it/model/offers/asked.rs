//! Whoever acts on what he saw: the reaper of deadlines, and operators.

use super::Offers;
use crate::calls::{Ask, Call, Look};
use crate::event::Event;
use crate::state::{Delivery, RUNS, Record, Status};

impl Offers<'_> {
    pub(super) fn of_asked(&mut self, action: u8) {
        let Some(record) = self.entry(action).record else { return };
        if self.state.looks.contains(&None) {
            for ask in [Ask::Cancel, Ask::Redrive, Ask::Redeliver, Ask::Deadline] {
                if self.state.left.of(ask) > 0 && is_worth(ask, &record) {
                    self.events.push(Event::Look { action, ask });
                }
            }
        }
        for look in self.state.looks.iter().flatten().filter(|look| look.action == action) {
            let ends = matches!(look.ask, Ask::Cancel | Ask::Deadline);
            let look = Look { fresh: false, ..*look };
            for (manager, deliver) in self.reapers(ends && self.config.receiver) {
                self.ask(action, manager, Call::Act { look, deliver });
            }
        }
    }
}

/// Whether whoever reads the record goes on to the script.
fn is_worth(ask: Ask, record: &Record) -> bool {
    match ask {
        Ask::Cancel | Ask::Deadline => record.status == Status::Live,
        Ask::Redrive => record.status == Status::Failed && record.run < RUNS,
        Ask::Redeliver => matches!(record.delivery, Delivery::Delivered | Delivery::Exhausted),
    }
}
