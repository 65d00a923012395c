//! `make bench`: the worker beside everything that one could take instead, in one table.
//!
//! Every row is measured on this machine, in turn with what it is compared with, against
//! an S3 server in this process ([`measuring`] says what each figure is, [`rows`] what each
//! row does). Nothing is asserted about time: a target that is missed is a line in the
//! table. What cannot be run here, for want of a program, is told below the table.
//!
//! The table is printed, and written as Markdown and as SVG to `benches/results/`.
//!
//! | variable | meaning |
//! | --- | --- |
//! | `BENCH_ONLY` | names of rows, separated by spaces; nothing is written then, unless named |
//! | `BENCH_ROUNDS` | how often each contender is run and counted (5); half of that where a run takes long |
//! | `BENCH_SCENE` | the scene that is rendered (`fixtures/scenes/demo.blend`) |
//! | `BENCH_PERCENT`, `BENCH_SAMPLES` | its resolution, in percent (100), and its samples (4) |
//! | `BENCH_NAME` | what the files with the results are called (the date) |
//!
//! The worker is the built program, `RENDER_WORKER_BIN`. Rows about objects alone have this
//! executable in its place, started again as the program in [`transfer`].
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "it ends by panicking, has an environment of its own, and tells how it goes"
)]

mod bench; // what all rows work with: settings, peers, a folder
mod chart; // the results as a picture
mod finding; // what a row found
mod machine; // where it was measured, and what
mod measuring; // one run of a program
mod peers; // programs that copy objects, and their command lines
mod proxy; // a network with a long way
mod report; // the results as a table
mod rounds; // contenders in turn
mod rows; // the rows
mod settings; // what the variables say
mod spread; // what several runs come to
mod store; // an S3 server near or far
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
        // The other rows are worth having all the same.
        if let Ok(row) = catch_unwind(AssertUnwindSafe(|| run(&bench))) {
            outcome.add(row);
        } else {
            failed = true;
            outcome.notes.push(format!("{name}: a run of it failed, see its log"));
        }
    }
    let report = Report { outcome, machine };
    println!("{}", report.markdown());
    if let Some(name) = &bench.settings.name {
        report.write(name);
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
