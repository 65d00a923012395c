//! `make scale`: many workers of one array job start in the same moment on one S3 server,
//! and what they ask of it is counted: each frame is stored with one request, and a worker
//! needs a fixed number beside its frames. When they come is shown with and without their
//! waiting a random time before they begin.
//!
//! The worker is the built program, all of them at once; the stand-in for Blender sleeps
//! where Blender would render. Requests are told apart by the name that each worker gives
//! its AWS SDK.
//!
//! How steep the herd is says less than it seems: so many programs that start on a few
//! cores wait for these. On machines of their own they would be closer together. Counts do
//! not depend on that, and only counts are asserted.
//!
//! | variable | meaning |
//! | --- | --- |
//! | `SCALE_WORKERS` | how many workers (200) |
//! | `SCALE_FRAMES_PER_JOB` | frames of each (10) |
//! | `SCALE_FRAME_MILLISECONDS` | how long a frame takes (500) |
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test ends by panicking, has an environment of its own, and this one tells how it goes"
)]

mod arrivals; // when requests came
mod economy; // how many there were, and how many there may be
mod fleet; // the workers, all at once
mod settings; // what the variables say
#[path = "../support/mod.rs"]
mod support; // shared with the tests of single behaviours

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::economy::{FRESH, RESUMED};
use crate::fleet::{Fleet, Start};
use crate::settings::Settings;

fn main() {
    let settings = Settings::from_environment();
    let Settings { workers, frames, .. } = settings;
    println!("scale: {settings}");
    allow_many_connections();
    let alone = Fleet::new(&Settings { workers: 1, ..settings });

    println!("\nOne worker alone:");
    let requests = alone.run(Start::Together);
    arrivals::print_each(&requests);
    economy::check(&requests, &FRESH, frames);

    let fleet = Fleet::new(&settings);
    println!("\nAll {workers} at once, nobody waits (START_JITTER=off):");
    let requests = fleet.run(Start::Together);
    economy::check(&requests, &FRESH, frames);
    economy::print(&requests, frames);
    arrivals::print(&requests);
    fleet.check_frames();

    println!("\nThe same again, with every frame stored:");
    let requests = fleet.run(Start::Together);
    economy::check(&requests, &RESUMED, frames);
    economy::print(&requests, frames);
    arrivals::print(&requests);
    fleet.check_frames();

    for array in [workers, 10_000.max(workers)] {
        println!("\nAs {workers} of {array} children, each waits up to 1 ms a child:");
        let fleet = Fleet::new(&settings);
        let requests = fleet.run(Start::Spread { array });
        economy::check(&requests, &FRESH, frames);
        arrivals::print(&requests);
        fleet.check_frames();
    }
    println!("\nscale: every frame is there, and no request was made that need not be");
}

/// Each worker has some connections, and the server in this process has as many.
fn allow_many_connections() {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    setrlimit(Resource::RLIMIT_NOFILE, most, most).expect("a limit that is allowed");
}
