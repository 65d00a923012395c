//! `--wait --download`: what jobs store comes to this machine while they are followed.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;
use walkdir::WalkDir;

use crate::support::batch_server::BatchServer;
use crate::support::s3_server::{Fault, Gate, Operation, S3Server};
use crate::support::{LONG, Worker, scene, worker};

const JOB: &str = "11111111-aaaa-bbbb-cccc-ddddeeeeffff";

/// A job in this state that stores its output at `output`.
fn job(status: &str, output: &str) -> Value {
    json!({
        "jobArn": format!("arn:aws:batch:eu-central-1:123456789012:job/{JOB}"),
        "jobName": "pottery", "jobId": JOB, "status": status, "attempts": [], "dependsOn": [],
        "jobQueue": "arn:aws:batch:eu-central-1:123456789012:job-queue/q",
        "jobDefinition": "arn:aws:batch:eu-central-1:123456789012:job-definition/d:1",
        "createdAt": 1_763_776_800_000_i64,
        "parameters": if output.is_empty() { json!({}) } else { json!({"outputUri": output}) },
        "container": {"environment": [], "resourceRequirements": []},
    })
}

/// A job that runs, its output, and a folder for it.
struct Farm {
    batch: BatchServer,
    server: S3Server,
    folder: TempDir,
}

impl Farm {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let farm = Self { batch: BatchServer::start(), server: S3Server::start(), folder };
        farm.set("RUNNING");
        farm
    }

    fn set(&self, status: &str) {
        self.batch.set_job(job(status, &self.server.uri("out")));
    }

    fn put(&self, name: &str, content: &str) {
        self.server.put(&format!("out/{name}"), content.as_bytes());
    }

    /// A command line that follows the job, and brings here what it stores.
    fn following(&self) -> Worker {
        let status = worker("status").arg(JOB).batch(&self.batch).s3(&self.server);
        let status = status.args("--wait --poll-interval 1s --download");
        status.arg(self.folder.path().join("home"))
    }

    /// What has come, with hidden files.
    fn home(&self) -> BTreeMap<String, String> {
        let home = self.folder.path().join("home");
        let files = WalkDir::new(&home).into_iter().flatten();
        let files = files.filter(|entry| entry.file_type().is_file());
        let name = |path: &Path| path.strip_prefix(&home).unwrap().to_str().unwrap().to_owned();
        files.map(|it| (name(it.path()), fs::read_to_string(it.path()).unwrap())).collect()
    }

    /// How often a file was fetched.
    fn fetched(&self, name: &str) -> usize {
        let key = format!("out/{name}");
        let requests = self.server.requests();
        requests.iter().filter(|it| it.operation == Operation::GetObject && it.key == key).count()
    }
}

fn files<const N: usize>(files: [(&str, &str); N]) -> BTreeMap<String, String> {
    files.map(|(name, content)| (name.to_owned(), content.to_owned())).into()
}

#[test]
fn files_come_while_the_jobs_run_and_only_once() {
    let farm = Farm::new();
    farm.put("frames/0001.png", "one");
    let running = farm.following().start();
    running.wait_for_log("files downloaded to");
    assert_eq!(farm.home(), files([("frames/0001.png", "one")]));
    for (name, content) in [
        ("frames/0002.png", "two"),
        ("outputs/Mist/deep/0002.exr", "mist"),
        ("cameras/Front/frames/0001.png", "front"),
        ("output.mp4", "video"),
        ("previews/0002.jpg", "not wanted"),
        ("cameras/Front/reports/1.json", "not wanted"),
        ("reports/1.json", "not wanted"),
        ("frames/.hidden", "not wanted"),
    ] {
        farm.put(name, content);
    }
    farm.set("SUCCEEDED");
    running.finish().exits(0).logs(&["files in "]).logs_no_warnings();
    let all = [
        ("cameras/Front/frames/0001.png", "front"),
        ("frames/0001.png", "one"),
        ("frames/0002.png", "two"),
        ("output.mp4", "video"),
        ("outputs/Mist/deep/0002.exr", "mist"),
    ];
    assert_eq!(farm.home(), files(all));
    assert_eq!(farm.fetched("frames/0001.png"), 1);

    // Another command fetches what is new, what was replaced, and what was removed here.
    farm.put("frames/0001.png", "one again");
    fs::remove_file(farm.folder.path().join("home/output.mp4")).unwrap();
    farm.following().run().exits(0);
    assert_eq!(farm.home()["frames/0001.png"], "one again");
    assert_eq!(farm.home()["output.mp4"], "video");
    let fetched = ["frames/0001.png", "frames/0002.png", "output.mp4"].map(|it| farm.fetched(it));
    assert_eq!(fetched, [2, 1, 2]);
}

#[test]
fn what_does_not_come_is_named_and_the_others_are_there() {
    let farm = Farm::new();
    farm.put("frames/0001.png", "one");
    farm.put("frames/0002.png", "two");
    let denied = Fault::on(Operation::GetObject).key("0002.png");
    farm.server.inject(denied.respond(403, "AccessDenied"));
    farm.set("SUCCEEDED");
    let run = farm.following().run();
    run.fails(77, &["not downloaded to", "frames/0002.png", "AccessDenied", "--download"]);
    assert_eq!(farm.home(), files([("frames/0001.png", "one")]));
    // A failure that passes while the jobs run is only a warning.
    farm.server.clear_faults();
    farm.set("RUNNING");
    let once = Fault::on(Operation::GetObject).key("0002.png").times(1);
    farm.server.inject(once.respond(403, "AccessDenied"));
    let running = farm.following().start();
    running.wait_for_log("files downloaded to");
    farm.set("SUCCEEDED");
    running.finish().exits(0).logs(&["frames/0002.png is not downloaded yet"]);
    assert_eq!(farm.home().len(), 2);
    // A file in the place of a folder.
    farm.put("frames/0003.png", "three");
    fs::remove_dir_all(farm.folder.path().join("home")).unwrap();
    fs::write(farm.folder.path().join("home"), "").unwrap();
    farm.following().run().fails(74, &["cannot write", "/home", "--download (DOWNLOAD_DIR)"]);
}

#[test]
fn ctrl_c_keeps_whole_files_only() {
    let farm = Farm::new();
    farm.put("frames/0001.png", "one");
    farm.put("frames/0002.png", &"two".repeat(1_000_000));
    let gate = Gate::default();
    // The second part of a file that is fetched in parts.
    let part = Fault::on(Operation::GetObject).key("0002.png").skip(1);
    farm.server.inject(part.hold(&gate));
    let running = farm.following().start();
    let is_second = |it: &crate::support::s3_server::Request| it.key == "out/frames/0002.png";
    let is_part = move |it: &crate::support::s3_server::Request| {
        is_second(it) && it.range().is_some_and(|range| !range.starts_with("bytes=0-"))
    };
    farm.server.wait_for_arrival(is_part, LONG);
    farm.server.wait_for(|it| it.key == "out/frames/0001.png", LONG);
    running.signal(Signal::SIGINT);
    gate.open();
    let run = running.finish().exits(130);
    let command = format!("render-worker status {JOB} --wait --download ");
    assert!(run.final_error().contains(&command), "{}", run.text());
    let home = farm.home();
    let names: Vec<_> = home.keys().map(String::as_str).collect();
    assert!(names.iter().all(|name| *name == "frames/0001.png"), "{names:?}");
}

#[test]
fn submit_brings_home_what_its_jobs_store() {
    let farm = Farm::new();
    farm.put("frames/0001.png", "one");
    let first = "00000001-aaaa-bbbb-cccc-ddddeeeeffff";
    let mut job = job("SUCCEEDED", &farm.server.uri("out"));
    job["jobId"] = json!(first);
    farm.batch.set_job(job);
    let submit = worker("submit").input(scene("demo")).output(farm.server.uri("out"));
    let submit =
        submit.args("--job-queue q --job-definition d -f 24 --no-stitch --wait --download");
    let submit = submit.arg(farm.folder.path().join("home"));
    submit.batch(&farm.batch).s3(&farm.server).run().exits(0);
    assert_eq!(farm.home(), files([("frames/0001.png", "one")]));
}

#[test]
fn a_download_needs_jobs_that_are_followed_and_say_where_their_output_is() {
    let farm = Farm::new();
    let run = worker("status").arg(JOB).args("--download home").run().exits(2);
    run.logs(&["--download (DOWNLOAD_DIR): is for jobs that are followed"]);
    farm.batch.set_job(job("RUNNING", ""));
    farm.following().run().fails(2, &["does not say where its output is"]);
    assert_eq!(farm.home(), files([]));
}
