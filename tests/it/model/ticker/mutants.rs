//! The ticker without one guard: each must fail, and in the way the guard is there to prevent.

use stateright::{Checker, HasDiscoveries, Model};

use super::config::{Budget, Config, Guards};
use super::{NO_MISHAP, PLAIN, Ticker};

const WAITS: &str = "claimable work waits for no beat";
const ROBBED: &str = "a tick keeps its key until it expires";

/// Looks for a way in which a mutant breaks a property.
#[expect(clippy::print_stdout, reason = "the counterexample is what the test shows")]
fn breaks_in(property: &'static str, config: Config) {
    let checker = Ticker(config)
        .checker()
        .finish_when(HasDiscoveries::AnyOf([property].into()))
        .spawn_bfs()
        .join();
    let path = checker.assert_any_discovery(property);
    println!("model: ticker, not \"{property}\", after {} states:", checker.unique_state_count());
    for event in path.into_actions() {
        println!("    {event:?}");
    }
}

fn breaks(property: &'static str, guards: Guards, budget: Budget) {
    breaks_in(property, Config { guards, budget, ..PLAIN });
}

#[test]
fn a_handler_that_nudges_before_its_commit_leaves_it_to_the_beat() {
    let guards = Guards { commits_first: false, ..Guards::ALL };
    breaks(WAITS, guards, NO_MISHAP);
}

#[test]
fn a_handler_that_trusts_an_expired_announcement_leaves_its_work_to_the_beat() {
    let guards = Guards { expires: false, ..Guards::ALL };
    breaks(WAITS, guards, Budget { deaths: 1, ..NO_MISHAP });
}

#[test]
fn a_tick_that_takes_the_key_from_another_robs_it() {
    let guards = Guards { take_compares: false, ..Guards::ALL };
    breaks(ROBBED, guards, Budget { beats: 1, ..NO_MISHAP });
}

#[test]
fn a_tick_that_leaves_an_announcement_in_place_misses_what_it_kept_off() {
    let guards = Guards { takes_over: false, ..Guards::ALL };
    breaks(WAITS, guards, NO_MISHAP);
}

#[test]
fn without_a_comparison_at_renewal_two_ticks_go_on() {
    let guards = Guards { renew_compares: false, ..Guards::ALL };
    breaks("one tick renews", guards, Budget { expiries: 1, beats: 1, ..NO_MISHAP });
}

#[test]
fn a_tick_that_deletes_without_comparing_frees_the_key_of_the_next() {
    let guards = Guards { release_compares: false, ..Guards::ALL };
    breaks(ROBBED, guards, Budget { expiries: 1, beats: 1, ..NO_MISHAP });
}

#[test]
fn a_handler_that_withdraws_without_comparing_frees_the_key_of_a_tick() {
    let guards = Guards { withdraw_compares: false, ..Guards::ALL };
    breaks(ROBBED, guards, Budget { late: 1, ..NO_MISHAP });
}

#[test]
fn a_refused_start_that_is_not_withdrawn_keeps_the_next_nudges_off() {
    let guards = Guards { withdraws: false, ..Guards::ALL };
    breaks("a refused start is withdrawn", guards, Budget { refusals: 1, ..NO_MISHAP });
}

#[test]
fn a_tick_that_looks_before_it_deletes_its_key_misses_what_comes_between() {
    let guards = Guards { deletes_first: false, ..Guards::ALL };
    breaks(WAITS, guards, NO_MISHAP);
}

#[test]
fn a_last_look_with_an_old_copy_of_the_processors_misses_one_that_registered() {
    let guards = Guards { fresh: false, ..Guards::ALL };
    breaks_in(WAITS, Config { guards, registers: true, ..PLAIN });
}

#[test]
fn a_tick_that_does_not_hand_off_leaves_the_rest_to_the_beat() {
    let guards = Guards { hands_off: false, ..Guards::ALL };
    breaks(WAITS, guards, Budget { ends: 1, ..NO_MISHAP });
}

#[test]
fn a_tick_that_does_not_look_after_its_last_call_misses_what_that_made_room_for() {
    let guards = Guards { looks_after_calls: false, ..Guards::ALL };
    breaks(WAITS, guards, Budget { ends: 1, ..NO_MISHAP });
}

#[test]
fn a_tick_that_claims_after_its_last_call_ends_with_another_open() {
    let guards = Guards { claims_no_more: false, ..Guards::ALL };
    breaks("a tick ends without a call", guards, Budget { ends: 1, ..NO_MISHAP });
}
