//! `make chaos`: kills jobs at random moments, again and again, on storage that fails at random.
//! No frame may be lost or wrong, or be rendered more often than necessary.
//!
//! The worker is the built program as PID 1 of a PID namespace. As in a container, all processes
//! die when it is killed. Storage is an S3 server with injected faults, or a folder. The stand-in
//! for Blender renders a frame in some milliseconds and records which ones; the last scenario uses
//! the real Blender.
//!
//! All randomness comes from one seed, which is printed first. The same seed gives the same
//! moments and faults; how far the worker is at these moments depends on the machine.
//!
//! | variable | meaning |
//! | --- | --- |
//! | `CHAOS_SEED` | the seed of an earlier run |
//! | `CHAOS_KILLS` | the number of kills in a scenario (100) |
//! | `CHAOS_FRAMES` | the frames of a job (200) |
//! | `CHAOS_FAULTS` | the percentage of failing S3 requests in scenarios with kills (10) |
//! | `CHAOS_SPEED` | the bandwidth of the slow network in bytes per second (120000) |
//! | `CHAOS_ROUNDS` | the jobs with the real Blender (10) |
//! | `CHAOS_ONLY` | names of scenarios, separated by spaces |
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test may panic and reads its environment; this one prints its progress"
)]

mod container; // the worker as PID 1 of a PID namespace
mod expected;
mod job; // a job, which is started again until it is done
mod killing; // the moments of kills, and the invariants
mod marks; // the stand-in's record: which frames, how often
mod output; // the output, and everything that was ever visible in it
mod projects; // kills while projects are packed and fetched
mod scenarios; // the scenarios
mod settings; // the environment variables
#[path = "../support/mod.rs"]
mod support; // shared with the tests of single behaviours
mod tally; // the counts, as a table // the expected content of each frame

use std::time::Instant;

use crate::scenarios::{SCENARIOS, Scenario};
use crate::settings::Settings;
use crate::tally::table;

fn main() {
    let settings = Settings::from_environment();
    let seed = settings.seed;
    println!("chaos: CHAOS_SEED={seed}; {settings}");
    let default_hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        default_hook(panic);
        eprintln!("chaos: failed; to repeat: CHAOS_SEED={seed} make chaos");
    }));
    let started = Instant::now();
    let mut tallies = Vec::new();
    for Scenario { name, about, run } in SCENARIOS {
        if settings.wants(name) {
            println!("\n{name}: {about}");
            tallies.push(run(&settings, settings.seed_of(name)));
        }
    }
    assert!(!tallies.is_empty(), "CHAOS_ONLY names no scenario");
    println!("\n{}", table(&tallies));
    println!("chaos: nothing lost in {:.0} s; CHAOS_SEED={seed}", started.elapsed().as_secs_f64());
}
