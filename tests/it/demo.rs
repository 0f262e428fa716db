//! The demo's exit code.

use std::process::{Command, Output};

use kit::binary;

/// Runs the demo on a small text.
fn demo(flag: Option<&str>) -> (Output, String) {
    let dir = kit::DataDir::new();
    let file = dir.file("text.md");
    let text = "# One, *two*, two\n\n- three `three`\n- [three](http://one.example)\n";
    std::fs::write(&file, text).unwrap();
    let output = Command::new(binary("demo")).args(flag).arg(&file).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output, text)
}

#[test]
fn the_demo_succeeds_on_the_right_words_and_leaves_no_process() {
    let (output, text) = demo(None);
    assert!(output.status.success(), "{output:?}");
    for expected in ["3 three", "2 two", "1 one", "webhook delivered", "signature verifies"] {
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn the_demo_fails_on_a_flipped_signature_byte() {
    let (output, text) = demo(Some("--flip-signature"));
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(text.contains("does not verify"), "{text}");
}

#[test]
fn the_demo_fails_on_a_wrong_word() {
    let (output, text) = demo(Some("--wrong-word"));
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(text.contains("counts other words"), "{text}");
}
