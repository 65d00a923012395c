//! Failures of Blender at frames. Blender is started again for the missing frames. A frame at which
//! it keeps failing is skipped; all other frames are rendered and stored.

use std::fs;

use serde_json::{Value, json};

use crate::support::place::{Place, frame_names};
use crate::support::{names, report, scene};

/// Returns the frames on the command line of each launch of the stand-in.
fn launches(place: &Place) -> Vec<String> {
    let frames = |launch: &Value| {
        let argv: Vec<_> =
            launch["argv"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
        let after = |flag| Some(argv[argv.iter().position(|word| *word == flag)? + 1]);
        match after("--render-frame") {
            Some(frames) => frames.to_owned(),
            None => {
                format!("{}-{}", after("--frame-start").unwrap(), after("--frame-end").unwrap())
            }
        }
    };
    place.launches().iter().map(frames).collect()
}

fn all_but(missing: &[u32]) -> Vec<String> {
    frame_names((1..=12).filter(|frame| !missing.contains(frame)))
}

#[test]
fn after_a_failure_blender_is_started_again_at_the_same_frame() {
    for how in ["crash", "kill", "exit"] {
        let place = Place::ordered_with(|place| {
            let once = place.path("once");
            // Half of the frame is already written.
            json!([{"at": 7, "when": "writing", "do": how, "code": 0, "once": once}])
        });
        let run = place.stand_in().args("--log-level debug").run().exits(0);
        let run = run.logs(&["launch 1 of Blender failed at frame 7 (1 of 3): Blender "]);
        let run = run.logs(&["/frames/0007.png"]).logs(&["removed "]);
        run.logs(&["starting Blender again for frames 7-12", "all 12 frames are stored"]);
        assert_eq!(launches(&place), ["1-12", "7-12"], "{how}");
        assert_eq!(place.frames(), all_but(&[]));

        let report = report(&place.path("out"), "render");
        assert_eq!(report["status"], "succeeded");
        let launches = report["launches"].as_array().unwrap();
        assert_eq!(launches.len(), 2, "{report}");
        assert_eq!(
            (&launches[0]["frame_in_hand"], &launches[0]["frames"]),
            (&json!(7), &json!("1-12"))
        );
        assert_eq!(
            (&launches[1]["ended"], &launches[1]["cause"]),
            (&json!("exit status 0"), &Value::Null)
        );
        assert!(report["peak_memory_bytes"].as_u64().unwrap() > 1 << 20, "{report}");
    }
}

#[test]
fn frames_at_which_blender_keeps_failing_are_skipped_and_named() {
    let place = Place::ordered_with(
        |_| json!([{"at": 4, "do": "crash"}, {"at": 9, "do": "exit", "code": 3}]),
    );
    let run = place.stand_in().args("--blender-attempts 2").run();
    let run = run.fails(
        70,
        &[
            "scene.blend: frames 4,9 are not rendered: Blender failed 2 times at frame 4 (Blender \
             crashed (signal 11)) and frame 9 (Blender ended with exit status 3)",
            "another version of Blender",
        ],
    );
    run.logs(&[
        "frame 4 is skipped after 2 failed launches",
        "starting Blender again for frames 5-12",
    ]);
    assert_eq!(launches(&place), ["1-12", "4-12", "5-12", "9-12", "10-12"]);
    assert_eq!(place.frames(), all_but(&[4, 9]));
    let report = report(&place.path("out"), "render");
    assert_eq!(report["set_aside"]["4"], "Blender crashed (signal 11)");
    assert_eq!(report["set_aside"].as_object().unwrap().len(), 2);
    assert_eq!(report["launches"].as_array().unwrap().len(), 5);
}

#[test]
fn with_one_attempt_a_frame_is_skipped_after_the_first_failure() {
    let place = Place::ordered_with(|_| json!([{"at": 12, "do": "crash"}]));
    let run = place.stand_in().env("BLENDER_ATTEMPTS", "1").run();
    run.fails(70, &["frame 12 is not rendered: Blender failed once at frame 12 (Blender crashed"]);
    assert_eq!(launches(&place), ["1-12"]);
    assert_eq!(place.frames(), all_but(&[12]));
}

#[test]
fn a_crash_is_attributed_to_the_current_frame_and_not_to_a_missing_one() {
    // Frame 3 is neither saved nor announced; Blender crashes at frame 8.
    let place = Place::ordered_with(|_| {
        json!([
            {"at": 3, "do": "unannounced"},
            {"at": 3, "do": "write", "kind": "missing"},
            {"at": 8, "do": "crash"},
        ])
    });
    let run = place.stand_in().args("--blender-attempts 1").run();
    run.fails(70, &["frames 3,8 are not rendered", "frame 8 (Blender crashed"])
        .logs(&["frame 8 is skipped after 1 failed", "starting Blender again for frames 3,9-12"]);
    assert_eq!(place.frames(), all_but(&[3, 8]));
}

#[test]
fn an_incomplete_frame_is_rendered_again() {
    let place = Place::ordered_with(|place| {
        let once = place.path("once");
        json!([{"at": 5, "do": "write", "kind": "truncated", "once": once}])
    });
    let run = place.stand_in().run().exits(0);
    run.logs(&["failed at frame 5 (1 of 3): not whole after Blender saved it: its file "]);
    assert_eq!(launches(&place), ["1-12", "5-5"]);
    assert_eq!(place.frames(), all_but(&[]));
}

#[test]
fn a_blender_that_never_opens_the_scene_fails_the_job() {
    for at in ["start", "python"] {
        let place = Place::ordered_with(|_| json!([{"at": at, "do": "crash"}]));
        let run = place.stand_in().run();
        let run = run.fails(70, &["frames 1-12 are not rendered: Blender crashed (signal 11)"]);
        run.logs(&["failed before it had opened the scene (3 of 3)"]);
        assert_eq!(launches(&place), ["1-12"; 3]);
        assert_eq!(report(&place.path("out"), "render").get("set_aside"), None);
    }
}

#[test]
fn if_an_earlier_attempt_stored_frames_every_missing_frame_is_tried() {
    let crash = |frame| json!({"at": frame, "do": "crash"});
    let place = Place::ordered_with(|_| json!([crash(2), crash(3), crash(4)]));
    place.render("-f 1").stand_in_blender().run().exits(0);
    let run = place.stand_in().args("--blender-attempts 1").run();
    let last = "frames 2-4 are not rendered: Blender failed once at each of frames 2-4 (Blender";
    run.fails(70, &[last]);
    assert_eq!(launches(&place), ["1-1", "2-12", "3-12", "4-12", "5-12"]);
}

#[test]
fn a_scene_that_fails_in_the_same_way_at_every_frame_takes_three_launches() {
    let truncated = json!({"at": "every", "do": "write", "kind": "truncated"});
    for (step, cause) in [
        (json!({"at": "every", "do": "crash"}), "Blender crashed (signal 11)"),
        (json!({"at": "every", "do": "exit", "code": 3}), "Blender ended with exit status 3"),
        (truncated, "not whole after Blender saved it"),
    ] {
        let place = Place::ordered_with(|_| json!([step]));
        let run = place.stand_in().run();
        run.fails(70, &["frames 1-12 are not rendered: Blender failed", cause]);
        assert_eq!(launches(&place).len(), 3, "{step}");
    }
    // Only the first frames may be bad, so the middle and the last frame are tried.
    let place = Place::ordered_with(|_| json!([{"at": "every", "do": "crash"}]));
    place.stand_in().run().exits(70);
    assert_eq!(launches(&place), ["1-12", "7-12", "12-12"]);
}

#[test]
fn few_frames_that_fail_in_the_same_way_are_tried_as_often_as_requested() {
    for (frames, attempts, expected) in [(1, 3, 3), (1, 5, 5), (2, 3, 3), (2, 1, 2)] {
        let place = Place::ordered_with(|_| json!([{"at": "every", "do": "crash"}]));
        let run = place.render(&format!("-f {frames} --blender-attempts {attempts}"));
        run.stand_in_blender().run().exits(70);
        assert_eq!(launches(&place).len(), expected, "{frames} {attempts}");
    }
}

#[test]
fn failures_at_the_first_frames_do_not_prevent_the_others() {
    let place = Place::ordered_with(|_| {
        let orders: Vec<_> = (1..=5).map(|at| json!({"at": at, "do": "crash"})).collect();
        json!(orders)
    });
    let run = place.stand_in().run();
    run.fails(70, &["frames 1-5 are not rendered: Blender failed 3 times at each of frames 1-5"]);
    assert_eq!(place.frames(), all_but(&[1, 2, 3, 4, 5]));
}

#[test]
fn one_good_frame_after_many_bad_ones_is_rendered() {
    let place = Place::ordered_with(|_| {
        let orders: Vec<_> = (1..12).map(|at| json!({"at": at, "do": "crash"})).collect();
        json!(orders)
    });
    let run = place.stand_in().run();
    run.fails(70, &["frames 1-11 are not rendered: Blender failed 3 times at each of"]);
    assert_eq!(place.frames(), ["0012.png"]);
}

#[test]
fn failures_that_another_launch_cannot_fix_end_the_job_at_once() {
    for (scene, arguments, code) in [
        ("no_camera", "", 65),
        ("tiny", "--engine CYCLESX", 69),
        ("tiny", "--cycles-device CUDA", 69),
    ] {
        let place = Place::with_scene(fs::read(self::scene(scene)).unwrap());
        place.render("-f 2").args(arguments).run().exits(code);
        let report = report(&place.path("out"), "render");
        assert_eq!(report["launches"].as_array().map(Vec::len), Some(1), "{report}");
    }
    let place = Place::ordered_with(|_| json!([{"at": "python", "do": "exit", "code": 86}]));
    let run = place.stand_in().run();
    run.fails(70, &["frames 1-12 are not rendered: the script that prepares the scene failed"]);
    assert_eq!(launches(&place).len(), 1);
}

#[test]
fn blenders_crash_file_is_stored_beside_the_report() {
    let place =
        Place::ordered_with(|_| json!([{"at": 7, "do": "crash", "file": "# backtrace\nwhy"}]));
    let run = place.stand_in().args("--blender-attempts 2").run().exits(70);
    let run = run.logs(&["Blender crashed; its crash file is stored as "]);
    let report = report(&place.path("out"), "render");
    let mut files = names(&place.path("out/reports"));
    files.retain(|name| name.starts_with("render-"));
    assert_eq!(files.len(), 3, "{files:?}\n{}", run.text());
    for launch in &report["launches"].as_array().unwrap()[..2] {
        let name = launch["crash_file"].as_str().unwrap();
        assert!(files.contains(&name.to_owned()), "{name} {files:?}");
        let text = fs::read_to_string(place.path("out/reports").join(name)).unwrap();
        assert_eq!(text, "# backtrace\nwhy");
    }
}

#[test]
fn a_real_blender_that_crashes_at_a_frame_is_started_again() {
    let place = Place::with_scene(fs::read(scene("scripted")).unwrap());
    fs::write(
        place.path("scripted.py"),
        "import bpy, os, signal
def crash(scene, *_):
    if scene.frame_current == 2:
        os.kill(os.getpid(), signal.SIGSEGV)
bpy.app.handlers.render_pre.append(crash)
",
    )
    .unwrap();
    let run = place.render("-f 4 --enable-autoexec --blender-attempts 2").run();
    let run = run.fails(70, &["frame 2 is not rendered: Blender failed 2 times at frame 2"]);
    assert_eq!(place.frames(), frame_names([1, 3, 4]));
    let report = report(&place.path("out"), "render");
    let name =
        report["launches"][0]["crash_file"].as_str().unwrap_or_else(|| panic!("{}", run.text()));
    let text = fs::read_to_string(place.path("out/reports").join(name)).unwrap();
    // The text of Blender, or that of Python in the image's command `blender`.
    assert!(text.contains("backtrace") || text.contains("most recent call first"), "{text}");
}
