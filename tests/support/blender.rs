//! The real Blender on PATH, driven from Python: creates scenes and reports its features.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

/// Opens a file, or the start-up scene, in Blender and runs Python. Returns the standard output.
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

/// Evaluates a Python expression over `bpy` and `_cycles` as a boolean.
#[track_caller]
pub fn blender_has(expression: &str) -> bool {
    let python = format!("import bpy, _cycles\nprint('RESULT', bool({expression}))");
    let output = blender_runs(None, &python);
    let result = output.lines().find_map(|line| line.strip_prefix("RESULT "));
    result.expect("a result") == "True"
}

/// Returns whether this Blender can denoise. Debian's 3.4 and 4.3 cannot.
pub fn can_denoise() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| blender_has("_cycles.with_openimagedenoise"))
}

/// Python functions for the changes of scenes, in Blender 4 and earlier as in Blender 5.
const TOOLS: &str = "
def new_compositor_tree(name, *sockets):
    tree = bpy.data.node_groups.new(name, 'CompositorNodeTree')
    for in_out in sockets:
        if hasattr(tree, 'interface'):
            tree.interface.new_socket('Image', in_out=in_out, socket_type='NodeSocketColor')
        else:
            (tree.inputs if in_out == 'INPUT' else tree.outputs).new('NodeSocketColor', 'Image')
    return tree

def add_compositor():
    # The result is its tree, and the only node in it, which takes the picture.
    if hasattr(scene, 'compositing_node_group'):
        tree = scene.compositing_node_group = new_compositor_tree('Compositor', 'OUTPUT')
        return tree, tree.nodes.new('NodeGroupOutput')
    scene.use_nodes = True
    scene.node_tree.nodes.clear()
    return scene.node_tree, scene.node_tree.nodes.new('CompositorNodeComposite')

def set_unknown_engine():
    # No Blender has the engine LUXCORE when it opens the scene again.
    class Engine(bpy.types.RenderEngine):
        bl_idname, bl_label = 'LUXCORE', 'Lux'
    bpy.utils.register_class(Engine)
    scene.render.engine = 'LUXCORE'
";

/// Saves Blender's start-up scene, small and with few samples, for Cycles with denoising.
/// `changes` is Python code that may use `scene`, `bpy` and the functions of [`TOOLS`].
#[track_caller]
pub fn save_startup_scene(file: &Path, changes: &str) {
    let path = file.to_str().expect("UTF-8");
    let python = format!(
        "import bpy
scene = bpy.context.scene
scene.render.engine = 'CYCLES'
scene.cycles.samples = 4
scene.render.resolution_x, scene.render.resolution_y = 64, 48
{TOOLS}
{changes}
bpy.ops.wm.save_as_mainfile(filepath={path:?}, compress=False)"
    );
    blender_runs(None, &python);
}
