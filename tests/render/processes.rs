//! Several Blenders side by side (`--processes`, `--gpus-per-process`): together they leave what one
//! would leave.

use std::collections::BTreeSet;

use nix::sys::signal::Signal;
use serde_json::json;

use crate::process::signals::LONG_GRACE;
use crate::process::spot::{Instance, LONG_NOTICE, on};
use crate::support::place::{Place, frame_names};
use crate::support::{pixel_hashes, report, scene, wait_until, worker};

/// Returns the frames that each launch of the stand-in was started for.
fn frames_of_launches(place: &Place) -> BTreeSet<String> {
    let frames = |launch: &serde_json::Value| {
        let argv: Vec<_> = launch["argv"].as_array().unwrap().iter().collect();
        let at = argv.iter().position(|word| *word == "--render-frame").expect("a list of frames");
        argv[at + 1].as_str().unwrap().to_owned()
    };
    place.launches().iter().map(frames).collect()
}

#[test]
fn two_processes_render_the_same_pictures_as_one() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let render = |output: &std::path::Path, arguments: &str| {
        worker("render").input(scene("tiny")).output(output).args("-f 5").args(arguments).run()
    };
    render(one.path(), "").exits(0);
    let run = render(two.path(), "--processes 2").exits(0);
    run.logs(&["all 5 frames are stored", "5 of 5"]);
    for name in frame_names(1..=5) {
        let [one, two] =
            [&one, &two].map(|out| pixel_hashes(&out.path().join("frames").join(&name)));
        assert_eq!(one, two, "{name}");
    }
    let report = report(two.path(), "render");
    assert_eq!(report["frames"].as_object().unwrap().len(), 5);
    let launches: BTreeSet<_> = report["launches"]
        .as_array()
        .unwrap()
        .iter()
        .map(|l| l["frames"].as_str().unwrap())
        .collect();
    assert_eq!(launches, BTreeSet::from(["1,3,5", "2,4"]));
    // Who rendered a frame is no reason to render it again.
    render(two.path(), "").exits(0).logs(&["frames 1-5 are already there"]);
}

#[test]
fn a_process_that_fails_is_started_again_while_the_other_renders_on() {
    let place = Place::ordered_with(|place| {
        json!([
            {"at": 2, "do": "crash", "once": place.path("once")},
            // The other process has no frame stored before that.
            {"at": 1, "do": "wait_for_file", "path": place.path("once")},
        ])
    });
    let run = place.stand_in().args("--processes 2").run().exits(0);
    run.logs(&["failed at frame 2 (1 of 3)", "all 12 frames are stored"]);
    assert_eq!(place.frames(), frame_names(1..=12));
    let report = report(&place.path("out"), "render");
    assert!(report["launches"].as_array().unwrap().len() > 2, "{report}");
}

#[test]
fn frames_at_which_any_process_keeps_failing_are_named_together() {
    let place = Place::ordered(&json!([{"at": 4, "do": "crash"}, {"at": 9, "do": "crash"}]));
    let run = place.stand_in().args("--processes 2 --blender-attempts 2").run();
    run.fails(70, &["frames 4,9 are not rendered", "2 times at each of frames 4,9"]);
    let stored = (1..=12).filter(|frame| ![4, 9].contains(frame));
    assert_eq!(place.frames(), frame_names(stored));
}

/// A scene whose frames 3 and 4 wait for a file, each in a process of its own.
fn waiting_in_two_frames() -> Place {
    Place::ordered_with(|place| {
        json!([
            {"at": 3, "do": "touch", "path": place.path("in-3")},
            {"at": 3, "do": "wait_for_file", "path": place.path("go-3")},
            {"at": 4, "do": "touch", "path": place.path("in-4")},
            {"at": 4, "do": "wait_for_file", "path": place.path("go-4")},
            {"at": 5, "do": "wait_for_file", "path": place.path("go-on")},
            {"at": 6, "do": "wait_for_file", "path": place.path("go-on")},
        ])
    })
}

fn wait_until_in_both(place: &Place) {
    for file in ["in-3", "in-4"] {
        wait_until("both processes wait", || place.path(file).exists());
    }
}

#[test]
fn sigterm_stops_all_processes_and_the_rest_is_rendered_later() {
    let place = waiting_in_two_frames();
    let running = place.stand_in().args("--processes 2").args(LONG_GRACE).start();
    wait_until_in_both(&place);
    running.wait_for_log("frame 1 stored");
    running.wait_for_log("frame 2 stored");
    running.signal(Signal::SIGTERM);
    running.finish().fails(143, &["10 of 12 frames are left: 3-12", "frames 1-2 are stored"]);
    for go in ["go-3", "go-4", "go-on"] {
        std::fs::write(place.path(go), "").unwrap();
    }
    place.stand_in().args("--processes 2").run().exits(0).logs(&["all 12 frames are stored"]);
    assert_eq!(place.frames(), frame_names(1..=12));
}

#[test]
fn after_a_spot_notice_each_process_finishes_its_frame() {
    let (instance, place) = (Instance::start(), waiting_in_two_frames());
    let render = place.stand_in().args("--processes 2");
    let running = on(render, &instance.endpoint).start();
    wait_until_in_both(&place);
    instance.give_notice(LONG_NOTICE);
    running.wait_for_log("finishing frame 3");
    running.wait_for_log("finishing frame 4");
    std::fs::write(place.path("go-3"), "").unwrap();
    running.wait_for_log("frame 3 stored");
    std::fs::write(place.path("go-4"), "").unwrap();
    running.finish().fails(143, &["8 of 12 frames are left: 5-12", "frames 1-4 are stored"]);
}

#[test]
fn each_group_of_gpus_has_a_process() {
    let place = Place::ordered(&json!([]));
    let render = place.stand_in().args("--gpus-per-process 2").env("CUDA_VISIBLE_DEVICES", "0,1,2");
    render.run().exits(0);
    assert_eq!(
        frames_of_launches(&place),
        BTreeSet::from(["1,3,5,7,9,11", "2,4,6,8,10,12"].map(str::to_owned))
    );
    let launches = place.launches();
    let gpus: BTreeSet<_> =
        launches.iter().map(|l| l["environ"]["CUDA_VISIBLE_DEVICES"].as_str().unwrap()).collect();
    assert_eq!(gpus, BTreeSet::from(["0,1", "2"]));
}

#[test]
fn without_gpus_there_is_nothing_to_deal() {
    let place = Place::ordered(&json!([]));
    let render = place.stand_in().args("--gpus-per-process 1").env("CUDA_VISIBLE_DEVICES", "-1");
    render.run().fails(69, &["no GPU"]);
    assert!(place.launches().is_empty());
}
