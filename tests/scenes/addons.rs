//! Python that the user adds to Blender: scripts that prepare the scene, add-ons and extensions.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::support::archive::archive;
use crate::support::blender::{blender_has, save_startup_scene};
use crate::support::place::Place;
use crate::support::s3_server::{BUCKET, S3Server};
use crate::support::{names, pixel_hashes, probe, report, worker};

/// An add-on with a render engine that makes blue pictures.
const ENGINE: &str = r#"
bl_info = {"name": "Blue", "blender": (2, 93, 0), "category": "Render"}
import bpy

class Blue(bpy.types.RenderEngine):
    bl_idname, bl_label = "BLUE", "Blue"

    def render(self, depsgraph):
        render = depsgraph.scene.render
        scale = render.resolution_percentage / 100
        width, height = int(render.resolution_x * scale), int(render.resolution_y * scale)
        result = self.begin_result(0, 0, width, height)
        result.layers[0].passes["Combined"].rect = [[0, 0, 1, 1]] * (width * height)
        self.end_result(result)

def register():
    bpy.utils.register_class(Blue)

def unregister():
    bpy.utils.unregister_class(Blue)
"#;

/// An extension with a function for drivers, which it adds whenever a file is opened.
const EXTENSION: &str = r#"
import bpy
from bpy.app.handlers import persistent

@persistent
def add_function(*_):
    bpy.app.driver_namespace["tripled"] = lambda value: 3 * value

def register():
    bpy.app.handlers.load_post.append(add_function)

def unregister():
    bpy.app.handlers.load_post.remove(add_function)
"#;

const MANIFEST: &str = r#"
schema_version = "1.0.0"
id = "tripling"
version = "1.0.0"
name = "Tripling"
tagline = "A function for drivers"
maintainer = "Nobody"
type = "add-on"
blender_version_min = "4.2.0"
license = ["SPDX:GPL-3.0-or-later"]
"#;

/// A scene that is set to the engine of the add-on. Its own Blender had it.
fn scene_of_the_engine() -> Place {
    let place = Place::with_scene("");
    let changes = format!("{ENGINE}\nregister()\nscene.render.engine = 'BLUE'");
    save_startup_scene(&place.path("scene.blend"), &changes);
    place
}

fn startup_scene() -> Place {
    let place = Place::with_scene("");
    save_startup_scene(&place.path("scene.blend"), "scene.cycles.use_denoising = False");
    place
}

/// Writes files below a folder.
fn unpacked(folder: &Path, files: &[(&str, &str)]) {
    for (name, content) in files {
        let file = folder.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, content).unwrap();
    }
}

#[test]
fn a_script_changes_the_scene_and_loses_no_frame() {
    let place = startup_scene();
    let script = place.path("fix.py");
    // The size is the script's; format and frames are the job's.
    fs::write(
        &script,
        "import bpy\nrender = bpy.context.scene.render\nrender.resolution_x = 32\n\
         render.filepath = '/nowhere/x'\nrender.use_file_extension = False\n\
         render.image_settings.file_format = 'BMP'\nbpy.context.scene.frame_end = 1\n\
         assert __file__.endswith('fix.py') and __name__ == '__main__'\nraise SystemExit\n",
    )
    .unwrap();
    let render = |arguments: &str| {
        place.render("--frames 1-2 --format PNG").args(arguments).arg("--python").arg(&script).run()
    };
    render("").exits(0).logs_no_warnings();
    assert_eq!(place.frames(), ["0001.png", "0002.png"]);
    assert_eq!(probe(&place.path("out/frames/0001.png"))["streams"][0]["width"], 32);
    // The same script makes the same frames. Another one does not.
    render("").exits(0).never_logs(&["frame 1 stored"]);
    fs::write(&script, "import bpy\nbpy.context.scene.render.resolution_x = 48\n").unwrap();
    render("").exits(0).logs(&["frame 1 stored"]);
    assert_eq!(probe(&place.path("out/frames/0001.png"))["streams"][0]["width"], 48);
    // Flags win over scripts.
    render("--resolution 20x10").exits(0);
    assert_eq!(probe(&place.path("out/frames/0001.png"))["streams"][0]["width"], 20);
}

#[test]
fn a_script_that_fails_ends_the_job_before_any_frame() {
    let place = startup_scene();
    for (content, text) in [
        ("a = 1\nb = a.nothing\n", "line 2: AttributeError"),
        ("def broken(:\n", "SyntaxError"),
        ("import sys\nsys.exit('no such asset')\n", "no such asset"),
    ] {
        fs::write(place.path("fix.py"), content).unwrap();
        let run = place.render("-f 1 --python").arg(place.path("fix.py")).run();
        run.fails(65, &["--python (PYTHON_FILE)", "fix.py", text]);
        assert!(place.frames().is_empty());
    }
    let missing = place.render("-f 1 --python").arg(place.path("none.py")).run();
    missing.fails(66, &["--python (PYTHON_FILE)", "none.py"]);
}

#[test]
fn an_add_on_brings_the_engine_of_the_scene() {
    let place = scene_of_the_engine();
    place.render("-f 1 --engine scene").run().fails(69, &["which is set to BLUE"]);
    let archive_of_it = place.path("addons/blue.zip");
    archive(&archive_of_it, &[("blue_engine/__init__.py", ENGINE)]);
    // A folder of archives, an archive, an unpacked add-on, a folder of these, and a module.
    unpacked(&place.path("folder"), &[("blue_engine/__init__.py", ENGINE), ("README", "")]);
    unpacked(&place.path("file"), &[("blue.py", ENGINE)]);
    let mut hashes = Vec::new();
    for addons in ["addons", "addons/blue.zip", "folder/blue_engine", "folder", "file/blue.py"] {
        let output = place.path(&format!("out-{}", addons.replace('/', "-")));
        let run = worker("render").input(place.scene()).output(&output);
        let run = run.args("-f 1 --engine scene --addons-dir").arg(place.path(addons)).run();
        run.exits(0).logs_no_warnings();
        assert_eq!(report(&output, "render")["scene"]["engine"], "BLUE", "{addons}");
        hashes.extend(pixel_hashes(&output.join("frames/0001.png")));
    }
    hashes.dedup();
    assert_eq!(hashes.len(), 1);
}

#[test]
fn an_extension_brings_a_function_for_drivers() {
    if !blender_has("bpy.app.version >= (4, 2)") {
        return;
    }
    let place = Place::with_scene("");
    let driven = "
scene.cycles.use_denoising = False
driver = bpy.data.objects['Cube'].driver_add('location', 0).driver
driver.expression = 'tripled(frame)'
";
    save_startup_scene(&place.path("scene.blend"), driven);
    archive(
        &place.path("tripling.zip"),
        &[("__init__.py", EXTENSION), ("blender_manifest.toml", MANIFEST)],
    );
    let at = |value: &str| format!("bpy.data.objects['Cube'].location.x = {value}");
    let render = |output: &str, arguments: &str| {
        let worker = worker("render").input(place.scene()).output(place.path(output));
        worker.args("--frames 1 --enable-autoexec").args(arguments)
    };
    let extension = place.path("tripling.zip");
    render("with", "--addons-dir").arg(&extension).run().exits(0).logs_no_warnings();
    let moved = place.path("moved.py");
    let script =
        format!("import bpy\nbpy.data.objects['Cube'].driver_remove('location')\n{}", at("3"));
    fs::write(&moved, script).unwrap();
    render("moved", "--python").arg(&moved).run().exits(0);
    let hash = |output: &str| pixel_hashes(&place.path(output).join("frames/0001.png"));
    assert_eq!(hash("with"), hash("moved"));
    // The short name of the extension is known, too.
    let named = render("named", "--addon tripling --addons-dir").arg(&extension).run();
    named.exits(0).logs_no_warnings();
}

#[test]
fn what_cannot_be_enabled_is_refused() {
    let place = startup_scene();
    let refused = |path: PathBuf, texts: &[&str]| {
        let run = place.render("-f 1 --addons-dir").arg(&path).run();
        run.fails(69, &[&["--addons-dir (ADDONS_DIR)"], texts].concat());
        assert!(place.frames().is_empty());
    };
    let import = "import nowhere_to_be_found\ndef register(): pass\n";
    let register = "def register(): raise ValueError('no licence')\n";
    for (name, files, texts) in [
        ("import", &[("tool/__init__.py", import)][..], &["tool", "nowhere_to_be_found"][..]),
        ("register", &[("tool/__init__.py", register)], &["tool", "no licence"]),
        ("leaves", &[("../../../tool.py", "")], &["leaves it", "../../../tool.py"]),
        ("root", &[("/tmp/tool.py", "")], &["leaves it"]),
        ("nothing", &[("README", "")], &["no add-on"]),
    ] {
        let path = place.path(name).with_extension("zip");
        archive(&path, files);
        refused(path, texts);
    }
    fs::write(place.path("text.zip"), "no archive").unwrap();
    refused(place.path("text.zip"), &["text.zip", "zip file"]);
    fs::create_dir(place.path("empty")).unwrap();
    refused(place.path("empty"), &["no add-on"]);
    let run = place.render("-f 1 --addon no_such_addon").run();
    run.fails(69, &["--addon (ADDON)", "no_such_addon"]);
    let run = place.render("-f 1 --addons-dir").arg(place.path("none")).run();
    run.fails(66, &["--addons-dir (ADDONS_DIR)"]);
}

#[test]
fn an_archive_that_would_fill_the_disk_is_not_unpacked() {
    let place = startup_scene();
    let path = place.path("bomb.zip");
    archive(&path, &[("tool/__init__.py", "x"), ("tool/data", "y")]);
    // The sizes in the directory at the end are those that count.
    let mut bytes = fs::read(&path).unwrap();
    let entry = bytes.windows(4).rposition(|four| four == b"PK\x01\x02").unwrap();
    for size in [20, 24] {
        bytes[entry + size..entry + size + 4].copy_from_slice(&(u32::MAX - 1).to_le_bytes());
    }
    fs::write(&path, bytes).unwrap();
    let run = place.render("-f 1 --addons-dir").arg(&path).run();
    run.fails(69, &["--addons-dir (ADDONS_DIR)", "bomb.zip", "2 GiB"]);
}

#[test]
fn add_ons_and_scripts_come_from_s3_too() {
    let place = scene_of_the_engine();
    let server = S3Server::start();
    archive(&place.path("blue.zip"), &[("blue_engine/__init__.py", ENGINE)]);
    server.put("addons/blue.zip", &fs::read(place.path("blue.zip")).unwrap());
    let script = "import bpy\nbpy.context.scene.render.resolution_x = 32\n";
    server.put("fix.py", script.as_bytes());
    for addons in ["addons/blue.zip", "addons"] {
        let output = place.path(&addons.replace('/', "-"));
        let worker = worker("render").input(place.scene()).output(&output).s3(&server);
        let worker = worker.args("-f 1 --engine scene");
        let worker = worker.env("ADDONS_DIR", format!("s3://{BUCKET}/{addons}"));
        worker.env("PYTHON_FILE", format!("s3://{BUCKET}/fix.py")).run().exits(0);
        let scene = report(&output, "render")["scene"].clone();
        assert_eq!((&scene["engine"], &scene["width"]), (&json!("BLUE"), &json!(32)));
        assert_eq!(names(&output.join("frames")), ["0001.png"]);
    }
    let nothing = worker("render").input(place.scene()).output(place.path("out")).s3(&server);
    let nothing = nothing.args("-f 1 --addons-dir").arg(format!("s3://{BUCKET}/nothing")).run();
    nothing.fails(66, &["--addons-dir (ADDONS_DIR)", "nothing"]);
}

#[test]
fn submit_passes_python_on_and_refuses_paths_of_this_machine() {
    let submit = |arguments: &str| {
        let worker = worker("submit").args("-i s3://bucket/a.blend -o s3://bucket/out -f 1");
        worker.args("--frames 1-2 --job-queue q --job-definition d --dry-run").args(arguments).run()
    };
    let run = submit("--python s3://bucket/fix.py --addon tool --addons-dir s3://bucket/addons");
    let jobs = run.exits(0).stdout;
    for value in ["s3://bucket/fix.py", "\"tool\"", "s3://bucket/addons"] {
        assert!(jobs.contains(value), "{value}: {jobs}");
    }
    submit("--python fix.py").exits(2).logs(&["--python (PYTHON_FILE)"]);
    submit("--addons-dir addons").exits(2).logs(&["--addons-dir (ADDONS_DIR)"]);
}
