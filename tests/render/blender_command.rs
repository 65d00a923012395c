//! The image's command `blender`, a wrapper around the official wheel, behaves like Blender: the
//! same frames, the same exit statuses, the same effect of the order of arguments.
//!
//! The test compares the `blender` on PATH with recordings (see `fixtures/command-line/record`).
//! If that is a Blender without the wrapper, it tests the recordings.

use std::process::Command;

use crate::support::fixture;

#[test]
fn every_command_line_has_the_recorded_effect() {
    let folder = fixture("command-line");
    let run = Command::new(folder.join("record")).output().expect("bash runs");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let expected = std::fs::read_to_string(folder.join("expected")).unwrap();
    let actual = String::from_utf8(run.stdout).unwrap();
    let lines = actual.lines().zip(expected.lines()).enumerate();
    for (at, (line, expected_line)) in lines {
        let before: Vec<_> = expected.lines().take(at).skip(at.saturating_sub(5)).collect();
        assert_eq!(line, expected_line, "after {before:#?}");
    }
    assert_eq!(actual.lines().count(), expected.lines().count());
}
