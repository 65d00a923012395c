//! Too little memory: the kernel kills Blender, and the worker explains it.

use crate::stage::Stage;
use crate::support::report;

/// Enough memory to start Blender. With much less, it is not killed, but reads its own program from
/// disk again and again.
const ENOUGH_TO_START: &str = "--memory 512m --memory-swap 512m";

/// Asserts the result of a script that makes Blender use more memory than the container has.
#[track_caller]
fn runs_out_of_memory(script: &str) {
    let stage = Stage::scripted(script);
    let run = stage.render_scripted().options(ENOUGH_TO_START).args("-f 1").run().exits(137);
    let error = run.final_error();
    for text in [
        "frame 1 is not rendered",
        "Blender was killed, out of memory: the limit of the container is 512 MiB, the peak was ",
        "give the container more memory",
    ] {
        assert!(error.contains(text), "{text:?} is not in: {error}");
    }
    assert_eq!(stage.frames("out"), [""; 0]);
    let report = report(&stage.path("out"), "render");
    assert_eq!(report["launches"].as_array().map(Vec::len), Some(3), "{report}");
}

#[test]
fn an_image_too_large_for_the_memory_is_explained() {
    runs_out_of_memory(
        "scene = bpy.context.scene
scene.render.resolution_x = scene.render.resolution_y = 20000
scene.cycles.use_auto_tile = False
",
    );
}

#[test]
fn a_scene_too_large_for_the_memory_is_explained() {
    runs_out_of_memory("kept = b'x' * (4 << 30)");
}
