//! The worker as a process: its environment, its exit code, its signals.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::io::{BufRead, BufReader, Read as _};
use std::process::{Child, Command, Stdio};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn worker(variables: &[(&str, &str)]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_worker"))
        .env_clear()
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Reads the log until a line has this in it; without such a line the log ends and so does the test.
fn read_until(log: &mut impl BufRead, words: &str) -> String {
    let found = log.lines().map(Result::unwrap).find(|line| line.contains(words));
    found.unwrap_or_else(|| String::from("the log ended"))
}

#[test]
fn a_wrong_environment_ends_it_with_the_remedy() {
    let mut worker = worker(&[]);
    let mut log = String::new();
    worker.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert!(!worker.wait().unwrap().success());
    assert!(log.contains("PROCESSOR_SECRETS is not set"), "{log}");
}

#[test]
fn sigterm_and_sigint_end_it_with_success() {
    for signal in ["-TERM", "-INT"] {
        // Nobody listens there: it goes on trying to register until it is stopped.
        let mut worker =
            worker(&[("MANAGER_URL", "http://127.0.0.1:1"), ("PROCESSOR_SECRETS", SECRET)]);
        let mut log = BufReader::new(worker.stderr.take().unwrap());
        let line = read_until(&mut log, "not registered with http://127.0.0.1:1");
        assert!(line.contains("next try"), "{line}");
        let sent = Command::new("kill").args([signal, &worker.id().to_string()]).status().unwrap();
        assert!(sent.success());
        let mut rest = String::new();
        log.read_to_string(&mut rest).unwrap();
        assert!(worker.wait().unwrap().success(), "{rest}");
        assert!(rest.contains("stopped"), "{rest}");
    }
}
