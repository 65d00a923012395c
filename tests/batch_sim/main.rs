//! `make batch-sim`: the job definitions of `deploy/batch` on a real container engine, as AWS
//! Batch would run them. 48 frames of a scene are rendered by the 24 children of an array
//! job, a third of which lose their instance at a random moment; in one Blender crashes, in
//! another it is killed for want of memory. Then the job runs that waited for all of them, and
//! makes the video.
//!
//! What Batch does is after its user guide: parameters, variables, attempts and the rules
//! for another one, the dependency, the time-out, SIGTERM and SIGKILL, memory, user and root
//! file system. Prices, queues and instances are not simulated.
//!
//! | variable | meaning |
//! | --- | --- |
//! | `BATCH_SIM_SEED` | chooses who loses an instance, and when (random) |
//! | `BATCH_SIM_AT_ONCE` | how many children run at once (4) |
//! | `RENDER_WORKER_IMAGE` | the image (`render-worker:latest`) |
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test ends by panicking, has an environment of its own, and this one tells how it goes"
)]

mod definition; // a job definition, and its rules for another attempt
mod engine; // a container as Batch's agent starts it
mod job; // a job's attempts, and what happens to them
#[path = "../support/mod.rs"]
mod support; // shared with the tests of single behaviours
mod video; // whether it is the right one

use std::collections::{BTreeMap, VecDeque};
use std::str::FromStr;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::Value;

use crate::definition::JobDefinition;
use crate::job::{Attempt, Job, Mishap};
use crate::support::engine::image;
use crate::support::s3_server::S3Server;
use crate::support::scene;

const FRAMES: u32 = 48;
const CHILDREN: u32 = 24;

/// By when an instance is lost: about as long as a child takes, of four on two cores.
const LONGEST: Duration = Duration::from_secs(30);

fn main() {
    let seed = variable("BATCH_SIM_SEED").unwrap_or_else(|| fastrand::u64(0..100_000_000));
    let at_once = variable("BATCH_SIM_AT_ONCE").unwrap_or(4);
    println!("batch-sim: {}, {at_once} children at once; BATCH_SIM_SEED={seed}", image());
    let [render, stitch] = ["deploy/batch/render", "deploy/batch/stitch"].map(JobDefinition::of);
    println!("\n{FRAMES} frames, {CHILDREN} children, deploy/batch:");
    let pipeline =
        Pipeline { render: &render, stitch: &stitch, frames: FRAMES, children: CHILDREN };
    pipeline.run(&mishaps(seed), at_once);

    let reference = JobDefinition::of("fixtures/batch/reference");
    println!("\n4 frames, 2 children, the job definition of the reference script:");
    let pipeline = Pipeline { render: &reference, stitch: &reference, frames: 4, children: 2 };
    pipeline.run(&BTreeMap::new(), at_once);
    println!("\nbatch-sim: both videos have every frame");
}

/// An array job that renders, and a job that waits for all of its children, and stitches.
struct Pipeline<'a> {
    render: &'a JobDefinition,
    stitch: &'a JobDefinition,
    frames: u32,
    children: u32,
}

impl Pipeline<'_> {
    /// Runs it on a server of its own, so many children at once, and looks at the video.
    fn run(&self, mishaps: &BTreeMap<u32, Mishap>, at_once: usize) {
        let server = S3Server::start();
        server.put("scenes/demo.blend", &std::fs::read(scene("demo")).expect("a scene"));
        let environment: Vec<_> =
            server.env().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let output = server.uri("renders/demo");
        let parameters = |action: &str, input: &str| {
            let per_job = (self.frames / self.children).to_string();
            let pairs = [
                ("action", action),
                ("inputUri", input),
                ("outputUri", &output),
                ("framesPerJob", &per_job),
            ];
            pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
        };
        let id = format!("batch-sim-{}-{}", std::process::id(), self.children);
        let child = |index| Job {
            id: format!("{id}:{index}"),
            definition: self.render,
            parameters: parameters("render", &server.uri("scenes/demo.blend")),
            array: Some((index, self.children)),
            environment: environment.clone(),
            mishap: mishaps.get(&index).copied(),
        };
        let results = run_all((0..self.children).map(child).collect(), at_once);
        for (index, (_, attempts)) in &results {
            print(&format!("child {index}"), attempts);
        }
        let failed = results.iter().filter(|(_, (done, _))| !done).map(|(index, _)| index);
        let failed: Vec<_> = failed.collect();
        assert!(failed.is_empty(), "children failed, and the stitch job with them: {failed:?}");

        let job = Job {
            id: format!("{id}-stitch"),
            definition: self.stitch,
            parameters: parameters("stitch", &output),
            array: None,
            environment: environment.clone(),
            mishap: None,
        };
        let (done, attempts) = job.run();
        print("stitch", &attempts);
        assert!(done, "there is no video");
        video::check(&server, "renders/demo", self.frames);
        let attempts: usize = results.values().map(|(_, attempts)| attempts.len()).sum();
        let stored = server.history("renders/demo/frames/").len();
        println!(
            "{attempts} attempts of {} children; {} frames, stored {stored} times",
            self.children, self.frames
        );
    }
}

/// What happens to whom: a third lose their instance, of two others one crashes and one runs
/// out of memory.
fn mishaps(seed: u64) -> BTreeMap<u32, Mishap> {
    let mut dice = fastrand::Rng::with_seed(seed);
    let mut indices: Vec<u32> = (0..CHILDREN).collect();
    dice.shuffle(&mut indices);
    let mut indices = indices.into_iter();
    let mut mishaps = BTreeMap::new();
    for index in indices.by_ref().take(CHILDREN as usize / 3) {
        let after = LONGEST.mul_f64(dice.f64());
        let mishap = if dice.bool() { Mishap::Reclaimed { after } } else { Mishap::Gone { after } };
        mishaps.insert(index, mishap);
    }
    mishaps.extend(indices.zip([Mishap::Crash, Mishap::OutOfMemory]));
    mishaps
}

/// Runs the children, so many at once; by index.
fn run_all(children: VecDeque<Job>, at_once: usize) -> BTreeMap<u32, (bool, Vec<Attempt>)> {
    let waiting = Mutex::new(children);
    let results = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                loop {
                    let Some(job) = waiting.lock().expect("no panic").pop_front() else { return };
                    let index = job.array.expect("a child").0;
                    let result = job.run();
                    results.lock().expect("no panic").insert(index, result);
                }
            });
        }
    });
    results.into_inner().expect("no panic")
}

/// What the worker said last of how it ended.
fn last_words(log: &str) -> String {
    let lines = log.lines().rev().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut last = lines.filter(|line| line["level"] == "ERROR");
    let words = last.next().map(|line| line["message"].as_str().unwrap_or_default().to_owned());
    words.unwrap_or_else(|| "it had not begun to speak".to_owned())
}

/// One line an attempt.
fn print(name: &str, attempts: &[Attempt]) {
    for attempt in attempts {
        let Attempt { number, mishap, end, next, took, log } = attempt;
        let mishap = match mishap {
            None => String::new(),
            Some(Mishap::Reclaimed { after }) => {
                format!("told to stop after {:.1} s", after.as_secs_f64())
            }
            Some(Mishap::Gone { after }) => format!("gone after {:.1} s", after.as_secs_f64()),
            Some(Mishap::Crash) => "Blender crashes".to_owned(),
            Some(Mishap::OutOfMemory) => "memory is taken".to_owned(),
        };
        let code = end.exit_code.map_or("-".to_owned(), |code| code.to_string());
        let stored = log.lines().filter(|line| line.contains(" stored: ")).count();
        let next = next.map_or("SUCCEEDED".to_owned(), |next| format!("{next:?}").to_uppercase());
        println!(
            "{name:9} attempt {number}  {:5.1} s  exit {code:>3}  {next:9}  {stored} stored  {mishap:25}  {} {}",
            took.as_secs_f64(),
            end.status_reason,
            end.reason
        );
        if !matches!(end.exit_code, None | Some(0)) {
            println!("{:9} {}", "", last_words(log));
        }
    }
}

/// A variable; empty counts as unset.
fn variable<T: FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok().filter(|text| !text.is_empty())?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")))
}
