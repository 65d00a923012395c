//! A percentage of all S3 requests fails, in every way that a fault can have. Every frame and the
//! video are stored with the same bytes as without faults, or the job ends with 75 and can be run
//! again. No byte is wrong, and no job hangs.
//!
//! The faults are the same in every run of the test; `FAULT_SEED=n` chooses others.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use crate::support::s3_server::S3Server;
use crate::support::{Run, ordered_scene, worker};

const FRAMES: usize = 32;

/// The limit for a job: much longer than all its retries take.
const LIMIT: Duration = Duration::from_mins(4);

/// The maximum number of runs of a job, as in a retry strategy of AWS Batch.
const RUNS: usize = 5;

fn seed() -> u64 {
    let given = std::env::var("FAULT_SEED").ok();
    given.map_or(1, |seed| seed.parse().expect("a number"))
}

struct Job {
    server: S3Server,
}

impl Job {
    fn new() -> Self {
        let server = S3Server::start();
        let last = i32::try_from(FRAMES).expect("a frame number");
        server.put("a.blend", &ordered_scene(1, last, &json!({})));
        Self { server }
    }

    fn run(&self, action: &str) -> Run {
        let input = if action == "render" { "a.blend" } else { "out" };
        let mut job = worker(action).input(self.server.uri(input)).output(self.server.uri("out"));
        job = job.args(&format!("-f {FRAMES} -t {FRAMES}")).s3(&self.server);
        if action == "render" {
            job = job.stand_in_blender();
        }
        // Eight attempts at a request take up to half a minute.
        job.env("AWS_MAX_ATTEMPTS", "8").start().finish_within(LIMIT)
    }

    /// Runs a job again while it ends with 75, as AWS Batch does.
    fn run_until_done(&self, action: &str) {
        for _ in 0..RUNS {
            let run = self.run(action);
            assert!(
                [0, 75].contains(&run.exit),
                "exit code {}; the log:\n{}",
                run.exit,
                run.text()
            );
            if run.exit == 0 {
                return;
            }
        }
        panic!("{action} did not succeed in {RUNS} runs");
    }

    fn results(&self) -> BTreeMap<String, Vec<u8>> {
        let mut keys = self.server.keys("out/frames/");
        keys.extend(self.server.keys("out/output.mp4"));
        keys.into_iter().map(|key| (key.clone(), self.server.get(&key).expect("it"))).collect()
    }
}

#[expect(clippy::print_stdout, reason = "shown when the test fails")]
fn survives(percent: u8) {
    let reference = Job::new();
    reference.run("render").exits(0);
    reference.run("stitch").exits(0);
    let expected = reference.results();
    assert_eq!(expected.len(), FRAMES + 1);

    let seed = seed();
    println!("to repeat: FAULT_SEED={seed} ({percent} %)");
    let job = Job::new();
    job.server.fault_rate(seed, percent);
    job.run_until_done("render");
    job.run_until_done("stitch");
    let (faults, requests) = (job.server.faults(), job.server.requests().len());
    println!("{faults} of {requests} requests failed");
    assert!(faults * 100 >= requests * usize::from(percent) / 3, "{faults} of {requests}");
    let results = job.results();
    for (key, bytes) in &expected {
        assert!(results.get(key) == Some(bytes), "{key} has wrong bytes, or is missing");
    }
    assert_eq!(results.len(), expected.len());
    assert_eq!(job.server.open_uploads(), [""; 0]);
}

#[test]
fn jobs_survive_10_percent_of_failing_requests() {
    survives(10);
}

#[test]
fn jobs_survive_30_percent_of_failing_requests() {
    survives(30);
}

#[test]
fn jobs_survive_50_percent_of_failing_requests() {
    survives(50);
}
