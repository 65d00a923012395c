//! `schema`: the JSON Schemas of the report and of what subcommands print as JSON. Every report that
//! a test of this binary reads is held to its schema as well.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::batch_server::BatchServer;
use crate::support::schema::{parse, schema, violations};
use crate::support::{Worker, fixture, names, ordered_scene, report, scene, worker};

const DOCUMENTS: [&str; 8] =
    ["report", "inspect", "submit", "status", "output", "notification", "project", "pack"];

/// A command line that renders frames 1 to 4 with the stand-in for Blender.
fn render(folder: &Path, orders: &Value) -> Worker {
    let file = folder.join("scene.blend");
    fs::write(&file, ordered_scene(1, 4, orders)).unwrap();
    worker("render").input(file).output(folder).stand_in_blender().args("-f 4")
}

/// Returns the only report of a successful render job.
fn rendered() -> Value {
    let folder = tempfile::tempdir().unwrap();
    render(folder.path(), &json!([])).run().exits(0);
    report(folder.path(), "render")
}

fn submit(arguments: &str) -> Worker {
    worker("submit")
        .input(scene("demo"))
        .args("-o s3://bucket/out --job-queue queue --job-definition render:3 -f 5")
        .args(arguments)
}

/// Calls `visit` with every subschema that has properties.
fn for_each_object(schema: &Value, visit: &mut impl FnMut(&serde_json::Map<String, Value>)) {
    match schema {
        Value::Object(object) => {
            if let Some(Value::Object(properties)) = object.get("properties") {
                visit(properties);
            }
            object.values().for_each(|value| for_each_object(value, visit));
        }
        Value::Array(items) => items.iter().for_each(|item| for_each_object(item, visit)),
        _ => {}
    }
}

#[test]
fn every_schema_is_valid_and_describes_every_field() {
    for document in DOCUMENTS {
        let schema = schema(document);
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        jsonschema::meta::validate(&schema).unwrap();
        let mut fields = 0;
        for_each_object(&schema, &mut |properties| {
            for (name, property) in properties {
                assert!(property["description"].is_string(), "{document}: {name}");
                fields += 1;
            }
        });
        assert!(fields > 6, "{document}: {fields}");
    }
    let run = worker("schema").arg("video").run().exits(2);
    assert!(
        run.text().contains("report, inspect, doctor, submit, status, output"),
        "{}",
        run.text()
    );
}

#[test]
fn reports_follow_their_schema_however_the_attempt_ends() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path();
    let all = || names(&output.join("reports"));
    let in_batch = |orders: &Value, attempt: &str| {
        render(output, orders)
            .env("AWS_BATCH_JOB_ID", "0a1b:0")
            .env("AWS_BATCH_JOB_ATTEMPT", attempt)
            .env("AWS_BATCH_JOB_ARRAY_INDEX", "0")
    };
    let read = |name: &str| parse("report", fs::read(output.join("reports").join(name)).unwrap());
    // A frame is skipped, and one fails only at first.
    let once = json!(output.join("crashed"));
    let crashes = json!([
        {"at": 2, "do": "crash", "file": "# backtrace", "once": once},
        {"at": 3, "do": "crash"},
    ]);
    in_batch(&crashes, "1").args("--blender-attempts 2").run().exits(70);
    let failed = read("render-0a1b-0-attempt-1.json");
    assert_eq!((&failed["status"], &failed["exit_code"]), (&json!("failed"), &json!(70)));
    assert!(failed["set_aside"]["3"].is_string() && failed["said"].is_array(), "{failed:#}");
    assert_eq!(failed["launches"][0]["frame_in_hand"], 2);
    // The next attempt is looked at while it runs, and resumes.
    let held = output.join("held");
    let waits = json!([{"at": 3, "do": "wait_for_file", "path": held}]);
    let running = in_batch(&waits, "2").start();
    let resumed = "render-0a1b-0-attempt-2.json";
    crate::support::wait_until("there is a report", || all().iter().any(|name| name == resumed));
    assert_eq!(read(resumed)["status"], "running");
    fs::write(&held, "").unwrap();
    running.finish().exits(0);
    let resumed = read(resumed);
    assert_eq!(resumed["frames"]["3"]["state"], "rendered");
    // No frame is left.
    in_batch(&json!([]), "3").args("--total-frames 4").run().exits(0);
    read("render-0a1b-0-attempt-3.json");

    worker("stitch").input(output).output(output).run().exits(0);
    assert_eq!(report(output, "stitch")["video"]["frames"], 4);
    let empty = output.join("other");
    fs::create_dir_all(empty.join("frames")).unwrap();
    // Elsewhere a failure without a result leaves no report in a folder.
    let on_batch = worker("stitch").input(&empty).output(&empty).env("AWS_BATCH_JOB_ID", "0a1b");
    on_batch.run().exits(66);
    assert_eq!(report(&empty, "stitch")["status"], "failed");
}

#[test]
fn the_scene_in_a_report_follows_the_schema_with_the_real_blender() {
    let folder = tempfile::tempdir().unwrap();
    worker("render").input(scene("tiny")).output(folder.path()).args("-f 1").run().exits(0);
    assert_eq!(report(folder.path(), "render")["scene"]["width"], 64);
}

#[test]
fn what_subcommands_print_follows_its_schema() {
    for (file, arguments) in [
        (scene("demo"), "-f 7"),
        (fixture("beginnings/4.3.2/several-plain.blend"), "--blender-version 4.2"),
    ] {
        let run = worker("inspect").input(file).args(arguments).arg("--json").run().exits(0);
        parse("inspect", run.stdout);
    }
    let everything = "--tag project=pottery --env ENGINE=scene --vcpus 8 --memory 16GiB \
                      --share-identifier studio --crf 18";
    for arguments in [everything, "--no-stitch", "-t 5"] {
        let batch = BatchServer::start();
        let run = submit(arguments).arg("--dry-run").run().exits(0);
        parse("submit", run.stdout);
        let run = submit(arguments).arg("--json").batch(&batch).run().exits(0);
        parse("submit", run.stdout);
    }
}

/// Returns how a document with one field changed, or removed for `None`, violates the schema.
fn violations_if(document: &str, value: &Value, path: &str, to: Option<Value>) -> Vec<String> {
    let mut value = value.clone();
    let (parent, field) = path.rsplit_once('/').expect("a path");
    let parent = value.pointer_mut(parent).and_then(Value::as_object_mut).expect("an object");
    match to {
        Some(to) => drop(parent.insert(field.to_owned(), to)),
        None => drop(parent.remove(field).expect("a field")),
    }
    violations(&schema(document), &value)
}

#[test]
fn wrong_documents_violate_their_schemas() {
    let report = rendered();
    let inspected = worker("inspect").input(scene("demo")).arg("--json").run().exits(0);
    let inspected = parse("inspect", inspected.stdout);
    let planned = parse("submit", submit("--dry-run").run().exits(0).stdout);
    let batch = BatchServer::start();
    batch.set_job(json!({"jobId": "0a1b", "jobName": "demo", "status": "FAILED"}));
    let run = worker("status").args("0a1b --json").batch(&batch).run().exits(0);
    let state = parse("status", run.stdout);
    let folder = tempfile::tempdir().unwrap();
    render(folder.path(), &json!([])).run().exits(0);
    let looked = worker("status").output(folder.path()).arg("--json").run().exits(0);
    let output = parse("output", looked.stdout);
    for (document, value, path, to) in [
        ("output", &output, "/stored", Some(json!(-1))),
        ("output", &output, "/attempts/0/activity", Some(json!("SUCCEEDED"))),
        ("output", &output, "/slowest/0/seconds", None),
        ("report", &report, "/schema", Some(json!(2))),
        ("report", &report, "/schema", None),
        ("report", &report, "/status", Some(json!("done"))),
        ("report", &report, "/started", Some(json!("yesterday"))),
        ("report", &report, "/exit_code", Some(json!(256))),
        ("report", &report, "/exit_code", Some(json!(null))),
        ("report", &report, "/output", None),
        ("report", &report, "/scene/fps", Some(json!("24"))),
        ("report", &report, "/frames/one", Some(report["frames"]["1"].clone())),
        ("report", &report, "/frames/1/bytes", Some(json!(-1))),
        ("inspect", &inspected, "/array_size", Some(json!(1.5))),
        ("inspect", &inspected, "/compression", Some(json!("lzma"))),
        ("inspect", &inspected, "/byte_order", None),
        ("submit", &planned, "/render/jobName", None),
        ("submit", &planned, "/stitch/parameters/action", Some(json!(1))),
        ("status", &state, "/jobs/0/state", Some(json!("FAILED"))),
        ("status", &state, "/failed/0/attempts", Some(json!(-1))),
        ("status", &state, "/failed/0/cause", None),
    ] {
        let violations = violations_if(document, value, path, to.clone());
        assert!(!violations.is_empty(), "{document}: {path}: {to:?}");
    }
}

#[test]
fn reports_of_other_versions_with_the_same_schema_number_are_accepted() {
    let report = rendered();
    for (path, to) in [
        ("/later", Some(json!({"a": 1}))),
        ("/frames/1/later", Some(json!(null))),
        ("/scene/later", Some(json!("x"))),
        ("/scene/name", None),
        ("/scene/warnings", None),
    ] {
        let violations = violations_if("report", &report, path, to);
        assert!(violations.is_empty(), "{path}: {violations:?}");
    }
}
