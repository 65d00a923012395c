//! `--config`: a file with settings, below variables and above defaults.

use std::fs;

use serde_json::Value;

use crate::support::{Worker, scene, worker};

/// A command line of `submit` without what the file sets.
fn submit(file: &std::path::Path) -> Worker {
    worker("submit").input(scene("demo")).args("-o s3://bucket/out --dry-run --config").arg(file)
}

fn size(worker: Worker) -> Value {
    let jobs: Value = serde_json::from_str(&worker.run().exits(0).stdout).unwrap();
    jobs["render"]["arrayProperties"]["size"].clone()
}

#[test]
fn a_file_sets_what_neither_flags_nor_variables_say() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("farm.toml");
    let text = "job-queue = \"queue\"\njob-definition = \"render\"\nframes-per-job = 5\n";
    fs::write(&file, text).unwrap();
    assert_eq!(size(submit(&file)), 5);
    assert_eq!(size(submit(&file).env("F_PER_JOB", "8")), 3);
    assert_eq!(size(submit(&file).env("F_PER_JOB", "8").args("-f 12")), 2);
    // The variable names the file as well.
    let by_variable = worker("submit").input(scene("demo")).args("-o s3://bucket/out --dry-run");
    assert_eq!(size(by_variable.env("CONFIG_FILE", &file)), 5);
}

#[test]
fn mistakes_in_the_file_are_named_with_their_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("farm.toml");
    for (text, expected) in [
        ("job-queue = \"q\"\njob-defintion = \"d\"", "line 2 of "),
        ("job-queue = \"q\"\njob-defintion = \"d\"", "job-definition may be meant"),
        ("frames-per-job = 0\njob-queue = \"q\"", "`0` is refused"),
        ("frames-per-job = 0\njob-queue = \"q\"", "(set in line 1 of "),
    ] {
        fs::write(&file, text).unwrap();
        let error = submit(&file).run().exits(2).final_error();
        assert!(error.contains(expected), "{text}: {error}");
    }
    let error = submit(&folder.path().join("nothing.toml")).run().exits(2).final_error();
    assert!(error.contains("--config (CONFIG_FILE): cannot read"), "{error}");
}
