//! What a scene makes besides its frames: the files of File Output nodes, and further views. They
//! are delivered, verified, resumed and stitched as frames are.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::blender::save_startup_scene;
use crate::support::frames::{self, convert};
use crate::support::place::{Place, frame_names};
use crate::support::s3_server::{Fault, Gate, Operation, S3Server};
use crate::support::{Run, names, pixel_hashes, probe, report, scene, worker};

/// What the warning is about that the files of nodes are not where the scene says.
const NODES: &str = "File Output nodes";

/// Python that adds a compositor to the scene.
const COMPOSITOR: &str = r"
scene.cycles.samples, scene.cycles.use_denoising = 1, False
scene.frame_start, scene.frame_end = 1, 3
scene.render.image_settings.color_mode = 'RGB'
scene.view_layers[0].use_pass_z = True
cube = bpy.data.objects['Cube']
for frame in (1, 3):
    cube.location.x = frame / 2
    cube.keyframe_insert('location', frame=frame)

tree, end = add_compositor()
layers = tree.nodes.new('CompositorNodeRLayers')
picture, depth = layers.outputs['Image'], layers.outputs['Depth']
tree.links.new(picture, end.inputs[0])

def file_output(tree, name, folder, files, kind='PNG'):
    '''A node that saves `files`: paths, and the sockets that they come from.'''
    node = tree.nodes.new('CompositorNodeOutputFile')
    node.name = name
    is_new = hasattr(node, 'file_output_items')
    if is_new and kind != 'OPEN_EXR_MULTILAYER':
        node.format.media_type = 'IMAGE'
    node.format.file_format = kind
    if kind != 'OPEN_EXR_MULTILAYER':
        node.format.color_mode = 'RGB'
    layered = kind == 'OPEN_EXR_MULTILAYER'
    if is_new:
        node.directory, node.file_name = folder, ''
        if layered:
            node.directory, _, node.file_name = folder.rpartition('/')
    else:
        node.base_path = folder
        (node.layer_slots if layered else node.file_slots).clear()
    for path, socket in files:
        if is_new:
            node.file_output_items.new('FLOAT' if socket == depth else 'RGBA', path)
        else:
            (node.layer_slots if layered else node.file_slots).new(path)
    for number, (path, socket) in enumerate(files):
        if socket:
            tree.links.new(socket, node.inputs[number])
    return node
";

/// A folder with a scene that has a compositor. `changes` is more Python, in which `PLACE` is the
/// folder.
fn place(changes: &str) -> Place {
    let place = Place::with_scene("");
    let folder = place.folder().to_str().unwrap();
    let changes = format!("{COMPOSITOR}\n{}", changes.replace("PLACE", folder));
    save_startup_scene(Path::new(&place.scene()), &changes);
    place
}

/// Renders frames with Blender alone, as on a desktop.
fn render_with_blender_alone(place: &Place, frames: &str) {
    let output = Command::new("blender")
        .args(["-b", &place.scene(), "-o"])
        .arg(place.path("plain/"))
        .args(["-f", frames])
        // Where a node without a folder saves its files.
        .current_dir(place.folder())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// The paths of all files below a folder but those that the worker keeps for itself, sorted.
fn all_files(folder: &Path) -> Vec<String> {
    let files = walkdir::WalkDir::new(folder).into_iter().filter_map(Result::ok);
    let files = files.filter(|entry| entry.file_type().is_file());
    let paths =
        files.map(|entry| entry.path().strip_prefix(folder).unwrap().to_str().unwrap().to_owned());
    let mut paths: Vec<_> = paths.filter(|path| !path.contains(".fingerprints/")).collect();
    paths.sort();
    paths
}

#[track_caller]
fn assert_same_pixels(place: &Place, plain: &str, stored: &str) {
    let (plain, stored) = (place.path(plain), place.path("out").join(stored));
    assert_eq!(pixel_hashes(&plain), pixel_hashes(&stored), "{}", stored.display());
}

/// The last bytes of a file: the pixels of OpenEXR without compression.
fn last_bytes(file: &Path, count: usize) -> Vec<u8> {
    let file = fs::read(file).unwrap();
    file[file.len() - count..].to_vec()
}

/// The numbers of the frames that a run has stored, in order.
fn rendered(run: &Run) -> Vec<i64> {
    let lines = run.json();
    let stored = lines.iter().filter(|line| line["bytes"].is_u64());
    let frames: BTreeSet<_> = stored.filter_map(|line| line["frame"].as_i64()).collect();
    frames.into_iter().collect()
}

#[test]
fn every_file_is_delivered_whatever_its_path() {
    let place = place(
        "
file_output(tree, 'Passes', '//passes/', [
    ('beauty_####', picture), ('light/##_x', picture), ('../up_', picture), ('', picture),
    ('unlinked', None)])
node = file_output(tree, 'Depth', 'PLACE/absolute/deep', [('z', depth)], 'OPEN_EXR')
node.format.exr_codec = 'NONE'
file_output(tree, '../a/b', '', [('dots..', picture)])
file_output(tree, 'Muted', '//muted/', [('m', picture)]).mute = True
",
    );
    render_with_blender_alone(&place, "1..2");
    let run = place.render("--frames 1-2").run().exits(0).logs_only_warnings(&[NODES]);
    let run = run.logs(&["outputs/Passes/beauty_####.png"]);
    assert_eq!(rendered(&run), [1, 2]);
    let files = all_files(&place.path("out/outputs")).into_iter();
    // Blender 5 does not take `..` for the name of an input.
    let files: Vec<_> = files.map(|file| file.replace("Passes/__/", "Passes/")).collect();
    let expected = [
        "Depth/z0001.exr",
        "Depth/z0002.exr",
        "Passes/0001.png",
        "Passes/0002.png",
        "Passes/beauty_0001.png",
        "Passes/beauty_0002.png",
        "Passes/light/01_x.png",
        "Passes/light/02_x.png",
        "Passes/up_0001.png",
        "Passes/up_0002.png",
        "___a_b/dots..0001.png",
        "___a_b/dots..0002.png",
    ];
    assert_eq!(files.into_iter().collect::<BTreeSet<_>>(), expected.map(str::to_owned).into());
    for frame in ["0001", "0002"] {
        assert_same_pixels(&place, &format!("plain/{frame}.png"), &format!("frames/{frame}.png"));
        let beauty = format!("passes/beauty_{frame}.png");
        assert_same_pixels(&place, &beauty, &format!("outputs/Passes/beauty_{frame}.png"));
        let depth = last_bytes(&place.path(&format!("absolute/deep/z{frame}.exr")), 64 * 48 * 2);
        let stored = place.path(&format!("out/outputs/Depth/z{frame}.exr"));
        assert!(depth == last_bytes(&stored, 64 * 48 * 2), "{frame}: another depth");
    }
    // Previews are of the frames.
    assert_eq!(names(&place.path("out/previews")), ["0001.jpg", "0002.jpg", "contact-sheet.jpg"]);
    let outputs = &report(&place.path("out"), "render")["outputs"];
    let depth = &outputs[1];
    assert_eq!((&depth["node"], &depth["folder"]), (&json!("Depth"), &json!("outputs/Depth")));
    let bytes = |frame: u32| {
        place.path(&format!("out/outputs/Depth/z{frame:04}.exr")).metadata().unwrap().len()
    };
    let file = json!({"file": "z####.exr", "frames": "1-2", "bytes": bytes(1) + bytes(2)});
    assert_eq!(depth["files"], json!([file]));
}

#[test]
fn nodes_in_groups_and_nodes_of_equal_names_have_folders_of_their_own() {
    let place = place(
        "
def group(name, folder, inner=None):
    tree = new_compositor_tree(name, 'INPUT')
    start = tree.nodes.new('NodeGroupInput')
    file_output(tree, 'Same', folder, [('a', start.outputs[0])])
    if inner:
        node = tree.nodes.new('CompositorNodeGroup')
        node.node_tree = inner
        tree.links.new(start.outputs[0], node.inputs[0])
    return tree
outer = group('Outer', '//outer/', group('Inner', '//inner/'))
for mute in (False, True):
    node = tree.nodes.new('CompositorNodeGroup')
    node.node_tree = outer if not mute else group('Unused', '//unused/')
    node.mute = mute
    tree.links.new(picture, node.inputs[0])
file_output(tree, 'SAME', '//top/', [('a', picture)]).label = 'same'
tree.nodes.remove(end)
",
    );
    render_with_blender_alone(&place, "1");
    let run = place.render("--frames 1").run().exits(0).logs_only_warnings(&[NODES]);
    assert_eq!(rendered(&run), [1]);
    let files = all_files(&place.path("out/outputs"));
    let folders: BTreeSet<_> = files.iter().map(|file| file.to_lowercase()).collect();
    assert_eq!(folders.len(), 3, "they differ in more than case: {files:?}");
    assert!(files.iter().all(|file| file.ends_with("/a0001.png")), "{files:?}");
    for file in &files {
        assert_same_pixels(&place, "top/a0001.png", &format!("outputs/{file}"));
    }
}

#[test]
fn files_that_another_scene_would_number_are_not_made_and_told_of() {
    let edit = |strips: &str| {
        place(&format!(
            r"
file_output(tree, 'Passes', '//passes/', [('Depth####', depth)])
edit = bpy.data.scenes.new('Edit')
edit.render.engine = 'CYCLES'
edit.render.resolution_x, edit.render.resolution_y = 64, 48
edit.render.resolution_percentage = 100
editor = edit.sequence_editor_create()
strips = editor.strips if hasattr(editor, 'strips') else editor.sequences
{strips}
bpy.context.window.scene = edit
"
        ))
    };
    let place = edit("strips.new_scene('Shot', scene, 1, 11)");
    let run = place.render("--frames 11-12").run().exits(0);
    let warnings = run.warnings().join("\n");
    assert!(warnings.contains("Passes") && warnings.contains("--scene"), "{warnings}");
    assert_eq!(names(&place.path("out/frames")), ["0011.png", "0012.png"]);
    assert!(!place.path("out/outputs").exists());

    // At its own frames, the scene numbers them as the edit does. A muted strip makes none.
    let place = edit(
        "strips.new_scene('Shot', scene, 1, 1)
strips.new_scene('Left out', scene, 2, 11).mute = True",
    );
    place.render("--frames 1-2").run().exits(0).logs_only_warnings(&[NODES]);
    let files = all_files(&place.path("out/outputs"));
    assert_eq!(files, ["Passes/Depth0001.png", "Passes/Depth0002.png"]);
}

#[test]
fn no_two_files_have_the_same_name_and_none_leads_out_of_its_folder() {
    let place = place(
        "
for name in ('x/y', 'x:y', 'X_Y', '..', '.hidden', 'dot.'):
    file_output(tree, name, '/', [('a', picture), ('A', picture), ('a1', picture), ('../..', picture)])
",
    );
    place.render("--frames 1").run().exits(0).logs_only_warnings(&[NODES]);
    let files = all_files(&place.path("out/outputs"));
    let unique: BTreeSet<_> = files.iter().map(|file| file.to_lowercase()).collect();
    assert_eq!((files.len(), unique.len()), (6 * 4, 6 * 4), "{files:#?}");
    for file in &files {
        let is_plain = |part: &str| !part.starts_with('.') && !part.ends_with('.');
        assert!(file.split('/').all(is_plain) && !file.contains(':'), "{file}");
    }
}

#[test]
fn layered_files_are_stored_as_plain_blender_saves_them() {
    let place = place(
        "
node = file_output(tree, 'Layers', '//layers/all_', [('Beauty', picture), ('Far', depth)],
    'OPEN_EXR_MULTILAYER')
node.format.exr_codec = 'NONE'
",
    );
    render_with_blender_alone(&place, "1");
    place.render("--frames 1").run().exits(0).logs_only_warnings(&[NODES]);
    assert_eq!(all_files(&place.path("out/outputs")), ["Layers/all_0001.exr"]);
    // Half floats, red to alpha, and a depth of at least as many bytes.
    let pixels = |file: &str| last_bytes(&place.path(file), 64 * 48 * 5 * 2);
    let stored = pixels("out/outputs/Layers/all_0001.exr");
    assert!(stored == pixels("layers/all_0001.exr"), "other pixels");
    // The layer is in the file under the name that the node gives it.
    let run = worker("stitch").input(place.path("out/outputs/Layers")).output(place.path("video"));
    run.args("--layer Beauty").run().exits(0);
}

#[test]
fn files_of_a_compositor_that_an_animation_switches_on_are_delivered() {
    let place = place(
        "
file_output(tree, 'Late', '//late', [('late', picture)])
# Since Blender 5, the compositor of a scene is not switched on.
if bpy.app.version < (5, 0, 0):
    for frame, is_on in [(2, True), (1, False)]:
        scene.use_nodes = is_on
        scene.keyframe_insert('use_nodes', frame=frame)",
    );
    place.render("--frames 2-3").run().exits(0).logs_only_warnings(&[NODES]);
    assert_eq!(all_files(&place.path("out/outputs")), ["Late/late0002.png", "Late/late0003.png"]);
}

#[test]
fn frames_of_linear_light_keep_the_colour_space_that_the_scene_gives_them() {
    let place = place(
        "
settings = scene.render.image_settings
settings.file_format, settings.exr_codec, settings.color_depth = 'OPEN_EXR', 'NONE', '32'
if hasattr(settings, 'linear_colorspace_settings'):
    settings.color_management = 'OVERRIDE'
    space = settings.linear_colorspace_settings
    names = space.bl_rna.properties['name'].enum_items.keys()
    space.name = next(name for name in names if 'ACES' in name)",
    );
    render_with_blender_alone(&place, "1");
    place.render("--frames 1").run().exits(0);
    let pixels = |file: &str| last_bytes(&place.path(file), 64 * 48 * 3 * 4);
    assert!(pixels("out/frames/0001.exr") == pixels("plain/0001.exr"), "other pixels");
}

#[test]
fn the_first_view_is_the_frame_and_the_others_are_outputs() {
    let place = Place::with_scene(fs::read(scene("stereo")).unwrap());
    render_with_blender_alone(&place, "1..2");
    let run = place.render("--frames 1-2").run().exits(0).logs_no_warnings();
    assert_eq!(rendered(&run), [1, 2]);
    assert_eq!(all_files(&place.path("out/frames")), ["0001.png", "0002.png"]);
    assert_eq!(all_files(&place.path("out/outputs")), ["right/0001.png", "right/0002.png"]);
    for frame in ["0001", "0002"] {
        let right = format!("outputs/right/{frame}.png");
        assert_same_pixels(&place, &format!("plain/{frame}_L.png"), &format!("frames/{frame}.png"));
        assert_same_pixels(&place, &format!("plain/{frame}_R.png"), &right);
    }
    let outputs = &report(&place.path("out"), "render")["outputs"];
    assert_eq!(
        (&outputs[0]["view"], &outputs[0]["files"][0]["frames"]),
        (&json!("right"), &json!("1-2"))
    );
    place.render("--frames 1-2").run().exits(0).logs(&["nothing to render"]);
    let stitch =
        worker("stitch").input(place.path("out/outputs/right")).output(place.path("video"));
    stitch.run().exits(0);
    assert_eq!(probe(&place.path("video/output.mp4"))["streams"][0]["nb_read_frames"], "2");
    let left = |name: &str| names(&place.path(name));
    assert_eq!(left("video"), ["output.mp4", "reports"], "previews are of frames");
}

#[test]
fn nodes_save_each_view_of_a_scene_that_saves_them_alone() {
    let place = place(
        "
scene.render.use_multiview = True
scene.render.image_settings.views_format = 'INDIVIDUAL'
scene.render.views['left'].file_suffix = ''
scene.render.views['right'].file_suffix = '/../R'
file_output(tree, 'Eyes', '//eyes/', [('eye_', picture)])
file_output(tree, 'right', '//layers/', [('A', picture)], 'OPEN_EXR_MULTILAYER')
",
    );
    let run = place.render("--frames 1").run().exits(0).logs_only_warnings(&[NODES]);
    assert_eq!(rendered(&run), [1]);
    assert_eq!(
        all_files(&place.path("out/outputs")),
        [
            "Eyes/eye_0001.png",
            "Eyes/eye_0001_right.png",
            "right-2/0001.exr",
            "right-2/0001_right.exr",
            "right/0001.png"
        ]
    );
    let pixels = |file: &str| pixel_hashes(&place.path("out").join(file));
    assert_ne!(pixels("frames/0001.png"), pixels("outputs/right/0001.png"));
    assert_ne!(pixels("outputs/Eyes/eye_0001.png"), pixels("outputs/Eyes/eye_0001_right.png"));
}

#[test]
fn an_only_view_is_the_frame() {
    let place = place(
        "
scene.render.use_multiview = True
scene.render.image_settings.views_format = 'INDIVIDUAL'
scene.render.views['left'].use = False
",
    );
    let run = place.render("--frames 1").run().exits(0).logs_no_warnings();
    assert_eq!((rendered(&run), place.frames()), (vec![1], frame_names([1])));
    assert!(!place.path("out/outputs").exists());
}

#[test]
fn a_file_that_blender_cannot_save_is_a_failure() {
    // The picture comes from another node, so it is not certain that there is one.
    let place = place(
        r#"
blur = tree.nodes.new('CompositorNodeBlur')
tree.links.new(picture, blur.inputs[0])
file_output(tree, 'Passes', '//passes/', [('a/b_', blur.outputs[0])])
text = bpy.data.texts.new('in_the_way.py')
text.write("""
import bpy, os
def in_the_way(scene, *_):
    tree = getattr(scene, 'compositing_node_group', None) or scene.node_tree
    node = next(node for node in tree.nodes if node.type == 'OUTPUT_FILE')
    folder = node.directory if hasattr(node, 'directory') else node.base_path
    if scene.frame_current == 2 and not os.path.exists(folder):
        os.mkdir(folder)
        open(os.path.join(folder, 'a'), 'w').close()
bpy.app.handlers.render_pre.append(in_the_way)
""")
text.use_module = True
"#,
    );
    let run = place.render("--frames 2 --enable-autoexec --blender-attempts 1").run();
    run.fails(70, &["frame 2", "outputs/Passes/a/b_0002.png", "does not exist"]);
}

#[test]
fn formats_that_cannot_be_verified_are_replaced() {
    let place = place(
        "
file_output(tree, 'Log', '//log/', [('d', picture)], 'DPX')
file_output(tree, 'Plain', '//plain/', [('j', picture)], 'JPEG2000')
",
    );
    let run = place.render("--frames 1").run().exits(0);
    assert_eq!(all_files(&place.path("out/outputs")), ["Log/d0001.exr", "Plain/j0001.png"]);
    let run = run.logs_only_warnings(&["DPX", "JPEG2000", NODES]);
    let warnings = run.warnings();
    assert!(warnings[0].contains("Log"), "{warnings:?}");
}

#[test]
fn a_frame_that_has_lost_a_file_is_rendered_again() {
    let place = place(
        "
file_output(tree, 'Passes', '//passes/', [('a_', picture), ('sub/b_', depth)])
",
    );
    let render = || place.render("--frames 1-3").run().exits(0);
    assert_eq!(rendered(&render()), [1, 2, 3]);
    assert_eq!(rendered(&render()), [0; 0]);
    let file = |path: &str| place.path("out/outputs/Passes").join(path);
    fs::remove_file(file("sub/b_0002.png")).unwrap();
    assert_eq!(rendered(&render()), [2]);
    assert!(file("sub/b_0002.png").is_file());
    // Another file, of a later job that did not store its frame.
    convert(&file("a_0003.png"), "-vf negate", &file("a_0003.new.png"));
    fs::rename(file("a_0003.new.png"), file("a_0003.png")).unwrap();
    assert_eq!(rendered(&render()), [3]);
    let run = render().logs(&["nothing to render"]);
    let reports = names(&place.path("out/reports"));
    assert!(reports.len() > 4, "{}", run.text());
    fs::remove_dir_all(place.path("out/outputs")).unwrap();
    assert_eq!(rendered(&render()), [1, 2, 3]);
}

#[test]
fn on_s3_side_files_are_stored_before_their_frame_and_cost_one_listing_a_folder() {
    let place = place(
        "
file_output(tree, 'Passes', '//passes/', [('a_', picture), ('b_', depth)])
file_output(tree, 'Ausgabe für Comp', '//other/', [('c_', picture)])
",
    );
    let server = S3Server::start();
    let render = || {
        let render = worker("render").input(place.scene()).output(server.uri("out")).s3(&server);
        render.args("--frames 1-3 --no-previews").run().exits(0)
    };
    assert_eq!(rendered(&render()), [1, 2, 3]);
    let puts = server.requests().into_iter().filter(|r| r.operation == Operation::PutObject);
    let puts: Vec<_> = puts.map(|request| request.key).filter(|k| k.contains("0002")).collect();
    assert_eq!(puts.len(), 4, "{puts:?}");
    assert_eq!(puts[3], "out/frames/0002.png");
    let before = server.requests().len();
    assert_eq!(rendered(&render()), [0; 0]);
    let requests = server.requests().split_off(before);
    let of_outputs = requests
        .iter()
        .filter(|request| request.query.contains("outputs") || request.key.contains("outputs"));
    let listed: Vec<_> = of_outputs.map(|request| request.operation).collect();
    assert_eq!(listed, [Operation::ListObjectsV2; 2]);
    server.remove("out/outputs/Ausgabe für Comp/c_0003.png");
    assert_eq!(rendered(&render()), [3]);
}

/// Orders for the stand-in: a node `Passes` with the files `a_` and `b_`, which it saves for each
/// frame, and `c_`, which it may not save.
fn with_passes(steps: &Value) -> Value {
    let file = |before: &str, certain: bool| {
        json!({
            "node": "Passes", "slot": before, "folder": "Passes", "before": before, "digits": 4,
            "after": ".png", "certain": certain,
        })
    };
    let files = [file("a_", true), file("b_", true), file("c_", false)];
    json!({"steps": steps, "outputs": {"frame_suffix": "", "files": files}})
}

#[test]
fn a_file_that_is_damaged_or_missing_is_a_failure_of_its_frame() {
    for (kind, damage) in [("truncated", "ends after"), ("missing", "does not exist")] {
        let steps = json!([{"at": 7, "do": "write", "kind": kind, "output": 1}]);
        let place = Place::ordered(&with_passes(&steps));
        let run = place.stand_in().args("--blender-attempts 2").run();
        let run = run.fails(70, &["frame 7", "outputs/Passes/b_0007.png", "b_ of", damage]);
        assert!(!rendered(&run).contains(&7), "{kind}");
        let failed_once = |line: &Value| line["frame"] == 7 && line["level"] == "WARN";
        assert!(run.json().iter().any(failed_once), "{kind}");
        assert_eq!(place.frames(), frame_names((1..=12).filter(|&frame| frame != 7)), "{kind}");
        let report: Value = report(&place.path("out"), "render");
        assert_eq!(report["outputs"][0]["files"][1]["frames"], "1-6,8-12", "{kind}");
    }
}

#[test]
fn a_damaged_file_is_rendered_again_with_its_frame() {
    let place = Place::ordered_with(|place| {
        with_passes(&json!([
            {"at": 7, "do": "write", "kind": "junk", "output": 2, "once": place.path("damaged")},
        ]))
    });
    let run = place.stand_in().run().exits(0);
    assert_eq!(rendered(&run).len(), 12);
    assert_eq!(place.launches().len(), 2);
    assert_eq!(names(&place.path("out/outputs/Passes")).len(), 3 * 12);
}

#[test]
fn a_node_that_saves_nothing_for_an_input_without_a_picture_is_no_failure() {
    let steps = json!([{"at": "every", "do": "write", "kind": "missing", "output": 2}]);
    let place = Place::ordered(&with_passes(&steps));
    place.stand_in().run().exits(0).logs_only_warnings(&[NODES]);
    assert_eq!(names(&place.path("out/outputs/Passes")).len(), 2 * 12);
    let report = report(&place.path("out"), "render");
    assert_eq!(report["outputs"][0]["files"].as_array().map(Vec::len), Some(2));
    place.stand_in().run().exits(0).logs(&["nothing to render"]);
}

#[test]
fn a_retry_stores_the_files_that_are_not_stored_yet() {
    let place = Place::ordered_with(|place| {
        with_passes(&json!([{"at": 2, "do": "wait_for_file", "path": place.path("go on")}]))
    });
    let server = S3Server::start();
    // Each request is tried three times before the frame waits.
    let refused = Fault::on(Operation::PutObject).key("out/outputs/Passes/b_0001.png");
    server.inject(refused.times(3).respond(503, "SlowDown"));
    let render = worker("render").input(place.scene()).output(server.uri("out")).s3(&server);
    let running = render.args("--frames 1-2").stand_in_blender().start();
    running.wait_for_log("frame 1 is not stored yet and waits");
    running.wait_for_log("frame 1 stored");
    fs::write(place.path("go on"), "").unwrap();
    running.finish().exits(0);
    let keys = server.requests().into_iter().filter(|r| r.operation == Operation::PutObject);
    let keys: Vec<_> = keys.map(|request| request.key).filter(|k| k.contains("0001")).collect();
    let count = |name: &str| keys.iter().filter(|key| key.ends_with(name)).count();
    assert_eq!((count("a_0001.png"), count("b_0001.png"), count("s/0001.png")), (1, 4, 1));
    assert_eq!(keys.last().map(String::as_str), Some("out/frames/0001.png"));
}

#[test]
fn side_files_count_towards_the_backlog() {
    let place = Place::ordered(&with_passes(&json!([])));
    let server = S3Server::start();
    let gate = Gate::default();
    server.inject(Fault::on(Operation::PutObject).key("out/frames/").hold(&gate));
    let render = worker("render").input(place.scene()).output(server.uri("out")).s3(&server);
    let running = render.args("--frames 1-3 --max-backlog 200").stand_in_blender().start();
    // A frame alone has less than 100 bytes.
    running.wait_for_log("Blender is paused");
    gate.open();
    running.finish().exits(0);
}

#[test]
fn a_description_whose_names_lead_elsewhere_is_not_followed() {
    let mut orders = with_passes(&json!([]));
    orders["outputs"]["files"][0]["folder"] = json!("../frames");
    let place = Place::ordered(&orders);
    let run = place.stand_in().run();
    assert!(!place.path("out/outputs").exists(), "{}", run.text());
    assert!(!run.warnings().is_empty());
}

#[test]
fn linear_passes_are_shown_as_blender_shows_the_frames() {
    let place = place(
        "
scene.render.dither_intensity = 0
node = file_output(tree, 'Passes', '//passes/', [('a_', picture)], 'OPEN_EXR')
",
    );
    place.render("--frames 1").run().exits(0).logs_only_warnings(&[NODES]);
    let pixels = |input: &str, video: &str| {
        let stitch = worker("stitch").input(place.path(input)).output(place.path("videos"));
        stitch.args(&format!("--crf 0 --output-name {video}")).run().exits(0);
        frames::pixels(&place.path("videos").join(video), frames::SIZE).remove(0)
    };
    let (frame, pass) = (pixels("out", "frame.mp4"), pixels("out/outputs/Passes", "pass.mp4"));
    let difference = frames::difference(&frame, &pass);
    assert!(difference < 1.0, "{difference}");
}

#[test]
fn one_of_several_sequences_is_chosen_by_its_names() {
    let place = place(
        "
scene.render.fps = 12
file_output(tree, 'Passes', '//passes/', [('pass1', picture), ('pass2', depth)])
",
    );
    place.render("").run().exits(0);
    let stitch = |input: &str| {
        let input = place.path("out/outputs/Passes").join(input);
        worker("stitch").input(input).output(place.path("video")).run()
    };
    stitch("pass2####.png").exits(0);
    let video = probe(&place.path("video/output.mp4"));
    assert_eq!(video["streams"][0]["nb_read_frames"], "3");
    assert_eq!(video["streams"][0]["r_frame_rate"], "12/1", "that of the scene");
    stitch("pass3####.png").fails(66, &["no frames"]);
}
