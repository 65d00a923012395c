//! The figures of an attempt for CloudWatch: one line on standard output, on AWS Batch or on
//! request.

use serde_json::{Value, json};

use crate::support::s3_server::{Fault, Operation, S3Server};
use crate::support::{Run, ordered_scene, scene, worker};

/// Returns the only line on standard output, in CloudWatch's embedded metric format.
#[track_caller]
fn metrics(run: &Run) -> Value {
    assert_eq!(run.stdout.lines().count(), 1, "{:?}", run.stdout);
    assert!(run.stdout.len() < 16 * 1024);
    let line: Value = serde_json::from_str(&run.stdout).expect("JSON");
    let directive = &line["_aws"]["CloudWatchMetrics"][0];
    assert!(line["_aws"]["Timestamp"].is_u64());
    assert_eq!(directive["Namespace"], "RenderWorker");
    for definition in directive["Metrics"].as_array().expect("definitions") {
        let name = definition["Name"].as_str().expect("a name");
        assert!(line[name].is_number(), "the metric {name} has no value: {line}");
    }
    for dimension in directive["Dimensions"][0].as_array().expect("dimensions") {
        let name = dimension.as_str().expect("a name");
        assert!(line[name].is_string(), "the dimension {name} has no value: {line}");
    }
    line
}

#[test]
fn a_child_of_an_array_job_prints_its_figures() {
    let server = S3Server::start();
    server.put("scene.blend", &std::fs::read(scene("tiny")).unwrap());
    server.inject(Fault::on(Operation::PutObject).times(1).respond(503, "SlowDown"));
    let child = |action| {
        worker(action)
            .s3(&server)
            .input(server.uri(if action == "render" { "scene.blend" } else { "out" }))
            .output(server.uri("out"))
            .args("-f 2")
            .env("AWS_BATCH_JOB_ID", "0a1b-2c:0")
            .env("AWS_BATCH_JOB_ATTEMPT", "1")
            .env("AWS_BATCH_JOB_ARRAY_INDEX", "0")
            .env("AWS_BATCH_JQ_NAME", "spot")
            .env("JOB_DEFINITION", "render")
    };
    let run = child("render").run().exits(0);
    let line = metrics(&run);
    assert_eq!(
        line["_aws"]["CloudWatchMetrics"][0]["Dimensions"],
        json!([["JobQueue", "JobDefinition"]])
    );
    assert_eq!((&line["JobQueue"], &line["JobDefinition"]), (&json!("spot"), &json!("render")));
    assert_eq!((&line["FramesRendered"], &line["FramesAlreadyThere"]), (&json!(2.0), &json!(0.0)));
    assert_eq!((&line["Succeeded"], &line["Failed"]), (&json!(1.0), &json!(0.0)));
    assert_eq!(line["StorageRetries"], 1.0);
    assert_eq!((&line["job_id"], &line["array_index"]), (&json!("0a1b-2c:0"), &json!(0)));
    let sizes = server.keys("out/frames/").into_iter().map(|key| server.get(&key).unwrap().len());
    let stored = u32::try_from(sizes.sum::<usize>()).unwrap();
    assert_eq!(line["BytesStored"], json!(f64::from(stored)));
    assert!(line["SecondsPerFrame"].as_f64().unwrap() > 0.0);
    assert!(line["PeakMemory"].as_f64().unwrap() > 10e6, "too little for Blender: {line}");

    let again = metrics(&child("render").env("AWS_BATCH_JOB_ATTEMPT", "2").run().exits(0));
    assert_eq!(
        (&again["FramesRendered"], &again["FramesAlreadyThere"]),
        (&json!(0.0), &json!(2.0))
    );
    assert_eq!((&again["BytesStored"], &again["attempt"]), (&json!(0.0), &json!(2)));
    assert!(again.get("SecondsPerFrame").is_none(), "no frame was rendered: {again}");

    let stitch = metrics(&child("stitch").run().exits(0));
    assert_eq!((&stitch["action"], &stitch["FramesStitched"]), (&json!("stitch"), &json!(2.0)));
}

#[test]
fn the_figures_of_a_failure_include_its_exit_code_and_cause() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("scene.blend");
    std::fs::write(
        &file,
        ordered_scene(1, 3, &json!({"steps": [{"at": 2, "when": "writing", "do": "crash"}]})),
    )
    .unwrap();
    let run = worker("render")
        .stand_in_blender()
        .input(&file)
        .output(folder.path().join("out"))
        .args("-f 3 --metrics emf --blender-attempts 1")
        .run()
        .exits(70);
    let line = metrics(&run);
    assert_eq!(line["_aws"]["CloudWatchMetrics"][0]["Dimensions"], json!([[]]));
    assert_eq!((&line["Failed"], &line["exit_code"]), (&json!(1.0), &json!(70)));
    assert_eq!(line["FramesRendered"], 2.0);
    assert!(line["cause"].as_str().unwrap().contains("frame 2"), "{line}");
}

#[test]
fn outside_of_batch_and_with_metrics_off_nothing_is_printed() {
    let folder = tempfile::tempdir().unwrap();
    let render =
        |out| worker("render").input(scene("tiny")).output(folder.path().join(out)).args("-f 1");
    assert_eq!(render("a").run().exits(0).stdout, "");
    let off = render("b").env("AWS_BATCH_JOB_ID", "1").env("METRICS", "off");
    assert_eq!(off.run().exits(0).stdout, "");
    render("c").args("--metrics statsd").run().exits(2).logs(&[
        "--metrics",
        "METRICS",
        "emf or off",
    ]);
}
