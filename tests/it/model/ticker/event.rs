//! What can happen next to nudges and ticks.

use super::config::Config;
use super::state::{Handler, Key, Phase, Place, State};

/// How an invocation goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    Accepted,
    /// It is accepted, and its caller does not hear of it in time.
    Late,
    Refused,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Submit {
        action: usize,
    },
    Complete {
        action: usize,
    },
    Register,
    /// A mutant's commit, after its nudge.
    Commit {
        handler: usize,
    },
    Announce {
        handler: usize,
    },
    Invoke {
        handler: usize,
        how: How,
    },
    Withdraw {
        handler: usize,
    },
    Die {
        handler: usize,
    },
    Start {
        handoffs: usize,
        again: bool,
    },
    Lose {
        handoffs: usize,
    },
    Expire,
    Beat {
        waited: bool,
    },
    Take {
        tick: usize,
    },
    /// One round of lingering, with a copy of the processors that is new or not.
    Round {
        tick: usize,
        fresh: bool,
    },
    TimeIsUp {
        tick: usize,
        spent: bool,
    },
    RenewInVain {
        tick: usize,
    },
    Release {
        tick: usize,
    },
    Look {
        tick: usize,
    },
    AnnounceNext {
        tick: usize,
    },
    InvokeNext {
        tick: usize,
        how: How,
    },
    WithdrawNext {
        tick: usize,
    },
    LookAfterCalls {
        tick: usize,
    },
    Kill {
        tick: usize,
    },
    CallEnds {
        action: usize,
        later: bool,
    },
    LeaseEnds {
        action: usize,
    },
}

impl State {
    pub(super) fn offers(&self, config: &Config, events: &mut Vec<Event>) {
        self.offer_actions(config, events);
        self.offer_handlers(events);
        for tick in 0..self.ticks.len() {
            self.offer_tick(config, tick, events);
        }
        for (handoffs, _) in self.events.iter().enumerate().filter(|(_, waiting)| **waiting > 0) {
            if self.ticks.contains(&None) {
                events.push(Event::Start { handoffs, again: false });
            }
        }
        if self.key == Key::Dead || (self.key == Key::Starting && self.is_orphan()) {
            events.push(Event::Expire);
        }
        if events.is_empty() && !self.is_done() {
            events.push(Event::Beat { waited: true });
        }
        self.offer_mishaps(events);
    }

    fn offer_actions(&self, config: &Config, events: &mut Vec<Event>) {
        let idle = self.handlers.contains(&Handler::Idle);
        for (action, place) in self.places.iter().enumerate() {
            match place {
                Place::New if idle => events.push(Event::Submit { action }),
                Place::Away if idle => events.push(Event::Complete { action }),
                Place::Called(_) => {
                    events.push(Event::CallEnds { action, later: false });
                    events.push(Event::CallEnds { action, later: true });
                }
                Place::Lost => events.push(Event::LeaseEnds { action }),
                Place::New
                | Place::Away
                | Place::Committing
                | Place::Queued
                | Place::Lapsed
                | Place::Done => {}
            }
        }
        if config.registers && !self.served && idle {
            events.push(Event::Register);
        }
    }

    fn offer_handlers(&self, events: &mut Vec<Event>) {
        for (handler, phase) in self.handlers.iter().enumerate() {
            match phase {
                Handler::Idle => {}
                Handler::Committed => events.push(Event::Announce { handler }),
                Handler::Announced => self.hows(|how| events.push(Event::Invoke { handler, how })),
                Handler::Failed => events.push(Event::Withdraw { handler }),
                Handler::Nudged => events.push(Event::Commit { handler }),
            }
        }
    }

    fn offer_tick(&self, config: &Config, tick: usize, events: &mut Vec<Event>) {
        let Some(running) = self.ticks[tick] else { return };
        match running.phase {
            Phase::Started => events.push(Event::Take { tick }),
            Phase::Lingering => {
                events.push(Event::Round { tick, fresh: true });
                events.push(Event::Round { tick, fresh: false });
                if !self.renews(config, tick) {
                    events.push(Event::RenewInVain { tick });
                }
            }
            Phase::Releasing => events.push(Event::Release { tick }),
            Phase::Looking | Phase::LookingFirst => events.push(Event::Look { tick }),
            Phase::Announcing => events.push(Event::AnnounceNext { tick }),
            Phase::Announced => self.hows(|how| events.push(Event::InvokeNext { tick, how })),
            Phase::Failed => events.push(Event::WithdrawNext { tick }),
            Phase::Waiting if !self.has_calls(tick) => events.push(Event::LookAfterCalls { tick }),
            Phase::Waiting => {}
        }
    }

    /// What need not happen: nobody may depend on it.
    fn offer_mishaps(&self, events: &mut Vec<Event>) {
        let left = &self.left;
        if left.beats > 0 {
            events.push(Event::Beat { waited: false });
        }
        if left.expiries > 0 && matches!(self.key, Key::Starting | Key::Held(_)) {
            events.push(Event::Expire);
        }
        for (tick, running) in self.ticks.iter().enumerate() {
            let Some(running) = running else { continue };
            if left.ends > 0 && running.phase == Phase::Lingering {
                events.push(Event::TimeIsUp { tick, spent: false });
                events.push(Event::TimeIsUp { tick, spent: true });
            }
            if left.kills > 0 {
                events.push(Event::Kill { tick });
            }
        }
        for (handoffs, _) in self.events.iter().enumerate().filter(|(_, waiting)| **waiting > 0) {
            if left.copies > 0 && self.ticks.contains(&None) {
                events.push(Event::Start { handoffs, again: true });
            }
            if left.losses > 0 {
                events.push(Event::Lose { handoffs });
            }
        }
        for (handler, phase) in self.handlers.iter().enumerate() {
            if left.deaths > 0 && *phase != Handler::Idle {
                events.push(Event::Die { handler });
            }
        }
    }

    fn hows(&self, mut offer: impl FnMut(How)) {
        offer(How::Accepted);
        if self.left.late > 0 {
            offer(How::Late);
        }
        if self.left.refusals > 0 {
            offer(How::Refused);
        }
    }

    /// Whether a tick's next renewal would succeed.
    pub(super) fn renews(&self, config: &Config, tick: usize) -> bool {
        self.key == Key::Held(tick)
            || (!config.guards.renew_compares && matches!(self.key, Key::Held(_)))
    }
}
