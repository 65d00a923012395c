//! A share of all S3 requests goes wrong, in every way there is: every frame and the video
//! are stored, with the very bytes of a run without faults, or the job ends with 75 and
//! can be run again. Never a wrong byte, never a hang.
//!
//! The same faults each time; `FAULT_SEED=n` tries others.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use crate::support::s3_server::S3Server;
use crate::support::{Run, ordered_scene, worker};

const FRAMES: usize = 32;

/// Far more than the retries of all requests take together.
const NEVER_A_HANG: Duration = Duration::from_mins(4);

/// How often a job is run at most that ends with 75: as Batch would.
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
        // Eight attempts take up to half a minute.
        job.env("AWS_MAX_ATTEMPTS", "8").start().finish_within(NEVER_A_HANG)
    }

    /// Runs a job as often as Batch would.
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
        panic!("{action} did not get through in {RUNS} runs");
    }

    fn results(&self) -> BTreeMap<String, Vec<u8>> {
        let mut keys = self.server.keys("out/frames/");
        keys.extend(self.server.keys("out/output.mp4"));
        keys.into_iter().map(|key| (key.clone(), self.server.get(&key).expect("it"))).collect()
    }
}

#[expect(clippy::print_stdout, reason = "shown when the test fails")]
fn survives(percent: u8) {
    let sound = Job::new();
    sound.run("render").exits(0);
    sound.run("stitch").exits(0);
    let expected = sound.results();
    assert_eq!(expected.len(), FRAMES + 1);

    let seed = seed();
    println!("repeat with FAULT_SEED={seed} ({percent} %)");
    let job = Job::new();
    job.server.fault_rate(seed, percent);
    job.run_until_done("render");
    job.run_until_done("stitch");
    let (faults, requests) = (job.server.faults(), job.server.requests().len());
    println!("{faults} of {requests} requests went wrong");
    assert!(faults * 100 >= requests * usize::from(percent) / 3, "{faults} of {requests}");
    let results = job.results();
    for (key, bytes) in &expected {
        assert!(results.get(key) == Some(bytes), "{key} has other bytes, or is not there");
    }
    assert_eq!(results.len(), expected.len());
    assert_eq!(job.server.open_uploads(), [""; 0]);
}

#[test]
fn of_10_percent() {
    survives(10);
}

#[test]
fn of_30_percent() {
    survives(30);
}

#[test]
fn of_50_percent() {
    survives(50);
}
