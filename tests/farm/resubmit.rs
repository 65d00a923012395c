//! Jobs on AWS Batch that are cancelled (`cancel`), submitted again (`retry`), or submitted for the
//! frames that are not there (`submit --missing`).

use std::path::Path;

use serde_json::{Value, json};

use crate::support::batch_server::{BatchServer, environment};
use crate::support::s3_server::S3Server;
use crate::support::schema::parse;
use crate::support::{Run, Worker, frames, scene, worker};

const ARRAY: &str = "0c6a0000-aaaa-bbbb-cccc-ddddeeeeffff";
const STITCH: &str = "5d410000-aaaa-bbbb-cccc-ddddeeeeffff";

/// Sets the array job of five children and its stitch job, in these states, as Batch describes them.
fn jobs(batch: &BatchServer, array: &str, stitch: &str, variables: &Value) {
    let job = |id: &str, name: &str, status: &str, action: &str| {
        json!({
            "jobId": id, "jobName": name, "status": status,
            "jobQueue": "arn:aws:batch:eu-central-1:123456789012:job-queue/queue",
            "jobDefinition": "arn:aws:batch:eu-central-1:123456789012:job-definition/render:3",
            "shareIdentifier": "studio",
            "tags": {"project": "pottery", "aws:batch:queue": "queue"},
            "parameters": {
                "action": action, "inputUri": "s3://bucket/demo.blend",
                "outputUri": "s3://bucket/out", "framesPerJob": "5",
            },
            "container": {
                "environment": variables,
                "resourceRequirements": [
                    {"type": "VCPU", "value": "4"}, {"type": "MEMORY", "value": "7168"},
                    {"type": "GPU", "value": "1"},
                ],
            },
        })
    };
    let mut render = job(ARRAY, "demo", array, "render");
    render["arrayProperties"] = json!({"size": 5, "statusSummary": {"SUCCEEDED": 3, "FAILED": 2}});
    batch.set_job(render);
    let mut last = job(STITCH, "demo-stitch", stitch, "stitch");
    last["dependsOn"] = json!([{"jobId": ARRAY}]);
    batch.set_job(last);
    for index in [1, 4] {
        batch.set_job(json!({
            "jobId": format!("{ARRAY}:{index}"), "jobName": "demo", "status": "FAILED",
            "arrayProperties": {"index": index}, "container": {"exitCode": 137},
        }));
    }
}

/// The variables of an animation of 24 frames, as `submit` passes them.
fn range() -> Value {
    json!([
        {"name": "ENGINE", "value": "scene"},
        {"name": "AWS_BATCH_JOB_ID", "value": ARRAY},
        {"name": "FIRST_FRAME", "value": "1"},
        {"name": "TOTAL_FRAMES", "value": "24"},
    ])
}

fn retry(batch: &BatchServer, arguments: &str) -> Worker {
    worker("retry").args(arguments).batch(batch)
}

#[test]
fn the_frames_of_failed_children_are_submitted_again() {
    let batch = BatchServer::start();
    jobs(&batch, "FAILED", "FAILED", &range());
    let run = retry(&batch, &format!("{STITCH} --memory 16GiB --json")).run().exits(0);
    let output = parse("submit", run.stdout);
    let [render, stitch]: [Value; 2] = batch.requests_for("submitjob").try_into().unwrap();
    assert_eq!(render["jobName"], "demo-retry");
    assert_eq!(stitch["jobName"], "demo-stitch-retry");
    // Children 1 and 4 of 24 frames, five each.
    let expected = json!({"ENGINE": "scene", "FRAMES": "6-10,21-24"});
    assert_eq!(environment(&render), expected);
    assert_eq!(render["arrayProperties"], json!({"size": 2}));
    let expected = json!({"ENGINE": "scene", "FIRST_FRAME": "1", "TOTAL_FRAMES": "24"});
    assert_eq!(environment(&stitch), expected);
    assert_eq!(stitch["dependsOn"], json!([{"jobId": output["render"]["job_id"]}]));
    assert_eq!(
        render["containerOverrides"]["resourceRequirements"],
        json!([{"type": "VCPU", "value": "4"}, {"type": "MEMORY", "value": "16384"}])
    );
    for job in [&render, &stitch] {
        let same = ["shareIdentifier", "jobQueue", "jobDefinition"];
        let arn = "arn:aws:batch:eu-central-1:123456789012";
        assert_eq!(
            same.map(|field| job[field].as_str().unwrap().to_owned()),
            [
                "studio".to_owned(),
                format!("{arn}:job-queue/queue"),
                format!("{arn}:job-definition/render:3")
            ]
        );
        assert_eq!(job["tags"], json!({"project": "pottery"}));
        assert_eq!(job["parameters"]["framesPerJob"], "5");
    }
}

#[test]
fn a_retry_takes_named_frames_another_definition_and_no_array_of_one() {
    let batch = BatchServer::start();
    jobs(&batch, "FAILED", "SUCCEEDED", &json!([{"name": "FRAMES", "value": "1-40x2"}]));
    // The array alone: no video is made.
    let run = retry(&batch, &format!("{ARRAY} --job-definition large --dry-run")).run().exits(0);
    let shown = parse("submit", run.stdout);
    let render = &shown["render"];
    assert_eq!(environment(render), json!({"FRAMES": "11-19x2"}));
    assert_eq!((render.get("arrayProperties"), shown.get("stitch")), (None, None));
    assert_eq!(render["jobDefinition"], "large");
    assert_eq!(render["containerOverrides"].get("resourceRequirements"), None);
    assert!(batch.requests_for("submitjob").is_empty());
}

#[test]
fn what_cannot_be_retried_is_refused() {
    for (array, variables, id, text) in [
        ("PENDING", range(), STITCH, "has not ended"),
        ("SUCCEEDED", range(), STITCH, "all its frames are rendered"),
        ("FAILED", json!([]), STITCH, "variables do not say"),
    ] {
        let batch = BatchServer::start();
        jobs(&batch, array, "PENDING", &variables);
        let run = retry(&batch, id).run().exits(2);
        assert!(run.final_error().contains(text), "{}", run.final_error());
        assert!(batch.requests_for("submitjob").is_empty());
    }
    let batch = BatchServer::start();
    retry(&batch, STITCH).run().exits(66);
    let child = format!("{ARRAY}:1");
    jobs(&batch, "FAILED", "FAILED", &range());
    let run = retry(&batch, &child).run().exits(2);
    assert!(run.final_error().contains("give the array job"), "{}", run.final_error());
    retry(&batch, "not/an/id").run().exits(2);
}

#[test]
fn a_job_is_cancelled_with_those_that_it_depends_on() {
    let batch = BatchServer::start();
    jobs(&batch, "PENDING", "PENDING", &range());
    let cancel = |id: &str| worker("cancel").arg(id).batch(&batch);
    let run = cancel(STITCH).run().exits(0);
    let ended = |requests: Vec<Value>| -> Vec<Value> {
        requests.into_iter().map(|request| request["jobId"].clone()).collect()
    };
    // The last one first.
    assert_eq!(ended(batch.requests_for("terminatejob")), [STITCH, ARRAY]);
    for id in [STITCH, ARRAY] {
        assert!(run.stdout.lines().any(|line| line.contains("cancelled") && line.contains(id)));
    }
    // What has ended stays as it is.
    jobs(&batch, "FAILED", "PENDING", &range());
    let run = cancel(STITCH).run().exits(0);
    assert_eq!(ended(batch.requests_for("terminatejob")), [STITCH, ARRAY, STITCH]);
    assert!(run.stdout.lines().any(|line| line.contains("failed") && line.contains(ARRAY)));
    cancel("00000000-none").run().exits(66);
    let denied = json!({"__type": "AccessDeniedException", "message": "not authorized"});
    batch.reject_next("terminatejob", 403, denied);
    let run = cancel(STITCH).run().exits(77);
    assert!(run.final_error().contains(&format!("cancel the job {STITCH}")));
}

#[test]
fn only_missing_frames_are_submitted_and_the_video_has_all() {
    let server = S3Server::start();
    let submit = |arguments: &str| {
        worker("submit")
            .input(scene("demo"))
            .output(server.uri("out"))
            .args("--job-queue queue --job-definition render:3 -f 5 --missing")
            .args(arguments)
    };
    let put = |number: i32| {
        server.put(&format!("out/frames/{}", frames::name(number)), &frames::frame(number));
    };
    for number in (1..=20).filter(|number| ![3, 7].contains(number)) {
        put(number);
    }
    // Neither an empty file nor another one is a frame.
    server.put("out/frames/0007.png", b"");
    server.put("out/frames/cover.png", b"x");
    let run = submit("--dry-run").s3(&server).run().exits(0);
    let shown = parse("submit", run.stdout);
    assert_eq!(environment(&shown["render"]), json!({"FRAMES": "3,7,21-24"}));
    assert_eq!(shown["render"]["arrayProperties"], json!({"size": 2}));
    let all = json!({"FIRST_FRAME": "1", "TOTAL_FRAMES": "24"});
    assert_eq!(environment(&shown["stitch"]), all);
    // Of a selection, too.
    let run = submit("--frames 1-7 --dry-run").s3(&server).run().exits(0);
    let shown = parse("submit", run.stdout);
    assert_eq!(environment(&shown["render"]), json!({"FRAMES": "3,7"}));
    assert_eq!(environment(&shown["stitch"]), json!({"FRAMES": "1-7"}));

    for number in [3, 7, 21, 22, 23, 24] {
        put(number);
    }
    let batch = BatchServer::start();
    let run = submit("").batch(&batch).s3(&server).run().exits(0);
    assert!(batch.requests_for("submitjob").is_empty());
    assert_eq!(run.stdout, "");
    assert!(run.text().contains("render-worker stitch"), "{}", run.text());
}

#[test]
fn missing_frames_are_rendered_like_those_that_are_there() {
    let output = tempfile::tempdir().unwrap();
    let render = worker("render").input(scene("demo")).output(output.path());
    let asked = "--frames 1 --resolution 25% --samples 1 --preview --allow-unbaked";
    render.args(asked).run().exits(0);
    let submit = |to: &Path, arguments: &str| {
        let submit = worker("submit").input(scene("demo")).output(to).args(arguments);
        submit.args("--job-queue q --job-definition d -f 30 --missing --dry-run").run().exits(0)
    };
    let rendered = output.path().join("preview");
    let shown = |run: Run| environment(&parse("submit", run.stdout)["render"]);
    let expected = json!({
        "ALLOW_UNBAKED": "true", "ENGINE": "CYCLES", "FRAMES": "2-24", "PREVIEW": "true",
        "RESOLUTION": "25%", "SAMPLES": "1",
    });
    assert_eq!(shown(submit(&rendered, "")), expected);
    // What is asked for comes first, and the log says that the frames will differ.
    let run = submit(&rendered, "--samples 4 --env RESOLUTION=25% --simulate");
    let run = run.logs(&["SAMPLES=1", "SAMPLES=4"]);
    let variables = shown(run);
    assert_eq!((&variables["SAMPLES"], &variables["SIMULATE"]), (&json!("4"), &json!("true")));
    // These two contradict each other.
    assert_eq!(variables["ALLOW_UNBAKED"], Value::Null);
    // Frames that came without a report are nothing to go by, and neither is a damaged report.
    let copied = tempfile::tempdir().unwrap();
    std::fs::create_dir(copied.path().join("reports")).unwrap();
    std::fs::write(copied.path().join("reports/render-1.json"), b"{\"schema\": 1").unwrap();
    assert_eq!(shown(submit(copied.path(), "")), json!({"FRAMES": "1-24"}));
}
