//! What is not run against functions, and why.

use std::io::Write as _;
use std::process::Command;

use kit::Form;

/// Scenarios of what only the one process of a server has, with the reason for each.
const SERVERS_ALONE: [(&str, &str); 3] = [
    (
        "health::more_processors_than_are_asked_at_a_time_are_asked_in_turn",
        "the limit is one process's: while its checks hang, the next beat begins its own",
    ),
    (
        "stop::a_stop_in_the_middle_of_a_chain_leaves_the_next_step_in_its_queue",
        "nobody asks a function to stop: it ends its event, or is killed",
    ),
    (
        "stop::a_stop_answers_long_polls_with_what_is_so_far",
        "nobody asks a function to stop: a poll ends by its own time",
    ),
];

/// Whether the scenario that calls this is not run in this form, by the list.
pub(crate) fn left_out() -> bool {
    let this = std::thread::current();
    let name = this.name().expect("a test's thread has its name");
    let listed = SERVERS_ALONE.iter().any(|(scenario, _)| *scenario == name);
    assert!(listed, "{name} is not in the list of what is left out");
    Form::of_run() != Form::Server
}

#[test]
fn what_is_left_out_for_functions_is_named_with_its_reason() {
    let this = std::env::current_exe().unwrap();
    let listed = Command::new(this).args(["--list", "--format", "terse"]).output().unwrap();
    let tests = String::from_utf8(listed.stdout).unwrap();
    for (scenario, reason) in SERVERS_ALONE {
        assert!(tests.lines().any(|line| line == format!("{scenario}: test")), "{scenario}");
        assert!(!reason.is_empty());
    }
    if Form::of_run() != Form::Server {
        let mut said = format!("\n{} scenarios are left out:\n", SERVERS_ALONE.len());
        for (scenario, reason) in SERVERS_ALONE {
            said += &format!("  {scenario}: {reason}\n");
        }
        // Past the harness, which keeps what a passing test prints.
        std::io::stderr().write_all(said.as_bytes()).unwrap();
    }
}
