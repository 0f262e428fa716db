//! Mutants of what is asked for without a token, and of the processors' own life.

use crate::guards::{Budget, Config, Guards};
use crate::mutants::breaks_in;
use crate::{BRIEF, NO_MISHAP, TWO};

/// Looks for a way in which a mutant with one action breaks a property.
fn breaks(property: &'static str, guards: Guards, budget: Budget) {
    breaks_in(property, Config { guards, budget, ..BRIEF });
}

#[test]
fn without_the_version_a_cancel_leaves_an_attempt_pending() {
    let guards = Guards { version: false, ..Guards::ALL };
    breaks("an action is in exactly one place", guards, Budget { cancels: 1, ..NO_MISHAP });
}

#[test]
fn without_the_first_answer_a_resent_cancel_is_refused() {
    let guards = Guards { asked: false, ..Guards::ALL };
    let budget = Budget { resends: 1, cancels: 1, ..NO_MISHAP };
    breaks("a re-sent script answers as the first time", guards, budget);
}

#[test]
fn without_the_nonce_two_are_told_that_they_cancelled() {
    let guards = Guards { asker: false, ..Guards::ALL };
    let budget = Budget { cancels: 2, ..NO_MISHAP };
    breaks("one request is told that it did something", guards, budget);
}

#[test]
fn without_the_mark_of_a_skip_the_outcome_says_succeeded() {
    let guards = Guards { skipped: false, ..Guards::ALL };
    let config = Config { skips: 1, guards, ..BRIEF };
    breaks_in("an outcome tells of a skipped step", config);
}

#[test]
fn without_the_run_two_who_saw_one_failure_start_two_runs() {
    let guards = Guards { run: false, ..Guards::ALL };
    let budget = Budget { redrives: 2, ..NO_MISHAP };
    breaks("a redrive starts the run after the one it saw", guards, budget);
}

#[test]
fn without_the_first_answer_a_resent_redrive_is_refused() {
    let guards = Guards { asked: false, ..Guards::ALL };
    let budget = Budget { resends: 1, redrives: 1, ..NO_MISHAP };
    breaks("a re-sent script answers as the first time", guards, budget);
}

#[test]
fn a_redrive_that_keeps_the_old_delivery_leaves_the_action_in_two_places() {
    let guards = Guards { dropped: false, ..Guards::ALL };
    breaks("an action is in exactly one place", guards, Budget { redrives: 1, ..NO_MISHAP });
}

#[test]
fn a_redrive_that_keeps_the_token_of_a_send_lets_it_end_the_new_run() {
    let guards = Guards { unsent: false, ..Guards::ALL };
    let property = "nothing live has a TTL, everything else has one";
    breaks(property, guards, Budget { redrives: 1, ..NO_MISHAP });
}

#[test]
fn a_redrive_that_leaves_the_ttl_lets_a_live_action_expire() {
    let guards = Guards { persist: false, ..Guards::ALL };
    let property = "nothing live has a TTL, everything else has one";
    breaks(property, guards, Budget { redrives: 1, ..NO_MISHAP });
}

#[test]
fn a_redrive_that_keeps_the_count_gives_a_step_fewer_attempts() {
    let guards = Guards { anew: false, ..Guards::ALL };
    let budget = Budget { redrives: 1, ..NO_MISHAP };
    breaks("a step has all its attempts in each run", guards, budget);
}

#[test]
fn without_the_version_a_late_redelivery_is_done_twice() {
    let guards = Guards { version: false, ..Guards::ALL };
    let budget = Budget { resends: 1, redeliveries: 2, ..NO_MISHAP };
    let config = Config { late_copies: true, guards, budget, ..BRIEF };
    breaks_in("what was asked for once is done once", config);
}

#[test]
fn without_the_first_answer_a_resent_redelivery_is_refused() {
    let guards = Guards { asked: false, ..Guards::ALL };
    let budget = Budget { resends: 1, redeliveries: 1, ..NO_MISHAP };
    breaks("a re-sent script answers as the first time", guards, budget);
}

#[test]
fn a_redelivery_that_leaves_the_ttl_lets_its_outcome_expire() {
    let guards = Guards { persist: false, ..Guards::ALL };
    let property = "nothing live has a TTL, everything else has one";
    breaks(property, guards, Budget { redeliveries: 1, ..NO_MISHAP });
}

#[test]
fn a_redelivery_that_counts_as_a_run_is_another_webhook() {
    let guards = Guards { same_run: false, ..Guards::ALL };
    let budget = Budget { redeliveries: 1, ..NO_MISHAP };
    breaks("each send of a run is the same webhook", guards, budget);
}

#[test]
fn without_the_boot_a_running_attempt_is_handed_back() {
    let guards = Guards { boot: false, ..Guards::ALL };
    let budget = Budget { restarts: 1, ..NO_MISHAP };
    breaks("a holder keeps what it holds while the lease runs", guards, budget);
}

#[test]
fn without_the_registration_what_a_drained_instance_holds_is_handed_back() {
    let guards = Guards { since: false, ..Guards::ALL };
    breaks(
        "a holder keeps what it holds while the lease runs",
        guards,
        Budget { drains: 1, ..NO_MISHAP },
    );
}

#[test]
fn a_hand_back_that_counts_takes_an_attempt_from_the_step() {
    let guards = Guards { free: false, ..Guards::ALL };
    let budget = Budget { restarts: 1, ..NO_MISHAP };
    breaks("a step has all its attempts in each run", guards, budget);
}

#[test]
fn without_the_bound_a_step_that_ends_its_processor_is_worked_on_for_ever() {
    let guards = Guards { few: false, ..Guards::ALL };
    let budget = Budget { restarts: 2, ..NO_MISHAP };
    breaks("a step is claimed so often and no more", guards, budget);
}

#[test]
fn a_check_that_answers_late_has_a_running_attempt_handed_back() {
    let guards = Guards { later: false, ..Guards::ALL };
    let budget = Budget { restarts: 2, ..NO_MISHAP };
    breaks("a holder keeps what it holds while the lease runs", guards, budget);
}

#[test]
fn without_the_first_answer_a_resent_hand_back_is_refused() {
    let guards = Guards { returned: false, ..Guards::ALL };
    let budget = Budget { resends: 1, restarts: 1, ..NO_MISHAP };
    breaks("a re-sent script answers as the first time", guards, budget);
}

#[test]
fn without_a_look_at_the_status_a_paused_processor_gets_work() {
    let guards = Guards { active: false, ..Guards::ALL };
    let budget = Budget { pauses: 1, ..NO_MISHAP };
    breaks("a processor gets work only while it takes it", guards, budget);
}

#[test]
fn without_a_look_at_the_status_a_draining_processor_gets_work() {
    let guards = Guards { active: false, ..Guards::ALL };
    let budget = Budget { drains: 1, ..NO_MISHAP };
    let config = Config { guards, budget, late_copies: false, ..TWO };
    breaks_in("a processor gets work only while it takes it", config);
}

#[test]
fn a_registration_that_resumes_gives_work_to_a_paused_processor() {
    let guards = Guards { paused: false, ..Guards::ALL };
    let budget = Budget { pauses: 1, restarts: 1, ..NO_MISHAP };
    breaks("a processor gets work only while it takes it", guards, budget);
}

#[test]
fn without_its_version_a_late_switch_undoes_a_later_one() {
    let guards = Guards { switch: false, ..Guards::ALL };
    let budget = Budget { pauses: 2, ..NO_MISHAP };
    breaks("the last switch of a processor holds", guards, budget);
}

#[test]
fn without_the_epoch_an_instance_that_was_replaced_drains_its_successor() {
    let guards = Guards { epoch: false, ..Guards::ALL };
    let budget = Budget { restarts: 1, drains: 1, ..NO_MISHAP };
    breaks("a processor is drained only by itself", guards, budget);
}

#[test]
fn a_removal_that_does_not_wait_leaves_an_attempt_without_its_processor() {
    let guards = Guards { empty: false, ..Guards::ALL };
    let budget = Budget { drains: 1, ..NO_MISHAP };
    breaks("what is pending has a processor", guards, budget);
}
