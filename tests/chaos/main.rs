//! `make chaos`: a job is killed at random moments, again and again, on a storage that
//! fails at random, and nothing may be lost, be wrong, or be rendered more often than it
//! has to be.
//!
//! The worker is the built program as PID 1 of a PID namespace, which dies as a whole when
//! it is killed: as a container does. Storage is a real S3 server that spoils a share of
//! the requests, or a folder. The stand-in for Blender renders a frame in some milliseconds
//! and notes which ones; the last scenario is with the real Blender.
//!
//! Everything random comes from one seed, which is printed first. The same seed gives the
//! same moments and faults; how far the worker is by then is up to the machine.
//!
//! | variable | meaning |
//! | --- | --- |
//! | `CHAOS_SEED` | the seed of an earlier run |
//! | `CHAOS_KILLS` | how often each job is killed (100) |
//! | `CHAOS_FRAMES` | frames of a job (200) |
//! | `CHAOS_FAULTS` | percent of the requests to S3 that go wrong where jobs are killed (10) |
//! | `CHAOS_SPEED` | bytes a second that go out where the network is slow (120000) |
//! | `CHAOS_ROUNDS` | jobs with the real Blender (10) |
//! | `CHAOS_ONLY` | names of scenarios, separated by spaces |
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test ends by panicking, has an environment of its own, and this one tells how it goes"
)]

mod container; // the worker as PID 1, and the end of everything in there
mod job; // frames to render, started again until they are there
mod killing; // when to kill, and what that must not do
mod marks; // what the stand-in noted: which frames, how often
mod output; // where frames go, and everything that was ever visible there
mod scenarios; // the scenarios
mod settings; // what the variables say
#[path = "../support/mod.rs"]
mod support; // shared with the tests of single behaviours
mod tally; // what happened, in a table
mod truth; // what each frame has to be

use std::time::Instant;

use crate::scenarios::{SCENARIOS, Scenario};
use crate::settings::Settings;
use crate::tally::table;

fn main() {
    let settings = Settings::from_environment();
    let seed = settings.seed;
    println!("chaos: CHAOS_SEED={seed}; {settings}");
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        tell(panic);
        eprintln!("chaos: failed; to run it again: CHAOS_SEED={seed} make chaos");
    }));
    let started = Instant::now();
    let mut tallies = Vec::new();
    for Scenario { name, about, run } in SCENARIOS {
        if settings.wants(name) {
            println!("\n{name}: {about}");
            tallies.push(run(&settings, settings.seed_of(name)));
        }
    }
    assert!(!tallies.is_empty(), "CHAOS_ONLY names none of the scenarios");
    println!("\n{}", table(&tallies));
    println!("chaos: nothing lost in {:.0} s; CHAOS_SEED={seed}", started.elapsed().as_secs_f64());
}
