//! Free space on the scratch disk and in the output. If a disk is too small or becomes full, the
//! exit code is 74, the error names its path and sizes, and no truncated frame is ever stored.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use walkdir::WalkDir;

use crate::support::place::{Place, frame_names, mounted};
use crate::support::s3_server::{Fault, Operation, S3Server};
use crate::support::{Run, Worker, ordered_scene, pixel_hashes, report, scene, worker};

const ADVICE: &str = "--scratch-dir (SCRATCH_DIR)";

/// Runs a worker with a scratch disk of its own. Returns the path of the disk as well.
fn on_a_disk_of(worker: Worker, options: &str) -> (Run, String) {
    let scratch = worker.scratch().to_owned();
    let run = worker.wrapped_in(mounted(options, &scratch)).run();
    (run, scratch.to_str().expect("UTF-8").to_owned())
}

/// A scene for the stand-in, which ignores a full disk, as Blender 4.3 does.
fn ignoring_full_disk(steps: &Value) -> Place {
    Place::ordered(&json!({"steps": steps, "full_disk_unnoticed": true}))
}

/// Asserts that the frames before the disk was full are stored, not all of the others, and only
/// complete ones.
#[track_caller]
fn assert_complete_frames(place: &Place) {
    let frames = place.frames();
    assert!(frames.starts_with(&frame_names([1, 2])) && frames.len() < 12, "{frames:?}");
    for frame in frames {
        assert_eq!(pixel_hashes(&place.path("out/frames").join(&frame)).len(), 1, "{frame}");
    }
}

#[test]
fn a_scratch_disk_without_room_for_two_frames_fails_the_job_before_the_first_frame() {
    let place = Place::ordered(&json!({"scene": {"width": 4000, "height": 4000}, "steps": [
        {"at": 1, "do": "delay", "seconds": 300},
    ]}));
    let (run, scratch) = on_a_disk_of(place.stand_in(), "size=2m");
    // 244 MiB are two frames with four channels of 16 bits.
    let run = run.fails(74, &["frames 1-12 are not rendered: the scratch disk is too small: "]);
    run.fails(74, &[" of 2 MiB are free in ", &scratch, "244 MiB are needed", ADVICE]);
    assert_eq!(place.frames(), [""; 0]);
}

#[test]
fn a_scratch_disk_that_becomes_full_is_named_even_if_blender_reports_success() {
    // Every frame that is stored and removed frees a little space.
    let steps: Vec<_> = (3..=12).map(|frame| json!({"at": frame, "do": "fill_disk"})).collect();
    let place = ignoring_full_disk(&json!(steps));
    let (run, scratch) = on_a_disk_of(place.stand_in(), "size=2m");
    let run =
        run.fails(74, &["not rendered: the scratch disk is full: ", " of 2 MiB are free in "]);
    let run = run.fails(74, &[&scratch, ADVICE]).logs(&["stopping Blender", " is not whole"]);
    assert_eq!(place.launches().len(), 1, "{}", run.text());
    assert_complete_frames(&place);
    assert_eq!(report(&place.path("out"), "render")["exit_code"], 74);
}

#[test]
fn a_full_scratch_disk_is_noticed_even_if_blender_does_not_report_it() {
    let place = ignoring_full_disk(&json!([
        {"at": 3, "do": "fill_disk"},
        {"at": 3, "do": "delay", "seconds": 300},
    ]));
    let (run, scratch) = on_a_disk_of(place.stand_in(), "size=2m");
    let run = run.fails(74, &["frames 3-12 are not rendered: the scratch disk is full", &scratch]);
    run.logs(&["the scratch disk is full (", "): stopping Blender"]);
    assert_eq!(place.frames(), frame_names([1, 2]));
}

#[test]
fn a_scratch_disk_without_free_inodes_is_full() {
    let place = Place::with_scene(fs::read(scene("tiny")).unwrap());
    // The inodes suffice for the files of the worker, but not for a frame: the setup script and its
    // settings, and nine folders with that of the disk.
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/blender/setup");
    let scripts = WalkDir::new(scripts).into_iter().map(Result::unwrap);
    let scripts = scripts.filter(|file| file.path().extension() == Some("py".as_ref())).count();
    let inodes = format!("nr_inodes={}", scripts + 1 + 9);
    let (run, _) = on_a_disk_of(place.render("-f 12"), &inodes);
    let full = "frames 1-12 are not rendered: the scratch disk is full";
    run.fails(74, &[full, "no more files"]);
    assert_eq!(report(&place.path("out"), "render").get("launches"), None);
}

#[test]
fn a_real_blender_on_a_full_scratch_disk_leaves_no_truncated_frame() {
    let place = Place::with_scene(fs::read(scene("scripted")).unwrap());
    fs::write(
        place.path("scripted.py"),
        "import bpy, os, time
def fill(scene, *_):
    if scene.frame_current < 3:
        return
    # Wait until earlier frames are removed: each would free space for the next one.
    while os.listdir(os.path.dirname(scene.render.filepath)):
        time.sleep(0.01)
    with open(os.path.join(os.environ['TMPDIR'], 'filler'), 'ab', buffering=0) as file:
        try:
            while True:
                file.write(bytes(1 << 20))
        except OSError:
            pass
bpy.app.handlers.render_pre.append(fill)
",
    )
    .unwrap();
    let (run, scratch) = on_a_disk_of(place.render("-f 12 --enable-autoexec"), "size=4m");
    run.fails(74, &["not rendered: the scratch disk is full: ", &scratch, " of 4 MiB are free"]);
    assert_complete_frames(&place);
}

#[test]
fn a_scene_that_is_larger_than_the_scratch_disk_is_not_downloaded() {
    let (place, server) = (Place::with_scene(""), S3Server::start());
    let mut content = ordered_scene(1, 1, &json!({}));
    content.resize(20 << 20, 0);
    server.put("scene.blend", &content);
    let render = worker("render").s3(&server).input(server.uri("scene.blend"));
    let render = render.output(place.path("out")).args("-f 1").stand_in_blender();
    let (run, scratch) = on_a_disk_of(render, "size=9m");
    let texts =
        ["cannot read s3://", "it is 20 MiB large, and ", " of 9 MiB are free in ", &scratch];
    run.fails(74, &texts).fails(74, &[ADVICE]);
    // The first request already returns the size.
    assert_eq!(server.count(Operation::GetObject), 1);
}

#[test]
fn frames_that_cannot_be_stored_and_fill_the_scratch_disk_end_with_a_retryable_code() {
    let server = S3Server::start();
    let steps = json!([{"at": 3, "do": "fill_disk"}, {"at": 3, "do": "delay", "seconds": 300}]);
    let place = ignoring_full_disk(&steps);
    server.inject(
        Fault::on(Operation::PutObject).key("out/frames/").times(2).respond(503, "SlowDown"),
    );
    let render = worker("render").s3(&server).input(place.scene()).output(server.uri("out"));
    let render = render.args("-f 12").env("AWS_MAX_ATTEMPTS", "1").stand_in_blender();
    let (run, _) = on_a_disk_of(render, "size=2m");
    run.fails(75, &["frames 3-12 are not stored", "SlowDown"]);
}

#[test]
fn an_output_that_becomes_full_is_named_with_its_sizes() {
    let place = Place::ordered(&json!({"size": [100, 100], "level": 0, "steps": []}));
    let out = place.path("out");
    fs::create_dir(&out).unwrap();
    let run = place.stand_in().wrapped_in(mounted("size=100k", &out)).run();
    let run =
        run.fails(74, &[" are not stored: cannot write ", " bytes of 102400 bytes are free in "]);
    run.fails(
        74,
        &[out.join("frames").to_str().unwrap(), "make sure that this disk or volume is writable"],
    );
}
