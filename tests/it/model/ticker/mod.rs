//! A model of the nudges where no loop runs, checked exhaustively: handlers that announce and invoke a tick, ticks
//! that take the key, linger, look a last time and hand off, and all that may be late, lost, sent twice or killed.

mod config;
mod event;
mod mutants;
mod properties;
mod state;
mod step;
mod tick;

use stateright::{Checker, HasDiscoveries, Model, Property};

use config::{Budget, Config, Guards};
use event::Event;
use state::State;

/// A model: a configuration and nothing else.
#[derive(Clone, Debug)]
struct Ticker(Config);

impl Model for Ticker {
    type State = State;
    type Action = Event;

    fn init_states(&self) -> Vec<State> {
        vec![State::new(&self.0)]
    }

    fn actions(&self, state: &State, events: &mut Vec<Event>) {
        if state.wrong == 0 {
            state.offers(&self.0, events);
        }
    }

    fn next_state(&self, state: &State, event: Event) -> Option<State> {
        let mut next = *state;
        next.happen(&self.0, event);
        (next != *state).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all(&self.0)
    }
}

/// Two actions for a processor that takes one at a time, and nothing that need not happen.
const PLAIN: Config =
    Config { guards: Guards::ALL, capacity: 1, registers: false, budget: NO_MISHAP };

const NO_MISHAP: Budget = Budget {
    beats: 0,
    expiries: 0,
    ends: 0,
    copies: 0,
    late: 0,
    kills: 0,
    deaths: 0,
    refusals: 0,
    losses: 0,
};

/// Visits every state, and prints how many there are.
#[expect(clippy::print_stdout, reason = "the counts are what the test shows")]
fn check_all(name: &str, config: Config) {
    let checker = Ticker(config)
        .checker()
        .threads(2)
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    println!(
        "model: ticker, {name}: {} unique states of {} generated, depth {}",
        checker.unique_state_count(),
        checker.state_count(),
        checker.max_depth(),
    );
    checker.assert_properties();
}

#[test]
fn no_nudge_is_lost_when_beats_and_expiries_come_at_any_moment() {
    let budget = Budget { beats: 1, expiries: 2, ..NO_MISHAP };
    check_all("beats and expiries", Config { budget, ..PLAIN });
}

#[test]
fn no_nudge_is_lost_when_invocations_come_twice_or_are_answered_late() {
    let budget = Budget { copies: 1, late: 1, expiries: 1, ..NO_MISHAP };
    check_all("copies and late answers", Config { budget, ..PLAIN });
}

#[test]
fn ticks_hand_off_what_they_have_no_time_for() {
    let budget = Budget { ends: 2, beats: 1, ..NO_MISHAP };
    check_all("ends", Config { capacity: 2, budget, ..PLAIN });
}

#[test]
fn a_processor_that_registers_while_a_tick_ends_gets_its_work() {
    let budget = Budget { beats: 1, ends: 1, ..NO_MISHAP };
    check_all("registration", Config { registers: true, budget, ..PLAIN });
}

#[test]
fn a_killed_tick_costs_one_beat() {
    let budget = Budget { kills: 1, beats: 1, expiries: 1, ..NO_MISHAP };
    check_all("kills", Config { budget, ..PLAIN });
}

#[test]
fn a_handler_that_dies_after_its_commit_costs_one_beat() {
    let budget = Budget { deaths: 2, expiries: 1, ends: 1, ..NO_MISHAP };
    check_all("deaths", Config { budget, ..PLAIN });
}

#[test]
fn an_invocation_that_is_refused_or_lost_costs_one_beat() {
    let budget = Budget { refusals: 1, losses: 1, ends: 1, ..NO_MISHAP };
    check_all("refusals and losses", Config { budget, ..PLAIN });
}
