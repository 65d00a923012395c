//! `--notify`: a webhook is told of the end of a run or a wait, and nothing else depends on it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};

use serde_json::{Value, json};

use crate::support::batch_server::BatchServer;
use crate::support::place::Place;
use crate::support::schema::parse;
use crate::support::worker;

const JOB: &str = "11111111-aaaa-bbbb-cccc-ddddeeeeffff";

/// The part of the address that must not be shown.
const SECRET: &str = "services/T0/xyzzy?token=plugh";

/// A webhook that answers with these statuses, and then no more.
struct Webhook {
    host: String,
    /// The path and the body of each request.
    requests: Receiver<(String, Value)>,
}

impl Webhook {
    fn answering(statuses: &[&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let (sender, requests) = channel();
        let statuses = statuses.to_vec();
        std::thread::spawn(move || {
            for status in statuses {
                let (mut stream, _) = listener.accept().unwrap();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let head = reader.by_ref().lines().map_while(Result::ok);
                let head: Vec<_> = head.take_while(|line| !line.is_empty()).collect();
                let length = head.iter().find_map(|line| {
                    line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok()
                });
                let mut body = vec![0; length.unwrap()];
                reader.read_exact(&mut body).unwrap();
                let path = head[0].split(' ').nth(1).unwrap().to_owned();
                sender.send((path, serde_json::from_slice(&body).unwrap())).unwrap();
                let location = "Location: http://127.0.0.2:9/elsewhere";
                let close = "Content-Length: 0\r\nConnection: close";
                write!(stream, "HTTP/1.1 {status} -\r\n{location}\r\n{close}\r\n\r\n").unwrap();
            }
        });
        Self { host, requests }
    }

    fn url(&self) -> String {
        format!("http://{}/{SECRET}", self.host)
    }

    fn received(&self) -> Vec<(String, Value)> {
        self.requests.try_iter().collect()
    }
}

#[test]
fn the_end_of_a_run_is_told() {
    let place = Place::ordered(&json!([]));
    let hook = Webhook::answering(&["503", "204"]);
    let run = || {
        worker("run")
            .input(place.path("scene.blend"))
            .output(place.path("out"))
            .stand_in_blender()
            .args("--log-level debug")
    };
    let done = run().arg("--notify").arg(hook.url()).run().exits(0);
    let requests = hook.received();
    // The first attempt was not accepted.
    assert_eq!(requests.len(), 2);
    let (path, body) = &requests[1];
    assert_eq!(path, &format!("/{SECRET}"));
    let body = parse("notification", body.to_string());
    assert_eq!((&body["schema"], &body["action"]), (&json!(1), &json!("run")));
    assert_eq!((&body["succeeded"], &body["exit_code"]), (&json!(true), &json!(0)));
    assert_eq!(body["output"], json!(place.path("out")));
    assert!(body["text"].as_str().unwrap().starts_with("render-worker run has succeeded ("));
    done.logs(&["was told that the job has ended"]).never_logs(&["xyzzy", "plugh"]);

    let hook = Webhook::answering(&["200"]);
    let failing = worker("run").input(place.path("scene.blend")).output(place.path("out"));
    let failing = failing.args("--blender /nowhere/blender").env("NOTIFY_URL", hook.url());
    let error = failing.run().exits(69).final_error();
    let (_, body) = hook.received().remove(0);
    let cause = body["cause"].as_str().unwrap();
    assert!(error.contains(cause), "{error} {cause}");
    assert_eq!((&body["succeeded"], &body["exit_code"]), (&json!(false), &json!(69)));
}

#[test]
fn the_end_of_a_wait_is_told() {
    let batch = BatchServer::start();
    batch.set_job(json!({"jobId": JOB, "jobName": "demo", "status": "FAILED"}));
    let hook = Webhook::answering(&["200"]);
    let run = worker("status").arg(JOB).arg("--wait").env("NOTIFY_URL", hook.url()).batch(&batch);
    run.run().exits(70);
    let (_, body) = hook.received().remove(0);
    assert_eq!((&body["action"], &body["job_id"]), (&json!("status"), &json!(JOB)));
    assert!(body["text"].as_str().unwrap().contains("exit code 70"), "{body}");
}

#[test]
fn nothing_depends_on_the_webhook() {
    let batch = BatchServer::start();
    batch.set_job(json!({"jobId": JOB, "jobName": "demo", "status": "SUCCEEDED"}));
    let wait = |url: &str| {
        let run = worker("status").arg(JOB).arg("--wait").arg("--notify").arg(url);
        let run = run.batch(&batch).run().exits(0);
        run.never_logs(&["xyzzy", "plugh", "elsewhere"])
    };
    // It does not listen, it is overloaded, the address is wrong, and it leads elsewhere.
    let closed = Webhook::answering(&[]);
    let url = closed.url();
    drop(closed);
    wait(&url).logs(&["was not told of the end: "]);
    let hook = Webhook::answering(&["500", "500", "500"]);
    wait(&hook.url()).logs(&["was not told of the end: HTTP 500"]);
    assert_eq!(hook.received().len(), 3);
    let hook = Webhook::answering(&["404", "200"]);
    wait(&hook.url()).logs(&["HTTP 404: check the address"]);
    assert_eq!(hook.received().len(), 1);
    let hook = Webhook::answering(&["302", "200"]);
    wait(&hook.url()).logs(&["HTTP 302, a redirect, which is not followed"]);
    assert_eq!(hook.received().len(), 1);
}

#[test]
fn an_address_is_refused_without_being_shown() {
    for (arguments, text) in [
        ("--wait --notify xyzzy", "--notify (NOTIFY_URL): is not the address of a webhook"),
        ("--notify https://example.org/xyzzy", "give --wait as well"),
    ] {
        let run = worker("status").arg(JOB).args(arguments).run().exits(2);
        assert!(run.final_error().contains(text), "{}", run.text());
        run.never_logs(&["xyzzy"]);
    }
}
