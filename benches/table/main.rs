//! `make bench`: the worker and its alternatives in one table.
//!
//! Each row runs the worker and its alternatives in turn, on this machine, against an S3 server
//! in this process. [`measuring`] defines the figures, [`rows`] the rows. Nothing is asserted
//! about time: a missed target is a line in the table. Notes below the table name the programs
//! that are not installed.
//!
//! The benchmark prints the table, and writes it as Markdown and as SVG to `benches/results/`.
//!
//! | variable | meaning |
//! | --- | --- |
//! | `BENCH_ONLY` | names of rows, separated by spaces; writes results only with `BENCH_NAME` |
//! | `BENCH_ROUNDS` | counted runs of each contender (5); half as many where a run takes minutes |
//! | `BENCH_SCENE` | the scene to render (`fixtures/scenes/demo.blend`) |
//! | `BENCH_PERCENT`, `BENCH_SAMPLES` | its resolution in percent (100), and its samples (4) |
//! | `BENCH_NAME` | the file name of the results, without extension (the date) |
//!
//! `RENDER_WORKER_BIN` names the worker. In the rows about objects, this executable takes its
//! place: it starts itself again as the program in [`transfer`].
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a benchmark may panic, reads its environment, and prints its progress"
)]

mod bench; // what all rows share: settings, programs, a folder
mod chart; // the results as a picture
mod copiers; // the command lines of the programs that copy objects
mod figures; // figures and targets as text
mod files; // the files of a folder
mod finding; // the result of a row
mod machine; // the machine and the versions of all programs
mod measuring; // one run of a program
mod peers; // the programs that the worker is compared with
mod proxy; // a network with latency
mod report; // the results as a table
mod rounds; // contenders in turn
mod rows; // the rows
mod settings; // the environment variables
mod spread; // median, minimum and maximum of several runs
mod store; // an S3 server, near or far
#[path = "../../tests/support/mod.rs"]
mod support; // shared with the tests
mod transfer; // the worker's storage as a program

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use crate::bench::Bench;
use crate::finding::Outcome;
use crate::report::Report;
use crate::rows::{ROWS, Row};
use crate::settings::Settings;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    if let [word, rest @ ..] = &arguments[..]
        && word == transfer::WORD
    {
        return transfer::run(rest);
    }
    let settings = Settings::from_environment();
    let unknown = settings.unknown(&ROWS.map(|row| row.name));
    assert!(unknown.is_empty(), "BENCH_ONLY: no such rows: {}", unknown.join(" "));

    let bench = Bench::new(settings);
    let machine = machine::lines(&bench);
    let (mut outcome, mut failed) = (Outcome::default(), false);
    for Row { name, about, run } in ROWS {
        if !bench.settings.wants(name) {
            continue;
        }
        eprintln!("{name}: {about}");
        // A row that fails must not cost the others.
        if let Ok(row) = catch_unwind(AssertUnwindSafe(|| run(&bench))) {
            outcome.add(row);
        } else {
            failed = true;
            outcome.notes.push(format!("{name}: a run failed, see its log"));
        }
    }
    let report = Report { outcome, machine };
    println!("{}", report.markdown());
    if let Some(name) = &bench.settings.name {
        report.write(name);
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
