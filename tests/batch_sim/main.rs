//! `make batch-sim`: simulates AWS Batch with the job definitions of `deploy/batch` on a container
//! engine. The 24 children of an array job render 48 frames. A third of them lose their instance at
//! a random moment; in one, Blender crashes; in another, Blender is killed for lack of memory. Then
//! the dependent job stitches the video. The jobs are those of `submit`. A second pipeline uses the
//! job definition and the state machine of the reference pipeline, without mishaps. Between them, `status`
//! is held against the store while jobs run, and `retry`, `submit --missing` and `cancel` do their work.
//!
//! The simulation follows the user guide of AWS Batch: parameters, variables, attempts and retry
//! rules, the dependency, the timeout, SIGTERM and SIGKILL, memory, user and root file system.
//! Prices, queues and instances are not simulated.
//!
//! | variable | meaning |
//! | --- | --- |
//! | `BATCH_SIM_SEED` | the seed for the children that lose their instance, and when (random) |
//! | `BATCH_SIM_AT_ONCE` | the children that run at once (4) |
//! | `RENDER_WORKER_IMAGE` | the image (`render-worker:latest`) |
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test may panic and reads its environment; this one prints its progress"
)]

mod definition; // job definitions and their retry rules
mod engine; // a container as Batch's agent starts it
mod farm; // status, retry, submit --missing and cancel
mod job; // the attempts of a job, and their mishaps
mod request; // the jobs of `submit`, and those of a state machine
#[path = "../support/mod.rs"]
mod support; // shared with the tests of single behaviours
mod video; // the check of the video

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

/// The latest moment of a loss: no child has ended by then if four share two cores.
const LATEST_LOSS: Duration = Duration::from_secs(18);

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

    println!("\nthe commands of a farm:");
    let server = Store::new();
    let (s3, scene, output) = (&server.s3, &server.scene, &server.output);
    farm::Farm { s3, scene, output, prefix: "renders/demo", definition: &render }.run();

    let reference = JobDefinition::of("fixtures/batch/reference");
    println!("\n4 frames, 2 children, job definition and state machine of the reference pipeline:");
    let server = Store::new();
    let requests = request::of_state_machine(&server.scene, &server.output, 2, 2);
    let pipeline = Pipeline { definitions: [&reference, &reference], requests, frames: 4 };
    pipeline.run(&server, &BTreeMap::new(), at_once);
    println!("\nbatch-sim: both videos have every frame");
}

/// An S3 server with a scene, for one pipeline.
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

/// An array job that renders, and a dependent job that stitches.
struct Pipeline<'a> {
    definitions: [&'a JobDefinition; 2],
    requests: [Request; 2],
    frames: u32,
}

impl Pipeline<'_> {
    /// Runs the pipeline, `at_once` children at a time, and checks the video.
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
        assert!(failed.is_empty(), "children failed: {failed:?}");

        let job = job(format!("{id}-stitch"), stitch, stitching, None, None);
        let (done, attempts) = job.run();
        print("stitch", &attempts);
        assert!(done, "the stitch job failed");
        video::check(&store.s3, "renders/demo", self.frames);
        let attempts: usize = results.values().map(|(_, attempts)| attempts.len()).sum();
        let stored = store.s3.history("renders/demo/frames/").len();
        println!(
            "{attempts} attempts of {children} children; {} frames, stored {stored} times",
            self.frames
        );
    }
}

/// Chooses the mishaps: a third of the children lose their instance, one crashes, and one runs out
/// of memory.
fn mishaps(seed: u64) -> BTreeMap<u32, Mishap> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut indices: Vec<u32> = (0..CHILDREN).collect();
    rng.shuffle(&mut indices);
    let mut indices = indices.into_iter();
    let mut mishaps = BTreeMap::new();
    for index in indices.by_ref().take(CHILDREN as usize / 3) {
        let after = LATEST_LOSS.mul_f64(rng.f64());
        let mishap = if rng.bool() { Mishap::Reclaimed { after } } else { Mishap::Lost { after } };
        mishaps.insert(index, mishap);
    }
    mishaps.extend(indices.zip([Mishap::Crash, Mishap::OutOfMemory]));
    mishaps
}

/// Runs the children, `at_once` at a time. Returns the results by index.
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

/// Returns the last error in a log.
fn final_error(log: &str) -> String {
    let lines = log.lines().rev().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut last = lines.filter(|line| line["level"] == "ERROR");
    let error = last.next().map(|line| line["message"].as_str().unwrap_or_default().to_owned());
    error.unwrap_or_else(|| "no error in the log".to_owned())
}

/// Prints one line per attempt.
fn print(name: &str, attempts: &[Attempt]) {
    for attempt in attempts {
        let Attempt { number, mishap, end, next, took, log } = attempt;
        let mishap = match mishap {
            None => String::new(),
            Some(Mishap::Reclaimed { after }) => {
                format!("stopped after {:.1} s", after.as_secs_f64())
            }
            Some(Mishap::Lost { after }) => format!("lost after {:.1} s", after.as_secs_f64()),
            Some(Mishap::Crash) => "Blender crashes".to_owned(),
            Some(Mishap::OutOfMemory) => "out of memory".to_owned(),
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
            println!("{:9} {}", "", final_error(log));
        }
    }
}

/// Reads a number from a variable; empty counts as unset.
fn variable<T: FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok().filter(|text| !text.is_empty())?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")))
}
