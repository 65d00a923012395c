//! Flags and variables. Invalid values are errors that name the flag and the variable, before
//! anything is created or changed.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use crate::support::{Run, names, program, worker};

fn refused(arguments: &str) -> Run {
    worker("render").args(arguments).run().exits(2)
}

#[test]
fn help_and_version_are_printed_to_standard_output() {
    let version = std::process::Command::new(program()).arg("--version").output().unwrap();
    assert!(version.status.success());
    let text = String::from_utf8(version.stdout).unwrap();
    assert_eq!(text, format!("render-worker {}\n", env!("CARGO_PKG_VERSION")));

    for (action, texts) in [
        ("render", ["INPUT_URI", "F_PER_JOB", "--total-frames"]),
        ("stitch", ["INPUT_URI", "F_PER_JOB", "--total-frames"]),
        ("inspect", ["INPUT_URI", "F_PER_JOB", "--json"]),
    ] {
        let run = worker(action).arg("--help").run().exits(0);
        for text in ["Usage:", "Examples:"].iter().chain(&texts) {
            assert!(run.stdout.contains(text), "{text} is not in:\n{}", run.stdout);
        }
        assert!(run.lines.is_empty(), "{}", run.text());
    }
}

#[test]
fn manual_pages_and_completions_are_printed_to_standard_output() {
    let print = |arguments: &[&str]| {
        let output = std::process::Command::new(program()).args(arguments).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{arguments:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    for (arguments, flag) in [
        (&["man"][..], "stitch"),
        (&["man", "render"], r"\-\-max\-backlog"),
        (&["completions", "bash"], "--max-backlog"),
        (&["completions", "zsh"], "--max-backlog"),
    ] {
        let text = print(arguments);
        assert!(text.contains(flag), "{flag} is not in {arguments:?}:\n{text}");
    }
}

#[test]
fn output_that_cannot_be_printed_is_an_error() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let output = std::process::Command::new(program()).arg("--help").stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(74));
    assert!(String::from_utf8_lossy(&output.stderr).contains("No space left on device"));
}

#[test]
fn without_a_subcommand_the_error_mentions_help() {
    let run = std::process::Command::new(program()).output().unwrap();
    assert_eq!(run.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&run.stderr).contains("--help"));
}

#[test]
fn missing_and_invalid_values_are_refused_with_flag_and_variable() {
    for (arguments, texts) in [
        ("-o out -f 1", ["--input-uri", "INPUT_URI"]),
        ("-i a.blend -f 1", ["--output-uri", "OUTPUT_URI"]),
        ("-i a.blend -o out --samples 0", ["--samples", "SAMPLES"]),
        ("-i a.blend -o out -f 0", ["--frames-per-job", "F_PER_JOB"]),
        ("-i a.blend -o out -f 1 -t x", ["--total-frames", "TOTAL_FRAMES"]),
        ("-i a.blend -o out --frames 9-1", ["--frames", "FRAMES"]),
        ("-i gs://b/a.blend -o out -f 1", ["--input-uri", "INPUT_URI"]),
    ] {
        refused(arguments).logs(&texts);
    }
}

#[test]
fn mistyped_uris_are_refused_and_never_created_as_folders() {
    let folder = tempfile::tempdir().unwrap();
    for (uri, meant) in [
        ("arn:aws:s3:::bkt/out", "s3://bkt/out"),
        ("\"s3://bkt/out\"", "s3://bkt/out"),
        (" s3://bkt/out", "s3://bkt/out"),
        ("s3://bkt/out\n", "s3://bkt/out"),
        ("s3:bkt/out", "s3://bkt/out"),
        ("S3://bkt/out", "s3://bkt/out"),
        ("bkt.s3.amazonaws.com/out", "s3://bkt/out"),
        ("https://bkt.s3.amazonaws.com/out", "s3://bkt/out"),
        ("gs://bkt/out", "s3://BUCKET/KEY"),
        ("C:\\out", "docker run -v \"C:\\out\":/work"),
        ("~/out", "s3://BUCKET/KEY"),
        ("file:out", "file:///out"),
    ] {
        for variable in ["INPUT_URI", "OUTPUT_URI"] {
            let run = worker("stitch").env("INPUT_URI", "in").env("OUTPUT_URI", "out");
            let run = run.env(variable, uri).with(|command| {
                command.current_dir(folder.path());
            });
            run.run().exits(2).logs(&[variable, meant, "file:///PATH"]);
            assert!(names(folder.path()).is_empty(), "{uri}");
        }
    }
    for (variable, value) in
        [("SCRATCH_DIR", "s3://bkt/tmp"), ("SCRATCH_DIR", "'/tmp'"), ("ALLOW_READ", "s3://bkt/a")]
    {
        let run = worker("render").args("-i a.blend -o out -f 1").env(variable, value).run();
        run.exits(2).logs(&[variable]);
    }
}

#[test]
fn a_variable_that_is_not_utf_8_is_refused_and_not_ignored() {
    let value = OsStr::from_bytes(b"x\xff");
    let render = || worker("render").args("-i a.blend -o out -f 1");
    for variable in [
        "SANDBOX",
        "SCRATCH_DIR",
        "JOB_TIMEOUT",
        "NO_RESUME",
        "LOG_LEVEL",
        "PATH",
        "AWS_BATCH_JOB_ARRAY_INDEX",
        "AWS_BATCH_JOB_ID",
        "AWS_ENDPOINT_URL",
        // Passed to Blender.
        "OCIO",
        "CUDA_VISIBLE_DEVICES",
    ] {
        render().env(variable, value).run().exits(2).logs(&[variable, "not UTF-8"]);
    }
    let passed = render().args("--pass-env MY_LIBRARY").env("MY_LIBRARY", value);
    passed.run().exits(2).logs(&["MY_LIBRARY"]);
    // Variables that are overridden by a flag or not used are not checked.
    let other = worker("inspect").args("-i none.blend --log-level error");
    let other = other.env("LOG_LEVEL", value).env("LESSOPEN", value).env("SANDBOX", value);
    other.run().exits(66);
}

#[test]
fn nothing_is_created_before_the_whole_command_line_is_valid() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out");
    let run =
        worker("render").input("missing.blend").output(&output).args("-f 1 --engine a-b").run();
    run.exits(2).logs(&["--engine", "ENGINE"]);
    assert!(!Path::new(&output).exists());
}

#[test]
fn a_batch_parameter_without_a_value_is_explained() {
    refused("-i Ref::inputUri -o out -f 1").logs(&["Ref::inputUri", "`parameters`"]);
    worker("Ref::action").args("-i a -o out").run().exits(2).logs(&["no parameter `action`"]);
    let run = worker("render").args("-i a -o out").env("F_PER_JOB", "Ref::framesPerJob").run();
    run.exits(2).logs(&["F_PER_JOB", "no parameter `framesPerJob`"]);
}

#[test]
fn usage_errors_are_plain_text_unless_a_log_is_wanted() {
    let wrong = || worker("render").args("-i a -o out -f 0");
    let run = wrong().run().exits(2);
    assert!(run.text().starts_with("error: --frames-per-job (F_PER_JOB)"), "{}", run.text());
    assert!(run.text().contains("render-worker render --help"), "{}", run.text());

    let misspelt = || worker("render").args("-i a -o out --frame 1");
    for run in [
        wrong().env("AWS_BATCH_JOB_ID", "1a-2b"),
        wrong().env("LOG_FORMAT", "json"),
        wrong().args("--log-format json"),
        misspelt().env("AWS_BATCH_JOB_ID", "1a-2b"),
        misspelt().args("--log-format=json"),
    ] {
        let lines = run.run().exits(2).json();
        assert_eq!(lines.len(), 1);
        assert_eq!((&lines[0]["level"], &lines[0]["exit_code"]), (&"ERROR".into(), &2.into()));
    }

    let run = worker("render").args("-i a -o out -f 0 --log-format text").run().exits(2);
    assert!(run.text().contains("ERROR --frames-per-job (F_PER_JOB)"), "{}", run.text());
}
