//! Resuming: another attempt renders only frames that are missing or were rendered from different
//! inputs, and keeps the rest.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::blender::save_startup_scene;
use crate::support::place::Place;
use crate::support::s3_server::{Fault, Operation, S3Server};
use crate::support::{
    Run, Worker, fixture, names, ordered_scene, pixel_hashes, scene, wait_until, worker,
};

/// A job with several attempts: a scene of frames 1 to 10 for the stand-in and an output, both
/// local or both on S3.
struct Stage {
    folder: TempDir,
    server: Option<S3Server>,
}

impl Stage {
    fn local() -> Self {
        Self::new(None)
    }

    fn s3() -> Self {
        Self::new(Some(S3Server::start()))
    }

    fn new(server: Option<S3Server>) -> Self {
        let stage = Self { folder: tempfile::tempdir().unwrap(), server };
        fs::copy(fixture("stand-ins/blender"), stage.path("blender")).unwrap();
        stage.put_scene(json!({}));
        stage
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn put_scene(&self, orders: Value) {
        let mut orders = if orders.is_array() { json!({"steps": orders}) } else { orders };
        orders["record"] = json!(self.path("launches"));
        let content = ordered_scene(1, 10, &orders);
        match &self.server {
            Some(server) => server.put("scene.blend", &content),
            None => fs::write(self.path("scene.blend"), content).unwrap(),
        }
    }

    /// A command line of another attempt at frames 1 to 4.
    fn attempt(&self) -> Worker {
        let render = worker("render").args("-f 4").arg("--blender").arg(self.path("blender"));
        // No sandbox: the stand-in writes files of the test. No previews: tests count requests.
        let render = render.env("SANDBOX", "off").env("NO_PREVIEWS", "true");
        match &self.server {
            Some(server) => {
                render.s3(server).input(server.uri("scene.blend")).output(server.uri("out"))
            }
            None => render.input(self.path("scene.blend")).output(self.path("out")),
        }
    }

    /// Runs an attempt, and asserts that it succeeds and renders exactly these frames.
    #[track_caller]
    fn renders(&self, attempt: Worker, frames: &str) -> Run {
        let before = self.launches().len();
        let run = attempt.run().exits(0);
        let launches = self.launches().split_off(before);
        let message = match frames.parse::<i32>() {
            Ok(frame) => format!("rendering frame {frame} of "),
            Err(_) => format!(" frames, {frames}, of "),
        };
        if frames.is_empty() {
            assert_eq!(launches, [""; 0], "Blender was started\n{}", run.text());
            return run.logs(&["nothing to render"]);
        }
        assert_eq!(launches.len(), 1, "{}", run.text());
        run.logs(&[&message])
    }

    /// Returns the records of the launches that opened the scene.
    fn launches(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("launches")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn frame(&self, frame: u32) -> PathBuf {
        self.path("out/frames").join(format!("{frame:04}.png"))
    }

    /// Deletes a frame.
    fn delete(&self, frame: u32) {
        match &self.server {
            Some(server) => server.remove(&format!("out/frames/{frame:04}.png")),
            None => fs::remove_file(self.frame(frame)).unwrap(),
        }
    }

    /// Returns the latest report.
    fn latest_report(&self) -> Value {
        let parse = |bytes: Vec<u8>| serde_json::from_slice::<Value>(&bytes).unwrap();
        let reports: Vec<Value> = if let Some(server) = &self.server {
            let keys = server.keys("out/reports/render-");
            keys.iter().map(|key| parse(server.get(key).unwrap())).collect()
        } else {
            let folder = self.path("out/reports");
            let mut names = names(&folder);
            names.retain(|name| name.starts_with("render-"));
            names.iter().map(|name| parse(fs::read(folder.join(name)).unwrap())).collect()
        };
        let started = |report: &Value| report["started"].as_str().unwrap().to_owned();
        reports.into_iter().max_by_key(started).unwrap()
    }

    /// Returns the frames in the latest report and their states.
    fn states(&self) -> Vec<(String, String)> {
        let report = self.latest_report();
        let frames = report["frames"].as_object().unwrap();
        let state = |(number, frame): (&String, &Value)| {
            (number.clone(), frame["state"].as_str().unwrap().to_owned())
        };
        frames.iter().map(state).collect()
    }
}

fn both() -> [Stage; 2] {
    [Stage::local(), Stage::s3()]
}

#[test]
fn a_second_attempt_renders_nothing_and_reports_it() {
    for stage in both() {
        stage.renders(stage.attempt(), "1-4");
        let run = stage.renders(stage.attempt(), "");
        run.logs(&["frames 1-4 are already there"]).logs_no_warnings();
        let states = stage.states();
        assert_eq!(states.len(), 4);
        assert!(states.iter().all(|(_, state)| state == "already_there"), "{states:?}");
        let report = stage.latest_report();
        assert_eq!(
            (&report["status"], &report["frames_asked"]),
            (&json!("succeeded"), &json!("1-4"))
        );
        assert!(report["frames"]["1"]["bytes"].as_u64() > Some(0), "{report}");
        assert_eq!(report["scene"]["fps"], 24, "stitch needs the frame rate");
    }
}

#[test]
fn on_s3_resuming_costs_two_listings_and_one_request_per_frame() {
    let stage = Stage::s3();
    let server = stage.server.as_ref().unwrap();
    stage.renders(stage.attempt(), "1-4");
    // Frames of an earlier job in another format.
    server.put_many((1..5).map(|n| (format!("out/frames/{n:04}.exr"), b"x".to_vec())));
    // Frames of other jobs: listing them all would take three requests.
    server.put_many((11..2_500).map(|n| (format!("out/frames/{n:04}.png"), b"x".to_vec())));
    let before = server.requests().len();
    stage.renders(stage.attempt(), "");
    let requests = server.requests().split_off(before);
    let requests: Vec<_> = requests.iter().map(|r| (r.operation, r.key.as_str())).collect();
    let count = |operation| requests.iter().filter(|(found, _)| *found == operation).count();
    // For its own frames, and to count the other frames of the scene.
    assert_eq!(count(Operation::ListObjectsV2), 2, "{requests:?}");
    assert_eq!(count(Operation::HeadObject), 4, "{requests:?}");
    // The beginning of the scene, and the list of its files.
    assert_eq!(count(Operation::GetObject), 2, "{requests:?}");
    // The report, at the beginning and at the end.
    assert_eq!(count(Operation::PutObject), 2, "{requests:?}");
    assert_eq!(requests.len(), 10, "{requests:?}");
}

#[test]
fn a_large_scene_is_not_downloaded_if_nothing_is_to_be_rendered() {
    const SIZE: usize = 20 * 1024 * 1024;
    let stage = Stage::s3();
    let server = stage.server.as_ref().unwrap();
    let mut content = ordered_scene(1, 10, &json!({"record": stage.path("launches")}));
    content.resize(SIZE, 0);
    server.put("scene.blend", &content);
    stage.renders(stage.attempt(), "1-4");
    let bytes = |from: usize| -> u64 {
        let requests = server.requests().split_off(from);
        requests.iter().filter(|r| r.key == "scene.blend").map(|r| r.bytes_out).sum()
    };
    assert_eq!(bytes(0), SIZE as u64, "every byte is fetched once");
    let before = server.requests().len();
    stage.renders(stage.attempt(), "");
    assert!(bytes(before) < 2 * 1024 * 1024, "{}", bytes(before));
}

#[test]
fn a_file_that_is_no_scene_is_refused_before_it_is_downloaded() {
    let stage = Stage::s3();
    let server = stage.server.as_ref().unwrap();
    server.put("scene.blend", &vec![b'x'; 20 * 1024 * 1024]);
    stage.attempt().run().exits(65).logs(&["does not begin like a .blend file"]);
    // The beginning is fetched twice, in case a bit was flipped in transit.
    let requests = server.requests();
    let gets = requests.iter().filter(|request| request.operation == Operation::GetObject);
    let ranges: Vec<_> = gets.filter_map(|get| get.range()).collect();
    assert!(ranges.len() == 2 && ranges.iter().all(|range| range.starts_with("bytes=0-")));
}

#[test]
fn versions_of_a_scene_that_is_replaced_during_the_download_are_not_mixed() {
    let stage = Stage::s3();
    let server = stage.server.as_ref().unwrap();
    let mut content = ordered_scene(1, 10, &json!({}));
    content.resize(3 * 1024 * 1024, 0);
    server.put("scene.blend", &content);
    server.inject(
        Fault::on(Operation::GetObject)
            .key("scene.blend")
            .when(|request| !request.range().is_some_and(|range| range.starts_with("bytes=0-")))
            .respond(412, "PreconditionFailed"),
    );
    let run = stage.attempt().run().exits(75);
    let error = run.final_error();
    assert!(error.contains("replaced by another version while it was being read"), "{error}");
    assert_eq!(stage.launches(), [""; 0]);
}

#[test]
fn only_missing_frames_are_rendered() {
    for stage in both() {
        stage.renders(stage.attempt(), "1-4");
        stage.delete(3);
        let run = stage.renders(stage.attempt(), "3");
        run.logs(&["frames 1-2,4 are already there; rendering 3"]);
        let state = |frame: &str, state: &str| (frame.to_owned(), state.to_owned());
        let there = |frame| state(frame, "already_there");
        assert_eq!(stage.states(), [there("1"), there("2"), state("3", "rendered"), there("4")]);

        // Two gaps, and more frames than before.
        stage.delete(1);
        stage.delete(3);
        stage.renders(stage.attempt().args("--frames 1-6"), "1,3,5-6");
        stage.renders(stage.attempt().args("--frames 1-6"), "");
    }
}

#[test]
fn existing_frames_with_five_digits_or_negative_numbers_are_found() {
    for stage in both() {
        let frames = "--frames=-2-1,999-1001,9999-10001";
        let all = "-2-1,999-1001,9999-10001";
        stage.renders(stage.attempt().args(frames), all);
        stage.renders(stage.attempt().args(frames), "");
    }
}

#[test]
fn another_scene_setting_or_blender_renders_all_frames_again() {
    for stage in both() {
        stage.renders(stage.attempt(), "1-4");
        stage.put_scene(json!({"size": [20, 12]}));
        let again = "not known to be made from the same";
        stage.renders(stage.attempt(), "1-4").logs(&[again]);
        stage.renders(stage.attempt().args("--engine BLENDER_WORKBENCH"), "1-4").logs(&[again]);
        stage.renders(stage.attempt().args("--engine BLENDER_WORKBENCH"), "");
        stage.renders(stage.attempt(), "1-4");
        stage.renders(stage.attempt().args("--enable-autoexec"), "1-4");
        stage.renders(stage.attempt().args("--cycles-device CPU"), "1-4");
        stage.renders(stage.attempt(), "1-4");

        let program = fs::read_to_string(stage.path("blender")).unwrap();
        fs::write(stage.path("blender"), format!("{program}# another one\n")).unwrap();
        stage.renders(stage.attempt(), "1-4");
        stage.renders(stage.attempt(), "");
    }
}

#[test]
fn a_wrapper_script_counts_as_another_blender_if_it_starts_another_version() {
    let stage = Stage::local();
    let program = fs::read_to_string(stage.path("blender")).unwrap();
    fs::rename(stage.path("blender"), stage.path("real")).unwrap();
    let script = format!("#!/bin/sh\nexec '{}' \"$@\"\n", stage.path("real").display());
    fs::write(stage.path("blender"), script).unwrap();
    fs::set_permissions(stage.path("blender"), Permissions::from_mode(0o755)).unwrap();
    stage.renders(stage.attempt(), "1-4");
    stage.renders(stage.attempt(), "");
    let newer = program.replace(r#"VERSION = "3.4.1""#, r#"VERSION = "3.4.2""#);
    fs::write(stage.path("real"), newer).unwrap();
    stage.renders(stage.attempt(), "1-4");
}

#[test]
fn frames_of_a_blender_without_a_version_are_never_reused() {
    let stage = Stage::local();
    fs::rename(stage.path("blender"), stage.path("real")).unwrap();
    let script = format!(
        "#!/bin/sh\n[ \"$1\" = --version ] || exec '{}' \"$@\"\n",
        stage.path("real").display()
    );
    fs::write(stage.path("blender"), script).unwrap();
    fs::set_permissions(stage.path("blender"), Permissions::from_mode(0o755)).unwrap();
    for _ in 0..2 {
        stage.renders(stage.attempt(), "1-4").logs(&["Blender does not print its version"]);
    }
}

#[test]
fn a_changed_texture_library_or_sequence_renders_all_frames_again() {
    type Change = fn(&Path);
    let changes: [(&str, Change); 4] = [
        ("texture", |folder| fs::write(folder.join("wood.png"), "another").unwrap()),
        ("absolute", |folder| fs::write(folder.join("far/lib.blend"), "another").unwrap()),
        ("sequence", |folder| fs::write(folder.join("seq/3.png"), "x").unwrap()),
        ("missing so far", |folder| fs::write(folder.join("missing.png"), "x").unwrap()),
    ];
    let stage = Stage::local();
    for file in ["wood.png", "far/lib.blend", "seq/1.png"] {
        fs::create_dir_all(stage.path(file).parent().unwrap()).unwrap();
        fs::write(stage.path(file), "x").unwrap();
    }
    stage.put_scene(json!({"external": [
        {"file": "//wood.png"},
        {"file": "//missing.png"},
        {"file": stage.path("far/lib.blend")},
        {"folder": "//seq"},
    ]}));
    stage.renders(stage.attempt(), "1-4");
    stage.renders(stage.attempt(), "");
    for (what, change) in changes {
        change(stage.folder.path());
        stage.renders(stage.attempt(), "1-4");
        let run = stage.renders(stage.attempt(), "");
        assert_eq!(run.exit, 0, "{what}");
    }
}

#[test]
fn relative_paths_of_a_scene_on_s3_do_not_prevent_reuse() {
    let stage = Stage::s3();
    stage.put_scene(json!({"external": [
        {"file": "//wood.png"},
        {"file": "//setup.py"},
        {"folder": "//"},
        {"folder": "//frames"},
    ]}));
    stage.renders(stage.attempt(), "1-4");
    stage.renders(stage.attempt(), "");
}

#[test]
fn frames_with_uncertain_inputs_are_rendered_again() {
    // The list of the scene's files is missing, or invalid.
    let stage = Stage::local();
    for (external, why) in
        [(json!(null), "is not Unicode"), (json!([{"file": "."}]), "a relative path")]
    {
        stage.put_scene(json!({"external": external}));
        for _ in 0..2 {
            let attempt = stage.renders(stage.attempt(), "1-4");
            attempt.logs(&["without a fingerprint", why]);
        }
    }

    // A file was modified after Blender may have read it.
    let stage = Stage::local();
    fs::write(stage.path("wood.png"), "x").unwrap();
    let wood = File::options().write(true).open(stage.path("wood.png")).unwrap();
    wood.set_modified(SystemTime::now() + Duration::from_hours(1)).unwrap();
    stage.put_scene(json!({"external": [{"file": "//wood.png"}]}));
    for _ in 0..2 {
        stage.renders(stage.attempt(), "1-4").logs(&["changed while Blender was opening it"]);
    }

    // The scene changes between its identification and its opening, and is restored later.
    let stage = Stage::local();
    let scene = stage.path("scene.blend");
    stage.put_scene(json!([
        {"at": "start", "do": "append", "path": scene, "text": "later", "once": stage.path("late")},
    ]));
    let content = fs::read(&scene).unwrap();
    stage.renders(stage.attempt(), "1-4").logs(&["changed before Blender had opened it"]);
    assert_ne!(fs::read(&scene).unwrap(), content);
    fs::write(&scene, content).unwrap();
    stage.renders(stage.attempt(), "1-4");
    stage.renders(stage.attempt(), "");

    // The list of the scene's files was deleted.
    for stage in both() {
        stage.renders(stage.attempt(), "1-4");
        if let Some(server) = &stage.server {
            server.keys("out/reports/scene-").iter().for_each(|key| server.remove(key));
        } else {
            let reports = stage.path("out/reports");
            let scene = names(&reports).into_iter().find(|name| name.starts_with("scene-"));
            fs::remove_file(reports.join(scene.unwrap())).unwrap();
        }
        stage.renders(stage.attempt(), "1-4");
        stage.renders(stage.attempt(), "");
    }
}

#[test]
fn frames_without_a_fingerprint_are_rendered_again() {
    let stage = Stage::local();
    stage.renders(stage.attempt(), "1-4");
    fs::remove_file(stage.path("out/frames/.fingerprints/0002.png")).unwrap();
    fs::write(stage.path("out/frames/.fingerprints/0003.png"), b"\xff").unwrap();
    stage.renders(stage.attempt(), "2-3");

    let stage = Stage::s3();
    let server = stage.server.as_ref().unwrap();
    stage.renders(stage.attempt(), "1-4");
    let frame = server.get("out/frames/0002.png").unwrap();
    server.put("out/frames/0002.png", &frame);
    stage.renders(stage.attempt(), "2");
    assert!(server.stored("out/frames/0002.png").unwrap().metadata.len() == 1);
}

#[test]
fn local_frames_with_changed_content_are_rendered_again() {
    let stage = Stage::local();
    stage.renders(stage.attempt(), "1-4");
    let whole = fs::read(stage.frame(2)).unwrap();
    // Same size and same modification time.
    let modified = fs::metadata(stage.frame(2)).unwrap().modified().unwrap();
    let mut other = whole.clone();
    other[20] ^= 1;
    fs::write(stage.frame(2), &other).unwrap();
    File::options().write(true).open(stage.frame(2)).unwrap().set_modified(modified).unwrap();
    stage.renders(stage.attempt(), "2");
    assert_eq!(fs::read(stage.frame(2)).unwrap(), whole);
    // Truncated, with the old modification time.
    let file = File::options().write(true).open(stage.frame(3)).unwrap();
    file.set_len(10).unwrap();
    file.set_modified(modified).unwrap();
    stage.renders(stage.attempt(), "3");
    assert_eq!(fs::read(stage.frame(3)).unwrap().len(), whole.len());
    // Two frames exchanged, together with their fingerprints.
    for folder in ["out/frames", "out/frames/.fingerprints"] {
        let at = |name: &str| stage.path(folder).join(name);
        fs::rename(at("0001.png"), at("x")).unwrap();
        fs::rename(at("0004.png"), at("0001.png")).unwrap();
        fs::rename(at("x"), at("0004.png")).unwrap();
    }
    stage.renders(stage.attempt(), "1,4");
    // An identical copy with another modification time, as from a backup, is kept.
    fs::write(stage.path("other.png"), &whole).unwrap();
    fs::rename(stage.path("other.png"), stage.frame(2)).unwrap();
    stage.renders(stage.attempt(), "");
}

#[test]
fn objects_whose_fingerprint_does_not_match_their_content_are_rendered_again() {
    let stage = Stage::s3();
    let server = stage.server.as_ref().unwrap();
    stage.renders(stage.attempt(), "1-4");
    let kept = |frame: u32| server.stored(&format!("out/frames/{frame:04}.png")).unwrap();
    // As after a tool that recompresses images and keeps their metadata.
    let mut other = kept(2);
    other.bytes[20] ^= 1;
    server.put_stored("out/frames/0002.png", &other);
    let mut longer = kept(3);
    longer.bytes.push(0);
    server.put_stored("out/frames/0003.png", &longer);
    // An identical copy, uploaded by another program, is kept.
    server.put_stored("out/frames/0004.png", &kept(4));
    let run = stage.renders(stage.attempt(), "2-3");
    run.logs(&["frames 2-3 are there, but not known to be made from the same"]);
    stage.renders(stage.attempt(), "");
    assert_ne!(kept(2).bytes, other.bytes);
}

#[test]
fn fingerprints_of_older_versions_without_a_content_hash_are_not_trusted() {
    let stage = Stage::s3();
    let server = stage.server.as_ref().unwrap();
    stage.renders(stage.attempt(), "1-4");
    let mut old = server.stored("out/frames/0002.png").unwrap();
    for fingerprint in old.metadata.values_mut() {
        fingerprint.truncate(64);
    }
    server.put_stored("out/frames/0002.png", &old);
    stage.renders(stage.attempt(), "2");
}

#[test]
fn no_resume_renders_all_frames_and_stores_their_fingerprints() {
    for stage in both() {
        stage.renders(stage.attempt(), "1-4");
        stage.renders(stage.attempt().arg("--no-resume"), "1-4");
        assert!(stage.states().iter().all(|(_, state)| state == "rendered"));
        stage.renders(stage.attempt().env("NO_RESUME", "true"), "1-4");
        stage.renders(stage.attempt(), "");
        if let Some(server) = &stage.server {
            let before =
                server.count(Operation::ListObjectsV2) + server.count(Operation::HeadObject);
            stage.renders(stage.attempt().arg("--no-resume"), "1-4");
            let after =
                server.count(Operation::ListObjectsV2) + server.count(Operation::HeadObject);
            assert_eq!(before, after, "no request looks for existing frames");
        }
    }
}

#[test]
fn each_child_of_an_array_resumes_its_own_frames() {
    let child = |stage: &Stage, index: &str| {
        let attempt = stage.attempt().env("AWS_BATCH_JOB_ARRAY_INDEX", index);
        attempt.env("AWS_BATCH_JOB_ID", format!("j0b:{index}"))
    };
    for stage in both() {
        stage.renders(child(&stage, "0"), "1-4");
        stage.renders(child(&stage, "1"), "5-8");
        stage.delete(6);
        stage.renders(child(&stage, "0").env("AWS_BATCH_JOB_ATTEMPT", "2"), "");
        stage.renders(child(&stage, "1").env("AWS_BATCH_JOB_ATTEMPT", "2"), "6");
        // A single job for all frames.
        stage.renders(stage.attempt().args("--frames 1-8"), "");
    }
}

#[test]
fn an_interrupted_attempt_is_resumed() {
    for stage in both() {
        let (reached, go) = (stage.path("reached"), stage.path("go"));
        stage.put_scene(json!({"steps": [
            {"at": 4, "do": "touch", "path": reached},
            {"at": 4, "do": "wait_for_file", "path": go},
        ]}));
        let running = stage.attempt().args("--frames 1-10").start();
        for frame in 1..=3 {
            running.wait_for_log(&format!("frame {frame} stored"));
        }
        wait_until("Blender is in frame 4", || stage.path("reached").exists());
        running.signal(Signal::SIGTERM);
        running.finish().exits(143);
        fs::write(go, "").unwrap();
        let run = stage.renders(stage.attempt().args("--frames 1-10"), "4-10");
        run.logs(&["frames 1-3 are already there; rendering 4-10"]);
        assert_eq!(stage.states().len(), 10);

        let stitch = match &stage.server {
            Some(server) => {
                worker("stitch").s3(server).input(server.uri("out")).output(server.uri("out"))
            }
            None => worker("stitch").input(stage.path("out")).output(stage.path("out")),
        };
        stitch.run().exits(0).logs(&["stitching 10 PNG frames, 1-10,"]);
    }
}

#[test]
fn without_permission_to_read_the_output_all_frames_are_rendered_with_a_warning() {
    for denied in [Operation::ListObjectsV2, Operation::HeadObject] {
        let stage = Stage::s3();
        stage.renders(stage.attempt(), "1-4");
        let server = stage.server.as_ref().unwrap();
        server.inject(Fault::on(denied).respond(403, "AccessDenied"));
        let run = stage.renders(stage.attempt(), "1-4");
        run.logs(&["cannot check which frames are already there, so all are rendered"]);
    }
}

#[test]
fn if_storage_fails_while_frames_are_looked_up_the_job_can_be_run_again() {
    for failing in [Operation::ListObjectsV2, Operation::HeadObject] {
        let stage = Stage::s3();
        stage.renders(stage.attempt(), "1-4");
        let server = stage.server.as_ref().unwrap();
        server.inject(Fault::on(failing).respond(503, "SlowDown"));
        stage.attempt().run().exits(75);
        assert_eq!(stage.launches().len(), 1);
        server.clear_faults();
        server.inject(Fault::on(failing).times(2).respond(503, "SlowDown"));
        stage.renders(stage.attempt(), "");
    }
}

#[test]
fn a_frame_that_also_exists_in_another_format_is_a_warning() {
    let stage = Stage::local();
    stage.renders(stage.attempt(), "1-4");
    fs::copy(fixture("frames/blender-rgba-16-zip.exr"), stage.path("out/frames/0002.exr")).unwrap();
    let warning = "frame 2 is in ";
    stage.renders(stage.attempt(), "").logs(&[warning, "in another format as well", "0002.exr"]);
    stage.delete(2);
    stage.renders(stage.attempt(), "2").logs(&[warning, "0002.exr"]);
}

#[test]
fn a_frame_that_is_a_symbolic_link_is_not_stored() {
    let stage = Stage::local();
    let secret = stage.path("secret.png");
    fs::copy(fixture("frames/blender-rgb-8.png"), &secret).unwrap();
    // A script in the scene could do this before Blender prints `Saved:`.
    let program = fs::read_to_string(stage.path("blender")).unwrap();
    let linked = format!(
        "os.makedirs(os.path.dirname(path) or \".\", exist_ok=True)\n            \
         if number == 2: os.symlink({secret:?}, path); say(f\"Saved: '{{path}}'\"); return"
    );
    let original = "os.makedirs(os.path.dirname(path) or \".\", exist_ok=True)";
    assert!(program.contains(original));
    fs::write(stage.path("blender"), program.replace(original, &linked)).unwrap();
    let run = stage.attempt().run().exits(70);
    run.logs(&["frame 2 is not whole: its file is not a regular file"]);
    assert_eq!(names(&stage.path("out/frames")), ["0001.png", "0003.png", "0004.png"]);
}

#[test]
fn a_real_blender_renders_a_missing_frame_identically() {
    let folder = tempfile::tempdir().unwrap();
    let (input, out) = (folder.path().join("scene.blend"), folder.path().join("out"));
    fs::copy(scene("missing_texture"), &input).unwrap();
    let attempt = || worker("render").input(&input).output(&out).args("-f 4 --missing-files warn");
    let frame = |name: &str| out.join("frames").join(name);
    attempt().run().exits(0);
    let modified = |name: &str| fs::metadata(frame(name)).unwrap().modified().unwrap();
    let pixels = pixel_hashes(&frame("0003.png"));
    let untouched = modified("0002.png");
    fs::remove_file(frame("0003.png")).unwrap();
    attempt().run().exits(0).logs(&["frames 1-2,4 are already there; rendering 3"]);
    assert_eq!(pixel_hashes(&frame("0003.png")), pixels);
    let again = modified("0003.png");
    attempt().run().exits(0).logs(&["nothing to render"]);
    assert_eq!((modified("0002.png"), modified("0003.png")), (untouched, again));

    // With the texture that was missing so far, the frames look different.
    fs::create_dir(folder.path().join("textures")).unwrap();
    let texture = folder.path().join("textures/missing.png");
    fs::copy(fixture("frames/blender-rgb-8.png"), texture).unwrap();
    attempt().run().exits(0).logs(&["rendering 4 frames, 1-4,"]);
    assert_ne!(pixel_hashes(&frame("0003.png")), pixels);
    attempt().run().exits(0).logs(&["nothing to render"]);
}

#[test]
fn an_image_sequence_in_a_real_scene_on_s3_does_not_prevent_reuse() {
    let (folder, server) = (tempfile::tempdir().unwrap(), S3Server::start());
    let blend = folder.path().join("scene.blend");
    let with_sequence = format!(
        "import bpy\nimage = bpy.data.images.new('numbered', 4, 4)\nimage.source = 'SEQUENCE'\n\
         image.filepath = '//wood_0001.png'\nimage.use_fake_user = True\n\
         bpy.ops.wm.save_as_mainfile(filepath={:?}, relative_remap=False)\n",
        blend.to_str().unwrap()
    );
    let blender = Command::new("blender")
        .args(["-b", "--factory-startup"])
        .arg(scene("tiny"))
        .args(["--python-expr", &with_sequence])
        .output()
        .unwrap();
    server.put("scene.blend", &fs::read(&blend).unwrap_or_else(|_| panic!("{blender:?}")));
    let attempt = || {
        let render = worker("render").args("-f 1").s3(&server);
        render.input(server.uri("scene.blend")).output(server.uri("out")).run().exits(0)
    };
    attempt().logs(&["rendering frame 1 of "]);
    attempt().logs(&["nothing to render"]);
}

#[test]
fn a_texture_that_becomes_readable_renders_all_frames_again() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (input, out) = (folder.path().join("scene.blend"), folder.path().join("out"));
    fs::copy(scene("missing_texture"), &input).unwrap();
    let texture = elsewhere.path().join("texture.png");
    fs::copy(fixture("frames/blender-rgb-8.png"), &texture).unwrap();
    fs::create_dir(folder.path().join("textures")).unwrap();
    // The sandbox allows files beside the scene, but not the targets of links.
    symlink(&texture, folder.path().join("textures/missing.png")).unwrap();
    let attempt = || worker("render").input(&input).output(&out).args("-f 1 --missing-files warn");
    let pixels = || pixel_hashes(&out.join("frames/0001.png"));
    attempt().run().exits(0).logs(&["sandbox: Landlock"]);
    let without = pixels();
    attempt().run().exits(0).logs(&["nothing to render"]);
    let with_texture = || attempt().arg("--allow-read").arg(elsewhere.path()).run().exits(0);
    with_texture().logs(&["rendering frame 1 of "]);
    assert_ne!(pixels(), without);
    with_texture().logs(&["nothing to render"]);
}

#[test]
fn only_a_changed_physics_cache_renders_a_frame_again() {
    let place = Place::with_scene("");
    // Blender reports an empty path for the cache, and the scene's own folder for the image.
    let changes = "
cloth = bpy.data.objects['Cube'].modifiers.new('Cloth', 'CLOTH')
cloth.point_cache.use_disk_cache = True
image = bpy.data.images.new('Folder', 4, 4)
image.source, image.filepath, image.use_fake_user = 'FILE', '//', True
";
    save_startup_scene(&place.path("scene.blend"), changes);
    let modified = || fs::metadata(place.path("out/frames/0001.png")).unwrap().modified().unwrap();
    place.render("-f 1").run().exits(0);
    let first = modified();
    place.render("-f 1").run().exits(0);
    assert_eq!(modified(), first);
    fs::create_dir(place.path("blendcache_scene")).unwrap();
    fs::write(place.path("blendcache_scene/cloth_000001_00.bphys"), "x").unwrap();
    place.render("-f 1").run().exits(0);
    assert_ne!(modified(), first);
}
