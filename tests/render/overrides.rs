//! Settings of the scene that a job replaces, with the real Blender: what the pictures show, and names
//! and values that are refused before any frame.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::blender::{blender_runs, save_startup_scene};
use crate::support::place::Place;
use crate::support::{Run, Worker, names, pixel_hashes, probe, report, scene, worker};

/// Scene `Shot`: its camera `Front` sees red with a green square in the middle, and `Back` sees blue.
/// A marker switches to `Front`. Scene `Other 4`: green, another size and range.
const SCENES: &str = "
import bpy, math
bpy.ops.wm.read_factory_settings(use_empty=True)

def plane(scene, colour, location, size):
    material = bpy.data.materials.new('M')
    material.use_nodes = True
    nodes = material.node_tree.nodes
    nodes.clear()
    light = nodes.new('ShaderNodeEmission')
    light.inputs[0].default_value = (*colour, 1)
    output = nodes.new('ShaderNodeOutputMaterial')
    material.node_tree.links.new(light.outputs[0], output.inputs[0])
    mesh = bpy.data.meshes.new('P')
    half = size / 2
    mesh.from_pydata([(-half, 0, -half), (half, 0, -half), (half, 0, half), (-half, 0, half)], [],
                     [(0, 1, 2, 3)])
    mesh.materials.append(material)
    thing = bpy.data.objects.new('P', mesh)
    thing.location = location
    scene.collection.objects.link(thing)

def camera(scene, name, turn):
    thing = bpy.data.objects.new(name, bpy.data.cameras.new(name))
    thing.rotation_euler = (math.pi / 2, 0, turn)
    scene.collection.objects.link(thing)
    return thing

def prepare(scene, width, height, first, last):
    scene.render.engine = 'CYCLES'
    scene.cycles.samples = 2
    scene.cycles.use_denoising = False
    scene.view_settings.view_transform = 'Standard'
    scene.render.resolution_x, scene.render.resolution_y = width, height
    scene.render.resolution_percentage = 100
    scene.frame_end = last
    scene.frame_start = first

shot = bpy.context.scene
shot.name = 'Shot'
prepare(shot, 64, 48, 1, 4)
plane(shot, (1, 0, 0), (0, 10, 0), 100)
plane(shot, (0, 1, 0), (0, 4, 0), 0.5)
plane(shot, (0, 0, 1), (0, -10, 0), 100)
shot.camera = camera(shot, 'Front', 0)
camera(shot, 'Back', math.pi)
shot.timeline_markers.new('cut', frame=1).camera = shot.camera
shot.view_layers.new('Empty').use = False
shot.render.filepath = '//shots/take_####_beauty'
other = bpy.data.scenes.new('Other 4')
prepare(other, 32, 32, 11, 13)
plane(other, (0, 1, 0), (0, 10, 0), 100)
other.camera = camera(other, 'Only', 0)
";

const RED: [u8; 3] = [255, 0, 0];
const GREEN: [u8; 3] = [0, 255, 0];
const BLUE: [u8; 3] = [0, 0, 255];
const BLACK: [u8; 3] = [0, 0, 0];

/// The file with the scenes. It is made once.
fn scenes() -> &'static Path {
    static FOLDER: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, file) = FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("scenes.blend");
        save(&file, "");
        (folder, file)
    });
    file
}

/// Saves the scenes after some changes in Python.
fn save(file: &Path, changes: &str) {
    let file = json!(file.to_str().expect("UTF-8"));
    let save = format!("bpy.ops.wm.save_as_mainfile(filepath={file})");
    blender_runs(None, &format!("{SCENES}{changes}\n{save}"));
}

struct Output(TempDir);

impl Output {
    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join("frames").join(name)
    }

    fn report(&self) -> Value {
        report(self.0.path(), "render")
    }

    /// The colour of a pixel of a frame.
    fn pixel(&self, name: &str, x: u32, y: u32) -> [u8; 3] {
        pixel(&self.file(name), x, y)
    }

    fn size(&self, name: &str) -> (u64, u64) {
        let stream = probe(&self.file(name))["streams"][0].clone();
        (stream["width"].as_u64().unwrap(), stream["height"].as_u64().unwrap())
    }
}

/// The colour of a pixel of a picture, from the top left.
fn pixel(file: &Path, x: u32, y: u32) -> [u8; 3] {
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(file)
        .args(["-vf", &format!("crop=1:1:{x}:{y}:exact=1")])
        .args(["-f", "rawvideo", "-pix_fmt", "rgb24", "-"])
        .output()
        .expect("FFmpeg runs");
    output.stdout.try_into().expect("a pixel of three bytes")
}

fn run_of(file: &Path, arguments: &[&str]) -> (Output, Run) {
    let output = Output(tempfile::tempdir().unwrap());
    let worker = worker("render").input(file).output(output.0.path());
    let worker = arguments.iter().fold(worker, Worker::arg);
    (output, worker.run())
}

/// Renders frame 1 of the scenes, without a warning.
#[track_caller]
fn frame(arguments: &[&str]) -> Output {
    let (output, run) = run_of(scenes(), &[&["--frames", "1"], arguments].concat());
    run.exits(0).logs_no_warnings();
    output
}

/// Asserts that a job is refused before any frame, with a message that contains these texts.
#[track_caller]
fn refused(code: i32, arguments: &[&str], texts: &[&str]) {
    let (output, run) = run_of(scenes(), &[&["--frames", "1"], arguments].concat());
    run.fails(code, texts);
    assert!(names(&output.0.path().join("frames")).is_empty());
}

#[test]
fn another_camera_sees_another_picture() {
    let plain = frame(&[]);
    assert_eq!(plain.pixel("0001.png", 1, 1), RED);
    assert_eq!(plain.pixel("0001.png", 32, 24), GREEN);
    // Also where a marker is bound to a camera.
    assert_eq!(frame(&["--camera", "Back"]).pixel("0001.png", 1, 1), BLUE);
    refused(2, &["--camera", "Bakc"], &["--camera (CAMERA)", "did you mean Back?"]);
    refused(2, &["--camera", "Only"], &["--camera (CAMERA)", "Back, Front"]);
}

#[test]
fn each_camera_makes_a_sequence_and_a_video_of_its_own() {
    let output = Output(tempfile::tempdir().unwrap());
    let run = worker("run").input(scenes()).output(output.0.path());
    run.args("--frames 1-2 --camera each").run().exits(0);
    assert_eq!(names(output.0.path()), ["cameras"]);
    assert_eq!(names(&output.0.path().join("cameras")), ["Back", "Front"]);
    for (camera, colour) in [("Back", BLUE), ("Front", RED)] {
        let folder = output.0.path().join("cameras").join(camera);
        assert_eq!(names(&folder.join("frames")), ["0001.png", "0002.png"]);
        assert_eq!(probe(&folder.join("output.mp4"))["streams"][0]["nb_read_frames"], "2");
        assert_eq!(report(&folder, "render")["overrides"]["camera"], camera);
        assert_eq!(pixel(&folder.join("frames/0001.png"), 1, 1), colour);
    }
    let submit =
        worker("submit").args("-i s3://bucket/a.blend -o s3://bucket/out -f 1 --camera each");
    let submit = submit.args("--frames 1-2 --job-queue q --job-definition d --dry-run").run();
    submit.exits(2).logs(&["--camera (CAMERA)", "--no-stitch"]);
}

#[test]
fn another_scene_has_its_own_size_and_camera() {
    let other = frame(&["--scene", "Other 4"]);
    assert_eq!(other.size("0001.png"), (32, 32));
    assert_eq!(other.pixel("0001.png", 16, 16), GREEN);
    assert_eq!(other.report()["scene"]["name"], "Other 4");
    assert_eq!(other.report()["overrides"]["scene"], "Other 4");
    refused(2, &["--scene", "other 4"], &["--scene (SCENE)", "did you mean Other 4?"]);
}

#[test]
fn render_asks_blender_for_the_range_of_another_scene_and_submit_cannot() {
    let (output, run) = run_of(scenes(), &["--scene", "Other 4"]);
    run.exits(0).logs_no_warnings();
    assert_eq!(names(&output.0.path().join("frames")), ["0011.png", "0012.png", "0013.png"]);
    let (_, run) = run_of(scenes(), &["--scene", "Other 5"]);
    run.fails(2, &["--scene (SCENE)", "did you mean Other 4?"]);
    let texts = ["--scene (SCENE)", "Other 4", "--frames (FRAMES)"];
    let submit = |arguments: &str| {
        let worker = worker("submit").input(scenes()).arg("--scene").arg("Other 4");
        let worker = worker.args("-o s3://bucket/out -f 1 --job-queue q --job-definition d");
        worker.args("--dry-run").args(arguments).run()
    };
    submit("").fails(2, &texts);
    let jobs = submit("--frames 11-13").exits(0).stdout;
    assert!(jobs.contains("\"Other 4\""), "{jobs}");
    // That of the active scene is known.
    let (_, run) = run_of(scenes(), &["--scene", "Shot", "--first-frame", "scene", "-t", "1"]);
    run.exits(0);
}

#[test]
fn only_the_named_view_layers_are_rendered() {
    let format = ["--format", "OPEN_EXR_MULTILAYER"];
    let layers = |arguments: &[&str]| {
        let output = frame(&[&format[..], arguments].concat());
        let header = std::fs::read(output.file("0001.exr")).unwrap();
        let text = String::from_utf8_lossy(&header[..header.len().min(4096)]).into_owned();
        ["ViewLayer.", "Empty."].map(|name| text.contains(name))
    };
    assert_eq!(layers(&[]), [true, false]);
    assert_eq!(layers(&["--view-layer", "Empty"]), [false, true]);
    assert_eq!(layers(&["--view-layer", "ViewLayer,Empty"]), [true, true]);
    assert_eq!(layers(&["--view-layer", "ViewLayer", "--view-layer", "Empty"]), [true, true]);
    refused(
        2,
        &["--view-layer", "Full,Empty"],
        &["--view-layer (VIEW_LAYER)", "no view layer Full"],
    );
}

#[test]
fn a_border_leaves_the_rest_empty_or_cuts_it_off() {
    let left = frame(&["--border", "0,0,0.25,1"]);
    assert_eq!(left.size("0001.png"), (64, 48));
    assert_eq!(left.pixel("0001.png", 1, 1), RED);
    assert_eq!(left.pixel("0001.png", 32, 24), BLACK);
    let cut = frame(&["--border", "0.375,0.25,0.75,0.5,crop"]);
    assert_eq!(cut.size("0001.png"), (24, 12));
    let scene = cut.report()["scene"].clone();
    assert_eq!((&scene["width"], &scene["height"]), (&json!(24), &json!(12)));
}

#[test]
fn frames_have_the_format_depth_and_channels_that_are_asked_for() {
    let formats = [
        ("PNG", "16", "RGB", "0001.png", "rgb48be"),
        ("JPEG", "8", "BW", "0001.jpg", "gray"),
        ("OPEN_EXR", "16", "RGBA", "0001.exr", "gbrapf32le"),
        ("TIFF", "8", "RGB", "0001.tif", "rgb24"),
    ];
    for (format, depth, mode, name, pixels) in formats {
        let output = frame(&["--format", format, "--color-depth", depth, "--color-mode", mode]);
        let found = probe(&output.file(name))["streams"][0]["pix_fmt"].clone();
        assert_eq!(found, pixels, "{format}");
    }
    let jpeg = ["--format", "jpeg", "--color-depth", "16"];
    refused(2, &jpeg, &["--color-depth (COLOR_DEPTH)", "JPEG", "8"]);
}

#[test]
fn any_property_can_be_set() {
    let darker = frame(&["--set", "view_settings.exposure=-1"]);
    assert!(darker.pixel("0001.png", 1, 1)[0] < 220);
    let set = &darker.report()["overrides"]["set"];
    assert_eq!(set, &json!([{"path": ["view_settings", "exposure"], "value": "-1"}]));
    // Each kind of property, by flag and by variable; a later one wins.
    let all = r#"cycles.samples=1;render.use_motion_blur=false;
        render.image_settings.color_mode=BW; view_layers["ViewLayer"].use_pass_z=true;
        objects['P'].location=0,-5,0;objects["P"].hide_render=false;name=Same;
        objects[0].location=0,10,0;view_layers[0].samples=3"#;
    let output = Output(tempfile::tempdir().unwrap());
    let render = worker("render").input(scenes()).output(output.0.path()).args("--frames 1");
    render.env("SET", all).run().exits(0).logs_no_warnings();
    assert_eq!(probe(&output.file("0001.png"))["streams"][0]["pix_fmt"], "gray");
    assert_eq!(output.report()["scene"]["name"], "Same");
}

#[test]
fn a_property_that_cannot_be_set_is_refused() {
    for (set, texts) in [
        ("cycles.max_bounce=4", &["no property max_bounce", "did you mean max_bounces"][..]),
        ("cycles.max_bounces=many", &["a whole number from 0 to 1024"]),
        ("cycles.max_bounces=-1", &["from 0 to 1024"]),
        ("cycles.max_bounces=1.5", &["a whole number"]),
        ("render.use_motion_blur=perhaps", &["true or false"]),
        ("view_settings.view_transform=Standrad", &["did you mean Standard?"]),
        ("cursor.location=1,2", &["3 values"]),
        ("world=World", &["structure"]),
        ("render.is_movie_format=true", &["only be read"]),
        ("view_layers[\"View\"].use=true", &["view_layers has no View"]),
        ("view_layers[7].use=true", &["2 items"]),
        ("view_layers=1", &["only be read"]),
        ("render[0].x=1", &["render is no collection"]),
        ("name.upper=1", &["name has no properties"]),
    ] {
        let texts = [&["--set (SET)"], texts].concat();
        refused(2, &["--set", set], &texts);
    }
    // All mistakes are named at once.
    let both = ["--set", "cycles.a=1", "--camera", "c", "--set", "cycles.b=2"];
    refused(2, &both, &["cycles.a", "cycles.b", "--camera (CAMERA)"]);
    let run = worker("render").args("-i a.blend -o out --set cycles.__class__=1").run().exits(2);
    run.logs(&["--set (SET)"]);
}

#[test]
fn animation_of_a_property_that_is_set_is_switched_off() {
    let place = Place::with_scene("");
    let animate = "
settings = shot.view_settings
settings.exposure = -9
settings.keyframe_insert('exposure', frame=1)
driver = shot.driver_add('view_settings.gamma').driver
driver.expression = '0.1'
";
    save(&place.path("scene.blend"), animate);
    let set = "view_settings.exposure=0;view_settings.gamma=1";
    let (output, run) = run_of(&place.path("scene.blend"), &["--frames", "1", "--set", set]);
    run.exits(0);
    assert_eq!(output.pixel("0001.png", 1, 1), RED);
}

#[test]
fn flags_replace_what_is_animated() {
    let still = "
bpy.data.objects['Cube'].modifiers.new('Round', 'SUBSURF').render_levels = 3
tree, end = add_compositor()
smooth = tree.nodes.new('CompositorNodeDenoise')
tree.links.new(tree.nodes.new('CompositorNodeRLayers').outputs[0], smooth.inputs[0])
tree.links.new(smooth.outputs[0], end.inputs[0])
layer = scene.view_layers[0]
";
    let animated = "
for owner, name, value in (
    (scene.cycles, 'samples', 3),
    (scene.cycles, 'seed', 77),
    (scene.cycles, 'use_denoising', True),
    (scene.render, 'use_simplify', False),
    (layer, 'use', False),
):
    setattr(owner, name, value)
    owner.keyframe_insert(name, frame=1)
";
    let flags = "--samples 1 --seed 5 --denoise off --simplify 0 --view-layer ViewLayer";
    let pictures = [still.to_owned(), [still, animated].concat()].map(|changes| {
        let place = Place::with_scene("");
        save_startup_scene(&place.path("scene.blend"), &changes);
        place.render(&format!("-f 1 {flags}")).run().exits(0);
        pixel_hashes(&place.path("out/frames/0001.png"))
    });
    assert_eq!(pictures[0], pictures[1]);
}

#[test]
fn settings_of_cycles_change_nothing_in_other_engines_and_say_so() {
    let (_, run) = run_of(
        &scene("workbench"),
        &["--frames", "1", "--engine", "scene", "--seed", "1", "--time-limit", "1h"],
    );
    let warnings = run.exits(0).warnings();
    let names = |flag| move |warning: &String| warning.contains(flag);
    assert!(warnings.iter().any(names("--seed (SEED)")), "{warnings:?}");
    assert!(warnings.iter().any(names("--time-limit (TIME_LIMIT)")), "{warnings:?}");
}

#[test]
fn engines_have_the_names_of_the_menu() {
    let (output, run) = run_of(scenes(), &["--frames", "1", "--engine", "Workbench"]);
    run.exits(0);
    assert_eq!(output.report()["scene"]["engine"], "BLENDER_WORKBENCH");
    refused(69, &["--engine", "LUXCORE"], &["--engine (ENGINE)", "LUXCORE", "BLENDER_WORKBENCH"]);
}

#[test]
fn settings_of_speed_keep_the_stored_frames() {
    let output = Output(tempfile::tempdir().unwrap());
    let render = |arguments: &str| {
        let worker = worker("render").input(scenes()).output(output.0.path());
        worker.args("--frames 1").args(arguments).run().exits(0)
    };
    render("");
    let before = pixel_hashes(&output.file("0001.png"));
    render("--threads 1 --persistent-data on").never_logs(&["frame 1 stored"]);
    render("--threads 1 --persistent-data on --no-resume").logs(&["frame 1 stored"]);
    assert_eq!(pixel_hashes(&output.file("0001.png")), before);
    render("--seed 7 --simplify 0").logs(&["frame 1 stored"]);
}

#[test]
fn the_scenes_own_step_and_name_are_mentioned() {
    let step = Place::with_scene("");
    save(&step.path("scene.blend"), "shot.frame_step = 3");
    let warnings = step.render("").run().exits(0).warnings();
    let cure = |warning: &String| warning.contains("--frames 1-4x3 (FRAMES)");
    assert!(matches!(&warnings[..], [one] if cure(one)), "{warnings:?}");
    step.render("--frames 1-4x3").run().exits(0).logs_no_warnings();
    let (output, run) = run_of(scenes(), &["--frames", "1"]);
    run.exits(0).logs(&["take_####_beauty"]);
    assert_eq!(output.report()["scene"]["output_name"], "take_####_beauty");
}
