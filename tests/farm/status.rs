//! `status`: the state of jobs on AWS Batch, the causes of failures, and waiting for the end; what an
//! output has. The
//! job descriptions follow the AWS Batch API reference.

use std::fs;
use std::path::Path;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::batch_server::BatchServer;
use crate::support::place::Place;
use crate::support::schema::parse;
use crate::support::{Run, Worker, names, worker};

const RENDER: &str = "11111111-aaaa-bbbb-cccc-ddddeeeeffff";
const STITCH: &str = "22222222-aaaa-bbbb-cccc-ddddeeeeffff";

/// Describes the render job, an array with children in these states.
fn render(status: &str, children: &Value) -> Value {
    let mut counts = json!({
        "STARTING": 0, "FAILED": 0, "RUNNING": 0, "SUCCEEDED": 0, "RUNNABLE": 0, "SUBMITTED": 0,
        "PENDING": 0,
    });
    let mut size = 0;
    for (state, count) in children.as_object().unwrap() {
        counts[state] = count.clone();
        size += count.as_u64().unwrap();
    }
    let mut job = job(RENDER, "pottery", status);
    job["arrayProperties"] = json!({"statusSummary": counts, "size": size});
    if status == "FAILED" {
        job["statusReason"] = json!("Array Child Job failed");
    }
    job
}

/// Describes the stitch job.
fn stitch(status: &str) -> Value {
    let mut job = job(STITCH, "pottery-stitch", status);
    job["dependsOn"] = json!([{"jobId": RENDER}]);
    job
}

/// Describes a failed child of the array, with its attempts.
fn failed_child(index: u32, attempts: &Value, output: &Path) -> Value {
    let mut job = job(&format!("{RENDER}:{index}"), "pottery", "FAILED");
    job["arrayProperties"] = json!({"statusSummary": {}, "index": index});
    job["attempts"] = attempts.clone();
    job["parameters"] = json!({"action": "render", "outputUri": output});
    let last = attempts.as_array().unwrap().last();
    if let Some(last) = last {
        job["statusReason"] = last["statusReason"].clone();
        job["container"]["exitCode"] = last["container"]["exitCode"].clone();
    }
    job
}

fn job(id: &str, name: &str, status: &str) -> Value {
    json!({
        "jobArn": format!("arn:aws:batch:eu-central-1:123456789012:job/{id}"),
        "jobName": name,
        "jobId": id,
        "jobQueue": "arn:aws:batch:eu-central-1:123456789012:job-queue/render-worker",
        "status": status,
        "attempts": [],
        "createdAt": 1_763_776_800_000_i64,
        "retryStrategy": {"attempts": 10, "evaluateOnExit": []},
        "dependsOn": [],
        "jobDefinition": "arn:aws:batch:eu-central-1:123456789012:job-definition/render:1",
        "parameters": {},
        "container": {
            "image": "123456789012.dkr.ecr.eu-central-1.amazonaws.com/render-worker:0.1.0",
            "command": ["Ref::action", "-i", "Ref::inputUri", "-o", "Ref::outputUri"],
            "volumes": [], "environment": [], "mountPoints": [], "ulimits": [],
            "networkInterfaces": [], "secrets": [],
            "resourceRequirements": [{"value": "4", "type": "VCPU"}],
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {"awslogs-group": "/render-worker", "awslogs-stream-prefix": "render"},
                "secretOptions": [],
            },
        },
        "timeout": {"attemptDurationSeconds": 86400},
        "tags": {},
        "platformCapabilities": ["EC2"],
        "eksAttempts": [],
    })
}

fn attempt(exit_code: u8, stream: &str) -> Value {
    json!({
        "container": {
            "containerInstanceArn": "arn:aws:ecs:eu-central-1:123456789012:container-instance/a/b",
            "taskArn": "arn:aws:ecs:eu-central-1:123456789012:task/a/c",
            "exitCode": exit_code,
            "logStreamName": stream,
            "networkInterfaces": [],
        },
        "startedAt": 1_763_776_900_000_i64,
        "stoppedAt": 1_763_776_960_000_i64,
        "statusReason": "Essential container in task exited",
    })
}

fn lost() -> Value {
    json!({
        "container": {"logStreamName": "render/default/lost", "networkInterfaces": []},
        "startedAt": 1_763_776_900_000_i64,
        "stoppedAt": 1_763_776_960_000_i64,
        "statusReason": "Host EC2 (instance i-0123456789abcdef0) terminated.",
    })
}

fn status(job: &str, batch: &BatchServer) -> Worker {
    worker("status").arg(job).batch(batch)
}

/// A command line of `status --wait` that polls every second.
fn waiting(job: &str, batch: &BatchServer) -> Worker {
    status(job, batch).args("--wait --poll-interval 1s")
}

/// Adds three failed children: one with a damaged scene, after a lost instance; one that ran out of
/// memory, without a report; and one that never ran.
fn three_failures(batch: &BatchServer, output: &Path) {
    let reports = output.join("reports");
    fs::create_dir_all(&reports).unwrap();
    let cause = "scene.blend: frame 4 is not rendered: the scene has no camera";
    fs::write(
        reports.join(format!("render-{RENDER}-3-attempt-2.json")),
        json!({"status": "failed", "exit_code": 65, "cause": cause}).to_string(),
    )
    .unwrap();
    let mut killed = attempt(137, "render/default/killed");
    let reason = "OutOfMemoryError: Container killed due to memory usage";
    killed["container"]["reason"] = json!(reason);
    let attempts = json!([lost(), attempt(65, "render/default/second")]);
    batch.set_job(failed_child(3, &attempts, output));
    batch.set_job(failed_child(12, &json!([killed]), output));
    let mut never = failed_child(7, &json!([]), output);
    never["statusReason"] = json!("Terminated by an operator");
    batch.set_job(never);
}

const FAILURES: [&str; 3] = [
    "pottery, child 3: exit code 65 (the scene or a frame is unusable), 2 attempts",
    "pottery, child 7: Terminated by an operator, never ran",
    "pottery, child 12: exit code 137 (killed: out of memory, or for an unknown reason), \
     OutOfMemoryError: Container killed due to memory usage, 1 attempt",
];

#[test]
fn the_states_of_a_job_and_its_dependencies_are_printed() {
    let batch = BatchServer::start();
    batch.set_job(render("PENDING", &json!({"SUCCEEDED": 12, "RUNNING": 5, "RUNNABLE": 3})));
    batch.set_job(stitch("PENDING"));
    let run = status(STITCH, &batch).run().exits(0);
    assert!(run.lines.is_empty(), "{}", run.text());
    assert_eq!(
        run.stdout,
        format!(
            "job         pottery: pending, 20 children (3 runnable, 5 running, 12 succeeded) ({RENDER})\n\
             job         pottery-stitch: pending ({STITCH})\n"
        )
    );
    let run = status(RENDER, &batch).run().exits(0);
    assert_eq!(run.stdout.lines().count(), 1, "{}", run.stdout);
}

#[test]
fn each_failure_is_printed_with_its_exit_code_its_log_and_its_cause() {
    let (batch, output) = (BatchServer::start(), tempfile::tempdir().unwrap());
    batch.set_job(render("FAILED", &json!({"SUCCEEDED": 17, "FAILED": 3})));
    let mut video = stitch("FAILED");
    video["statusReason"] = json!("Dependent Job failed");
    batch.set_job(video);
    three_failures(&batch, output.path());
    // `status` itself succeeds.
    let run = status(STITCH, &batch).run().exits(0);
    let lines: Vec<_> = run.stdout.lines().map(str::trim_end).collect();
    let [third, seventh, twelfth] = FAILURES.map(|failure| format!("failed      {failure}"));
    assert_eq!(
        lines[2..],
        [
            third.as_str(),
            "  log       /render-worker render/default/second",
            "  cause     scene.blend: frame 4 is not rendered: the scene has no camera",
            seventh.as_str(),
            twelfth.as_str(),
            "  log       /render-worker render/default/killed",
            "failed      pottery-stitch: Dependent Job failed, never ran",
        ]
    );
    assert_eq!(batch.requests_for("listjobs").len(), 2, "two pages");

    let run = status(STITCH, &batch).arg("--json").run().exits(0);
    let status = parse("status", run.stdout);
    assert_eq!(status["jobs"][0]["state"], "failed");
    assert_eq!(status["jobs"][0]["children"], json!({"succeeded": 17, "failed": 3}));
    assert_eq!(status["jobs"][1]["reason"], "Dependent Job failed");
    let third = &status["failed"][0];
    assert_eq!(third["job_id"], format!("{RENDER}:3"));
    assert_eq!((&third["index"], &third["attempts"]), (&json!(3), &json!(2)));
    assert_eq!(third["exit_code"], 65);
    assert_eq!(third["log_stream"], "render/default/second");
    assert!(third["cause"].as_str().unwrap().contains("no camera"));
    assert_eq!(status["failed"][1]["exit_code"], Value::Null);
}

#[test]
fn an_attempt_lost_with_its_instance_is_printed_with_the_reason_of_batch() {
    let (batch, output) = (BatchServer::start(), tempfile::tempdir().unwrap());
    batch.set_job(render("FAILED", &json!({"FAILED": 1, "SUCCEEDED": 1})));
    batch.set_job(failed_child(0, &json!([lost()]), output.path()));
    let run = status(RENDER, &batch).run().exits(0);
    let failure =
        "pottery, child 0: Host EC2 (instance i-0123456789abcdef0) terminated., 1 attempt";
    assert!(run.stdout.contains(failure), "{}", run.stdout);
    assert!(run.stdout.contains("/render-worker render/default/lost"), "{}", run.stdout);
}

/// Waits for jobs with one running child. `end` changes the jobs once their state is logged.
fn wait_for_jobs(batch: &BatchServer, end: impl FnOnce()) -> Run {
    batch.set_job(render("PENDING", &json!({"SUCCEEDED": 1, "RUNNING": 1})));
    batch.set_job(stitch("PENDING"));
    let running = waiting(STITCH, batch).start();
    running.wait_for_log("pottery: pending, 2 children (1 running, 1 succeeded)");
    end();
    running.finish()
}

#[test]
fn status_waits_for_the_end_of_the_jobs() {
    let batch = BatchServer::start();
    let run = wait_for_jobs(&batch, || {
        batch.set_job(render("SUCCEEDED", &json!({"SUCCEEDED": 2})));
        batch.set_job(stitch("SUCCEEDED"));
    });
    let run = run.exits(0).logs(&["pottery: succeeded, 2 children (2 succeeded)"]);
    assert!(run.stdout.contains("pottery-stitch: succeeded"), "{}", run.stdout);
    assert!(batch.operations().iter().all(|operation| operation == "describejobs"));
}

#[test]
fn failures_are_logged_once_and_as_they_happen() {
    let (batch, output) = (BatchServer::start(), tempfile::tempdir().unwrap());
    batch.set_job(render("PENDING", &json!({"FAILED": 3, "RUNNING": 1})));
    batch.set_job(stitch("PENDING"));
    three_failures(&batch, output.path());
    let running = waiting(STITCH, &batch).start();
    for failure in FAILURES {
        running.wait_for_log(failure);
    }
    batch.wait_for_request("describejobs");
    batch.set_job(render("FAILED", &json!({"FAILED": 3, "SUCCEEDED": 1})));
    batch.set_job(stitch("FAILED"));
    let run = running.finish().exits(70);
    for failure in FAILURES {
        let times = run.messages().iter().filter(|message| message.contains(failure)).count();
        assert_eq!(times, 1, "{failure}:\n{}", run.text());
    }
    let third = run.json().into_iter().find(|line| line["array_index"] == 3).expect("a line");
    assert_eq!((&third["exit_code"], &third["level"]), (&json!(65), &json!("WARN")));
    assert!(third["message"].as_str().unwrap().contains("cause: scene.blend: frame 4"));
    let error = run.final_error();
    assert!(error.contains("pottery: failed, 4 children (1 succeeded, 3 failed)"), "{error}");
    assert!(error.contains("stored frames are not rendered again"), "{error}");
    assert!(run.stdout.contains(FAILURES[0]), "{}", run.stdout);
}

#[test]
fn ctrl_c_ends_only_the_waiting_and_names_the_command_to_resume_it() {
    for (signal, exit) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
        let batch = BatchServer::start();
        batch.set_job(render("PENDING", &json!({"RUNNING": 2})));
        batch.set_job(stitch("PENDING"));
        let running = waiting(STITCH, &batch).start();
        running.wait_for_log("2 children (2 running)");
        running.signal(signal);
        let run = running.finish().exits(exit);
        let error = run.final_error();
        let command =
            format!("the jobs continue; to follow them: render-worker status {STITCH} --wait");
        assert!(error.contains(&command), "{error}");
        assert!(batch.operations().iter().all(|operation| operation == "describejobs"));
    }
}

#[test]
fn temporary_failures_of_batch_do_not_end_the_waiting() {
    let batch = BatchServer::start();
    let run = wait_for_jobs(&batch, || {
        for _ in 0..4 {
            let body = json!({"__type": "ServerException", "message": "try later"});
            batch.reject_next("describejobs", 500, body);
        }
        batch.set_job(render("SUCCEEDED", &json!({"SUCCEEDED": 2})));
        batch.set_job(stitch("SUCCEEDED"));
    });
    run.exits(0).logs(&["try later (HTTP 500); the jobs continue, and are looked up again"]);
}

#[test]
fn of_many_failures_the_first_are_printed_and_the_others_summarised() {
    let (batch, output) = (BatchServer::start(), tempfile::tempdir().unwrap());
    batch.set_job(render("FAILED", &json!({"FAILED": 130})));
    for index in 0..130 {
        let code = if index < 120 { 65 } else { 70 };
        let attempts = json!([attempt(code, "render/default/it")]);
        batch.set_job(failed_child(index, &attempts, output.path()));
    }
    let run = waiting(RENDER, &batch).run().exits(70);
    let others = "30 more: 20 with exit code 65 (the scene or a frame is unusable); 10 with exit \
                  code 70 (Blender or FFmpeg failed, or the job ran out of time)";
    for text in [run.text(), run.stdout] {
        assert!(text.contains("pottery, children 0-99: ") && text.contains(others), "{text}");
    }
    let run = status(RENDER, &batch).arg("--json").run().exits(0);
    let status = parse("status", run.stdout);
    let indices = status["failed"].as_array().unwrap().iter().map(|job| job["index"].as_u64());
    assert!(indices.eq((0..130).map(Some)));
}

#[test]
fn failures_that_are_alike_are_one_entry() {
    let (batch, output) = (BatchServer::start(), tempfile::tempdir().unwrap());
    batch.set_job(render("FAILED", &json!({"SUCCEEDED": 3, "FAILED": 9})));
    let reports = output.path().join("reports");
    fs::create_dir_all(&reports).unwrap();
    // Their frames differ, and one of them has another cause.
    for index in [3, 7, 8, 9, 10] {
        let why = if index == 9 { "it is damaged" } else { "the scene has no camera" };
        let cause = format!("scene.blend: frame {} is not rendered: {why}", index + 1);
        let report = json!({"status": "failed", "exit_code": 65, "cause": cause});
        let name = format!("render-{RENDER}-{index}-attempt-1.json");
        fs::write(reports.join(name), report.to_string()).unwrap();
        let attempts = json!([attempt(65, &format!("render/default/{index}"))]);
        batch.set_job(failed_child(index, &attempts, output.path()));
    }
    // They ended in another way, one of them after an attempt more.
    for index in [4, 5] {
        let attempts = json!([lost(), attempt(70, "a")]).as_array().unwrap()[index % 2..].to_vec();
        let child = failed_child(u32::try_from(index).unwrap(), &json!(attempts), output.path());
        batch.set_job(child);
    }
    // Their instances differ.
    for (index, instance) in [(1, "i-0123456789abcdef0"), (2, "i-0fedcba9876543210")] {
        let mut gone = lost();
        let reason = format!("Host EC2 (instance {instance}) terminated.");
        gone["statusReason"] = json!(reason);
        batch.set_job(failed_child(index, &json!([gone]), output.path()));
    }
    let run = status(RENDER, &batch).run().exits(0);
    let lines: Vec<_> = run.stdout.lines().map(str::trim_end).collect();
    assert_eq!(
        lines[1..],
        [
            "failed      pottery, children 1-2: Host EC2 (instance i-0123456789abcdef0) \
             terminated., 1 attempt",
            "  log       /render-worker render/default/lost (child 1)",
            "failed      pottery, children 3, 7-8, 10: exit code 65 (the scene or a frame is \
             unusable), 1 attempt",
            "  log       /render-worker render/default/3 (child 3)",
            "  cause     scene.blend: frame 4 is not rendered: the scene has no camera (child 3)",
            "failed      pottery, children 4-5: exit code 70 (Blender or FFmpeg failed, or the job \
             ran out of time), 1 to 2 attempts",
            "  log       /render-worker a (child 4)",
            "failed      pottery, child 9: exit code 65 (the scene or a frame is unusable), 1 attempt",
            "  log       /render-worker render/default/9",
            "  cause     scene.blend: frame 10 is not rendered: it is damaged",
        ]
    );
    // JSON has each of them, and the log has one line for each entry.
    let all = parse("status", status(RENDER, &batch).arg("--json").run().exits(0).stdout);
    let causes = all["failed"].as_array().unwrap().iter().map(|failure| &failure["cause"]);
    assert_eq!(causes.filter(|cause| cause.is_string()).count(), 5);
    assert_eq!(waiting(RENDER, &batch).run().exits(70).warnings().len(), 4);
}

#[test]
fn failed_children_are_not_listed_at_each_poll_if_batch_omits_one() {
    let (batch, output) = (BatchServer::start(), tempfile::tempdir().unwrap());
    batch.set_job(render("PENDING", &json!({"FAILED": 2, "RUNNING": 1})));
    batch.set_job(failed_child(0, &json!([attempt(70, "a")]), output.path()));
    let running = waiting(RENDER, &batch).start();
    running.wait_for_log("pottery, child 0: exit code 70");
    batch.wait_for_request("describejobs");
    batch.wait_for_request("describejobs");
    assert_eq!(batch.requests_for("listjobs").len(), 1);
    // At the end, Batch lists it.
    batch.set_job(failed_child(1, &json!([attempt(65, "b")]), output.path()));
    batch.set_job(render("FAILED", &json!({"FAILED": 2, "SUCCEEDED": 1})));
    running.finish().exits(70).logs(&["pottery, child 1: exit code 65"]);
}

#[test]
fn failed_children_are_not_listed_again_without_new_failures() {
    let (batch, output) = (BatchServer::start(), tempfile::tempdir().unwrap());
    batch.set_job(render("PENDING", &json!({"FAILED": 1, "RUNNING": 1})));
    batch.set_job(failed_child(0, &json!([attempt(70, "a")]), output.path()));
    let running = waiting(RENDER, &batch).start();
    running.wait_for_log("pottery, child 0: exit code 70");
    batch.wait_for_request("describejobs");
    batch.set_job(render("FAILED", &json!({"FAILED": 1, "SUCCEEDED": 1})));
    running.finish().exits(70);
    assert_eq!(batch.requests_for("listjobs").len(), 1);
}

#[test]
fn the_reason_why_children_wait_is_printed() {
    let batch = BatchServer::start();
    batch.set_job(render("PENDING", &json!({"RUNNABLE": 2, "SUCCEEDED": 1})));
    let mut waits = job(&format!("{RENDER}:1"), "pottery", "RUNNABLE");
    waits["arrayProperties"] = json!({"index": 1});
    let reason = "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - no instance has as much memory";
    waits["statusReason"] = json!(reason);
    batch.set_job(waits);
    let run = status(RENDER, &batch).run().exits(0);
    let state = format!("3 children (2 runnable, 1 succeeded), {reason}");
    assert!(run.stdout.contains(&state), "{}", run.stdout);
}

#[test]
fn a_very_long_cause_is_truncated_with_the_location_of_the_rest() {
    let (batch, output) = (BatchServer::start(), tempfile::tempdir().unwrap());
    batch.set_job(render("FAILED", &json!({"SUCCEEDED": 17, "FAILED": 3})));
    three_failures(&batch, output.path());
    let reports = output.path().join("reports");
    for name in names(&reports) {
        let cause = format!("it began {}", "é".repeat(5_000_000));
        let report = json!({"status": "failed", "exit_code": 65, "cause": cause});
        fs::write(reports.join(name), report.to_string()).unwrap();
    }
    for flags in ["", "--json"] {
        let run = status(RENDER, &batch).args(flags).run();
        assert!(run.stdout.len() < 50_000, "{} bytes", run.stdout.len());
        assert!(run.stdout.contains("it began é"), "{}", run.stdout);
        assert!(run.stdout.contains("… (the rest is in "), "{}", run.stdout);
    }
}

#[test]
fn control_characters_from_batch_and_reports_never_reach_the_terminal() {
    let (batch, output) = (BatchServer::start(), tempfile::tempdir().unwrap());
    batch.set_job(render("FAILED", &json!({"FAILED": 1})));
    let mut child = failed_child(0, &json!([attempt(70, "\u{1b}]0;title\u{7}")]), output.path());
    child["jobName"] = json!("\u{1b}[31mred");
    child["statusReason"] = json!("\u{1b}[2J");
    child["container"]["logConfiguration"]["options"]["awslogs-group"] = json!("\u{1b}[1m");
    batch.set_job(child);
    let run = status(RENDER, &batch).run().exits(0);
    assert!(run.stdout.contains("\u{fffd}]0;title"), "{}", run.stdout);
    assert!(!run.stdout.contains('\u{1b}') && !run.stdout.contains('\u{7}'), "{}", run.stdout);
}

#[test]
fn a_job_that_batch_does_not_list_yet_is_waited_for_after_submit() {
    let batch = BatchServer::start();
    let first = "00000001-aaaa-bbbb-cccc-ddddeeeeffff";
    let running = worker("submit")
        .input(crate::support::scene("demo"))
        .args("-o s3://bucket/out -f 24 --job-queue q --job-definition d --no-stitch --json")
        .args("--wait --poll-interval 1s")
        .batch(&batch)
        .start();
    running.wait_for_log("has no job 00000001-aaaa-bbbb-cccc-ddddeeeeffff; the jobs continue");
    batch.set_job(job(first, "demo", "SUCCEEDED"));
    let run = running.finish().exits(0);
    let mut output = serde_json::Deserializer::from_str(&run.stdout).into_iter::<Value>();
    assert_eq!(output.next().unwrap().unwrap()["render"]["job_id"], first);
    assert_eq!(output.next().unwrap().unwrap()["jobs"][0]["state"], "succeeded");
}

#[test]
fn an_error_that_ends_the_waiting_names_the_command_to_resume_it() {
    let batch = BatchServer::start();
    let denied = json!({"__type": "ExpiredTokenException", "message": "the token has expired"});
    let run = wait_for_jobs(&batch, || batch.reject_next("describejobs", 403, denied)).exits(77);
    let error = run.final_error();
    let command =
        format!("the jobs continue; to follow them: render-worker status {STITCH} --wait");
    assert!(error.contains("the token has expired") && error.contains(&command), "{error}");
}

#[test]
fn without_credentials_status_fails_at_once() {
    let run = worker("status").args(&format!("{STITCH} --wait")).env("AWS_REGION", "eu-central-1");
    let run = run.run().exits(70);
    assert!(run.final_error().contains("credentials"), "{}", run.final_error());
    let run = worker("status").arg(STITCH).env("AWS_REGION", "eu-central-1").run().exits(75);
    assert!(
        run.final_error().contains("set AWS credentials: AWS_PROFILE"),
        "{}",
        run.final_error()
    );
}

#[test]
fn submit_waits_for_the_jobs_that_it_has_submitted() {
    let batch = BatchServer::start();
    let first = "00000001-aaaa-bbbb-cccc-ddddeeeeffff";
    batch.set_job(job(first, "demo", "RUNNING"));
    let running = worker("submit")
        .input(crate::support::scene("demo"))
        .args("-o s3://bucket/out -f 24 --job-queue q --job-definition d --no-stitch")
        .args("--wait --poll-interval 1s")
        .batch(&batch)
        .start();
    running.wait_for_log("demo: running");
    batch.set_job(job(first, "demo", "SUCCEEDED"));
    let run = running.finish().exits(0).logs(&["submitted demo: ", "demo: succeeded"]);
    assert!(run.stdout.starts_with(&format!("render      {first} (demo)\n")), "{}", run.stdout);
}

#[test]
fn an_unknown_job_is_named() {
    let batch = BatchServer::start();
    let run = status(STITCH, &batch).run().exits(66);
    let error = run.final_error();
    assert!(error.contains(STITCH) && error.contains("eu-central-1"), "{error}");
    worker("status").arg("Ref::job").run().exits(2).logs(&["no parameter `job`"]);
    worker("status").arg("a/b").run().exits(2).logs(&["JOB-ID: `a/b` is refused"]);
}

#[test]
fn on_a_terminal_a_bar_shows_the_progress_of_the_jobs() {
    let folder = tempfile::tempdir().unwrap();
    let batch = BatchServer::start();
    batch.set_job(render("PENDING", &json!({"SUCCEEDED": 2, "RUNNING": 1})));
    batch.set_job(stitch("PENDING"));
    let seen = folder.path().join("seen");
    let output = std::thread::scope(|scope| {
        let (seen, batch) = (&seen, &batch);
        scope.spawn(move || {
            crate::support::wait_until("the bar is drawn", || seen.exists());
            batch.set_job(render("SUCCEEDED", &json!({"SUCCEEDED": 3})));
            batch.set_job(stitch("SUCCEEDED"));
        });
        let marks = [("[########--------] pottery: pending", seen.clone())];
        waiting(STITCH, batch)
            .env("TERM", "xterm")
            .env("NO_COLOR", "1")
            .run_watched_on_a_terminal(0, &marks)
    });
    assert!(output.contains("pottery-stitch: succeeded"), "{output}");
}

#[test]
fn an_output_tells_what_it_has_without_batch() {
    let place = Place::ordered(&json!([{"at": 3, "do": "crash"}]));
    let out = place.path("out");
    place.stand_in().args("--blender-attempts 1").run().exits(70);
    fs::remove_file(out.join("frames/0007.png")).unwrap();
    let status = || worker("status").output(&out);
    let text = status().run().exits(0).stdout;
    let row = |label: &str| {
        let row = text.lines().find_map(|line| line.strip_prefix(&format!("{label:<12}")));
        row.unwrap_or_else(|| panic!("{label}: {text}")).to_owned()
    };
    assert_eq!(row("frames"), "10 of 12 stored");
    assert_eq!(row("failed"), "1: frame 3");
    assert_eq!(row("missing"), "1: frame 7");
    assert_eq!(row("attempts"), "1 failed");
    assert!(row("hours").starts_with("0.0") && row("hours").ends_with("of all attempts together"));
    assert!(text.contains("exit code 70"), "{text}");
    let looked = parse("output", status().arg("--json").run().exits(0).stdout);
    assert_eq!((&looked["stored"], &looked["total"]), (&json!(10), &json!(12)));
    assert_eq!((&looked["failed"], &looked["missing"]), (&json!("3"), &json!("7")));
    assert_eq!(looked["attempts"][0]["exit_code"], 70);
    assert_eq!(looked["slowest"].as_array().unwrap().len(), 10);

    // A folder that is not there is a mistake, and so is a request for two things or for none.
    worker("status").output(place.path("nothing")).run().fails(66, &["nothing"]);
    assert!(status().arg("0a1b").run().exits(2).is_usage_error());
    assert!(worker("status").run().exits(2).is_usage_error());
}

#[test]
fn an_output_is_followed_until_its_attempts_have_ended() {
    let place = Place::ordered(&json!([]));
    let out = place.path("out");
    let reports = out.join("reports");
    fs::create_dir_all(&reports).unwrap();
    let following = worker("status")
        .output(&out)
        .args("--wait --poll-interval 1s --price-per-hour 3600 --json")
        .start();
    let report = |finished: Option<&str>| {
        json!({
            "schema": 1, "version": "0.1.0", "action": "render", "frames_asked": "1-13",
            "status": if finished.is_some() { "succeeded" } else { "running" },
            "started": "2026-11-29T10:00:00.000Z", "finished": finished,
        })
    };
    let file = reports.join("render-a.json");
    fs::write(&file, report(None).to_string()).unwrap();
    following.wait_for_log("0 of 13 stored, 0 in the last minute, 13 to come");
    place.stand_in().run().exits(0);
    fs::write(&file, report(Some("2026-11-29T10:00:09.000Z")).to_string()).unwrap();
    let run = following.finish().fails(70, &["frame 13 is not stored"]);
    let looked = parse("output", run.stdout);
    assert_eq!((&looked["stored"], &looked["missing"]), (&json!(12), &json!("13")));
    // The attempt of nine seconds, at a coin a second, and the one that has just run.
    let cost = looked["cost"].as_f64().unwrap();
    assert!((9.0..60.0).contains(&cost), "{cost}");
}

#[test]
fn the_state_of_a_job_has_what_its_output_has() {
    let place = Place::ordered(&json!([]));
    place.stand_in().run().exits(0);
    let batch = BatchServer::start();
    let mut array = render("PENDING", &json!({"SUCCEEDED": 12, "RUNNING": 8}));
    array["parameters"] = json!({"action": "render", "outputUri": place.path("out")});
    batch.set_job(array);
    let run = status(RENDER, &batch).args("--price-per-hour 1").run().exits(0);
    assert!(run.stdout.contains("\nframes      12 of 12 stored\n"), "{}", run.stdout);
    assert!(run.stdout.contains(" at 1 an hour\n"), "{}", run.stdout);
    let run = status(RENDER, &batch).arg("--json").run().exits(0);
    let looked = parse("status", run.stdout);
    assert_eq!(
        (&looked["output"]["stored"], &looked["output"]["cost"]),
        (&json!(12), &json!(null))
    );
}
