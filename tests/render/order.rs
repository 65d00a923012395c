//! The order of frames (`--order`): which of them are rendered first. The output is the same.

use std::collections::BTreeMap;
use std::path::Path;

use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::place::{Place, frame_names};
use crate::support::{Worker, pixel_hashes, scene, worker};

/// Every order, and the frames of 12 in it.
const ORDERS: [(&str, &str); 3] = [
    ("sequential", ""),
    ("first-last-middle", "1,12,6,2..5,7..11"),
    ("every-10th", "1,11,2..10,12"),
];

/// Returns the lists of frames of the last launch of the stand-in; empty for a range.
fn listed(place: &Place) -> String {
    let launches = place.launches();
    let argv = launches.last().expect("a launch")["argv"].as_array().expect("a list").clone();
    let at = argv.iter().position(|word| *word == "--render-frame");
    at.map(|at| argv[at + 1].as_str().expect("text").to_owned()).unwrap_or_default()
}

/// Returns the pixels of the stored frames.
fn pictures(output: &Path, frames: u32) -> BTreeMap<String, Vec<String>> {
    let hashes = |name: String| {
        let pixels = pixel_hashes(&output.join("frames").join(&name));
        (name, pixels)
    };
    frame_names(1..=frames).into_iter().map(hashes).collect()
}

#[test]
fn the_pictures_do_not_depend_on_the_order() {
    let folder = tempfile::tempdir().unwrap();
    let render = |name: &str, arguments: &str| {
        let output = folder.path().join(name);
        let run = worker("render").input(scene("tiny")).output(&output).args("-f 12");
        run.args(arguments).run().exits(0);
        pictures(&output, 12)
    };
    let expected = render("plain", "");
    for (order, _) in ORDERS {
        assert!(render(order, &format!("--order {order}")) == expected, "{order}");
    }
    let processes = render("processes", "--order first-last-middle --processes 2");
    assert!(processes == expected);
    // A frame is kept whatever the order in which it was rendered.
    let again = worker("render").input(scene("tiny")).output(folder.path().join("every-10th"));
    again.args("-f 12").run().exits(0).logs(&["frames 1-12 are already there"]);
}

#[test]
fn blender_gets_the_frames_in_their_order() {
    for (order, frames) in ORDERS {
        let place = Place::ordered(&json!({}));
        place.stand_in().env("ORDER", order).run().exits(0);
        assert_eq!(listed(&place), frames, "{order}");
        assert_eq!(place.frames(), frame_names(1..=12));
    }
    let place = Place::ordered(&json!({}));
    let run = place.stand_in().args("--order backwards").run().exits(2);
    assert!(run.text().contains("--order (ORDER)") && run.text().contains("every-10th"));
}

#[test]
fn a_stopped_job_goes_on_in_its_order() {
    // Frame 2 is the fourth.
    let place = Place::ordered_with(|place| {
        json!([
            {"at": 2, "do": "touch", "path": place.path("in-2")},
            {"at": 2, "do": "wait_for_file", "path": place.path("go")},
        ])
    });
    let render = || -> Worker { place.stand_in().args("--order first-last-middle") };
    let running = render().start();
    crate::support::wait_until("frame 2 begins", || place.path("in-2").exists());
    running.signal(Signal::SIGTERM);
    running.finish().exits(143);
    assert_eq!(place.frames(), frame_names([1, 6, 12]));
    std::fs::write(place.path("go"), "").unwrap();
    render().run().exits(0);
    // Not the first, the last and the middle one of those that are left.
    assert_eq!(listed(&place), "2..5,7..11");
    assert_eq!(place.frames(), frame_names(1..=12));
}

#[test]
fn a_failure_is_blamed_on_the_frame_that_was_rendered() {
    let place = Place::ordered(&json!([{"at": 12, "do": "crash"}]));
    let run = place.stand_in().args("--order first-last-middle --blender-attempts 2").run();
    run.fails(70, &["frame 12 is not rendered"]);
    assert_eq!(place.frames(), frame_names(1..=11));
    let second = listed(&place);
    assert_eq!(second, "6,2..5,7..11", "the last launch leaves out the frame");
}

#[test]
fn processes_share_the_order() {
    let place = Place::ordered(&json!({}));
    place.stand_in().args("--order first-last-middle --processes 2").run().exits(0);
    let mut lists: Vec<_> = place
        .launches()
        .iter()
        .map(|launch| {
            let argv = launch["argv"].as_array().unwrap();
            let at = argv.iter().position(|word| *word == "--render-frame").unwrap();
            argv[at + 1].as_str().unwrap().to_owned()
        })
        .collect();
    lists.sort();
    assert_eq!(lists, ["1,6,3,5,8,10", "12,2,4,7,9,11"]);
}
