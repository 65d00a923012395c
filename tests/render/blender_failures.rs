//! Failures of Blender and of its files. The exit code says who must act. The final error says what
//! happened to which frames, and what to do. Frames saved before the failure are stored. The tests
//! use the real Blender where it can be made to fail.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use crate::support::place::{Place, frame_names, mounted};
use crate::support::{ordered_scene, report, scene, worker};

const MEND: &str = "open the scene in Blender";
const INSTALL: &str = "install what is missing";
const NEWER: &str = "or later (BLENDER_VERSION when the image is built)";

#[test]
fn a_scene_that_does_not_exist_is_missing_input() {
    let place = Place::with_scene("");
    nix::unistd::mkfifo(&place.path("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    for (input, cause, advice) in [
        ("missing.blend", "there is no file missing.blend", "check the path"),
        ("", "a folder, which contains scene.blend", "scene.blend"),
        ("pipe", "not a regular file", "check the path"),
    ] {
        let (input, output) = (place.path(input), place.path("out"));
        let run = worker("render").input(&input).output(output).args("-f 1").run();
        run.fails(66, &[input.to_str().unwrap(), cause, advice]);
    }
}

#[test]
fn a_damaged_or_incomplete_scene_is_unusable_input() {
    let tiny = fs::read(scene("tiny")).unwrap();
    let half = &tiny[..tiny.len() / 2];
    let of_blender_9 = [b"BLENDER17-01v0999REND".as_slice(), &[0; 4096]].concat();
    for (content, texts, advice) in [
        (
            half,
            &["frames 1-2 are not", "the file is damaged or cut short", "Failed to read"][..],
            MEND,
        ),
        (b"", &["it is empty"], "save the scene"),
        (b"no scene at all", &["it does not begin like a .blend file"], "give a .blend file"),
        (
            &of_blender_9,
            &["frames 1-2 are not", "was saved by Blender 9.99, and this is Blender "],
            NEWER,
        ),
        (
            &fs::read(scene("no_camera")).unwrap(),
            &[
                "frames 1-2 are not",
                "the scene has no camera; last output: Cannot render, no camera",
            ],
            MEND,
        ),
    ] {
        let place = Place::with_scene(content);
        place.render("-f 2").run().fails(65, texts).fails(65, &[&place.scene(), advice]);
        assert_eq!(place.frames(), [""; 0]);
    }
    let place = Place::with_scene(b"<html>404</html>");
    place.render("-f 2").run().fails(65, &["it is a web page", "replace it with the real file"]);
}

#[test]
fn a_crash_on_a_scene_of_a_newer_blender_is_blamed_on_the_scene() {
    // Blender 3.4 crashes on files of 4.3.
    let mut content = ordered_scene(1, 12, &json!([{"at": "start", "do": "crash"}]));
    content[9..12].copy_from_slice(b"403");
    let place = Place::with_scene(content);
    let run = place.stand_in().run();
    run.fails(65, &[&place.scene(), "frames 1-12 are not", "was saved by Blender 4.3", NEWER]);
}

#[test]
fn a_missing_engine_or_device_is_named() {
    let place = Place::with_scene(fs::read(scene("tiny")).unwrap());
    for (arguments, texts) in [
        ("--engine CYCLESX", &["--engine (ENGINE)", "no such render engine, CYCLESX"]),
        (
            "--cycles-device CUDA",
            &["no such device here (--cycles-device)", "Found no Cycles device"],
        ),
    ] {
        let run = place.render("-f 2").args(arguments).run();
        run.fails(69, &["scene.blend: frames 1-2 are not rendered", INSTALL]).fails(69, texts);
    }
}

#[test]
fn a_blender_that_cannot_be_started_is_named_with_its_flag_and_variable() {
    let place = Place::with_scene(fs::read(scene("tiny")).unwrap());
    let no_program = place.path("no_program");
    fs::write(&no_program, "x").unwrap();
    fs::set_permissions(&no_program, Permissions::from_mode(0o755)).unwrap();
    for program in [Path::new("no-such-blender"), &scene("tiny"), &no_program, place.folder()] {
        let run = place.render("-f 2").arg("--blender").arg(program).run();
        let name = program.to_str().unwrap();
        run.fails(69, &["cannot start", name, "--blender, BLENDER", "install it"]);
    }
    let run = place.render("-f 2").env("PATH", place.folder()).run();
    run.fails(69, &["cannot start blender (--blender, BLENDER)", "install it"]);
}

#[test]
fn frames_saved_before_the_failure_are_stored_and_the_others_named() {
    for (how, code, texts) in [
        (json!({"do": "crash"}), 70, &["Blender crashed (signal 11)", "another version"][..]),
        (json!({"do": "exit", "code": 139}), 70, &["Blender crashed (signal 11)"]),
        (json!({"do": "exit", "code": 3}), 70, &["Blender ended with exit status 3"]),
        (
            json!({"do": "exit", "code": 0}),
            70,
            &[
                "Blender ended with exit status 0, but frames are missing",
                "fix the problem that Blender reports",
            ],
        ),
        (json!({"do": "kill"}), 137, &["killed by SIGKILL for an unknown reason", "find out"]),
    ] {
        let mut step = how;
        step["at"] = 7.into();
        let output = json!({"at": 7, "do": "say", "text": "I am not well"});
        let place = Place::ordered(&json!([output, step]));
        let run = place.stand_in().run().fails(code, texts);
        run.fails(code, &["scene.blend: frame 7 is not rendered", "| I am not well"]);
        assert_eq!(place.frames(), frame_names((1..=12).filter(|&frame| frame != 7)));

        let report = report(&place.path("out"), "render");
        assert_eq!((&report["status"], &report["exit_code"]), (&"failed".into(), &code.into()));
        assert!(report["cause"].as_str().unwrap().contains("frame 7 is"), "{report}");
        assert!(report["said"].to_string().contains("I am not well"), "{report}");
        assert_eq!(report["frames"].as_object().unwrap().len(), 11);
    }
}

#[test]
fn an_error_about_a_library_is_not_mistaken_for_the_cause_of_the_end() {
    let library = "Error: Failed to read blend file '/lib.blend': Missing DNA block";
    for (how, code, text) in [("crash", 70, "Blender crashed"), ("kill", 137, "memory")] {
        let place = Place::ordered(&json!([
            {"at": "start", "do": "say", "text": library},
            {"at": 7, "do": how},
        ]));
        place.stand_in().run().fails(code, &["frame 7 is not rendered", text]);
    }
}

#[test]
fn a_blender_that_does_not_quit_is_stopped_when_every_frame_is_stored() {
    let place = Place::ordered(&json!([{"at": "end", "do": "hang"}]));
    let run = place.stand_in().run().exits(0);
    run.logs(&["Blender does not quit: stopping it", "all 12 frames are stored"]);
    assert_eq!(place.frames(), frame_names(1..=12));
}

#[test]
fn a_failure_after_the_last_frame_is_a_warning() {
    let place = Place::ordered(&json!([{"at": "end", "do": "exit", "code": 1}]));
    let run = place.stand_in().run().exits(0);
    run.logs(&["Blender ended with exit status 1 after it had saved every frame"]);
    assert_eq!(place.frames(), frame_names(1..=12));
}

#[test]
fn an_incomplete_frame_is_named_and_not_stored() {
    for kind in ["truncated", "no_end", "empty", "junk", "bad_crc", "zeros_at_end", "missing"] {
        let place = Place::ordered(&json!([
            {"at": 2, "do": "write", "kind": kind},
            // A repeated `Saved:` line must not affect a good frame.
            {"at": "every", "when": "after", "do": "say", "text": "Saved: '{path}'"},
        ]));
        let run = place.stand_in().run();
        let texts = ["at frame 2 (not whole after Blender saved it: its file ", "--scratch-dir"];
        run.fails(70, &texts).logs(&["frame 2 is not whole"]);
        assert_eq!(place.frames(), frame_names((1..=12).filter(|&frame| frame != 2)), "{kind}");
    }
}

#[test]
fn an_output_that_cannot_be_written_fails_the_job_before_blender_starts() {
    const ADVICE: &str = "make sure that this disk or volume is writable";
    let place = Place::ordered(&json!({}));
    fs::create_dir(place.path("out")).unwrap();
    let out = place.path("out");
    let uri = out.to_str().unwrap();
    let run = place.stand_in().wrapped_in(mounted("ro", &out)).run();
    run.fails(74, &[uri, "Read-only file system", ADVICE]);

    fs::set_permissions(&out, Permissions::from_mode(0o555)).unwrap();
    // Root ignores permissions unless it gives up that capability.
    let is_root = fs::write(out.join("probe"), "").is_ok();
    let mut run = place.stand_in();
    if is_root {
        run = run.wrapped_in(["setpriv", "--bounding-set=-dac_override"]);
    }
    let run = run.run().fails(77, &[uri, "Permission denied", "the permission"]);
    run.never_logs(&[".part"]);
    assert!(place.launches().is_empty());
}

#[test]
fn an_output_that_becomes_full_is_named_with_the_frames_that_are_not_stored() {
    let place = Place::ordered(&json!({}));
    let out = place.path("out");
    fs::create_dir(&out).unwrap();
    // The inodes suffice for the folders, the report, the list of the scene's files, and a few
    // frames.
    let run = place.stand_in().wrapped_in(mounted("nr_inodes=10", &out)).run();
    let uri = out.join("frames").to_str().unwrap().to_owned();
    let run = run.fails(74, &["frames ", " are not stored", &uri, "No space left on device"]);
    run.logs(&[" stored: 2 of 12"]);
}

#[test]
fn saved_lines_count_only_for_frames_of_this_job() {
    let elsewhere = "Saved: '/etc/passwd'\nSaved: '/0003.png'\nSaved: 'frames/0003.png'\nSaved: ";
    let place = Place::ordered(&json!([
        {"at": "every", "do": "say", "text": elsewhere},
        {"at": "every", "do": "say", "text": "Saved: '{path}'"},
        {"at": "every", "when": "writing", "do": "say", "text": "Saved: '{path}'", "repeat": 2},
        {"at": 5, "do": "unannounced"},
    ]));
    place.stand_in().run().exits(0).logs(&["all 12 frames are stored"]);
    assert_eq!(place.frames(), frame_names(1..=12));
}

#[test]
fn frames_without_a_saved_line_are_found() {
    let place = Place::ordered(&json!([{"at": "every", "do": "unannounced"}]));
    place.stand_in().run().exits(0);
    assert_eq!(place.frames(), frame_names(1..=12));
}

#[test]
fn any_output_of_blender_is_logged() {
    let place = Place::ordered(&json!([
        {"at": "start", "do": "say", "base64": "/8OcYmVyG1syShs="},
        {"at": 1, "do": "say", "text": "x".repeat(1 << 16), "repeat": 64, "newline": false},
        {"at": 2, "do": "say", "text": "noise", "repeat": 2000, "to": "stderr"},
        {"at": "end", "do": "say", "text": "no end", "newline": false},
        {"at": "end", "do": "exit", "code": 0},
    ]));
    let run = place.stand_in().run().exits(0);
    let run = run.logs(&["\u{fffd}Über\u{fffd}[2J\u{fffd}", "bytes more]", "no end"]);
    assert!(run.lines.iter().all(|line| line.len() < 16 * 1024));
    assert_eq!(run.messages().iter().filter(|message| *message == "noise").count(), 2000);
    assert_eq!(place.frames(), frame_names(1..=12));
}

#[test]
fn processes_that_blender_leaves_behind_are_killed() {
    // A process group of the test: an unrelated process in it must survive.
    let mut other = Command::new("sleep").arg("300").process_group(0).spawn().unwrap();
    for (step, group) in [("fork_daemon", None), ("hold_pipe", None), ("hold_pipe", Some(&other))] {
        let place = Place::ordered(&json!([]));
        let file = place.path("pid");
        let mut order = json!({"at": 3, "do": step, "path": file, "seconds": 300});
        order["ignore_term"] = true.into();
        if let Some(other) = group {
            order["group"] = other.id().into();
        }
        fs::write(place.path("scene.blend"), ordered_scene(1, 12, &json!([order]))).unwrap();
        place.stand_in().run().exits(0);

        let pid: i32 = fs::read_to_string(&file).unwrap().parse().unwrap();
        let is_alive = is_alive(pid);
        if is_alive {
            kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
        }
        assert!(!is_alive, "{step}, {group:?}");
        assert_eq!(place.frames(), frame_names(1..=12));
    }
    let alive = other.try_wait().unwrap().is_none();
    other.kill().unwrap();
    other.wait().unwrap();
    assert!(alive, "an unrelated process was killed");
}

/// Returns whether a process exists and has not ended.
fn is_alive(pid: i32) -> bool {
    let state = fs::read_to_string(format!("/proc/{pid}/stat"));
    state.is_ok_and(|stat| !stat.contains(") Z ") && !stat.contains(") X "))
}
