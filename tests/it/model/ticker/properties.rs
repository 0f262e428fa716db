//! What nudges must never do, and what must be possible.

use stateright::Property;

use super::Ticker;
use super::config::Config;
use super::state::{Handler, Key, Phase, State};

/// What a single state cannot show.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wrong {
    /// A tick that runs lost its key otherwise than by its expiry.
    Robbed,
    /// A tick ended with a call open.
    Cut,
    /// A start was refused, and its announcement stands.
    StillAnnounced,
}

impl State {
    pub(super) fn note(&mut self, wrong: Wrong) {
        self.wrong |= 1 << wrong as u8;
    }

    fn never(&self, wrong: Wrong) -> bool {
        self.wrong & (1 << wrong as u8) == 0
    }

    /// Somebody looks later than now, without any beat.
    fn will_look(&self) -> bool {
        self.has_events()
            || self.handlers.contains(&Handler::Committed)
            || self.handlers.contains(&Handler::Announced)
            || self.ticks.iter().any(Option::is_some)
    }
}

pub(super) fn all(config: &Config) -> Vec<Property<Ticker>> {
    let mut properties = vec![
        Property::always("claimable work waits for no beat", |model: &Ticker, s: &State| {
            !s.is_claimable(model.0.capacity) || s.excused || s.will_look()
        }),
        Property::always("a failure costs one beat", |_, s: &State| s.waited <= s.failures),
        Property::always("one tick renews", |model: &Ticker, s: &State| {
            let lingers = |t: &usize| s.ticks[*t].is_some_and(|t| t.phase == Phase::Lingering);
            (0..s.ticks.len()).filter(lingers).filter(|t| s.renews(&model.0, *t)).count() <= 1
        }),
        Property::always("a tick keeps its key until it expires", |_, s: &State| {
            s.never(Wrong::Robbed)
        }),
        Property::always("a tick ends without a call", |_, s: &State| s.never(Wrong::Cut)),
        Property::always("a refused start is withdrawn", |_, s: &State| {
            s.never(Wrong::StillAnnounced)
        }),
        Property::sometimes("everything is done", |_, s: &State| s.is_done()),
        Property::sometimes("two nudges meet", |_, s: &State| {
            s.key == Key::Starting && s.handlers.contains(&Handler::Committed)
        }),
    ];
    let left = config.budget;
    if left.expiries > 0 || left.beats > 0 {
        properties.push(Property::sometimes("two ticks run", |_, s: &State| {
            s.ticks.iter().flatten().count() == 2
        }));
    }
    if left.ends > 0 {
        properties.push(Property::sometimes("a tick hands off", |_, s: &State| s.events[1] > 0));
    }
    if left.kills + left.deaths + left.refusals + left.losses > 0 {
        properties.push(Property::sometimes("a beat is waited for", |_, s: &State| s.waited > 0));
    }
    properties
}
