//! What each configuration is there to show: states that must be reached.

use stateright::Property;

use crate::Baton;
use crate::guards::Config;
use crate::processor::Standing;
use crate::state::{STEPS, State, Status, Token};

const EVERY_STEP: u8 = (1 << STEPS) - 1;

pub(crate) fn all(config: &Config) -> Vec<Property<Baton>> {
    let mut properties = Vec::new();
    if config.skips < EVERY_STEP || config.budget.deadlines > 0 {
        properties.push(Property::sometimes("an outcome is failed", |_, s: &State| {
            s.any(|r| r.status == Status::Failed)
        }));
    }
    if config.skips > 0 {
        properties.push(Property::sometimes("an outcome is partial", |_, s: &State| {
            s.any(|r| r.status == Status::Partial)
        }));
    }
    if config.budget.cancels > 0 {
        properties.push(Property::sometimes("an outcome is cancelled", |_, s: &State| {
            s.any(|r| r.status == Status::Cancelled)
        }));
    }
    if config.budget.redrives > 0 {
        properties.push(Property::sometimes("a second run succeeds", |_, s: &State| {
            s.any(|r| r.run == 2 && matches!(r.status, Status::Succeeded | Status::Partial))
        }));
    }
    if config.budget.redeliveries > 0 {
        properties.push(Property::sometimes("an outcome is sent anew", |_, s: &State| {
            s.any(|r| r.run == 1 && r.d_token > 0 && r.d_sent > r.d_tries)
        }));
    }
    if config.budget.restarts > 0 {
        properties.push(Property::sometimes("an attempt is claimed anew", |_, s: &State| {
            s.any(|r| r.handed > 0 && r.token != Token::NONE)
        }));
    }
    if config.budget.pauses > 0 {
        properties.push(Property::sometimes(
            "a paused processor's attempt goes on",
            |_, s: &State| {
                s.any(|r| {
                    let holder = s.processors[usize::from(r.holder)];
                    r.token != Token::NONE && holder.standing == Standing::Paused
                })
            },
        ));
    }
    if config.budget.drains > 0 {
        properties.push(Property::sometimes(
            "an earlier registration's attempt goes on",
            |_, s: &State| {
                s.any(|r| {
                    let holder = s.processors[usize::from(r.holder)];
                    r.token != Token::NONE && r.held.epoch < holder.since
                })
            },
        ));
        properties.push(Property::sometimes("a processor is gone", |_, s: &State| {
            s.processors.iter().any(|p| p.standing == Standing::Gone)
        }));
    }
    if config.budget.late > 0 {
        properties.push(Property::sometimes("an attempt works on after it was taken", outlives));
    }
    if config.budget.resends > 0 {
        let waits = |_: &Baton, s: &State| s.again.is_some();
        properties.push(Property::sometimes("a script is to run again", waits));
    }
    if config.budget.crashes > 0 {
        let alone = |_: &Baton, s: &State| s.up.contains(&false);
        properties.push(Property::sometimes("a manager is gone", alone));
    }
    properties
}

fn outlives(_: &Baton, state: &State) -> bool {
    state.actions.iter().any(|action| {
        let current = action.record.map_or(Token::NONE, |record| record.token);
        action.works.iter().flatten().any(|work| work.view.token != current)
    })
}
