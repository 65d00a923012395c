//! What a project has besides the files that its scene names: the configuration of colours, and caches
//! of fluids that were somewhere else.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::blender::blender_runs;
use crate::support::machine::{Machine, pictures};
use crate::support::s3_server::S3Server;
use crate::support::{fixture, names, pixel_hashes, scene, worker};

#[test]
fn the_configuration_of_colours_travels_with_the_scene() {
    let (machine, server) = (Machine::new(), S3Server::start());
    machine.picture("film/wood.png", 1);
    machine.scene("film/shot.blend", "show(cube, image('//wood.png'))");
    let ocio = machine.path("studio");
    blender_runs(
        None,
        &format!(
            "import bpy, shutil
shutil.copytree(bpy.utils.system_resource('DATAFILES', path='colormanagement'), {ocio:?})"
        ),
    );
    // A view that shows other colours than Blender's own.
    let config = ocio.join("config.ocio");
    let text = fs::read_to_string(&config).unwrap();
    let other = text.replace(
        "name: Standard, colorspace: sRGB}",
        "name: Standard, colorspace: Linear Rec.709}",
    );
    assert_ne!(text, other, "the configuration of this Blender is as expected");
    fs::write(&config, other).unwrap();

    let out = machine.path("coloured");
    let here = worker("render").input(machine.path("film/shot.blend")).output(&out);
    here.args("--frames 1,3").env("OCIO", &config).run().exits(0);
    let expected = pictures(&out);
    assert_ne!(expected, machine.pictures("film/shot.blend", ""));

    let pack = || machine.pack("film/shot.blend", &server);
    pack().env("OCIO", &config).run().exits(0);
    let manifest: Value =
        serde_json::from_slice(&server.get("p/shot.project.json").unwrap()).unwrap();
    let place = manifest["ocio"].as_str().expect("a configuration");
    assert!(place.ends_with("studio/config.ocio"), "{place}");
    fs::rename(&ocio, machine.path("away")).unwrap();
    let there = machine.path("there");
    let render = || {
        let render = worker("render").input(server.uri("p/shot.project.json")).s3(&server);
        render.output(&there).args("--frames 1,3")
    };
    render().run().exits(0);
    assert_eq!(pictures(&there), expected);

    // Another configuration makes another project.
    pack().run().exits(0);
    render().run().exits(0);
    assert_ne!(pictures(&there), expected);
    pack().env("OCIO", &config).run().fails(65, &["is not packed", "config.ocio"]);
}

/// Copies a folder with files and folders in it.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for name in names(from) {
        let (from, to) = (from.join(&name), to.join(&name));
        if from.is_dir() { copy(&from, &to) } else { _ = fs::copy(&from, &to).unwrap() }
    }
}

#[test]
fn the_cache_of_a_fluid_is_found_in_its_project() {
    let (machine, server) = (Machine::new(), S3Server::start());
    copy(&fixture("scenes/liquid_cache"), &machine.path("film/liquid_cache"));
    fs::copy(scene("liquid"), machine.path("film/shot.blend")).unwrap();
    let expected = {
        let out = machine.path("here");
        let here = worker("render").input(machine.path("film/shot.blend")).output(&out);
        let run = here.args("--frames 2").run();
        if run.text().contains("PyImport_AppendInittab") {
            // This Blender aborts as soon as it loads a fluid.
            return;
        }
        run.exits(0);
        pixel_hashes(&out.join("frames/0002.png"))
    };
    // The scene of somebody else, who had the cache elsewhere.
    blender_runs(
        Some(&machine.path("film/shot.blend")),
        "import bpy
domain = bpy.data.objects['Cube'].modifiers['Fluid'].domain_settings
domain.cache_directory = '/home/somebody/film/liquid_cache'
bpy.ops.wm.save_mainfile(relative_remap=False)",
    );
    machine.pack("film/shot.blend", &server).run().exits(0);
    fs::rename(machine.path("film"), machine.path("away")).unwrap();
    let out = machine.path("there");
    let there = worker("render").input(server.uri("p/shot.project.json")).output(&out);
    let run = there.s3(&server).args("--frames 2").run().exits(0);
    run.logs(&["liquid_cache of the project"]);
    assert_eq!(pixel_hashes(&out.join("frames/0002.png")), expected);
}
