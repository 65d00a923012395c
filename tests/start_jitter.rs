//! Workers that start in the same moment do not ask S3 in the same moment: each waits for
//! a random share of a time before its first request, and can be stopped meanwhile.

use std::fs;

use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::s3_server::S3Server;
use crate::support::{Worker, names, ordered_scene, worker};

/// What is said of waiting.
const SAID: &str = "S3 is first asked in";

/// A random share of this is some moment that no test lives to see.
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

fn of_array(worker: Worker, size: &str) -> Worker {
    worker.env("AWS_BATCH_JOB_ARRAY_INDEX", "0").env("AWS_BATCH_JOB_ARRAY_SIZE", size)
}

#[test]
fn who_waits_has_asked_for_nothing_and_stops_when_told_to() {
    for (signal, exit_code) in [(Signal::SIGTERM, 143), (Signal::SIGINT, 130)] {
        let server = S3Server::start();
        let running = of_array(render(&server), "10").env("START_JITTER", FOR_EVER).start();
        running.wait_for_log(SAID);
        assert!(server.requests().is_empty(), "{:?}", server.requests());
        running.signal(signal);
        running.finish().exits(exit_code);
        assert!(server.requests().is_empty(), "{:?}", server.requests());
    }
}

#[test]
fn the_time_of_the_job_is_over_while_it_waits() {
    let server = S3Server::start();
    let run = render(&server).args("--start-jitter 24h --job-timeout 10ms").run();
    run.exits(70).says(&["JOB_TIMEOUT"]);
    assert!(server.requests().is_empty(), "{:?}", server.requests());
}

#[test]
fn children_of_an_array_wait_by_themselves_in_every_attempt() {
    let server = S3Server::start();
    for attempt in ["1", "2"] {
        let child = of_array(render(&server), "10").env("AWS_BATCH_JOB_ATTEMPT", attempt);
        child.run().exits(0).says(&[SAID, "up to 10ms"]);
    }
}

#[test]
fn who_is_alone_waits_for_nothing() {
    let server = S3Server::start();
    render(&server).run().exits(0).never_says(&[SAID]);
    of_array(render(&server), "1").run().exits(0).never_says(&[SAID]);
    of_array(render(&server), "10000")
        .args("--start-jitter off")
        .run()
        .exits(0)
        .never_says(&[SAID]);
}

#[test]
fn folders_are_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let scene = folder.path().join("a.blend");
    fs::write(&scene, ordered_scene(1, 1, &json!({}))).unwrap();
    let output = folder.path().join("out");
    let render = worker("render").input(scene).output(&output).args("-f 1").stand_in_blender();
    render.env("START_JITTER", FOR_EVER).run().exits(0).never_says(&[SAID]);
    assert_eq!(names(&output.join("frames")), ["0001.png"]);
}
