//! Each exit code passes through PID 1 and the engine. Being told to stop is in
//! `signals`, being killed for memory in `memory`.

use crate::container::Container;
use crate::stage::Stage;
use crate::support::Run;

#[track_caller]
fn ends(container: Container, code: i32, words: &[&str]) -> Run {
    container.run().exits(code).says(words)
}

#[test]
fn success() {
    let stage = Stage::new();
    ends(stage.render("tiny").args("-f 1"), 0, &["the frame is stored"]);
}

#[test]
fn wrong_arguments() {
    ends(Stage::new().render("tiny").args("-f 0"), 2, &["--frames-per-job (F_PER_JOB)"]);
}

#[test]
fn a_scene_that_is_unusable() {
    ends(Stage::new().render("no_camera").args("-f 1"), 65, &["the scene has no camera"]);
}

#[test]
fn what_is_not_there() {
    ends(Stage::new().render("none").args("-f 1"), 66, &["/scenes/none.blend"]);
    ends(Stage::new().stitch(), 66, &["no numbered images in /work/out"]);
}

#[test]
fn a_program_that_is_not_there_or_lacks_something() {
    let stage = Stage::new();
    ends(stage.render("tiny").args("-f 1 --blender /none/blender"), 69, &["/none/blender"]);
    ends(stage.render("tiny").args("-f 1 --engine NONE"), 69, &["no such render engine"]);
}

#[test]
fn a_blender_that_fails() {
    let stage = Stage::scripted("import os; os._exit(3)");
    ends(stage.render_scripted().args("-f 1"), 70, &["exit status 3"]);
    let stage = Stage::scripted("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)");
    ends(stage.render_scripted().args("-f 1"), 70, &["crashed (signal 11)"]);
}

#[test]
fn a_scratch_disk_that_is_too_small() {
    let stage = Stage::new();
    let small = stage.render("demo").options("--read-only --tmpfs /tmp:size=64k").args("-f 1");
    ends(small, 74, &["frame 1 is not", "--scratch-dir"]);
}

#[test]
fn a_store_that_cannot_be_reached() {
    let stage = Stage::new();
    let render = stage
        .container()
        .args("render -i s3://bucket/scene.blend -o /work/out -f 1")
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        .env("AWS_ACCESS_KEY_ID", "id")
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .env("AWS_REGION", "us-east-1")
        .env("AWS_MAX_ATTEMPTS", "1");
    ends(render, 75, &["s3://bucket/scene.blend", "Connection refused"]);
}

#[test]
fn access_denied() {
    let stage = Stage::new();
    let render = stage.container().args("render -i /scenes/tiny.blend -o /root/out -f 1");
    ends(render, 77, &["Permission denied"]);
}
