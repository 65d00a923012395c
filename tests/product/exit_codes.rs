//! The exit codes are part of the contract, because retry rules depend on them. The reference,
//! `--help` and the code list the same codes.

use std::collections::BTreeSet;

use render_worker::exit::Exit;

use crate::support::place::Place;
use crate::support::{is_root, scene, worker};

/// Returns the exit codes in the code.
fn codes() -> BTreeSet<u8> {
    Exit::ALL.iter().map(|exit| exit.code()).collect()
}

#[test]
fn the_reference_has_a_row_for_every_exit_code_and_no_other() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reference.md");
    let text = std::fs::read_to_string(file).expect("a reference");
    let mut lines = text
        .lines()
        .skip_while(|line| !(line.starts_with('#') && line.to_lowercase().contains("exit codes")));
    assert!(lines.next().is_some(), "the reference has no heading `Exit codes`");
    let section = lines.take_while(|line| !line.starts_with('#'));
    // A row can have several codes: `143 (130)`.
    let cells = section.filter_map(|line| line.strip_prefix('|')?.split('|').next());
    let numbers = |cell: &str| -> Vec<u8> {
        let digits = cell.split(|c: char| !c.is_ascii_digit());
        digits.filter(|digits| !digits.is_empty()).map(|d| d.parse().unwrap()).collect()
    };
    let documented: Vec<u8> = cells.flat_map(numbers).collect();
    let unique: BTreeSet<u8> = documented.iter().copied().collect();
    assert_eq!(unique.len(), documented.len(), "a code has two rows: {documented:?}");
    assert_eq!(unique, codes());
}

#[test]
fn the_help_lists_every_exit_code_and_no_other() {
    let (mut command, _scratch) = worker("--help").into_command();
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (_, section) = text.split_once("Exit codes:").expect("a section");
    let section = section.split("\n\n").next().unwrap();
    let words = section.split(|c: char| !c.is_ascii_alphanumeric());
    let documented: BTreeSet<u8> = words.filter_map(|word| word.parse().ok()).collect();
    assert_eq!(documented, codes());
}

#[test]
fn too_low_limits_of_open_files_or_threads_are_named() {
    let place = Place::with_scene("");
    for limit in ["4", "5", "8", "16", "63"] {
        let run =
            place.render("-f 1").wrapped_in(["prlimit", &format!("--nofile={limit}:{limit}")]);
        run.run().fails(69, &[&format!("open {limit} files at once"), "RLIMIT_NOFILE (ulimit -n"]);
    }
    // The worker raises a soft limit as far as the hard limit allows.
    let run = worker("inspect").input(scene("tiny")).wrapped_in(["prlimit", "--nofile=8:4096"]);
    run.run().exits(0);
    // The kernel counts the threads of a user, so this user must have no other processes.
    if !is_root() {
        return;
    }
    for limit in ["1", "2", "3", "4", "8"] {
        let worker = place.render("-f 1 --log-format json");
        let run = worker.wrapped_in([
            "setpriv",
            "--reuid=47110815",
            "--regid=47110815",
            "--clear-groups",
            "prlimit",
            &format!("--nproc={limit}:{limit}"),
        ]);
        run.run().fails(69, &["more threads, and 16 are needed", "RLIMIT_NPROC (ulimit -u)"]);
    }
}
