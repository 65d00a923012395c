//! `doctor`: what a machine has, what it lacks, and what to do about it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::s3_server::{Fault, Operation, S3Server};
use crate::support::schema;
use crate::support::{Run, Worker, names, scene, worker};

fn doctor() -> Worker {
    worker("doctor").arg("--json")
}

/// Returns the printed document.
fn document(run: &Run) -> Value {
    let document = schema::parse("doctor", &run.stdout);
    assert_eq!(document["exit_code"], run.exit);
    document
}

/// Returns the state of a check and what it has found, with the remedy.
fn finding(document: &Value, check: &str) -> (String, String) {
    let checks = document["checks"].as_array().expect("checks");
    let found = checks.iter().find(|it| it["check"] == check);
    let found = found.unwrap_or_else(|| panic!("no {check} in {document:#}"));
    let text = |field: &str| found[field].as_str().unwrap_or_default().to_owned();
    assert_eq!(found.get("remedy").is_some(), found["state"] != "ok", "{found}");
    (text("state"), text("found") + " -> " + &text("remedy"))
}

/// Creates a program.
fn script(file: &Path, text: &str) -> PathBuf {
    fs::write(file, format!("#!/bin/sh\n{text}\n")).expect("a writable folder");
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).expect("our own file");
    file.to_owned()
}

#[test]
fn a_complete_machine_has_everything() {
    let folder = tempfile::tempdir().unwrap();
    let (output, cache) = (folder.path().join("out"), folder.path().join("cache"));
    let run = doctor().input(scene("tiny")).output(&output).arg("--cache-dir").arg(&cache).run();
    let run = run.exits(0);
    let document = document(&run);
    let checks = document["checks"].as_array().unwrap().iter();
    let checks: Vec<_> = checks.map(|it| it["check"].as_str().unwrap()).collect();
    assert_eq!(
        checks,
        [
            "worker",
            "sandbox",
            "memory",
            "Blender",
            "features",
            "devices",
            "FFmpeg",
            "encoders",
            "scratch",
            "cache",
            "credentials",
            "scene",
            "output"
        ]
    );
    for check in ["Blender", "FFmpeg", "encoders", "scene", "output"] {
        assert_eq!(finding(&document, check).0, "ok", "{document:#}");
    }
    assert!(finding(&document, "encoders").1.contains("h264, h265"));
    assert_eq!(names(&output.join("reports")), ["doctor.json"]);
    // A person gets a row for each check.
    let text = worker("doctor").run().exits(0).stdout;
    assert!(text.lines().any(|line| line.starts_with("Blender ")), "{text}");
}

#[test]
fn the_version_and_the_features_are_those_of_blender() {
    let python = "import bpy, _cycles\nprint('FOUND', bpy.app.version_string, \
                  _cycles.with_osl, bpy.app.build_options.alembic)";
    let shown = crate::support::blender::blender_runs(None, python);
    let shown = shown.lines().find_map(|line| line.strip_prefix("FOUND ")).expect("a line");
    let words: Vec<_> = shown.rsplitn(3, ' ').collect();
    let run = doctor().run().exits(0);
    let document = document(&run);
    assert!(finding(&document, "Blender").1.starts_with(words[2]), "{document:#}");
    let features = finding(&document, "features").1;
    for (name, has) in [("Open Shading Language", words[1]), ("Alembic", words[0])] {
        assert_eq!(features.contains(&format!("no {name}")), has == "False", "{features}");
    }
}

#[test]
fn every_lack_is_named_and_the_first_one_decides_the_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("out"), "a file").unwrap();
    let run = doctor().args("--blender /none/blender --ffmpeg /none/ffmpeg");
    let run = run.input(folder.path().join("none.blend")).output(folder.path().join("out")).run();
    let run = run.exits(69);
    let document = document(&run);
    for (check, text) in [
        ("Blender", "/none/blender"),
        ("FFmpeg", "/none/ffmpeg"),
        ("scene", "none.blend"),
        ("output", "is a file"),
    ] {
        let (state, found) = finding(&document, check);
        assert_eq!(state, "failed", "{check}");
        assert!(found.contains(text) && !found.ends_with("-> "), "{found}");
    }
    assert!(run.final_error().contains("/none/blender"), "{}", run.text());
    let run = doctor().output(folder.path().join("out")).run().exits(2);
    assert_eq!(finding(&self::document(&run), "Blender").0, "ok");
}

#[test]
fn programs_that_do_not_answer_are_lacking() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let blender = script(&path("blender"), "echo no display; exit 3");
    let ffmpeg = script(
        &path("ffmpeg"),
        "echo 'ffmpeg version 9.9'; echo ' V....D libx264  H.264'; echo ' V....D gif  GIF'",
    );
    let run = doctor().arg("--blender").arg(blender).arg("--ffmpeg").arg(ffmpeg);
    let run = run.arg("--allow-read").arg(folder.path()).run().exits(69);
    let document = document(&run);
    let (state, found) = finding(&document, "Blender");
    assert!(state == "failed" && found.contains("no display"), "{found}");
    assert_eq!(finding(&document, "FFmpeg").0, "ok");
    let (state, found) = finding(&document, "encoders");
    assert!(state == "warning" && found.contains("h265, av1, vp9, prores"), "{found}");
    let silent = script(&path("silent"), "exit 0");
    let run = doctor().arg("--blender").arg(&silent).arg("--ffmpeg").arg(&silent);
    let run = run.arg("--allow-read").arg(folder.path()).run().exits(69);
    for check in ["Blender", "FFmpeg"] {
        assert_eq!(finding(&self::document(&run), check).0, "failed");
    }
}

#[test]
fn a_bucket_is_read_and_written_with_the_credentials_at_hand() {
    let server = S3Server::start();
    server.put("a.blend", &fs::read(scene("tiny")).unwrap());
    let run = || doctor().s3(&server).input(server.uri("a.blend")).output(server.uri("out"));
    let document = document(&run().run().exits(0));
    let key = server.env().into_iter().find(|(name, _)| *name == "AWS_ACCESS_KEY_ID");
    let (state, found) = finding(&document, "credentials");
    assert!(state == "ok" && found.contains(&key.expect("a key").1), "{found}");
    assert_eq!(server.keys("out/"), ["out/reports/doctor.json"]);

    server.inject(Fault::on(Operation::PutObject).respond(403, "AccessDenied"));
    let run = run().run().exits(77);
    let (state, found) = finding(&self::document(&run), "output");
    assert!(state == "failed" && found.contains("out/reports/doctor.json"), "{found}");
}

#[test]
fn a_bucket_without_credentials_or_connection_is_lacking() {
    let unreachable = [
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_MAX_ATTEMPTS", "1"),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
    ];
    let run = doctor().output("s3://bucket/out");
    let run = unreachable.iter().fold(run, |run, (name, value)| run.env(name, value));
    let run = run.run().exits(75);
    let document = document(&run);
    assert_eq!(finding(&document, "output").0, "failed");
    assert!(!run.stdout.contains("secret"), "{}", run.stdout);
    let run = doctor().run().exits(0);
    assert!(finding(&self::document(&run), "credentials").1.contains("none"));
}
