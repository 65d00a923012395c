//! Mistakes of a person at a terminal. The error names what is wrong, and what may be meant or what
//! to do, and nothing is left behind.

use std::fs;
use std::path::Path;

use serde_json::json;
use tempfile::TempDir;

use crate::support::place::{Place, mounted};
use crate::support::{Run, Worker, fixture, names, scene, worker};

/// Creates a folder with a scene and files that are none.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::copy(scene("tiny"), path("pottery.blend")).unwrap();
    fs::copy(fixture("frames/blender-rgb-8.png"), path("picture.png")).unwrap();
    fs::write(path("empty.blend"), "").unwrap();
    fs::write(path("movie.mp4"), "a video").unwrap();
    fs::create_dir(path("scenes")).unwrap();
    fs::write(path("scenes/kiln.blend"), "").unwrap();
    folder
}

/// Runs a command line in a folder, and asserts that it leaves nothing there.
#[track_caller]
fn run_in(folder: &Path, action: &str, arguments: &str) -> Run {
    let before = names(folder);
    let run = worker(action).args(arguments).with(|command| {
        command.current_dir(folder);
    });
    let run = run.run();
    assert_eq!(names(folder), before, "{arguments}");
    run
}

#[test]
fn mistakes_in_paths_are_told_apart_and_leave_nothing() {
    let folder = folder();
    let here = folder.path().to_str().unwrap();
    for (action, arguments, code, texts) in [
        // The scene.
        ("render", "-i potery.blend -o out -f 1", 66, &[here, "did you mean pottery.blend?"][..]),
        ("inspect", "-i Pottery.BLEND", 66, &[here, "did you mean pottery.blend?"]),
        ("render", "-i other.blend -o out/deep -f 1", 66, &["no file other.blend"]),
        ("render", "-i no/pottery.blend -o out -f 1", 66, &["no folder", "/no;"]),
        ("render", "-i scenes -o out -f 1", 66, &["a folder", "scenes/kiln.blend"]),
        ("render", "-i movie.mp4/a.blend -o out -f 1", 66, &["movie.mp4 is a file"]),
        ("render", "-i picture.png -o out -f 1", 65, &["picture.png", "a .blend file"]),
        ("render", "-i empty.blend -o out -f 1", 65, &["empty.blend", "it is empty"]),
        // The output.
        ("render", "-i pottery.blend -o pottery.blend -f 1", 2, &["pottery.blend is a file"]),
        ("render", "-i pottery.blend -o movie.mp4/out -f 1", 2, &["movie.mp4 is a file"]),
        // The frames.
        ("stitch", "-i out -o out", 66, &["no folder", "out", "run -i SCENE -o out"]),
        ("stitch", "-i scenes -o scenes", 66, &["no frames", "run -i SCENE -o scenes"]),
        ("stitch", "-i movie.mp4 -o out", 66, &["movie.mp4 is a file", "folder of the frames"]),
    ] {
        let run = run_in(folder.path(), action, arguments).fails(code, texts);
        assert!(!run.final_error().contains("URI"), "{}", run.final_error());
        assert_eq!(names(&folder.path().join("scenes")), ["kiln.blend"], "{arguments}");
    }
}

#[test]
fn mistakes_in_programs_and_scratch_leave_nothing() {
    let folder = folder();
    for (action, arguments, code, texts) in [
        ("render", "--blender blunder", 69, &["blunder", "PATH", "--blender"][..]),
        ("render", "--blender /no/blender", 69, &["/no/blender", "no such file"]),
        ("render", "--blender ./pottery.blend", 69, &["not an executable program"]),
        ("stitch", "--ffmpeg ffmpreg", 69, &["ffmpreg", "PATH", "--ffmpeg"]),
        ("render", "--scratch-dir /no/such", 74, &["/no/such", "--scratch-dir"]),
    ] {
        let arguments = format!("-i pottery.blend -o out -f 1 {arguments}");
        let run = run_in(folder.path(), action, &arguments).fails(code, texts);
        assert!(!run.text().contains("/no/such/"), "a random name: {}", run.text());
    }
}

#[test]
fn arguments_in_the_wrong_place_get_a_tip() {
    let folder = folder();
    for (action, arguments, texts) in [
        ("render", "pottery.blend -o out -f 1", &["-i pottery.blend"][..]),
        ("inspect", "pottery.blend", &["-i pottery.blend"]),
        ("pottery.blend", "", &["-i pottery.blend -o out"]),
        ("rendr", "-i pottery.blend", &["'render'"]),
        ("render", "-i pottery.blend -o out --frame 1", &["'--frames'"]),
    ] {
        let run = run_in(folder.path(), action, arguments).exits(2);
        let lines: Vec<_> = run.lines.iter().filter(|line| line.contains("tip: ")).collect();
        assert_eq!(lines.len(), 1, "{}", run.text());
        for text in texts {
            assert!(lines[0].contains(text), "{text:?} is not in {lines:?}");
        }
    }
    let run = run_in(folder.path(), "stitch", "out").exits(2);
    assert!(run.text().contains("VIDEO") && run.text().contains("film.mp4"), "{}", run.text());
    for (action, output) in [("run", "film.mp4"), ("render", "film.avi"), ("stitch", "film.avi")] {
        let run = run_in(folder.path(), action, &format!("-i pottery.blend -o {output}")).exits(2);
        assert!(run.text().contains("--output-uri (OUTPUT_URI)"), "{}", run.text());
    }
    let run = run_in(folder.path(), "status", "one two").exits(2);
    assert!(!run.text().contains("-i "), "{}", run.text());
}

/// A read-only file system denies root, too.
#[test]
fn the_hidden_names_of_files_that_are_being_written_are_not_shown() {
    let place = Place::ordered(&json!([]));
    fs::create_dir_all(place.path("out/frames")).unwrap();
    let out = place.path("out");
    let run = place.stand_in().wrapped_in(mounted("ro", &out)).run();
    let run = run.exits(74);
    assert!(!run.text().contains(".part"), "{}", run.text());
}

#[test]
fn a_failed_attempt_leaves_its_report_and_no_empty_folder() {
    let place = Place::ordered(&json!([{"at": "start", "do": "exit", "code": 3}]));
    place.stand_in().run().exits(70);
    assert_eq!(names(&place.path("out")), ["reports"]);
    // A folder of the user stays.
    fs::create_dir(place.path("out/frames")).unwrap();
    place.stand_in().run().exits(70);
    assert_eq!(names(&place.path("out")), ["frames", "reports"]);
}

#[test]
fn on_batch_every_attempt_leaves_a_report() {
    let place = Place::with_scene("no scene");
    let on_batch = |worker: Worker| worker.env("AWS_BATCH_JOB_ID", "1a-2b");
    on_batch(place.render("-f 1")).run().exits(65);
    assert_eq!(names(&place.path("out")), ["reports"]);
}

#[test]
fn the_advice_for_a_crash_has_a_short_command_for_the_failing_frame() {
    let place = Place::ordered(&json!([{"at": 3, "do": "crash"}]));
    let command = format!(
        "blender --background {} --engine CYCLES --render-output /tmp/frame- --render-frame 3",
        place.scene()
    );
    let run = place.stand_in().args("--blender-attempts 1").run().fails(70, &[&command]);
    assert!(!run.final_error().contains("--python"), "{}", run.final_error());
}
