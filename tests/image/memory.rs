//! Too little memory: Blender is killed, not the worker, which says so.

use crate::stage::Stage;

/// Enough for Blender as such. Much less, and it would not be killed but spend its time
/// reading its own program from disk again and again.
const ENOUGH_TO_START: &str = "--memory 512m --memory-swap 512m";

/// Blender's script makes it want far more.
#[track_caller]
fn runs_out_of_memory(script: &str) {
    let stage = Stage::scripted(script);
    let run = stage.render_scripted().options(ENOUGH_TO_START).args("-f 1").run().exits(137);
    let words = run.last_words();
    for word in [
        "frame 1 is not rendered",
        "Blender was killed, out of memory: the limit of the container is 512 MiB, the peak was ",
        "give the container more memory",
    ] {
        assert!(words.contains(word), "{word:?} is not in: {words}");
    }
    assert_eq!(stage.frames("out"), [""; 0]);
    // It was given its chances.
    assert_eq!(run.text().matches("/blender --background").count(), 3, "{}", run.text());
}

#[test]
fn a_picture_too_large_for_the_memory_is_told_as_that() {
    runs_out_of_memory(
        "scene = bpy.context.scene
scene.render.resolution_x = scene.render.resolution_y = 20000
scene.cycles.use_auto_tile = False
",
    );
}

#[test]
fn a_scene_too_large_for_the_memory_is_told_as_that() {
    runs_out_of_memory("kept = b'x' * (4 << 30)");
}
