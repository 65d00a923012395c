//! How `submit` deals frames among children: as many as fit in a time (`-f auto`), or one by one
//! (`--stride`).

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::batch_server::{BatchServer, environment};
use crate::support::place::frame_names;
use crate::support::schema::parse;
use crate::support::{Worker, names, ordered_scene, worker};

/// The id that the server gives to the first job.
const FIRST: &str = "00000001-aaaa-bbbb-cccc-ddddeeeeffff";

/// A folder with a scene of 12 frames, and a place for the output.
struct Studio(tempfile::TempDir);

impl Studio {
    /// The stand-in takes these seconds to start, and for each frame.
    fn with_times(start: f64, frame: f64) -> Self {
        let orders = json!([
            {"at": "start", "do": "delay", "seconds": start},
            {"at": "every", "do": "delay", "seconds": frame},
        ]);
        let folder = tempfile::tempdir().unwrap();
        fs::write(
            folder.path().join("scene.blend"),
            ordered_scene(1, 12, &json!({"steps": orders})),
        )
        .unwrap();
        Self(folder)
    }

    fn output(&self) -> std::path::PathBuf {
        self.0.path().join("out")
    }

    fn submit(&self, arguments: &str) -> Worker {
        worker("submit")
            .input(self.0.path().join("scene.blend"))
            .output(self.output())
            .args("--job-queue queue --job-definition render --no-stitch")
            .args(arguments)
    }

    /// The requests of `--dry-run`.
    #[track_caller]
    fn planned(&self, arguments: &str) -> Value {
        parse("submit", self.submit(arguments).arg("--dry-run").run().exits(0).stdout)
    }
}

/// Runs a job, or a child of it, as Batch would.
#[track_caller]
fn run_child(job: &Value, id: &str, index: Option<u64>) {
    let parameter = |name: &str| job["parameters"][name].as_str().expect("a parameter").to_owned();
    let mut child = worker("render").input(parameter("inputUri")).output(parameter("outputUri"));
    child = child.arg("-f").arg(parameter("framesPerJob")).stand_in_blender();
    for (name, value) in environment(job).as_object().unwrap() {
        child = child.env(name, value.as_str().unwrap());
    }
    child = match index {
        None => child.env("AWS_BATCH_JOB_ID", id),
        Some(index) => child
            .env("AWS_BATCH_JOB_ID", format!("{id}:{index}"))
            .env("AWS_BATCH_JOB_ARRAY_INDEX", index.to_string())
            .env("AWS_BATCH_JOB_ARRAY_SIZE", job["arrayProperties"]["size"].to_string()),
    };
    child.run().exits(0);
}

/// Returns the reports of an output.
fn reports(output: &Path) -> Vec<Value> {
    let read = |name: &String| fs::read(output.join("reports").join(name)).unwrap();
    let mut names = names(&output.join("reports"));
    // The descriptions of the scene lie there, too.
    names.retain(|name| name.starts_with("render-"));
    names.iter().map(|name| serde_json::from_slice(&read(name)).unwrap()).collect()
}

#[test]
fn frames_that_are_dealt_one_by_one_are_all_rendered_once() {
    let studio = Studio::with_times(0.0, 0.0);
    for (arguments, frames, children) in [
        ("-f 5 -t 12", frame_names(1..=12), json!(3)),
        ("-f 2 --frames 2,4-6,9", frame_names([2, 4, 5, 6, 9]), json!(3)),
    ] {
        let jobs = studio.planned(&format!("{arguments} --stride"));
        let render = &jobs["render"];
        assert_eq!(render["arrayProperties"]["size"], children);
        assert_eq!(environment(render)["STRIDE"], children.to_string());
        drop(fs::remove_dir_all(studio.output()));
        (0..children.as_u64().unwrap()).for_each(|index| run_child(render, "0a1b", Some(index)));
        assert_eq!(names(&studio.output().join("frames")), frames, "{arguments}");
        let rendered = reports(&studio.output());
        let counts = rendered.iter().map(|report| report["frames"].as_object().unwrap().len());
        assert_eq!(counts.sum::<usize>(), frames.len(), "{arguments}");
    }
    // The second child of three.
    let asked = reports(&studio.output()).into_iter().find(|report| report["array_index"] == 1);
    assert_eq!(asked.unwrap()["frames_asked"], "4,9");
    // What is missing is dealt as well.
    fs::remove_file(studio.output().join("frames/0005.png")).unwrap();
    let jobs = studio.planned("-f 2 -t 12 --stride --missing");
    let expected = json!({"ENGINE": "CYCLES", "FRAMES": "1-7x2,8,10-12", "STRIDE": "4"});
    assert_eq!(environment(&jobs["render"]), expected);
    // One child is no array.
    let jobs = studio.planned("-f 12 -t 12 --stride");
    assert_eq!(environment(&jobs["render"]).get("STRIDE"), None);
}

#[test]
fn children_that_failed_are_retried_with_the_frames_that_were_dealt_to_them() {
    let batch = BatchServer::start();
    let variables = json!([
        {"name": "STRIDE", "value": "4"},
        {"name": "FIRST_FRAME", "value": "101"},
        {"name": "TOTAL_FRAMES", "value": "24"},
    ]);
    batch.set_job(json!({
        "jobId": FIRST, "jobName": "demo", "status": "FAILED", "jobQueue": "queue",
        "jobDefinition": "render", "container": {"environment": variables},
        "parameters": {"action": "render", "framesPerJob": "6"},
        "arrayProperties": {"size": 4, "statusSummary": {"SUCCEEDED": 3, "FAILED": 1}},
    }));
    batch.set_job(json!({
        "jobId": format!("{FIRST}:2"), "jobName": "demo", "status": "FAILED",
        "arrayProperties": {"index": 2},
    }));
    let run = worker("retry").arg(FIRST).arg("--dry-run").batch(&batch).run().exits(0);
    let jobs = parse("submit", run.stdout);
    assert_eq!(environment(&jobs["render"]), json!({"FRAMES": "103-123x4"}));
}

#[test]
fn a_child_that_does_not_know_its_place_is_refused() {
    let studio = Studio::with_times(0.0, 0.0);
    let scene = studio.0.path().join("scene.blend");
    for (index, size, text) in [
        (None, None, "--array-index (ARRAY_INDEX)"),
        (Some("3"), None, "this is child 3"),
        (Some("1"), Some("4"), "the array has 4"),
    ] {
        let mut child = worker("render").input(&scene).output(studio.output()).env("STRIDE", "3");
        let told = [("AWS_BATCH_JOB_ARRAY_INDEX", index), ("AWS_BATCH_JOB_ARRAY_SIZE", size)];
        for (name, value) in told {
            child = child.env(name, value.unwrap_or_default());
        }
        let error = child.run().exits(2).final_error();
        assert!(error.contains("--stride (STRIDE): ") && error.contains(text), "{error}");
    }
}

#[test]
fn as_many_frames_as_fit_are_known_from_earlier_reports() {
    let studio = Studio::with_times(0.0, 0.0);
    let unknown = studio.submit("-t 12 -f auto --dry-run").run().exits(2);
    let error = unknown.final_error();
    assert!(error.contains("no report in") && error.contains("--test-frames 3"), "{error}");
    // Frames of 100 s, after a start of 50 s.
    let frame = |seconds: f64| json!({"state": "rendered", "file": "a.png", "bytes": 1, "seconds": seconds});
    let report = json!({
        "schema": 1, "version": "0.1.0", "action": "render", "status": "succeeded",
        "started": "2026-11-29T10:00:00.000Z", "finished": "2026-11-29T10:05:50.000Z",
        "frames": {"1": frame(130.0), "2": frame(100.0), "3": frame(100.0)},
    });
    let folder = studio.output().join("reports");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("render-a.json"), report.to_string()).unwrap();
    // 50 + 8 * 100 s would be 850 s; 12 frames on two children are 6 each.
    let jobs = studio.planned("-t 12 -f auto --price-per-hour 0.36");
    assert_eq!(
        jobs["plan"],
        json!({
            "frames": 12, "children": 2, "frames_per_child": 6, "stride": false,
            "measured_frames": 3, "frame_seconds": 100.0, "startup_seconds": 50.0,
            "longest_child_seconds": 650.0, "instance_hours": 1300.0 / 3600.0, "cost": 0.13,
        })
    );
    assert_eq!(jobs["render"]["parameters"]["framesPerJob"], "6");
    let jobs = studio.planned("-t 12 -f auto --target-minutes 3");
    assert_eq!(jobs["render"]["arrayProperties"]["size"], 12);
    // A price asks for a plan, whatever the number of frames.
    let jobs = studio.planned("-t 12 -f 4 --price-per-hour 0.36");
    assert_eq!(jobs["plan"]["children"], 3);
    assert_eq!(studio.planned("-t 12 -f 4").get("plan"), None);
    let error = studio.submit("-t 12 -f 4 --test-frames 3").run().exits(2).final_error();
    assert!(error.contains("--test-frames (TEST_FRAMES): is only for -f auto"), "{error}");

    // At the end of a wait, the price tells what was spent: 350 s.
    fs::create_dir(studio.output().join("frames")).unwrap();
    fs::write(studio.output().join("frames/0001.png"), "a frame").unwrap();
    let batch = BatchServer::start();
    batch.set_job(json!({
        "jobId": FIRST, "jobName": "scene", "status": "SUCCEEDED",
        "parameters": {"outputUri": studio.output()},
    }));
    let run = studio.submit("-t 12 -f 12 --price-per-hour 3.6 --wait --poll-interval 1s");
    let run = run.batch(&batch).run().exits(0);
    assert!(run.stdout.contains("all attempts together: 0.35 at 3.6 an hour"), "{}", run.stdout);
}

#[test]
fn test_frames_are_rendered_first_and_the_plan_holds() {
    let studio = Studio::with_times(1.0, 0.5);
    let batch = BatchServer::start();
    let submitting =
        studio.submit("-t 12 -f auto --test-frames 3 --poll-interval 1s").batch(&batch).start();
    batch.wait_for_request("describejobs");
    let [test]: [Value; 1] = batch.requests_for("submitjob").try_into().unwrap();
    assert_eq!(test["jobName"], "scene-test");
    assert_eq!(environment(&test), json!({"FRAMES": "1,6,12"}));
    assert_eq!(test.get("arrayProperties"), None);
    run_child(&test, FIRST, None);
    batch.set_job(json!({"jobId": FIRST, "jobName": "scene-test", "status": "SUCCEEDED"}));
    let run = submitting.finish().exits(0);
    assert!(run.stdout.contains("\nplan        12 frames, up to 12 a child; "), "{}", run.stdout);
    let jobs = batch.requests_for("submitjob");
    assert_eq!(jobs.len(), 2);
    // The children keep the test frames.
    run_child(&jobs[1], "0a1b", None);
    let last = reports(&studio.output()).into_iter().find(|report| report["job_id"] == "0a1b");
    let kept = last.unwrap()["frames"].as_object().unwrap().clone();
    let kept = kept.into_iter().filter(|(_, frame)| frame["state"] == "already_there");
    assert_eq!(kept.count(), 3);
}

#[test]
fn nothing_else_is_submitted_if_the_test_frames_fail() {
    let studio = Studio::with_times(0.0, 0.0);
    let batch = BatchServer::start();
    batch.set_job(json!({"jobId": FIRST, "jobName": "scene-test", "status": "FAILED"}));
    let run = studio.submit("-t 12 -f auto --test-frames 3").batch(&batch).run().exits(70);
    assert!(run.final_error().contains("scene-test: failed"), "{}", run.final_error());
    assert_eq!(batch.requests_for("submitjob").len(), 1);
}
