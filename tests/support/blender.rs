//! The real Blender on PATH, driven from Python: to make scenes, and to ask what it can do.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

/// Has Blender open a file, or its own start-up scene, and run Python; says what that printed.
#[track_caller]
pub fn blender_runs(file: Option<&Path>, python: &str) -> String {
    let output = Command::new("blender")
        .args(["-b", "--factory-startup", "--python-exit-code", "1"])
        .args(file)
        .args(["--python-expr", python])
        .output()
        .expect("Blender runs");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Whether an expression, of `bpy` and `_cycles`, holds for this Blender.
#[track_caller]
pub fn blender_has(expression: &str) -> bool {
    let python = format!("import bpy, _cycles\nprint('ANSWER', bool({expression}))");
    let said = blender_runs(None, &python);
    let answer = said.lines().find_map(|line| line.strip_prefix("ANSWER "));
    answer.expect("an answer") == "True"
}

/// Whether this Blender can denoise; Debian's 3.4 and 4.3 cannot.
pub fn can_denoise() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| blender_has("_cycles.with_openimagedenoise"))
}

/// Blender's start-up scene as everybody has it, but small and with few samples: rendered by
/// Cycles, denoised. `changes` are Python, with `scene` and `bpy`.
#[track_caller]
pub fn save_startup_scene(file: &Path, changes: &str) {
    let path = file.to_str().expect("UTF-8");
    let python = format!(
        "import bpy
scene = bpy.context.scene
scene.render.engine = 'CYCLES'
scene.cycles.samples = 4
scene.render.resolution_x, scene.render.resolution_y = 64, 48
{changes}
bpy.ops.wm.save_as_mainfile(filepath={path:?})"
    );
    blender_runs(None, &python);
}
