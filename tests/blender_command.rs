//! The command `blender` over the official wheel does what Blender itself does: the same
//! frames, the same exit statuses, the same effect of the order of arguments.
//!
//! It is compared with recordings of Blender (see `fixtures/command-line/record`), for
//! which it has to be the Blender on PATH: elsewhere these recordings are what is tested.

use std::process::Command;

use crate::support::fixture;

#[test]
fn every_command_line_comes_to_what_blender_itself_makes_of_it() {
    let folder = fixture("command-line");
    let run = Command::new(folder.join("record")).output().expect("bash runs");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let expected = std::fs::read_to_string(folder.join("expected")).unwrap();
    let told = String::from_utf8(run.stdout).unwrap();
    let lines = told.lines().zip(expected.lines()).enumerate();
    for (at, (line, wanted)) in lines {
        let before: Vec<_> = expected.lines().take(at).skip(at.saturating_sub(5)).collect();
        assert_eq!(line, wanted, "behind {before:#?}");
    }
    assert_eq!(told.lines().count(), expected.lines().count());
}
