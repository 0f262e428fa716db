//! What must hold in every state, and what must be possible.

use stateright::{Model, Property};

use crate::Baton;
use crate::event::Event;
use crate::guards::Config;
use crate::place;
use crate::state::{Action, CAPACITY, Delivery, PROCESSORS, Record, State, Status, Token};

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
    /// An outcome became another, or an action came back to life without a redrive.
    OutcomeChanged,
    /// An outcome says that all steps were done though one was skipped, or the reverse.
    SkipUntold,
    /// A step failed for want of attempts before it had had them.
    ShortOfAttempts,
    /// A step was claimed more often in a run than its attempts and hand-backs allow.
    Endless,
    /// A redrive started a run that is not the next after the one it saw.
    OtherRun,
    /// One request was done twice.
    DoneTwice,
    /// A processor got work that is paused, draining or gone.
    ClaimedAgainstWill,
    /// A pause or a resume that came late undid a later one.
    LateSwitch,
    /// An instance that was replaced drained the one that replaced it.
    OtherDrained,
    /// A processor's record went while something was pending.
    Orphaned,
}

impl State {
    pub(crate) fn note(&mut self, wrong: Wrong) {
        self.wrong |= 1 << wrong as u32;
    }

    pub(crate) fn is_wrong(&self) -> bool {
        self.wrong != 0
    }

    pub(crate) fn any(&self, holds: impl Fn(&Record) -> bool) -> bool {
        self.actions.iter().filter_map(|action| action.record.as_ref()).any(holds)
    }

    fn never(&self, wrong: Wrong) -> bool {
        self.wrong & (1 << wrong as u32) == 0
    }

    /// Judges a transition and the state it leads to.
    pub(crate) fn observe(&mut self, before: &Self) {
        for index in 0..self.actions.len() {
            let (old, new) = (before.actions[index], self.actions[index]);
            if let (Some(was), Some(is)) = (old.record, new.record) {
                let stays = is.step == was.step || is.status != Status::Live;
                let grew = is.step == was.step + 1 && new.accepted == is.step;
                self.check(stays || grew, Wrong::StepJumped);
                let redriven = was.status == Status::Failed && is.run == was.run + 1;
                let same = was.status == is.status || redriven && is.status == Status::Live;
                self.check(was.status == Status::Live || same, Wrong::OutcomeChanged);
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
        Property::always("one request is told that it did something", |_, s: &State| {
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
        Property::always("an outcome stays unless it is redriven", |_, s: &State| {
            s.never(Wrong::OutcomeChanged)
        }),
        Property::always("an outcome tells of a skipped step", |_, s: &State| {
            s.never(Wrong::SkipUntold)
        }),
        Property::always("a step has all its attempts in each run", |_, s: &State| {
            s.never(Wrong::ShortOfAttempts)
        }),
        Property::always("a step is claimed so often and no more", |_, s: &State| {
            s.never(Wrong::Endless)
        }),
        Property::always("a redrive starts the run after the one it saw", |_, s: &State| {
            s.never(Wrong::OtherRun)
        }),
        Property::always("what was asked for once is done once", |_, s: &State| {
            s.never(Wrong::DoneTwice)
        }),
        Property::always("a processor gets work only while it takes it", |_, s: &State| {
            s.never(Wrong::ClaimedAgainstWill)
        }),
        Property::always("the last switch of a processor holds", |_, s: &State| {
            s.never(Wrong::LateSwitch)
        }),
        Property::always("a processor is drained only by itself", |_, s: &State| {
            s.never(Wrong::OtherDrained)
        }),
        Property::always("what is pending has a processor", |_, s: &State| {
            s.never(Wrong::Orphaned)
        }),
        Property::always("no live payload is missing", |_, s: &State| s.never(Wrong::PayloadLost)),
        Property::always("no path ends before every action has", no_dead_end),
        Property::sometimes("all actions end", |_, s: &State| {
            s.actions.iter().all(Action::has_ended)
        }),
        Property::sometimes("a second attempt of the last step runs", |_, s: &State| {
            s.actions.iter().any(|a| a.record.is_some_and(|r| r.token == Token::of(1, 2)))
        }),
    ];
    properties.extend(crate::reached::all(config));
    properties
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
        Status::Succeeded | Status::Partial | Status::Failed | Status::Cancelled => {
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
    // Nobody need come and ask, and nothing need go wrong.
    events.retain(|event| {
        !matches!(
            event,
            Event::Look { .. }
                | Event::Crash { .. }
                | Event::Restart { .. }
                | Event::Switch { pause: true, .. }
        )
    });
    events.into_iter().any(|event| model.next_state(state, event).is_some())
}
