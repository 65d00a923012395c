//! Previews of frames and the contact sheet: what they show, when they are made, and that they never
//! get in the way of a frame.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::SystemTime;

use image::RgbImage;
use serde_json::{Value, json};

use crate::support::frames::{self, convert};
use crate::support::place::{Place, frame_names};
use crate::support::s3_server::{Fault, Operation, S3Server};
use crate::support::{Run, Worker, names, ordered_scene, report, scene, worker};

/// The names of the previews of these frames, and of the contact sheet.
fn previews_of(frames: impl IntoIterator<Item = u32>) -> Vec<String> {
    let mut names: Vec<_> = frames.into_iter().map(|frame| format!("{frame:04}.jpg")).collect();
    names.push("contact-sheet.jpg".to_owned());
    names
}

fn previews(place: &Place) -> Vec<String> {
    names(&place.path("out/previews"))
}

/// A command line that renders frames 1 to 12 with the stand-in, and leaves previews.
fn stand_in(place: &Place) -> Worker {
    place.stand_in().env("NO_PREVIEWS", "false")
}

fn decode(file: &Path) -> RgbImage {
    image::load_from_memory(&fs::read(file).unwrap()).unwrap().to_rgb8()
}

fn modified(folder: &Path) -> BTreeMap<String, SystemTime> {
    let time = |name: String| {
        let modified = folder.join(&name).metadata().unwrap().modified().unwrap();
        (name, modified)
    };
    names(folder).into_iter().map(time).collect()
}

/// The mean colours of the four quarters of a picture.
fn quarters(picture: &RgbImage) -> Vec<[f64; 3]> {
    let (width, height) = (picture.width() / 2, picture.height() / 2);
    let places = [(0, 0), (width, 0), (0, height), (width, height)];
    let mean = |(left, top)| {
        let quarter = image::imageops::crop_imm(picture, left, top, width, height).to_image();
        [0, 1, 2].map(|channel| {
            let sum: f64 = quarter.pixels().map(|pixel| f64::from(pixel.0[channel])).sum();
            sum / f64::from(width * height)
        })
    };
    places.into_iter().map(mean).collect()
}

#[track_caller]
fn assert_similar(one: &RgbImage, other: &RgbImage) {
    let (one, other) = (quarters(one), quarters(other));
    let pairs = one.as_flattened().iter().zip(other.as_flattened());
    let worst = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(worst < 3.0, "{one:?} {other:?}");
}

#[test]
fn a_preview_shows_its_frame_and_the_contact_sheet_all_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out");
    let render = worker("render").input(scene("tiny")).output(&output);
    let run =
        render.args("--frames 1-4 --resolution 640x360 --samples 1 --denoise off").run().exits(0);
    assert_eq!(run.warnings(), [""; 0]);
    assert_eq!(names(&output.join("previews")), previews_of(1..=4));
    let whole = folder.path().join("whole.jpg");
    for frame in 1..=4 {
        let preview = decode(&output.join(format!("previews/{frame:04}.jpg")));
        assert_eq!(preview.dimensions(), (320, 180));
        convert(&output.join(format!("frames/{frame:04}.png")), "-q:v 1", &whole);
        assert_similar(&preview, &decode(&whole));
    }
    let sheet = decode(&output.join("previews/contact-sheet.jpg"));
    // Two rows of two.
    let first = image::imageops::crop_imm(&sheet, 28, 28, 320, 180).to_image();
    assert_similar(&first, &decode(&output.join("previews/0001.jpg")));
    let last = image::imageops::crop_imm(&sheet, 28 + 332, 28 + 212, 320, 180).to_image();
    assert_similar(&last, &decode(&output.join("previews/0004.jpg")));
    let report = report(&output, "render");
    assert_eq!(report["previews"], json!("previews/"));
    assert_eq!(report["contact_sheet"], json!("previews/contact-sheet.jpg"));
}

#[test]
fn the_preview_of_linear_light_looks_like_that_of_a_png() {
    let folder = tempfile::tempdir().unwrap();
    let preview = |name: &str| {
        let output = folder.path().join(name);
        let render = worker("render").input(scene(name)).output(&output);
        render.args("--frames 1 --denoise off").run().exits(0);
        decode(&output.join("previews/0001.jpg"))
    };
    // The same scene, saved in different formats.
    assert_similar(&preview("exr"), &preview("tiny"));
}

#[test]
fn frames_that_are_kept_keep_their_previews_and_stay_on_the_contact_sheet() {
    let place = Place::ordered(&json!({}));
    stand_in(&place).run().exits(0);
    assert_eq!(previews(&place), previews_of(1..=12));
    let folder = place.path("out/previews");
    let (before, sheet) = (modified(&folder), decode(&folder.join("contact-sheet.jpg")));
    // Nothing to do.
    stand_in(&place).run().exits(0);
    assert_eq!(modified(&folder), before);
    fs::remove_file(place.path("out/frames/0007.png")).unwrap();
    stand_in(&place).run().exits(0);
    let after = modified(&folder);
    let new: Vec<_> = after.iter().filter(|&(name, time)| before[name] != *time).collect();
    assert!(
        matches!(new[..], [(one, _), (other, _)]
        if one == "0007.jpg" && other == "contact-sheet.jpg"),
        "{new:?}"
    );
    // Some frames alone are not all that the sheet shows.
    place
        .render("--frames 3 --no-resume")
        .stand_in_blender()
        .env("NO_PREVIEWS", "false")
        .run()
        .exits(0);
    let redone = decode(&folder.join("contact-sheet.jpg"));
    assert_eq!(redone.dimensions(), sheet.dimensions());
}

#[test]
fn a_frame_that_is_missing_has_an_empty_place_on_the_contact_sheet() {
    let place = Place::ordered(&json!([{ "at": 4, "do": "crash" }]));
    stand_in(&place).args("--blender-attempts 1").run().exits(70);
    let there = (1..=12).filter(|frame| *frame != 4);
    assert_eq!(previews(&place), previews_of(there));
    let sheet = decode(&place.path("out/previews/contact-sheet.jpg"));
    // Of the same size as one with all twelve.
    fs::write(place.path("scene.blend"), ordered_scene(1, 12, &json!({}))).unwrap();
    stand_in(&place).args("--no-resume").run().exits(0);
    let whole = decode(&place.path("out/previews/contact-sheet.jpg"));
    assert_eq!(sheet.dimensions(), whole.dimensions());
    assert_ne!(sheet, whole);
}

#[test]
fn without_previews_nothing_is_left_beside_the_frames() {
    let place = Place::ordered(&json!({}));
    stand_in(&place).args("--no-previews").run().exits(0);
    assert_eq!(names(&place.path("out")), ["frames", "reports"]);
    let report = report(&place.path("out"), "render");
    assert_eq!((&report["previews"], &report["contact_sheet"]), (&Value::Null, &Value::Null));
}

#[test]
fn a_child_of_an_array_job_leaves_the_contact_sheet_to_stitch() {
    let place = Place::ordered(&json!({}));
    let child = place.render("-f 3").stand_in_blender().env("NO_PREVIEWS", "false");
    child.env("AWS_BATCH_JOB_ARRAY_INDEX", "1").run().exits(0);
    assert_eq!(previews(&place), ["0004.jpg", "0005.jpg", "0006.jpg"]);
    let report = report(&place.path("out"), "render");
    assert_eq!(report["previews"], json!("previews/"));
    assert_eq!(report["contact_sheet"], Value::Null);
}

/// Asserts that the job has one warning, about previews.
#[track_caller]
fn warns_once(run: &Run) {
    let warnings = run.warnings();
    assert!(
        matches!(&warnings[..], [one] if one.contains("preview") && one.contains("NO_PREVIEWS")),
        "{warnings:?}"
    );
}

#[test]
fn a_preview_that_cannot_be_stored_fails_nothing() {
    let place = Place::ordered(&json!({}));
    fs::create_dir(place.path("out")).unwrap();
    fs::write(place.path("out/previews"), "a file, not a folder").unwrap();
    warns_once(&stand_in(&place).run().exits(0));
    assert_eq!(place.frames(), frame_names(1..=12));
    let report = report(&place.path("out"), "render");
    assert_eq!((&report["previews"], &report["contact_sheet"]), (&Value::Null, &Value::Null));
}

#[test]
fn a_store_that_refuses_previews_is_asked_no_more_and_one_that_is_busy_again() {
    let place = Place::ordered(&json!({}));
    let server = S3Server::start();
    server.put("scene.blend", &fs::read(place.scene()).unwrap());
    let render = |output: &str| {
        let render = worker("render").input(server.uri("scene.blend")).output(server.uri(output));
        render.args("-f 12").stand_in_blender().env("NO_PREVIEWS", "false").s3(&server).run()
    };
    let of = |output: &str, folder: &str| server.keys(&format!("{output}/{folder}/")).len();
    server.inject(
        Fault::on(Operation::PutObject).key("refused/previews/").respond(403, "AccessDenied"),
    );
    warns_once(&render("refused").exits(0));
    assert_eq!((of("refused", "frames"), of("refused", "previews")), (12, 0));
    let busy = Fault::on(Operation::PutObject).key("busy/previews/0003.jpg");
    server.inject(busy.respond(503, "SlowDown"));
    warns_once(&render("busy").exits(0));
    // All but one, and the contact sheet.
    assert_eq!((of("busy", "frames"), of("busy", "previews")), (12, 12));
}

#[test]
fn a_store_without_a_response_to_previews_holds_up_no_frame() {
    let place = Place::ordered(&json!({}));
    let server = S3Server::start();
    server.put("scene.blend", &fs::read(place.scene()).unwrap());
    server.inject(Fault::on(Operation::PutObject).key("out/previews/").stall());
    let render = worker("render").input(server.uri("scene.blend")).output(server.uri("out"));
    let render = render.args("-f 12").stand_in_blender().env("NO_PREVIEWS", "false").s3(&server);
    warns_once(&render.run().exits(0).logs(&["frame 12 stored", "did not respond in time"]));
    assert_eq!(server.keys("out/frames/").len(), 12);
}

#[test]
fn stitch_takes_no_preview_for_a_frame() {
    let place = Place::ordered(&json!({}));
    stand_in(&place).run().exits(0);
    fs::remove_dir_all(place.path("out/frames")).unwrap();
    let run = worker("stitch").input(place.path("out")).output(place.path("video")).run();
    run.exits(66);
}

#[test]
fn the_contact_sheet_of_a_video_shows_its_frames_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let pictures = folder.path().join("pictures");
    frames::write(&pictures, 1..=6);
    let sheet = || {
        let out = folder.path().join("out");
        worker("stitch").input(&pictures).output(out).args("--in-order name").run().exits(0);
        decode(&folder.path().join("out/previews/contact-sheet.jpg"))
    };
    let six = sheet();
    for number in 3..=6 {
        fs::remove_file(pictures.join(frames::name(number))).unwrap();
    }
    let two = sheet();
    assert!(two.width() * two.height() < six.width() * six.height());
}
