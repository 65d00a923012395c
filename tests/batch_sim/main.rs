//! `make batch-sim`: the job definitions of `deploy/batch` on a real container engine, as AWS
//! Batch would run them. 48 frames of a scene are rendered by the 24 children of an array
//! job, a third of which lose their instance at a random moment; in one Blender crashes, in
//! another it is killed for want of memory. Then the job runs that waited for all of them, and
//! makes the video. Both are what `submit` asks for. Then the same with the job definition and the
//! state machine of the reference pipeline, without mishaps.
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
mod request; // what `submit` asks for, and what a state machine does
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
use crate::request::Request;
use crate::support::engine::image;
use crate::support::s3_server::S3Server;
use crate::support::scene;

const FRAMES: u32 = 48;
const CHILDREN: u32 = 24;

/// By when an instance is lost: before a child can have ended, of four on two cores.
const LONGEST: Duration = Duration::from_secs(18);

fn main() {
    let seed = variable("BATCH_SIM_SEED").unwrap_or_else(|| fastrand::u64(0..100_000_000));
    let at_once = variable("BATCH_SIM_AT_ONCE").unwrap_or(4);
    println!("batch-sim: {}, {at_once} children at once; BATCH_SIM_SEED={seed}", image());
    let [render, stitch] = ["deploy/batch/render", "deploy/batch/stitch"].map(JobDefinition::of);
    println!("\n{FRAMES} frames, {CHILDREN} children, deploy/batch:");
    let server = Store::new();
    let arguments = format!("-t {FRAMES} -f {}", FRAMES / CHILDREN);
    let requests = request::of_submit(&server.s3, &server.scene, &server.output, &arguments);
    let pipeline = Pipeline { definitions: [&render, &stitch], requests, frames: FRAMES };
    assert_eq!(pipeline.requests[0].size, CHILDREN);
    pipeline.run(&server, &mishaps(seed), at_once);

    let reference = JobDefinition::of("fixtures/batch/reference");
    println!("\n4 frames, 2 children, job definition and state machine of the reference pipeline:");
    let server = Store::new();
    let requests = request::of_state_machine(&server.scene, &server.output, 2, 2);
    let pipeline = Pipeline { definitions: [&reference, &reference], requests, frames: 4 };
    pipeline.run(&server, &BTreeMap::new(), at_once);
    println!("\nbatch-sim: both videos have every frame");
}

/// S3 with a scene, for one pipeline.
struct Store {
    s3: S3Server,
    scene: String,
    output: String,
}

impl Store {
    fn new() -> Self {
        let s3 = S3Server::start();
        s3.put("scenes/demo.blend", &std::fs::read(scene("demo")).expect("a scene"));
        let (scene, output) = (s3.uri("scenes/demo.blend"), s3.uri("renders/demo"));
        Self { s3, scene, output }
    }
}

/// An array job that renders, and a job that waits for all of its children, and stitches.
struct Pipeline<'a> {
    definitions: [&'a JobDefinition; 2],
    requests: [Request; 2],
    frames: u32,
}

impl Pipeline<'_> {
    /// Runs it, so many children at once, and looks at the video.
    fn run(&self, store: &Store, mishaps: &BTreeMap<u32, Mishap>, at_once: usize) {
        let [render, stitch] = self.definitions;
        let [rendering, stitching] = &self.requests;
        let children = rendering.size;
        let id = format!("batch-sim-{}-{children}", std::process::id());
        let access = store.s3.env().into_iter().map(|(name, value)| (name.to_owned(), value));
        let access: Vec<_> = access.collect();
        let job = |id: String, definition, request: &Request, array, mishap| Job {
            id,
            definition,
            parameters: request.parameters.iter().cloned().collect(),
            array,
            environment: access.iter().chain(&request.environment).cloned().collect(),
            mishap,
        };
        let child = |index: u32| {
            let mishap = mishaps.get(&index).copied();
            job(format!("{id}:{index}"), render, rendering, Some((index, children)), mishap)
        };
        let results = run_all((0..children).map(child).collect(), at_once);
        for (index, (_, attempts)) in &results {
            print(&format!("child {index}"), attempts);
        }
        let failed = results.iter().filter(|(_, (done, _))| !done).map(|(index, _)| index);
        let failed: Vec<_> = failed.collect();
        assert!(failed.is_empty(), "children failed, and the stitch job with them: {failed:?}");

        let job = job(format!("{id}-stitch"), stitch, stitching, None, None);
        let (done, attempts) = job.run();
        print("stitch", &attempts);
        assert!(done, "there is no video");
        video::check(&store.s3, "renders/demo", self.frames);
        let attempts: usize = results.values().map(|(_, attempts)| attempts.len()).sum();
        let stored = store.s3.history("renders/demo/frames/").len();
        println!(
            "{attempts} attempts of {children} children; {} frames, stored {stored} times",
            self.frames
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
