//! What goes wrong with Blender and its files: the exit code says who must act, the
//! last words say what happened to which frames and what to do, and what was
//! rendered before is delivered. With a real Blender where it can be made to fail.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use crate::support::place::{Place, behind, frame_names, mounted};
use crate::support::{ordered_scene, report, scene, worker};

const MEND: &str = "mend it and upload it again";
const INSTALL: &str = "install what is lacking";
const NEWER: &str = "or later (BLENDER_VERSION when the image is built)";

#[test]
fn a_scene_that_is_not_there_is_missing_input() {
    let place = Place::with_scene("");
    nix::unistd::mkfifo(&place.path("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let not_a_file = "not a regular file";
    for (input, cause) in
        [("missing.blend", "No such file"), ("", not_a_file), ("pipe", not_a_file)]
    {
        let (input, output) = (place.path(input), place.path("out"));
        let run = worker("render").input(&input).output(output).args("-f 1").run();
        run.fails(66, &[input.to_str().unwrap(), cause, "check the URI"]);
    }
}

#[test]
fn a_scene_that_cannot_be_rendered_is_unusable() {
    let tiny = fs::read(scene("tiny")).unwrap();
    let half = &tiny[..tiny.len() / 2];
    let of_blender_9 = [b"BLENDER17-01v0999REND".as_slice(), &[0; 4096]].concat();
    for (content, words, advice) in [
        (
            half,
            &["frames 1-2 are not", "the file is damaged or cut short", "Failed to read"][..],
            MEND,
        ),
        (b"", &["it is empty"], MEND),
        (b"no scene at all", &["it does not begin like a .blend file"], MEND),
        (
            &of_blender_9,
            &["frames 1-2 are not", "was saved by Blender 9.99, and this is Blender "],
            NEWER,
        ),
        (
            &fs::read(scene("no_camera")).unwrap(),
            &["frames 1-2 are not", "the scene has no camera; it said: Cannot render, no camera"],
            MEND,
        ),
    ] {
        let place = Place::with_scene(content);
        place.render("-f 2").run().fails(65, words).fails(65, &[&place.scene(), advice]);
        assert_eq!(place.frames(), [""; 0]);
    }
    let place = Place::with_scene(b"<html>404</html>");
    place.render("-f 2").run().fails(65, &["it is a web page", "put the file itself in its place"]);
}

#[test]
fn a_crash_on_a_scene_of_a_newer_blender_is_the_scenes_fault() {
    // As 3.4 does on files of 4.3.
    let mut content = ordered_scene(1, 12, &json!([{"at": "start", "do": "crash"}]));
    content[9..12].copy_from_slice(b"403");
    let place = Place::with_scene(content);
    let run = place.stand_in().run();
    run.fails(65, &[&place.scene(), "frames 1-12 are not", "was saved by Blender 4.3", NEWER]);
}

#[test]
fn what_this_blender_or_machine_lacks_is_named() {
    let place = Place::with_scene(fs::read(scene("tiny")).unwrap());
    for (arguments, words) in [
        ("--engine CYCLESX", &["no such render engine (--engine)", "engine not found 'CYCLESX'"]),
        (
            "--cycles-device CUDA",
            &["no such device here (--cycles-device)", "Found no Cycles device"],
        ),
    ] {
        let run = place.render("-f 2").args(arguments).run();
        run.fails(69, &["scene.blend: frames 1-2 are not rendered", INSTALL]).fails(69, words);
    }
}

#[test]
fn a_blender_that_cannot_be_started_is_named_with_flag_and_variable() {
    let place = Place::with_scene(fs::read(scene("tiny")).unwrap());
    let no_program = place.path("no_program");
    fs::write(&no_program, "x").unwrap();
    fs::set_permissions(&no_program, Permissions::from_mode(0o755)).unwrap();
    for program in [Path::new("no-such-blender"), &scene("tiny"), &no_program, place.folder()] {
        let run = place.render("-f 2").arg("--blender").arg(program).run();
        let name = program.to_str().unwrap();
        run.fails(69, &["cannot start", name, "--blender, BLENDER", INSTALL]);
    }
    let run = place.render("-f 2").env("PATH", place.folder()).run();
    run.fails(69, &["cannot start blender (--blender, BLENDER)", INSTALL]);
}

#[test]
fn frames_saved_before_the_end_are_delivered_and_the_others_named() {
    for (how, code, words) in [
        (json!({"do": "crash"}), 70, &["Blender crashed (signal 11)", "another version"][..]),
        (json!({"do": "exit", "code": 139}), 70, &["Blender crashed (signal 11)"]),
        (json!({"do": "exit", "code": 3}), 70, &["Blender ended with exit status 3"]),
        (
            json!({"do": "exit", "code": 0}),
            70,
            &["Blender ended as if all was well", "why it ends"],
        ),
        (json!({"do": "kill"}), 137, &["killed by SIGKILL; who did it is not known", "find out"]),
    ] {
        let mut step = how;
        step["at"] = 7.into();
        let last_words = json!({"at": 7, "do": "say", "text": "I am not well"});
        let place = Place::ordered(&json!([last_words, step]));
        let run = place.stand_in().run().fails(code, words);
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
fn what_ended_blender_is_not_confused_with_what_it_said_of_a_library() {
    let library = "Error: Failed to read blend file '/lib.blend': Missing DNA block";
    for (how, code, words) in [("crash", 70, "Blender crashed"), ("kill", 137, "memory")] {
        let place = Place::ordered(&json!([
            {"at": "start", "do": "say", "text": library},
            {"at": 7, "do": how},
        ]));
        place.stand_in().run().fails(code, &["frame 7 is not rendered", words]);
    }
}

#[test]
fn a_blender_that_does_not_quit_is_ended_when_every_frame_is_stored() {
    let place = Place::ordered(&json!([{"at": "end", "do": "hang"}]));
    let run = place.stand_in().run().exits(0);
    run.says(&["Blender does not quit: stopping it", "all 12 frames are stored"]);
    assert_eq!(place.frames(), frame_names(1..=12));
}

#[test]
fn a_failure_after_the_last_frame_is_a_warning() {
    let place = Place::ordered(&json!([{"at": "end", "do": "exit", "code": 1}]));
    let run = place.stand_in().run().exits(0);
    run.says(&["Blender ended with exit status 1 after it had saved every frame"]);
    assert_eq!(place.frames(), frame_names(1..=12));
}

#[test]
fn a_frame_that_is_not_whole_is_named_and_not_delivered() {
    for kind in ["truncated", "no_end", "empty", "junk", "bad_crc", "zeros_at_end", "missing"] {
        let place = Place::ordered(&json!([
            {"at": 2, "do": "write", "kind": kind},
            // A second announcement must not make a good frame a bad one.
            {"at": "every", "when": "after", "do": "say", "text": "Saved: '{path}'"},
        ]));
        let run = place.stand_in().run();
        let words = ["at frame 2 (not whole after Blender saved it: its file ", "--scratch-dir"];
        run.fails(70, &words).says(&["frame 2 is not whole"]).never_says(&["disk is full"]);
        assert_eq!(place.frames(), frame_names((1..=12).filter(|&frame| frame != 2)), "{kind}");
    }
}

#[test]
fn an_output_that_cannot_be_written_is_found_out_before_rendering() {
    const ADVICE: &str = "see that this disk or volume has space and can be written";
    let place = Place::with_scene(fs::read(scene("tiny")).unwrap());
    fs::create_dir(place.path("out")).unwrap();
    let out = place.path("out");
    let uri = out.to_str().unwrap();
    let run = place.render("-f 2").with(mounted("ro", &out)).run();
    run.fails(74, &[uri, "Read-only file system", ADVICE]).never_says(&["starting"]);

    fs::set_permissions(&out, Permissions::from_mode(0o555)).unwrap();
    // Permissions do not bind root, unless it gives that privilege up.
    let is_root = fs::write(out.join("probe"), "").is_ok();
    let mut run = place.render("-f 2");
    if is_root {
        run = run.with(behind(&["setpriv", "--bounding-set=-dac_override"]));
    }
    let run = run
        .run()
        .fails(77, &[uri, "Permission denied", "the right to do this", "docker run --user"]);
    run.never_says(&["starting"]);
}

#[test]
fn an_output_that_becomes_full_is_named_with_the_frames() {
    let place = Place::ordered(&json!({}));
    let out = place.path("out");
    fs::create_dir(&out).unwrap();
    // Room for the folders, what is said of attempt and scene, and a few frames, whichever
    // come first.
    let run = place.stand_in().with(mounted("nr_inodes=10", &out)).run();
    let uri = out.join("frames").to_str().unwrap().to_owned();
    let run = run.fails(74, &["frames ", " are not stored", &uri, "No space left on device"]);
    run.says(&[" stored: 2 of 12"]).never_says(&[" stored: 6 of 12"]);
}

#[test]
fn what_blender_claims_to_have_saved_is_believed_of_its_frames_only() {
    let elsewhere = "Saved: '/etc/passwd'\nSaved: '/0003.png'\nSaved: 'frames/0003.png'\nSaved: ";
    let place = Place::ordered(&json!([
        {"at": "every", "do": "say", "text": elsewhere},
        {"at": "every", "do": "say", "text": "Saved: '{path}'"},
        {"at": "every", "when": "writing", "do": "say", "text": "Saved: '{path}'", "repeat": 2},
        {"at": 5, "do": "unannounced"},
    ]));
    place.stand_in().run().exits(0).says(&["all 12 frames are stored"]);
    assert_eq!(place.frames(), frame_names(1..=12));
}

#[test]
fn frames_that_are_never_announced_are_found() {
    let place = Place::ordered(&json!([{"at": "every", "do": "unannounced"}]));
    place.stand_in().run().exits(0);
    assert_eq!(place.frames(), frame_names(1..=12));
}

#[test]
fn no_output_is_too_strange_to_be_logged() {
    let place = Place::ordered(&json!([
        {"at": "start", "do": "say", "base64": "/8OcYmVyG1syShs="},
        {"at": 1, "do": "say", "text": "x".repeat(1 << 16), "repeat": 64, "newline": false},
        {"at": 2, "do": "say", "text": "noise", "repeat": 2000, "to": "stderr"},
        {"at": "end", "do": "say", "text": "no end", "newline": false},
        {"at": "end", "do": "exit", "code": 0},
    ]));
    let run = place.stand_in().run().exits(0);
    let run = run.says(&["\u{fffd}Über\u{fffd}[2J\u{fffd}", "bytes more]", "no end"]);
    assert!(run.lines.iter().all(|line| line.len() < 16 * 1024));
    assert_eq!(run.messages().iter().filter(|message| *message == "noise").count(), 2000);
    assert_eq!(place.frames(), frame_names(1..=12));
}

#[test]
fn what_blender_leaves_behind_is_ended_and_not_waited_for() {
    // Somebody else's: any process of the session may join this group, as it may a shell's.
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
    assert!(alive, "somebody else was killed");
}

/// Whether there is such a process, and it has not ended.
fn is_alive(pid: i32) -> bool {
    let state = fs::read_to_string(format!("/proc/{pid}/stat"));
    state.is_ok_and(|stat| !stat.contains(") Z ") && !stat.contains(") X "))
}
