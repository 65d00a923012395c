//! The start jitter: workers that start together spread their first S3 requests over a random
//! delay. A worker can be stopped during its delay.

use std::fs;

use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::s3_server::S3Server;
use crate::support::{Worker, names, ordered_scene, worker};

/// The log message about the delay.
const DELAYED: &str = "before the first request to S3";

/// A maximum delay that practically never ends during a test.
const FOR_EVER: &str = "24h";

fn render(server: &S3Server) -> Worker {
    server.put("a.blend", &ordered_scene(1, 4, &json!({})));
    worker("render")
        .s3(server)
        .input(server.uri("a.blend"))
        .output(server.uri("out"))
        .args("-f 4 --log-level debug")
        .stand_in_blender()
}

/// Makes a worker the first child of an array.
fn child_of_array(worker: Worker, size: &str) -> Worker {
    worker.env("AWS_BATCH_JOB_ARRAY_INDEX", "0").env("AWS_BATCH_JOB_ARRAY_SIZE", size)
}

#[test]
fn a_worker_that_is_stopped_during_its_delay_has_made_no_request() {
    for (signal, exit_code) in [(Signal::SIGTERM, 143), (Signal::SIGINT, 130)] {
        let server = S3Server::start();
        let running = child_of_array(render(&server), "10").env("START_JITTER", FOR_EVER).start();
        running.wait_for_log(DELAYED);
        assert!(server.requests().is_empty(), "{:?}", server.requests());
        running.signal(signal);
        running.finish().exits(exit_code);
        assert!(server.requests().is_empty(), "{:?}", server.requests());
    }
}

#[test]
fn the_job_timeout_can_expire_during_the_delay() {
    let server = S3Server::start();
    let run = render(&server).args("--start-jitter 24h --job-timeout 10ms").run();
    run.exits(70).logs(&["JOB_TIMEOUT"]);
    assert!(server.requests().is_empty(), "{:?}", server.requests());
}

#[test]
fn children_of_an_array_are_delayed_by_default_in_every_attempt() {
    let server = S3Server::start();
    for attempt in ["1", "2"] {
        let child = child_of_array(render(&server), "10").env("AWS_BATCH_JOB_ATTEMPT", attempt);
        child.run().exits(0).logs(&[DELAYED, "up to 10ms"]);
    }
}

#[test]
fn single_jobs_and_arrays_with_the_jitter_off_are_not_delayed() {
    let server = S3Server::start();
    render(&server).run().exits(0).never_logs(&[DELAYED]);
    child_of_array(render(&server), "1").run().exits(0).never_logs(&[DELAYED]);
    child_of_array(render(&server), "10000")
        .args("--start-jitter off")
        .run()
        .exits(0)
        .never_logs(&[DELAYED]);
}

#[test]
fn workers_with_local_folders_are_not_delayed() {
    let folder = tempfile::tempdir().unwrap();
    let scene = folder.path().join("a.blend");
    fs::write(&scene, ordered_scene(1, 1, &json!({}))).unwrap();
    let output = folder.path().join("out");
    let render = worker("render").input(scene).output(&output).args("-f 1").stand_in_blender();
    render.env("START_JITTER", FOR_EVER).run().exits(0);
    assert_eq!(names(&output.join("frames")), ["0001.png"]);
}
