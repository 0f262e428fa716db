//! Every function's program starts, and what keeps it from going on is said in words.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::process::{Command, Stdio};

const PROGRAMS: [(&str, &str); 6] = [
    ("action", env!("CARGO_BIN_EXE_action")),
    ("complete", env!("CARGO_BIN_EXE_complete")),
    ("meta", env!("CARGO_BIN_EXE_meta")),
    ("operate", env!("CARGO_BIN_EXE_operate")),
    ("register", env!("CARGO_BIN_EXE_register")),
    ("tick", env!("CARGO_BIN_EXE_tick")),
];
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// Nobody listens there.
const NOBODY: (&str, &str) = ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:1");
const WHOLE: [(&str, &str); 6] = [
    NOBODY,
    ("REDIS_URL", "redis://127.0.0.1:1"),
    ("BATON_PUBLIC_URL", "https://baton.example.com"),
    ("BATON_PROCESSOR_SECRETS", SECRET),
    ("BATON_WEBHOOK_SECRETS", SECRET),
    ("BATON_CALLER_KEYS", "00112233445566778899aabbccddeeff"),
];

/// What a program that refuses to start says.
fn refusal(program: &str, env: &[(&str, &str)]) -> String {
    let mut command = Command::new(program);
    command.env_clear().envs(env.iter().copied()).stdin(Stdio::null());
    let ended = command.output().unwrap();
    assert!(!ended.status.success(), "{program} did not fail");
    assert!(ended.stdout.is_empty(), "{program} wrote to standard output");
    let said = String::from_utf8(ended.stderr).unwrap();
    let (first, rest) = said.split_once('\n').unwrap();
    assert_eq!(first, "baton: refused to start", "{program}: {said}");
    rest.to_owned()
}

#[test]
fn every_function_says_that_it_is_one_when_it_is_run_by_hand() {
    for (name, program) in PROGRAMS {
        let said = refusal(program, &[]);
        assert!(said.contains("is a Lambda function"), "{name}: {said}");
    }
}

#[test]
fn every_function_names_what_is_missing_and_what_is_unknown() {
    for (name, program) in PROGRAMS {
        let said = refusal(program, &[NOBODY, ("BATON_TICK_FUNCTIO", "tick")]);
        for problem in [
            "BATON_TICK_FUNCTIO is not a variable: did you mean `BATON_TICK_FUNCTION`?",
            "REDIS_URL is missing",
            "BATON_PUBLIC_URL is missing",
            "BATON_PROCESSOR_SECRETS is missing",
            "BATON_WEBHOOK_SECRETS is missing",
            "BATON_CALLER_KEYS is missing",
        ] {
            assert!(said.contains(problem), "{name}: {said}");
        }
        assert_eq!(said.lines().count(), 6, "{name}: {said}");
    }
}

#[cfg(not(feature = "aws"))]
#[test]
fn a_build_without_aws_refuses_what_needs_it() {
    let (_, program) = PROGRAMS[0];
    let iam = [("BATON_REDIS_IAM_USER", "u"), ("BATON_REDIS_IAM_CACHE", "c")];
    let tls = ("REDIS_URL", "rediss://127.0.0.1:1");
    let cases: [(&str, &[(&str, &str)]); 3] = [
        (
            "BATON_SECRET_ARN",
            &[("BATON_SECRET_ARN", "arn:aws:secretsmanager:eu-west-1:1:secret:s")],
        ),
        ("BATON_REDIS_IAM_USER", &[iam[0], iam[1], tls]),
        ("BATON_TICK_FUNCTION", &[("BATON_TICK_FUNCTION", "tick")]),
    ];
    for (variable, more) in cases {
        let said = refusal(program, &[&WHOLE, more].concat());
        assert!(said.starts_with(variable) && said.contains("feature `aws`"), "{said}");
    }
}

#[cfg(feature = "aws")]
#[test]
fn a_secret_that_cannot_be_read_refuses_to_start() {
    let (_, program) = PROGRAMS[0];
    let more = [
        ("BATON_SECRET_ARN", "arn:aws:secretsmanager:eu-west-1:1:secret:s"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
    ];
    let said = refusal(program, &[&WHOLE, &more[..]].concat());
    assert!(said.starts_with("BATON_SECRET_ARN: "), "{said}");
}
