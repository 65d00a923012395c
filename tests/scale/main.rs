//! `make scale`: starts many workers of one array job at the same moment on one S3 server, and
//! counts their requests: one for each frame, and a fixed number for each worker. It prints the
//! arrival of the requests over time, with and without the start jitter.
//!
//! The workers are the built program. The stand-in for Blender sleeps instead of rendering. Each
//! worker's AWS SDK has an application name of its own, which identifies its requests.
//!
//! The printed peaks are lower than in reality: here the workers share a few cores, while each has
//! a machine of its own on AWS Batch. Only counts are asserted, which do not depend on that.
//!
//! | variable | meaning |
//! | --- | --- |
//! | `SCALE_WORKERS` | the number of workers (200) |
//! | `SCALE_FRAMES_PER_JOB` | the frames of each worker (10) |
//! | `SCALE_FRAME_MILLISECONDS` | the time per frame in milliseconds (500) |
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test may panic and reads its environment; this one prints its progress"
)]

mod arrivals; // the arrival times of requests
mod fleet; // the workers
mod request_limits; // the number of requests and its limit
mod settings; // the environment variables
#[path = "../support/mod.rs"]
mod support; // shared with the tests of single behaviours

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::fleet::{Fleet, Start};
use crate::request_limits::{FRESH, FRESH_PROJECT, RESUMED, RESUMED_PROJECT};
use crate::settings::Settings;

fn main() {
    let settings = Settings::from_environment();
    let Settings { workers, frames, .. } = settings;
    println!("scale: {settings}");
    allow_many_connections();
    let alone = Fleet::new(&Settings { workers: 1, ..settings });

    println!("\nOne worker:");
    let requests = alone.run(Start::Together);
    arrivals::print_each(&requests);
    request_limits::check(&requests, &FRESH, frames);

    let fleet = Fleet::new(&settings);
    println!("\nAll {workers} workers at once, without start jitter (START_JITTER=off):");
    let requests = fleet.run(Start::Together);
    request_limits::check(&requests, &FRESH, frames);
    request_limits::print(&requests, frames);
    arrivals::print(&requests);
    fleet.check_frames();

    println!("\nThe same with every frame already stored:");
    let requests = fleet.run(Start::Together);
    request_limits::check(&requests, &RESUMED, frames);
    request_limits::print(&requests, frames);
    arrivals::print(&requests);
    fleet.check_frames();

    let fleet = Fleet::of_project(&settings);
    for (what, budget) in [
        ("A project, all workers at once, without start jitter", FRESH_PROJECT),
        ("The same with every frame already stored", RESUMED_PROJECT),
    ] {
        println!("\n{what}:");
        let requests = fleet.run(Start::Together);
        request_limits::check(&requests, &budget, frames);
        request_limits::print(&requests, frames);
        arrivals::print(&requests);
        fleet.check_frames();
    }

    for array in [workers, 10_000.max(workers)] {
        println!("\n{workers} of {array} children, with a start jitter of up to 1 ms per child:");
        let fleet = Fleet::new(&settings);
        let requests = fleet.run(Start::Spread { array });
        request_limits::check(&requests, &FRESH, frames);
        arrivals::print(&requests);
        fleet.check_frames();
    }
    println!("\nscale: every frame is stored, and there were no unnecessary requests");
}

/// Raises the limit of open files: the server in this process has many connections.
fn allow_many_connections() {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    setrlimit(Resource::RLIMIT_NOFILE, most, most).expect("an allowed limit");
}
