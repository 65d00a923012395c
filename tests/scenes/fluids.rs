//! Scenes with a simulated liquid show the liquid, from its cache and without. A Blender that cannot
//! do that ends the job before the first frame.

use std::fs;
use std::path::Path;

use crate::support::blender::blender_runs;
use crate::support::frames::pixels;
use crate::support::place::{Place, frame_names};
use crate::support::{Run, fixture, report, scene, worker};

/// Copies the scene `liquid` with its cache into a new folder.
fn baked_liquid() -> Place {
    let place = Place::with_scene(fs::read(scene("liquid")).unwrap());
    let cache = fixture("scenes/liquid_cache");
    for folder in ["config", "data", "mesh"] {
        let copy = place.path("liquid_cache").join(folder);
        fs::create_dir_all(&copy).unwrap();
        for file in fs::read_dir(cache.join(folder)).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), copy.join(file.file_name())).unwrap();
        }
    }
    place
}

/// Whether this Blender aborts as soon as it loads a fluid, as Debian's 4.3 does.
fn aborted(run: &Run) -> bool {
    run.text().contains("PyImport_AppendInittab")
}

/// Asserts that the frame shows the red ball of liquid. A solver that does not work leaves the box
/// around it, which fills half of the picture.
#[track_caller]
fn assert_shows_the_liquid(frame: &Path) {
    let picture = pixels(frame, (64, 48)).remove(0);
    let red = picture.iter().filter(|[red, _, blue]| red > blue).count();
    assert!((100..600).contains(&red), "{red} of {} pixels are red", picture.len());
}

#[test]
fn a_liquid_is_rendered_from_its_cache() {
    let place = baked_liquid();
    let run = place.render("-f 2").run();
    if aborted(&run) {
        run.fails(69, &["this build of Blender cannot simulate fluids"]);
        return;
    }
    run.exits(0).never_logs(&["AttributeError"]).logs_no_warnings();
    assert_eq!(place.frames(), frame_names(1..=2));
    for name in frame_names(1..=2) {
        assert_shows_the_liquid(&place.path("out/frames").join(name));
    }
}

#[test]
fn a_liquid_without_a_cache_is_simulated() {
    let place = baked_liquid();
    if aborted(&place.render("-f 1").run()) {
        return;
    }
    let file = place.path("scene.blend");
    let python = "import bpy
domain = bpy.data.objects['Cube'].modifiers['Fluid'].domain_settings
domain.cache_type = 'REPLAY'
domain.cache_directory = '//another_cache'
bpy.ops.wm.save_mainfile()";
    blender_runs(Some(&file), python);
    // Blender simulates only the frame at which it opens the scene. That shows whether it can.
    let another = place.path("another");
    let run = worker("render").input(place.scene()).output(&another).args("-f 1").run().exits(0);
    run.never_logs(&["AttributeError"]);
    assert_shows_the_liquid(&another.join("frames/0001.png"));
}

#[test]
fn a_fluid_solver_without_its_methods_is_a_missing_feature() {
    let place = Place::with_scene(fs::read(scene("scripted")).unwrap());
    // The solver as `import bpy` leaves it in the official wheel.
    let script = "
import sys, types
solver = types.ModuleType('manta')
solver.LevelsetGrid = type('LevelsetGrid', (), {})
sys.modules['manta'] = solver
bpy.data.objects['Cube'].modifiers.new('Liquid', 'FLUID')";
    fs::write(place.path("scripted.py"), script).unwrap();
    let run = place.render("-f 1 --enable-autoexec").run();
    run.fails(69, &["has no fluid simulation", "modifier Liquid of object Cube"]);
    assert!(place.frames().is_empty());
    let found = report(&place.path("out"), "render");
    assert_eq!(found["scene"]["lacking"][0]["feature"], "fluid", "{found}");
    let run = place.render("-f 1 --enable-autoexec --allow-missing fluid").run().exits(0);
    run.logs(&["rendering without fluid"]);
}
