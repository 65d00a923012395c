//! `logs`: the log of a job on AWS Batch, from CloudWatch Logs.

use serde_json::{Value, json};

use crate::support::batch_server::BatchServer;
use crate::support::{Worker, worker};

const ARRAY: &str = "0c6a0000-aaaa-bbbb-cccc-ddddeeeeffff";
const CHILD: &str = "0c6a0000-aaaa-bbbb-cccc-ddddeeeeffff:3";

/// Describes a child with these streams of attempts that have ended, and that of its last container.
fn child(status: &str, ended: &[&str], last: Option<&str>) -> Value {
    let attempts = ended.iter().map(|stream| json!({"container": {"logStreamName": stream}}));
    json!({
        "jobId": CHILD, "jobName": "pottery", "status": status,
        "arrayProperties": {"index": 3},
        "attempts": attempts.collect::<Vec<_>>(),
        "container": {
            "logStreamName": last,
            "logConfiguration": {
                "logDriver": "awslogs", "options": {"awslogs-group": "/render-worker"},
            },
        },
    })
}

fn logs(batch: &BatchServer, arguments: &str) -> Worker {
    worker("logs").args(arguments).batch(batch)
}

#[test]
fn the_messages_of_the_last_attempt_are_printed_as_they_are() {
    let batch = BatchServer::start();
    batch.set_job(child("FAILED", &["render/a", "render/b"], Some("render/b")));
    batch.add_message("render/a", "lost");
    for message in ["{\"level\":\"INFO\"}", "two  words", "", "more\nlines\n", "the end"] {
        batch.add_message("render/b", message);
    }
    let run = logs(&batch, CHILD).run().exits(0);
    assert!(run.lines.is_empty(), "{}", run.text());
    assert_eq!(run.stdout, "{\"level\":\"INFO\"}\ntwo  words\n\nmore\nlines\nthe end\n");
    // Pages of two messages, and one that is empty.
    assert_eq!(batch.requests_for("getlogevents").len(), 4);
    let run = logs(&batch, &format!("{CHILD} --attempt 1")).run().exits(0);
    assert_eq!(run.stdout, "lost\n");
}

#[test]
fn a_log_is_followed_through_every_attempt_to_the_end_of_the_job() {
    let batch = BatchServer::start();
    batch.set_job(child("RUNNABLE", &[], None));
    let following = logs(&batch, &format!("{CHILD} -f")).start();
    following.wait_for_log("is runnable, and has no log yet");
    // The stream is not there at once.
    batch.set_job(child("RUNNING", &[], Some("render/a")));
    batch.wait_for_request("getlogevents");
    batch.add_message("render/a", "one");
    batch.add_message("render/a", "two");
    batch.wait_for_request("getlogevents");
    batch.add_message("render/a", "three");
    batch.wait_for_request("getlogevents");
    batch.wait_for_request("getlogevents");
    batch.set_job(child("RUNNING", &["render/a"], Some("render/b")));
    batch.add_message("render/b", "again");
    following.wait_for_log("another attempt has begun: render/b");
    batch.set_job(child("SUCCEEDED", &["render/a", "render/b"], Some("render/b")));
    let run = following.finish().exits(0);
    assert_eq!(run.stdout, "one\ntwo\nthree\nagain\n");
}

#[test]
fn what_has_no_log_is_named() {
    let batch = BatchServer::start();
    let refused = |arguments: &str, code: i32, texts: &[&str]| {
        let error = logs(&batch, arguments).run().exits(code).final_error();
        for text in texts {
            assert!(error.contains(text), "{arguments}: {text:?} is not in {error}");
        }
    };
    refused(CHILD, 66, &["no job"]);
    batch.set_job(json!({
        "jobId": ARRAY, "jobName": "pottery", "status": "PENDING",
        "arrayProperties": {"size": 20, "statusSummary": {"RUNNING": 20}},
    }));
    refused(ARRAY, 66, &["an array of 20 children", &format!("{ARRAY}:0")]);
    batch.set_job(child("RUNNABLE", &[], None));
    refused(CHILD, 66, &["it is runnable; follow it with -f"]);
    batch.set_job(child("FAILED", &[], None));
    refused(&format!("{CHILD} -f"), 66, &["no container has run"]);
    batch.set_job(child("FAILED", &["render/a"], Some("render/a")));
    refused(&format!("{CHILD} --attempt 2"), 66, &["it has no attempt 2; it has had 1"]);
    refused(CHILD, 66, &["The specified log stream does not exist", "status shows the cause"]);
    let denied = json!({
        "__type": "AccessDeniedException",
        "Message": "User: x is not authorized to perform: logs:GetLogEvents",
    });
    batch.reject_next("getlogevents", 400, denied);
    refused(CHILD, 77, &["is not authorized to perform", "allow the action logs:GetLogEvents"]);
    refused("not/an/id", 2, &["JOB-ID"]);
    refused(&format!("{CHILD} --attempt 0"), 2, &["--attempt: `0` is refused"]);
}

#[test]
fn a_service_that_is_busy_is_asked_again() {
    let batch = BatchServer::start();
    batch.set_job(child("SUCCEEDED", &["render/a"], Some("render/a")));
    batch.add_message("render/a", "one");
    batch.reject_next("getlogevents", 400, json!({"__type": "ThrottlingException"}));
    let run = logs(&batch, CHILD).run().exits(0);
    assert_eq!(run.stdout, "one\n");
}
