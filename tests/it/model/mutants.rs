//! Models without one guard: each must fail, and in the way the guard is there to prevent.

use crate::guards::{Budget, Config, Guards};
use crate::{Baton, NO_MISHAP, ONE, TWO};
use stateright::{Checker, HasDiscoveries, Model};

/// Looks for a way in which a mutant with one action breaks a property.
fn breaks(property: &'static str, guards: Guards, budget: Budget) {
    breaks_in(property, Config { guards, budget, ..ONE });
}

/// Looks for it in the plain model, and in the reduced one, which must not hide it.
#[expect(clippy::print_stdout, reason = "the counterexample is what the test shows")]
pub(crate) fn breaks_in(property: &'static str, config: Config) {
    let [plain, reduced] = [false, true].map(|reduced| {
        Baton(Config { reduced, ..config })
            .checker()
            .finish_when(HasDiscoveries::AnyOf([property].into()))
            .spawn_bfs()
            .join()
    });
    reduced.assert_any_discovery(property);
    let path = plain.assert_any_discovery(property);
    println!("model: not \"{property}\", after {} states:", plain.unique_state_count());
    for event in path.into_actions() {
        println!("    {event:?}");
    }
}

#[test]
fn without_the_token_a_late_completion_settles_another_attempt() {
    let guards = Guards { token: false, ..Guards::ALL };
    breaks("only the current attempt is settled", guards, Budget { late: 1, ..NO_MISHAP });
}

#[test]
fn without_the_token_a_late_completion_leaves_the_action_in_two_places() {
    let guards = Guards { token: false, ..Guards::ALL };
    breaks("an action is in exactly one place", guards, Budget { late: 1, ..NO_MISHAP });
}

#[test]
fn without_the_nonce_two_reports_are_told_that_they_settled_the_attempt() {
    let guards = Guards { nonce: false, ..Guards::ALL };
    breaks("one request is told that it did something", guards, Budget { echoes: 1, ..NO_MISHAP });
}

#[test]
fn without_the_first_answer_a_resent_script_is_refused() {
    let guards = Guards { answer: false, ..Guards::ALL };
    breaks(
        "a re-sent script answers as the first time",
        guards,
        Budget { resends: 1, ..NO_MISHAP },
    );
}

#[test]
fn without_the_lease_a_reaper_takes_what_a_heartbeat_renewed() {
    let guards = Guards { lease: false, ..Guards::ALL };
    let budget = Budget { late: 1, renewals: 1, ..NO_MISHAP };
    breaks("a holder keeps what it holds while the lease runs", guards, budget);
}

#[test]
fn without_the_lease_two_managers_send_one_outcome_at_a_time() {
    let guards = Guards { lease: false, ..Guards::ALL };
    breaks("one manager sends an outcome while its lease runs", guards, NO_MISHAP);
}

#[test]
fn without_the_queue_entry_a_claim_leaves_the_action_in_two_places() {
    let guards = Guards { entry: false, ..Guards::ALL };
    breaks("an action is in exactly one place", guards, NO_MISHAP);
}

#[test]
fn without_the_queue_entry_an_outcome_that_was_delivered_is_sent_again() {
    let guards = Guards { entry: false, ..Guards::ALL };
    let budget = Budget { echoes: 1, ..NO_MISHAP };
    breaks("a settled delivery is not sent again", guards, budget);
}

#[test]
fn without_a_look_at_the_pending_set_a_processor_gets_more_than_its_capacity() {
    let guards = Guards { room: false, ..Guards::ALL };
    breaks_in("in flight is the pending set", Config { guards, ..TWO });
}

#[test]
fn without_the_version_a_deadline_leaves_an_attempt_pending() {
    let guards = Guards { version: false, ..Guards::ALL };
    breaks("an action is in exactly one place", guards, Budget { deadlines: 1, ..NO_MISHAP });
}

#[test]
fn without_the_version_a_late_copy_of_a_claim_revives_a_settled_token() {
    let guards = Guards { version: false, ..Guards::ALL };
    breaks("no path ends before every action has", guards, Budget { resends: 1, ..NO_MISHAP });
}

#[test]
fn without_the_version_a_late_copy_of_a_claim_takes_one_steps_output_for_anothers() {
    let guards = Guards { version: false, ..Guards::ALL };
    let budget = Budget { resends: 1, echoes: 1, ..NO_MISHAP };
    breaks("only the current attempt is settled", guards, budget);
}

#[test]
fn without_names_of_their_own_a_late_payload_becomes_anothers_output() {
    let guards = Guards { names: false, ..Guards::ALL };
    breaks("an output is applied once and stays", guards, Budget { late: 1, ..NO_MISHAP });
}

#[test]
fn without_set_if_absent_a_resent_pipeline_puts_a_ttl_on_a_live_payload() {
    let guards = Guards { absent: false, ..Guards::ALL };
    let property = "nothing live has a TTL, everything else has one";
    breaks(property, guards, Budget { resends: 1, ..NO_MISHAP });
}

#[test]
fn without_a_look_at_the_payload_a_refused_write_loses_the_data() {
    let guards = Guards { present: false, ..Guards::ALL };
    breaks("no live payload is missing", guards, Budget { lost_writes: 1, ..NO_MISHAP });
}

#[test]
fn without_a_look_at_the_name_a_resent_pipeline_unlinks_the_accepted_output() {
    let guards = Guards { named: false, ..Guards::ALL };
    breaks("no live payload is missing", guards, Budget { resends: 1, ..NO_MISHAP });
}
