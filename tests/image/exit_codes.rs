//! Each exit code passes through PID 1 and the engine. Those of signals are in `signals`, that of
//! memory is in `memory`.

use crate::container::Container;
use crate::stage::Stage;
use crate::support::Run;

#[track_caller]
fn ends(container: Container, code: i32, texts: &[&str]) -> Run {
    container.run().exits(code).logs(texts)
}

#[test]
fn exit_code_0_for_success() {
    let stage = Stage::new();
    ends(stage.render("tiny").args("-f 1"), 0, &["the frame is stored"]);
}

#[test]
fn exit_code_2_for_invalid_arguments() {
    ends(Stage::new().render("tiny").args("-f 0"), 2, &["--frames-per-job (F_PER_JOB)"]);
}

#[test]
fn exit_code_65_for_an_unusable_scene() {
    ends(Stage::new().render("no_camera").args("-f 1"), 65, &["the scene has no camera"]);
}

#[test]
fn exit_code_66_for_missing_input() {
    ends(Stage::new().render("none").args("-f 1"), 66, &["/scenes/none.blend"]);
    ends(Stage::new().stitch(), 66, &["there is no folder /work/out"]);
}

#[test]
fn exit_code_69_for_a_missing_program_or_feature() {
    let stage = Stage::new();
    ends(stage.render("tiny").args("-f 1 --blender /none/blender"), 69, &["/none/blender"]);
    ends(stage.render("tiny").args("-f 1 --engine NONE"), 69, &["no such render engine"]);
}

#[test]
fn exit_code_70_for_a_failure_of_blender() {
    let stage = Stage::scripted("import os; os._exit(3)");
    ends(stage.render_scripted().args("-f 1"), 70, &["exit status 3"]);
    let stage = Stage::scripted("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)");
    ends(stage.render_scripted().args("-f 1"), 70, &["crashed (signal 11)"]);
}

#[test]
fn exit_code_74_for_a_scratch_disk_that_is_too_small() {
    let stage = Stage::new();
    let render = |size: &str, arguments: &str| {
        let options = format!("--read-only --tmpfs /tmp:size={size}");
        stage.render("demo").options(&options).args(arguments)
    };
    ends(render("64k", "-f 1"), 74, &["cannot use", "--scratch-dir"]);
    // There is space for everything but the frame.
    let large = render("768k", "-f 1 --resolution 200% --samples 1 --denoise off");
    ends(large, 74, &["frame 1 is not", "--scratch-dir"]);
}

#[test]
fn exit_code_75_for_unreachable_storage() {
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
fn exit_code_77_for_missing_permissions() {
    let stage = Stage::new();
    let render = stage.container().args("render -i /scenes/tiny.blend -o /root/out -f 1");
    ends(render, 77, &["Permission denied"]);
}
