//! The commands of a farm on this simulation: `status` while jobs run, `retry`, `submit --missing` and
//! `cancel`, each beside what the store has.

use serde_json::{Value, json};

use crate::definition::JobDefinition;
use crate::job::{Job, Mishap};
use crate::support::batch_server::BatchServer;
use crate::support::engine::{docker, printed};
use crate::support::s3_server::S3Server;
use crate::support::{Worker, wait_until, worker};

/// The frames and the frames of a child.
const FRAMES: u32 = 8;
const PER_CHILD: u32 = 2;

/// The child in which Blender crashes.
const CRASHES: u32 = 1;

/// A farm: AWS Batch as far as requests go, the store, and the definition of its jobs.
pub struct Farm<'a> {
    pub s3: &'a S3Server,
    pub scene: &'a str,
    pub output: &'a str,
    /// The prefix of the output in the bucket.
    pub prefix: &'a str,
    pub definition: &'a JobDefinition,
}

impl Farm<'_> {
    /// Submits, loses a child, retries it, loses a frame, submits what is missing, and cancels.
    pub fn run(&self) {
        let batch = BatchServer::start();
        // An attempt at which Blender fails is not repeated, so that the child fails.
        let once = "--env BLENDER_ATTEMPTS=1 --no-stitch";
        let array = self.submit(&batch, &format!("-t {FRAMES} -f {PER_CHILD} {once}"));
        let children = FRAMES / PER_CHILD;
        for index in 0..children {
            let mishap = (index == CRASHES).then_some(Mishap::Crash);
            let done = self.watched(&self.job(&array, Some((index, children)), mishap));
            assert_eq!(done, index != CRASHES, "child {index}");
        }
        describe(&batch, &array, children);
        let retried =
            submitted(&batch, |batch| worker("retry").arg(id(&array)).args("--json").batch(batch));
        assert!(self.watched(&self.job(&retried, None, None)), "the child is retried");
        assert_eq!(self.stored(), FRAMES, "retry renders what has failed");

        self.s3.remove(&format!("{}/frames/0005.png", self.prefix));
        let missing = format!("-t {FRAMES} -f {PER_CHILD} --missing {once}");
        let missing = self.submit(&batch, &missing);
        assert!(self.watched(&self.job(&missing, None, None)), "the missing frame is rendered");
        assert_eq!(self.stored(), FRAMES, "submit --missing renders what is not there");

        self.cancel(&batch);
        println!(
            "status beside the store, retry, submit --missing and cancel are as they should be"
        );
    }

    /// Cancels a job while its container renders: it stores what is finished.
    fn cancel(&self, batch: &BatchServer) {
        for number in 1..=FRAMES {
            self.s3.remove(&format!("{}/frames/{number:04}.png", self.prefix));
        }
        let request = self.submit(batch, &format!("-t {FRAMES} -f {FRAMES} --no-stitch"));
        let job = self.job(&request, None, None);
        std::thread::scope(|scope| {
            // Only the first attempt: AWS Batch begins no other one of a terminated job.
            let attempt = scope.spawn(|| job.attempt(1, None));
            wait_until("a frame is stored", || self.stored() > 0);
            batch.set_job(json!({"jobId": id(&request), "jobName": "demo", "status": "RUNNING"}));
            worker("cancel").arg(id(&request)).batch(batch).run().exits(0);
            assert_eq!(batch.requests_for("terminatejob").len(), 1);
            // As AWS Batch does when a job is terminated.
            printed(docker(["stop", "-t", "30", &format!("{}-1", id(&request))]));
            let (end, log, _) = attempt.join().expect("no panic");
            assert_eq!(end.exit_code, Some(143), "{log}");
        });
        assert!((1..FRAMES).contains(&self.stored()), "{} frames are stored", self.stored());
    }

    /// Submits jobs, and returns the request for the one that renders, with its id.
    fn submit(&self, batch: &BatchServer, arguments: &str) -> Value {
        submitted(batch, |batch| {
            let submit = worker("submit").input(self.scene).output(self.output).args(arguments);
            let submit = submit.args("--job-queue simulated --job-definition render --json");
            submit.batch(batch).s3(self.s3)
        })
    }

    /// The container of a job, or of a child of it.
    fn job(&self, request: &Value, array: Option<(u32, u32)>, mishap: Option<Mishap>) -> Job<'_> {
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let access = self.s3.env().into_iter().map(|(name, value)| (name.to_owned(), value));
        let variables = request["containerOverrides"]["environment"].as_array().expect("a list");
        let variables = variables.iter().map(|it| (text(&it["name"]), text(&it["value"])));
        let parameters = request["parameters"].as_object().expect("parameters").iter();
        let own = id(request);
        Job {
            id: array.map_or(own.clone(), |(index, _)| format!("{own}:{index}")),
            definition: self.definition,
            parameters: parameters.map(|(name, value)| (name.clone(), text(value))).collect(),
            array,
            environment: access.chain(variables).collect(),
            mishap,
        }
    }

    /// Runs a job to its end, and looks at the output meanwhile. Returns whether the job succeeded.
    fn watched(&self, job: &Job<'_>) -> bool {
        std::thread::scope(|scope| {
            let running = scope.spawn(|| job.run());
            while !running.is_finished() {
                self.look();
            }
            running.join().expect("no panic").0
        })
    }

    /// Compares what `status` says with the store, which goes on meanwhile.
    fn look(&self) {
        let before = self.stored();
        let status = worker("status").output(self.output).arg("--json").s3(self.s3);
        let run = status.run();
        // Before the first child has begun, there is no output.
        if run.exit == 66 {
            return;
        }
        let status: Value = serde_json::from_str(&run.exits(0).stdout).expect("JSON");
        let said = status["stored"].as_u64().expect("a number");
        let (before, after) = (u64::from(before), u64::from(self.stored()));
        assert!((before..=after).contains(&said), "{said} are stored: {before} to {after}");
        println!("status: {said} of {}, the store has {before} to {after}", status["total"]);
    }

    /// The number of frames in the store.
    fn stored(&self) -> u32 {
        let names = self.s3.keys(&format!("{}/frames/", self.prefix));
        u32::try_from(names.len()).expect("few frames")
    }
}

fn id(request: &Value) -> String {
    request["jobId"].as_str().expect("an id").to_owned()
}

/// Runs a command that submits jobs. Returns the request for the one that renders, with its id.
fn submitted(batch: &BatchServer, command: impl FnOnce(&BatchServer) -> Worker) -> Value {
    let before = batch.requests_for("submitjob").len();
    let run = command(batch).run().exits(0);
    let output: Value = serde_json::from_str(&run.stdout).expect("JSON");
    let mut request = batch.requests_for("submitjob").swap_remove(before);
    request["jobId"] = output["render"]["job_id"].clone();
    request
}

/// Describes the array job, whose child has failed, as AWS Batch does.
fn describe(batch: &BatchServer, array: &Value, children: u32) {
    let states = json!({"SUCCEEDED": children - 1, "FAILED": 1});
    let mut job = array.clone();
    job["status"] = json!("FAILED");
    job["container"] = json!({"environment": array["containerOverrides"]["environment"]});
    job["arrayProperties"] = json!({"size": children, "statusSummary": states});
    batch.set_job(job);
    batch.set_job(json!({
        "jobId": format!("{}:{CRASHES}", id(array)), "jobName": "demo", "status": "FAILED",
        "arrayProperties": {"index": CRASHES}, "container": {"exitCode": 70},
    }));
}
