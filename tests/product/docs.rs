//! README.md and `docs/`: every command is run as it is written, links lead somewhere, contents
//! lists are complete, JSON is valid.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::batch_server::BatchServer;
use crate::support::documents::{self, Place, blocks, commands, commands_for, documents, text};
use crate::support::s3_server::{BUCKET, S3Server};
use crate::support::{documented_scene, fixture, frames, program, worker};

/// The id in place of `JOB-ID`.
const JOB: &str = "5d410000-aaaa-bbbb-cccc-ddddeeeeffff";

/// The id of the array job that it depends on.
const ARRAY: &str = "0c6a0000-aaaa-bbbb-cccc-ddddeeeeffff";

/// The archive of a release.
const RELEASE: &str = "render-worker-0.1.0-x86_64-unknown-linux-gnu";

#[test]
fn every_command_has_a_place_where_it_is_run_or_a_reason_why_not() {
    let unknown: Vec<_> =
        commands().into_iter().filter(|command| command.place().is_none()).collect();
    assert!(unknown.is_empty(), "add a place in tests/support/documents.rs: {unknown:#?}");
    for place in [Place::Here, Place::Image, Place::Deploy, Place::Publish, Place::Slurm] {
        assert!(!commands_for(place).is_empty(), "{place:?}");
    }
}

#[test]
fn the_commands_do_what_the_documents_say() {
    let (s3, batch) = (S3Server::start(), BatchServer::start());
    account(&s3, &batch);
    let mut by_document = BTreeMap::<String, Vec<documents::Command>>::new();
    for command in commands_for(Place::Here) {
        by_document.entry(command.document.clone()).or_default().push(command);
    }
    let differences: Vec<_> =
        by_document.values().flat_map(|commands| differences(commands, &s3, &batch)).collect();
    assert!(differences.is_empty(), "{}", differences.join("\n\n"));
}

/// Runs commands in order and in one shell. Returns how their exit codes and output differ from
/// what the document shows.
fn differences(commands: &[documents::Command], s3: &S3Server, batch: &BatchServer) -> Vec<String> {
    let home = home();
    let steps = commands.iter().enumerate().map(|(index, command)| {
        let line = real(&command.line);
        format!("exec >'{index}.output' 2>&1\n{line}\necho $? >'{index}.status'\n")
    });
    let script: String = steps.collect();
    let path = std::env::var("PATH").expect("a path");
    let status = Command::new("bash")
        .args(["-c", &script])
        .current_dir(home.path())
        .env_clear()
        .env("PATH", format!("{}:{path}", home.path().join("programs").display()))
        .env("HOME", home.path())
        .envs(batch.env())
        .envs(s3.env())
        // As on a terminal, but without a progress bar. The stand-in writes files of its own.
        .envs([("LOG_FORMAT", "text"), ("SANDBOX", "off")])
        .env("LISTEN", real("127.0.0.1:7861"))
        .stdin(Stdio::null())
        .status();
    assert!(status.expect("bash runs").success());
    let mut differences = Vec::new();
    for (index, command) in commands.iter().enumerate() {
        let read = |name: &str| {
            fs::read_to_string(home.path().join(format!("{index}.{name}"))).unwrap_or_default()
        };
        let (output, exit) = (read("output"), read("status"));
        let shown = command.output.iter().map(|line| real(line)).collect();
        let missing = documents::Command { output: shown, ..command.clone() }.missing_from(&output);
        if exit.trim() != command.exit_code().to_string() || !missing.is_empty() {
            let documents::Command { document, line, .. } = command;
            differences.push(format!(
                "{document}: {line}\nended with {exit}missing: {missing:#?}, in:\n{output}"
            ));
        }
    }
    differences
}

/// Replaces the placeholders of the documents, and the port of the page by one that is free.
fn real(text: &str) -> String {
    static PORT: LazyLock<String> = LazyLock::new(|| {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.local_addr().expect("an address").port().to_string()
    });
    let port = format!(":{}", *PORT);
    text.replace("BUCKET", BUCKET).replace("JOB-ID", JOB).replace(":7861", &port)
}

/// Creates the home of a reader who has installed the program and what it needs, with the scenes
/// and the release that the documents name.
fn home() -> TempDir {
    let home = tempfile::tempdir().expect("a folder");
    let write = |name: &str, content: &[u8]| {
        fs::write(home.path().join(name), content).expect("a file");
    };
    write("scene.blend", &documented_scene(12));
    write("pottery.blend", &documented_scene(199));
    photos(home.path());
    passes(&home.path().join("out/outputs"));
    fs::create_dir(home.path().join("programs")).expect("a folder");
    let link = |to: &Path, name: &str| {
        symlink(to, home.path().join("programs").join(name)).expect("a link");
    };
    link(&program(), "render-worker");
    link(&fixture("stand-ins/blender"), "blender");
    // It may not be installed. What it shows matters, not how.
    write("programs/man", b"#!/bin/sh\nexec cat\n");
    let mode = fs::Permissions::from_mode(0o755);
    fs::set_permissions(home.path().join("programs/man"), mode).expect("our own file");
    release(home.path());
    home
}

/// Creates the pictures and the sound that the documents make a video of.
fn photos(home: &Path) {
    documents::write_photos(&home.join("photos"));
    let sine = ["-v", "error", "-f", "lavfi", "-i", "sine=duration=2", "song.wav"];
    let status = Command::new("ffmpeg").args(sine).current_dir(home).stdin(Stdio::null()).status();
    assert!(status.expect("FFmpeg runs").success());
}

/// Creates what the scene of the documents makes besides its frames.
fn passes(outputs: &Path) {
    frames::write(&outputs.join("right"), 1..=3);
    fs::create_dir(outputs.join("Passes")).expect("a writable folder");
    for number in 1..=3 {
        for pass in ["beauty", "depth"] {
            let file = outputs.join(format!("Passes/{pass}_{}", frames::name(number)));
            fs::write(file, frames::frame(number)).expect("a writable folder");
        }
    }
}

/// Creates the archive of a release that contains the program, and its checksum.
fn release(folder: &Path) {
    let script = "mkdir \"$0\" && ln -s \"$1\" \"$0/render-worker\" && tar czf \"$0.tar.gz\" \"$0\" \
                  && sha256sum \"$0.tar.gz\" >\"$0.tar.gz.sha256\" && rm -r \"$0\"";
    let status = Command::new("sh")
        .args(["-c", script, RELEASE])
        .arg(program())
        .current_dir(folder)
        .status();
    assert!(status.expect("a shell").success());
}

/// Fills the account of the documents: the scene in the bucket, jobs that succeed for who submits
/// them, and a job whose child 3 has failed.
fn account(s3: &S3Server, batch: &BatchServer) {
    s3.put("scenes/pottery.blend", &documented_scene(199));
    for (number, children) in [(1, Some(20)), (2, None)] {
        let id = format!("0000000{number}-aaaa-bbbb-cccc-ddddeeeeffff");
        let mut job = json!({"jobId": id, "jobName": "pottery", "status": "SUCCEEDED"});
        if let Some(size) = children {
            job["arrayProperties"] = json!({"size": size, "statusSummary": {"SUCCEEDED": size}});
        }
        batch.set_job(job);
    }
    let summary = json!({"SUCCEEDED": 19, "FAILED": 1});
    batch.set_job(json!({
        "jobId": ARRAY, "jobName": "pottery", "status": "FAILED",
        "arrayProperties": {"size": 20, "statusSummary": summary},
    }));
    batch.set_job(json!({
        "jobId": JOB, "jobName": "pottery-stitch", "status": "FAILED",
        "dependsOn": [{"jobId": ARRAY}],
    }));
    let child = format!("{ARRAY}:3");
    let container = json!({
        "exitCode": 65,
        "logStreamName": "render/default/0123456789abcdef",
        "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/render-worker"}},
    });
    batch.set_job(json!({
        "jobId": child, "jobName": "pottery", "status": "FAILED",
        "statusReason": "Essential container in task exited",
        "arrayProperties": {"index": 3},
        "parameters": {"action": "render", "outputUri": s3.uri("renders/pottery")},
        "container": container,
        "attempts": [{"container": container}],
    }));
    let cause = format!(
        "{}: frames 31-40 are not rendered: the scene has no camera",
        s3.uri("scenes/pottery.blend")
    );
    let report = json!({"status": "failed", "exit_code": 65, "cause": cause}).to_string();
    let name = format!("renders/pottery/reports/render-{ARRAY}-3-attempt-1.json");
    s3.put(&name, report.as_bytes());
}

#[test]
fn the_query_for_failed_attempts_finds_them_and_no_others() {
    let blocks = blocks("docs/reference.md", "");
    let query = blocks.iter().find(|block| block.starts_with("fields ")).expect("the query");
    let filter = query.lines().find_map(|line| line.strip_prefix("| filter ")).expect("a filter");
    let found = |run: &[Value]| run.iter().filter(|line| matches(filter, line)).count();

    let home = home();
    let render = |scene: &str, frames: &str| {
        // The metrics go to the same log stream.
        let run = worker("render")
            .input(home.path().join(scene))
            .args("--log-format json --metrics emf -f");
        let run = run.arg(frames).output(home.path().join("out")).stand_in_blender().run();
        let metrics = serde_json::from_str(&run.stdout).ok();
        (run.exit, found(&[run.json(), metrics.into_iter().collect()].concat()))
    };
    assert_eq!(render("scene.blend", "2"), (0, 0));
    assert_eq!(render("nothing.blend", "2"), (66, 1));
    assert_eq!(render("scene.blend", "0"), (2, 1));
    for (code, expected) in [(70, 1), (75, 0), (130, 0), (143, 0)] {
        let line = json!({"level": "ERROR", "exit_code": code, "message": "what happened"});
        assert_eq!(found(&[line]), expected, "{code}");
    }
}

/// Evaluates the conditions of a query that the document uses.
fn matches(filter: &str, line: &Value) -> bool {
    filter.split(" and ").all(|condition| {
        let words: Vec<_> = condition.splitn(3, ' ').collect();
        let value = &line[words[0]];
        let operand: Value =
            serde_json::from_str(words[2].trim_start_matches("in ")).expect("a value");
        match words[1] {
            "=" => *value == operand,
            ">" => value.as_u64() > operand.as_u64(),
            "not" => !operand.as_array().expect("a list").contains(value),
            _ => panic!("the test does not know {condition:?}"),
        }
    })
}

#[test]
fn targets_of_the_makefile_that_the_documents_name_exist() {
    let makefile = text("Makefile");
    let listed: BTreeSet<_> =
        makefile.lines().filter_map(|line| line.strip_prefix("## ")?.split(':').next()).collect();
    let defined: BTreeSet<_> = makefile
        .lines()
        .filter(|line| line.starts_with(|first: char| first.is_ascii_lowercase()))
        .filter_map(|line| line.split_once(':').filter(|(_, rest)| !rest.starts_with('=')))
        .map(|(target, _)| target)
        .collect();
    assert_eq!(listed, defined, "`make help` lists every target");
    for document in documents() {
        for named in text(&document).split("`make ").skip(1) {
            let named = named.split(['`', ' ', '\n']).next().unwrap();
            assert!(listed.contains(named), "{document}: make {named}");
        }
    }
    let steps = text(".ci/run");
    for step in ["demo", "test"] {
        assert!(steps.contains(&format!("{step}() {{ make {step}; }}")), "{step}");
    }
}

#[test]
fn links_lead_to_files_and_headings() {
    for document in documents().into_iter().chain(["CONTRIBUTING.md".to_owned()]) {
        let folder = Path::new(&document).parent().unwrap().to_owned();
        for link in text(&document).split("](").skip(1) {
            let link = link.split(')').next().unwrap();
            if link.contains("://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let file = if file.is_empty() {
                document.clone()
            } else {
                folder.join(file).to_str().unwrap().to_owned()
            };
            assert!(
                Path::new(env!("CARGO_MANIFEST_DIR")).join(&file).exists(),
                "{document}: {link}"
            );
            if !anchor.is_empty() {
                assert!(anchors(&file).contains(anchor), "{document}: {link}");
            }
        }
    }
}

#[test]
fn each_document_begins_with_its_contents() {
    for document in documents().into_iter().skip(1) {
        let text = text(&document);
        let (before, _) = text.split_once("\n## ").expect("a section");
        for (level, heading) in headings(&text) {
            let entry = format!("[{heading}](#{})", anchor(&heading));
            assert!(level != 2 || before.contains(&entry), "{document}: {entry}");
        }
    }
}

#[test]
fn json_is_valid_and_policies_have_the_form_of_policies() {
    for document in documents() {
        for block in blocks(&document, "json") {
            let value: Value =
                serde_json::from_str(&block).unwrap_or_else(|why| panic!("{document}: {why}"));
            let Some(statements) = value["Statement"].as_array() else { continue };
            assert_eq!(value["Version"], "2012-10-17", "{document}");
            for statement in statements {
                assert_eq!(statement["Effect"], "Allow", "{document}: {statement}");
                assert!(!statement["Action"].to_string().contains('*'), "{document}: {statement}");
            }
        }
    }
}

#[test]
fn who_submits_has_the_permissions_that_submit_and_status_use() {
    let policy = blocks("docs/iam.md", "json").remove(0);
    // The requests that this project makes, see `src/batch/`; tags need a permission of their own.
    for action in ["SubmitJob", "DescribeJobs", "ListJobs", "TagResource", "TerminateJob"] {
        assert!(policy.contains(&format!("\"batch:{action}\"")), "{action}");
    }
    assert!(policy.contains("s3:GetObject") && !policy.contains("s3:DeleteObject"));
}

/// Returns the headings of a document with their levels.
fn headings(text: &str) -> Vec<(usize, String)> {
    let mut in_block = false;
    let mut headings = Vec::new();
    for line in text.lines() {
        if line.starts_with("```") {
            in_block = !in_block;
        }
        let title = line.trim_start_matches('#');
        if !in_block && line != title && title.starts_with(' ') {
            headings.push((line.len() - title.len(), title.trim().to_owned()));
        }
    }
    headings
}

fn anchors(file: &str) -> BTreeSet<String> {
    headings(&text(file)).iter().map(|(_, heading)| anchor(heading)).collect()
}

/// Returns the anchor that GitHub gives a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}
