//! What must hold in every state, and what must be possible.

use stateright::{Model, Property};

use crate::Baton;
use crate::guards::Config;
use crate::place;
use crate::state::{Action, CAPACITY, Delivery, PROCESSORS, State, Status, Token};

/// What a single state cannot show: it is noted in the transition that does it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wrong {
    /// A step got two outputs, or an accepted output changed.
    AppliedTwice,
    /// Something was settled under a token that is not the current one, or for another step.
    StaleApplied,
    /// An attempt was taken from its holder while its lease ran.
    Robbed,
    /// An outcome was claimed by another manager while the lease of its send ran.
    SendRobbed,
    /// A re-sent script answered otherwise than the first time.
    AnswerChanged,
    /// Two requests of one attempt were told that they settled it.
    ToldTwice,
    /// The step fell, or rose by something else than one completed step.
    StepJumped,
    /// A settled delivery was claimed again.
    SentAgain,
    /// Two webhooks of one run differ in id, status or body.
    OtherWebhook,
    /// An action is in no place, in two, or in one that its status forbids.
    Misplaced,
    /// A pending set differs from what the records say, or is over the capacity.
    Miscounted,
    /// Something live has a TTL, or something else has none.
    Ttl,
    /// A record names a payload that is not there.
    PayloadLost,
}

impl State {
    pub(crate) fn note(&mut self, wrong: Wrong) {
        self.wrong |= 1 << wrong as u16;
    }

    pub(crate) fn is_wrong(&self) -> bool {
        self.wrong != 0
    }

    fn never(&self, wrong: Wrong) -> bool {
        self.wrong & (1 << wrong as u16) == 0
    }

    /// Judges a transition and the state it leads to.
    pub(crate) fn observe(&mut self, before: &Self) {
        for index in 0..self.actions.len() {
            let (old, new) = (before.actions[index], self.actions[index]);
            if let (Some(was), Some(is)) = (old.record, new.record) {
                let stays = is.step == was.step || is.status != Status::Live;
                let grew = is.step == was.step + 1 && new.accepted == is.step;
                self.check(stays || grew, Wrong::StepJumped);
            }
            self.check(placed(&new), Wrong::Misplaced);
            self.check(keeps_output(&new), Wrong::AppliedTwice);
            self.check(expires_rightly(&new), Wrong::Ttl);
            let present = new.record.is_none_or(|r| new.content(r.data).is_some());
            self.check(present, Wrong::PayloadLost);
        }
        self.check(in_flight_is_pending(self), Wrong::Miscounted);
    }

    fn check(&mut self, holds: bool, wrong: Wrong) {
        if !holds {
            self.note(wrong);
        }
    }
}

pub(crate) fn all(config: &Config) -> Vec<Property<Baton>> {
    let mut properties = vec![
        Property::always("an action is in exactly one place", |_, s: &State| {
            s.never(Wrong::Misplaced)
        }),
        Property::always("in flight is the pending set", |_, s: &State| s.never(Wrong::Miscounted)),
        Property::always("step grows by one completed step", |_, s: &State| {
            s.never(Wrong::StepJumped)
        }),
        Property::always("an output is applied once and stays", |_, s: &State| {
            s.never(Wrong::AppliedTwice)
        }),
        Property::always("only the current attempt is settled", |_, s: &State| {
            s.never(Wrong::StaleApplied)
        }),
        Property::always("a holder keeps what it holds while the lease runs", |_, s: &State| {
            s.never(Wrong::Robbed)
        }),
        Property::always("one manager sends an outcome while its lease runs", |_, s: &State| {
            s.never(Wrong::SendRobbed)
        }),
        Property::always("a re-sent script answers as the first time", |_, s: &State| {
            s.never(Wrong::AnswerChanged)
        }),
        Property::always("one request settles an attempt", |_, s: &State| {
            s.never(Wrong::ToldTwice)
        }),
        Property::always("a settled delivery is not sent again", |_, s: &State| {
            s.never(Wrong::SentAgain)
        }),
        Property::always("each send of a run is the same webhook", |_, s: &State| {
            s.never(Wrong::OtherWebhook)
        }),
        Property::always("nothing live has a TTL, everything else has one", |_, s: &State| {
            s.never(Wrong::Ttl)
        }),
        Property::always("no live payload is missing", |_, s: &State| s.never(Wrong::PayloadLost)),
        Property::always("no path ends before every action has", no_dead_end),
        Property::sometimes("all actions end", |_, s: &State| {
            s.actions.iter().all(Action::has_ended)
        }),
        Property::sometimes("an outcome is failed", |_, s: &State| {
            s.actions.iter().any(|a| a.record.is_some_and(|r| r.status == Status::Failed))
        }),
        Property::sometimes("a second attempt of the last step runs", |_, s: &State| {
            s.actions.iter().any(|a| a.record.is_some_and(|r| r.token == Token::of(1, 2)))
        }),
    ];
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

fn placed(action: &Action) -> bool {
    let Some(record) = action.record else { return action.places == 0 };
    let waits = [place::INPUT, place::DELAYED, place::PENDING, place::PENDING << 1];
    let waiting = waits.iter().filter(|set| action.is_in(**set)).count();
    let done = action.is_in(place::DONE);
    let failed = action.is_in(place::FAILED);
    let output = action.is_in(place::OUTPUT);
    match record.status {
        Status::Live => action.is_in(place::LIVE) && waiting == 1 && !done && !failed && !output,
        Status::Succeeded | Status::Failed => {
            let right =
                if record.status == Status::Failed { failed && !done } else { done && !failed };
            let pending = record.delivery == Delivery::Pending;
            !action.is_in(place::LIVE) && waiting == 0 && right && output == pending
        }
    }
}

fn in_flight_is_pending(state: &State) -> bool {
    (0..PROCESSORS).all(|processor| {
        let pending = |a: &&Action| a.is_in(place::PENDING << processor);
        let holds =
            |a: &Action| a.record.is_some_and(|r| r.token != Token::NONE && r.holder == processor);
        state.actions.iter().all(|a| holds(a) == pending(&a))
            && state.actions.iter().filter(pending).count() <= CAPACITY
    })
}

/// The data that the record names is the last accepted output, else the input.
fn keeps_output(action: &Action) -> bool {
    let named = action.record.and_then(|record| action.content(record.data));
    named.is_none_or(|content| content == action.expected)
}

fn expires_rightly(action: &Action) -> bool {
    let ended = action.has_ended();
    let named = action.record.map(|r| usize::from(r.data));
    action.record.is_none_or(|r| r.ttl == ended)
        && action
            .payloads
            .iter()
            .enumerate()
            .all(|(name, payload)| payload.is_none_or(|p| p.ttl == (named != Some(name) || ended)))
}

fn no_dead_end(model: &Baton, state: &State) -> bool {
    if state.is_wrong() || state.actions.iter().all(Action::has_ended) {
        return true;
    }
    let mut events = Vec::new();
    model.actions(state, &mut events);
    events.into_iter().any(|event| model.next_state(state, event).is_some())
}
