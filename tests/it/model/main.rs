//! A model of the transitions, checked exhaustively: what two managers, two processors, operators and Redis can
//! do to each other when anything may happen between any two scripts. `docs/model.md` says what it covers.

mod answers;
mod calls;
mod event;
mod failures;
mod guards;
mod mutants;
mod mutants_asked;
mod offers;
mod place;
mod processor;
mod properties;
mod reached;
mod reduce;
mod scripts;
mod state;
mod ticker;
mod world;

use event::Event;
use guards::{Budget, Config, Guards};
use state::State;
use stateright::{Checker, HasDiscoveries, Model, Property};

/// A model: a configuration and nothing else.
#[derive(Clone, Debug)]
pub(crate) struct Baton(Config);

impl Model for Baton {
    type State = State;
    type Action = Event;

    fn init_states(&self) -> Vec<State> {
        vec![State::new(&self.0)]
    }

    fn actions(&self, state: &State, events: &mut Vec<Event>) {
        // A mutant's first wrong is its counterexample: what follows from it says nothing.
        if !state.is_wrong() {
            state.events(&self.0, events);
        }
    }

    fn next_state(&self, state: &State, event: Event) -> Option<State> {
        let mut next = *state;
        next.happen(&self.0, event);
        next.observe(state);
        if self.0.reduced {
            next.reduce(&self.0);
        }
        (next != *state).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all(&self.0)
    }
}

/// One action, no mishap.
const ONE: Config = Config {
    guards: Guards::ALL,
    actions: 1,
    receiver: true,
    unchanged: false,
    skips: 0,
    permanent: false,
    whole: false,
    late_copies: true,
    aside: false,
    reduced: true,
    budget: NO_MISHAP,
};

/// Two actions that compete for two processors of capacity 1.
const TWO: Config = Config { actions: 2, whole: true, aside: true, ..ONE };

const NO_MISHAP: Budget = Budget {
    crashes: 0,
    resends: 0,
    late: 0,
    echoes: 0,
    renewals: 0,
    deadlines: 0,
    cancels: 0,
    redrives: 0,
    redeliveries: 0,
    restarts: 0,
    busy: 0,
    pauses: 0,
    drains: 0,
    lost_writes: 0,
};

/// Visits every state, and prints how many there are.
#[expect(clippy::print_stdout, reason = "the counts are what the test shows")]
fn check_all(name: &str, config: Config) {
    let checker = Baton(config)
        .checker()
        .threads(2)
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    println!(
        "model: {name}: {} unique states of {} generated, depth {}",
        checker.unique_state_count(),
        checker.state_count(),
        checker.max_depth(),
    );
    checker.assert_properties();
}

#[test]
fn two_actions_survive_a_crash_a_resent_script_and_a_late_completion() {
    let budget = Budget { crashes: 1, resends: 1, late: 1, ..NO_MISHAP };
    check_all("two actions", Config { late_copies: false, budget, ..TWO });
}

#[test]
fn two_actions_survive_a_crash_and_a_script_that_runs_again_much_later() {
    let budget = Budget { crashes: 1, resends: 1, ..NO_MISHAP };
    check_all("two actions, late copies", Config { budget, ..TWO });
}

#[test]
fn one_action_survives_all_that_may_come_between_a_payload_and_its_script() {
    let budget = Budget { crashes: 1, resends: 1, late: 1, ..NO_MISHAP };
    check_all("one action, step by step", Config { budget, ..ONE });
}

#[test]
fn a_payload_that_was_not_written_costs_nothing() {
    let budget = Budget { crashes: 1, resends: 1, lost_writes: 1, ..NO_MISHAP };
    check_all("refused writes", Config { budget, ..ONE });
}

#[test]
fn two_reports_of_one_attempt_settle_it_once() {
    let budget = Budget { late: 1, resends: 1, echoes: 1, ..NO_MISHAP };
    check_all("two reports", Config { whole: true, late_copies: false, budget, ..ONE });
}

#[test]
fn a_deadline_meets_an_action_anywhere() {
    let budget = Budget { resends: 1, late: 1, deadlines: 1, ..NO_MISHAP };
    check_all("deadline", Config { whole: true, late_copies: false, budget, ..ONE });
}

#[test]
fn a_heartbeat_meets_a_reaper() {
    let budget = Budget { crashes: 1, resends: 1, late: 1, renewals: 1, ..NO_MISHAP };
    check_all("heartbeat", Config { whole: true, budget, ..ONE });
}

#[test]
fn an_action_without_receiver_or_data_ends() {
    let budget = Budget { resends: 1, late: 1, ..NO_MISHAP };
    check_all("no receiver", Config { receiver: false, unchanged: true, budget, ..ONE });
}

/// The reduction is no part of what is claimed: without it the same holds, in a model small enough.
#[test]
fn a_small_model_holds_without_the_reduction_too() {
    let budget = Budget { resends: 1, ..NO_MISHAP };
    check_all("not reduced", Config { reduced: false, whole: true, budget, ..ONE });
}

/// One action whose steps may fail at once, payloads arriving with their scripts.
const BRIEF: Config = Config { whole: true, permanent: true, late_copies: false, ..ONE };

#[test]
fn a_cancelled_action_ends_wherever_it_is() {
    let budget = Budget { resends: 1, late: 1, cancels: 1, ..NO_MISHAP };
    check_all("cancel", Config { late_copies: true, permanent: false, budget, ..BRIEF });
}

#[test]
fn two_who_cancel_and_a_deadline_end_an_action_once() {
    let budget = Budget { crashes: 1, resends: 1, cancels: 2, deadlines: 1, ..NO_MISHAP };
    check_all("cancel twice", Config { budget, ..BRIEF });
}

#[test]
fn a_skipped_step_leaves_the_data_as_it_was() {
    let budget = Budget { resends: 1, late: 1, deadlines: 1, ..NO_MISHAP };
    check_all("skip", Config { skips: 3, budget, ..BRIEF });
}

#[test]
fn a_redriven_action_runs_again_while_its_old_outcome_is_sent() {
    let budget = Budget { resends: 1, redrives: 1, ..NO_MISHAP };
    check_all("redrive", Config { late_copies: true, budget, ..BRIEF });
}

#[test]
fn a_redriven_action_survives_a_crash_and_a_late_completion() {
    let budget = Budget { crashes: 1, late: 1, redrives: 1, ..NO_MISHAP };
    check_all("redrive, crash", Config { skips: 1, budget, ..BRIEF });
}

#[test]
fn two_who_redrive_start_one_run() {
    let budget = Budget { resends: 1, redrives: 2, ..NO_MISHAP };
    check_all("redrive twice", Config { budget, ..BRIEF });
}

#[test]
fn an_action_without_receiver_is_redriven_or_cancelled() {
    let budget = Budget { resends: 1, late: 1, redrives: 1, cancels: 1, ..NO_MISHAP };
    check_all("redrive, no receiver", Config { receiver: false, budget, ..BRIEF });
}

#[test]
fn an_outcome_is_sent_anew_as_often_as_was_asked() {
    let budget = Budget { resends: 1, redeliveries: 2, ..NO_MISHAP };
    check_all("redelivery twice", Config { late_copies: true, budget, ..BRIEF });
}

#[test]
fn an_outcome_is_sent_anew_through_a_crash() {
    let budget = Budget { crashes: 1, resends: 1, late: 1, redeliveries: 1, ..NO_MISHAP };
    check_all("redelivery, crash", Config { permanent: false, budget, ..BRIEF });
}

#[test]
fn a_redelivery_a_redrive_and_a_cancel_meet() {
    let budget = Budget { redeliveries: 1, redrives: 1, cancels: 1, ..NO_MISHAP };
    check_all("redelivery and redrive", Config { budget, ..BRIEF });
}

#[test]
fn an_attempt_that_is_declined_costs_none() {
    let budget = Budget { crashes: 1, resends: 1, late: 1, busy: 1, ..NO_MISHAP };
    check_all("busy", Config { budget, ..BRIEF });
}

#[test]
fn a_restarted_processor_hands_back_what_it_held() {
    let budget = Budget { resends: 1, restarts: 1, ..NO_MISHAP };
    check_all("restart", Config { late_copies: true, budget, ..BRIEF });
}

#[test]
fn a_hand_back_meets_a_reaper_and_a_crash() {
    let budget = Budget { crashes: 1, late: 1, restarts: 1, ..NO_MISHAP };
    check_all("restart, crash", Config { permanent: false, budget, ..BRIEF });
}

#[test]
fn a_processor_restarts_twice_and_drains_between() {
    let budget = Budget { restarts: 2, drains: 1, ..NO_MISHAP };
    check_all("restarts and drain", Config { budget, ..BRIEF });
}

#[test]
fn a_paused_processor_gets_nothing_and_finishes_what_it_has() {
    let budget = Budget { pauses: 2, restarts: 1, ..NO_MISHAP };
    check_all("pause", Config { budget, ..BRIEF });
}

#[test]
fn a_drained_processor_goes_when_nothing_of_it_is_pending() {
    let budget = Budget { crashes: 1, late: 1, drains: 2, ..NO_MISHAP };
    check_all("drain", Config { budget, ..BRIEF });
}

#[test]
fn two_actions_share_processors_that_pause_and_drain() {
    let budget = Budget { pauses: 1, drains: 1, ..NO_MISHAP };
    check_all("two actions, pause and drain", Config { late_copies: false, budget, ..TWO });
}
