//! The soak in short: a check that is taken out of the manager's scripts is noticed by what it then does
//! to actions, and nothing is noticed when none is.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a scenario fails by panicking, its helpers too"
)]

use std::process::{Command, Stdio};

use kit::{Break, binary};

/// How long actions are offered at most, in seconds: a run that breaks something ends when it is noticed.
const SECONDS: &str = "60";
/// The same where what is broken is noticed by what never comes, or where nothing is broken.
const FEW_SECONDS: &str = "8";
/// The plans of faults of which one must bring out what is broken.
const SEEDS: [&str; 3] = ["1", "2", "3"];
/// How many are offered a second: these runs may share the machine with other tests.
const RATE: &str = "400";

/// What a run came to.
struct Run {
    good: bool,
    output: String,
}

impl Run {
    fn with(breaks: Option<Break>, seconds: &str, seed: &str) -> Self {
        let mut command = Command::new(binary("soak"));
        command.env("SOAK_SECONDS", seconds).env("SOAK_RATE", RATE).env("SEED", seed);
        command.env(
            "BREAK",
            breaks.map(|which| format!("{which:?}").to_lowercase()).unwrap_or_default(),
        );
        let output = command.stdin(Stdio::null()).output().unwrap();
        let text =
            [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        Self { good: output.status.success(), output: text.concat() }
    }

    /// A number of the last line.
    fn number(&self, name: &str) -> u64 {
        let line = self.output.lines().find(|line| line.starts_with("soak: seed="));
        let line = line.unwrap_or_else(|| panic!("no account:\n{}", self.output));
        let mut fields = line.split_whitespace().filter_map(|field| field.split_once('='));
        let (_, number) = fields.find(|(field, _)| *field == name).unwrap();
        number.parse().unwrap()
    }

    /// Everything that must be 0.
    fn damage(&self) -> u64 {
        ["lost", "wrong", "dup_new_id", "repaired"].map(|name| self.number(name)).iter().sum()
    }
}

// One after the other: each of them alone keeps the machine busy.
#[test]
fn every_check_that_is_taken_out_is_noticed_and_nothing_is_when_none_is() {
    let run = Run::with(None, FEW_SECONDS, "1");
    assert_eq!(run.damage(), 0, "{}", run.output);
    assert!(run.number("accepted") > 0, "{}", run.output);
    for which in Break::ALL {
        let seconds = if which == Break::Persist { FEW_SECONDS } else { SECONDS };
        // Whether the faults of one plan bring it out also hangs on how fast the machine is.
        let noticed = SEEDS.iter().any(|seed| {
            let run = Run::with(Some(which), seconds, seed);
            assert!(!run.good || run.damage() == 0, "{which:?}:\n{}", run.output);
            run.damage() > 0
        });
        assert!(noticed, "{which:?} was not noticed with any of the seeds {SEEDS:?}");
    }
}
