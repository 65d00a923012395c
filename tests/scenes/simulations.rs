//! Simulations that are not baked: each frame is made from the one before. A job that begins where
//! they begin simulates them, another one is refused or simulates the frames before its own.

use std::fs;
use std::path::Path;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::support::blender::{blender_has, blender_runs, save_startup_scene};
use crate::support::place::{Place, frame_names};
use crate::support::s3_server::S3Server;
use crate::support::{Run, names, pixel_hashes, report, worker};

/// Cubes that fall on a tilted plane.
const RIGID_BODIES: &str = "
cube = bpy.data.objects['Cube']
cube.location.z = 2.0
bpy.ops.mesh.primitive_plane_add(size=8, rotation=(0.3, 0.2, 0.0))
for thing, kind in [(bpy.context.object, 'PASSIVE'), (cube, 'ACTIVE')]:
    bpy.context.view_layer.objects.active = thing
    bpy.ops.rigidbody.object_add(type=kind)
";

/// A falling cloth.
const CLOTH: &str = "
bpy.ops.mesh.primitive_grid_add(x_subdivisions=8, y_subdivisions=8, size=4, location=(0, 0, 2))
bpy.context.object.modifiers.new('Cloth', 'CLOTH')
";

/// Particles that scatter at random.
const PARTICLES: &str = "
cube = bpy.data.objects['Cube']
cube.modifiers.new('Sparks', 'PARTICLE_SYSTEM')
settings = cube.particle_systems[0].settings
bpy.ops.mesh.primitive_cube_add(size=1, location=(50, 0, 0))
settings.render_type, settings.instance_object = 'OBJECT', bpy.context.object
settings.frame_end, settings.count, settings.particle_size = 10, 200, 0.2
settings.brownian_factor = 5.0
";

/// A cube that a simulation zone moves on in each frame.
const ZONE: &str = "
cube = bpy.data.objects['Cube']
tree = bpy.data.node_groups.new('Drift', 'GeometryNodeTree')
for way in ('INPUT', 'OUTPUT'):
    tree.interface.new_socket('Geometry', in_out=way, socket_type='NodeSocketGeometry')
new, link = tree.nodes.new, tree.links.new
enter, leave = new('NodeGroupInput'), new('NodeGroupOutput')
begin, end = new('GeometryNodeSimulationInput'), new('GeometryNodeSimulationOutput')
begin.pair_with_output(end)
move = new('GeometryNodeTransform')
move.inputs['Translation'].default_value = (0.3, 0.0, 0.1)
link(enter.outputs[0], begin.inputs[0])
link(begin.outputs['Geometry'], move.inputs['Geometry'])
link(move.outputs[0], end.inputs['Geometry'])
link(end.outputs['Geometry'], leave.inputs[0])
cube.modifiers.new('Drift', 'NODES').node_group = tree
";

/// Smoke that rises in a box.
const SMOKE: &str = "
box = bpy.data.objects['Cube']
box.scale = (2, 2, 2)
box.modifiers.new('Smoke', 'FLUID').fluid_type = 'DOMAIN'
settings = box.modifiers['Smoke'].domain_settings
settings.resolution_max = 12
material = bpy.data.materials.new('Smoke')
material.use_nodes = True
nodes = material.node_tree.nodes
nodes.clear()
out, volume = nodes.new('ShaderNodeOutputMaterial'), nodes.new('ShaderNodeVolumePrincipled')
volume.inputs['Emission Strength'].default_value = 1.0
material.node_tree.links.new(volume.outputs[0], out.inputs['Volume'])
box.data.materials.clear()
box.data.materials.append(material)
bpy.ops.mesh.primitive_cube_add(size=1, location=(0, 0, -1))
source = bpy.context.object
source.hide_render = True
source.modifiers.new('Source', 'FLUID').fluid_type = 'FLOW'
source.modifiers['Source'].flow_settings.flow_behavior = 'INFLOW'
";

/// Every kind of simulation that this Blender has, with a part of the name that the messages give
/// it.
fn kinds() -> Vec<(&'static str, &'static str)> {
    let mut kinds = vec![
        (RIGID_BODIES, "the rigid bodies of scene Scene"),
        (CLOTH, "cloth Cloth of object Grid"),
        (PARTICLES, "particle system Sparks of object Cube"),
    ];
    if blender_has("hasattr(bpy.types, 'GeometryNodeSimulationInput')") {
        kinds.push((ZONE, "of modifier Drift of object Cube"));
    }
    // Debian's 4.3 claims to have fluids, and aborts.
    if blender_has("bpy.app.build_options.fluid and bpy.app.version[:2] != (4, 3)") {
        kinds.push((SMOKE, "fluid Smoke of object Cube"));
    }
    kinds
}

/// A scene of 6 frames with a simulation in it.
fn simulated(changes: &str) -> Place {
    let place = Place::with_scene("");
    let changes = format!(
        "scene.cycles.use_denoising = False
scene.cycles.samples = 1
scene.frame_end = 6
{changes}"
    );
    save_startup_scene(&place.path("scene.blend"), &changes);
    place
}

/// The pixels of frames in an output.
fn pictures(output: &Path, frames: impl IntoIterator<Item = u32>) -> Vec<String> {
    let frames = frames.into_iter();
    frames
        .map(|frame| pixel_hashes(&output.join(format!("frames/{frame:04}.png"))).join(" "))
        .collect()
}

#[test]
fn frames_that_are_simulated_are_rendered_in_ascending_order() {
    for (changes, name) in kinds() {
        let place = simulated(changes);
        for unbaked in ["", "--simulate", "--allow-unbaked"] {
            let run = place.render(&format!("-f 6 --order first-last-middle {unbaked}")).run();
            run.fails(2, &["--order (ORDER)", name]);
            assert_eq!(place.frames(), [""; 0]);
        }
        // Two frames are in ascending order anyway.
        place.render("-f 2 --order first-last-middle").run().exits(0);
    }
}

#[test]
fn every_job_has_the_pictures_of_the_whole_animation() {
    for (changes, name) in kinds() {
        let place = simulated(changes);
        place.render("-f 6").run().exits(0).logs(&[name]).logs_no_warnings();
        let whole = pictures(&place.path("out"), 1..=6);
        assert_ne!(whole[2], whole[5], "{name} does not move");
        let second = |flags: &str| {
            let run = place.render(&format!("-f 3 {flags}"));
            run.env("AWS_BATCH_JOB_ARRAY_INDEX", "1").run()
        };
        fs::remove_dir_all(place.path("out")).unwrap();
        let run = second("").fails(65, &["frames 4-6 are not rendered", name, "--simulate"]);
        assert!(place.frames().is_empty(), "{}", run.text());
        second("--simulate").exits(0).logs(&["simulating frames 1-3 before frame 4"]);
        assert_eq!(place.frames(), frame_names(4..=6));
        assert_eq!(pictures(&place.path("out"), 4..=6), whole[3..], "{name}");
    }
}

#[test]
fn what_is_missing_in_a_whole_animation_is_rendered_without_its_start() {
    let place = simulated(RIGID_BODIES);
    place.render("-f 6").run().exits(0);
    let whole = pictures(&place.path("out"), 1..=6);
    for lost in [4, 6] {
        fs::remove_file(place.path(&format!("out/frames/{lost:04}.png"))).unwrap();
    }
    place.render("-f 6").run().exits(0).logs(&["simulating frames 1-3 before frame 4"]);
    assert_eq!(pictures(&place.path("out"), 1..=6), whole);
    let run = place.render("--frames 4-6 --no-resume --simulate").run().exits(0);
    let report = run.messages().iter().find_map(|line| line.strip_prefix("report: ").map(fs::read));
    let found: Value = serde_json::from_slice(&report.unwrap().unwrap()).unwrap();
    let launch = &found["launches"][0];
    assert_eq!((&launch["frames"], &launch["simulation"]["frames"]), (&"4-6".into(), &6.into()));
    assert!(launch["simulation"]["seconds"].as_f64().is_some_and(|seconds| seconds > 0.0));
}

#[test]
fn frames_count_as_the_same_whichever_job_simulated_them() {
    let place = simulated(CLOTH);
    place.render("--frames 4-6 --simulate").run().exits(0);
    place.render("-f 6").run().exits(0).logs(&["frames 4-6 are already there"]);
    place.render("--frames 5-6").run().exits(0).logs(&["nothing to render"]);
}

#[test]
fn frames_without_their_simulation_are_not_reused() {
    let place = simulated(CLOTH);
    let flags = "--frames 4-6 --allow-unbaked";
    let run = place.render(flags).run().exits(0);
    run.logs(&["cloth Cloth of object Grid", "--allow-unbaked (ALLOW_UNBAKED)"]);
    let without = pictures(&place.path("out"), 4..=6);
    assert_eq!(without[0], without[2]);
    place.render(flags).run().exits(0).logs(&["nothing to render"]);
    place.render("--frames 4-6").run().fails(65, &["bake"]);
    place.render("--frames 4-6 --simulate").run().exits(0);
    assert_ne!(pictures(&place.path("out"), 4..=6), without);
}

#[test]
fn the_first_frame_of_a_simulation_needs_none_before_it() {
    let place = simulated(&format!("{CLOTH}\nscene.frame_start = 4"));
    // The animation begins later than the simulation.
    place.render("--frames 4-5").run().exits(0).logs(&["simulating frames 1-3 before frame 4"]);
    place.render("--frames 6").run().fails(65, &["cloth Cloth of object Grid"]);
    place.render("--frames 1").run().exits(0).never_logs(&["simulating"]);
}

#[test]
fn what_does_not_move_what_is_rendered_is_not_simulated() {
    let hidden = "bpy.context.object.hide_render = True";
    let switched_off = "bpy.context.object.modifiers['Cloth'].show_render = False";
    for change in [hidden, switched_off] {
        let place = simulated(&format!("{CLOTH}\n{change}"));
        place.render("--frames 6").run().exits(0).never_logs(&["Cloth"]);
    }
    // A hidden cloth that shapes what is rendered.
    let shaping = "
cloth = bpy.context.object
cloth.hide_render = True
follows = bpy.data.objects['Cube'].modifiers.new('Follows', 'SHRINKWRAP')
follows.target = cloth";
    let place = simulated(&format!("{CLOTH}\n{shaping}"));
    place.render("--frames 6").run().fails(65, &["cloth Cloth of object Grid"]);
}

#[test]
fn a_simulation_that_is_hidden_in_the_viewport_is_simulated() {
    let place = simulated(CLOTH);
    place.render("-f 6").run().exits(0);
    let whole = pictures(&place.path("out"), 1..=6);
    let hide = "
grid = bpy.context.object
grid.hide_viewport = True
grid.modifiers['Cloth'].show_viewport = False
scene.collection.children[0].hide_viewport = True";
    let place = simulated(&format!("{CLOTH}\n{hide}"));
    place.render("-f 6").run().exits(0);
    assert_eq!(pictures(&place.path("out"), 1..=6), whole);
}

#[test]
fn blurred_frames_do_not_depend_on_the_job() {
    let place = simulated(&format!("{RIGID_BODIES}\nscene.render.use_motion_blur = True"));
    place.render("-f 6").run().exits(0);
    let whole = pictures(&place.path("out"), 1..=6);
    fs::remove_dir_all(place.path("out")).unwrap();
    for frames in ["1-3", "4-6"] {
        place.render(&format!("--frames {frames} --simulate")).run().exits(0);
    }
    assert_eq!(pictures(&place.path("out"), 1..=6), whole);
}

#[test]
fn simulating_and_leaving_out_contradict_each_other() {
    let place = Place::with_scene("");
    let run = place.render("-f 1 --simulate").env("ALLOW_UNBAKED", "true").run().exits(2);
    run.logs(&["--simulate (SIMULATE)", "--allow-unbaked (ALLOW_UNBAKED)"]);
}

/// Bakes the scene of a place to `scene.baked.blend` in it.
fn bake(place: &Place, arguments: &str) -> Run {
    worker("bake").input(place.scene()).args(arguments).run()
}

#[test]
fn every_job_can_render_a_baked_scene() {
    for (changes, name) in kinds() {
        let place = simulated(changes);
        place.render("-f 6").run().exits(0);
        let whole = pictures(&place.path("out"), 1..=6);
        let scene = fs::read(place.path("scene.blend")).unwrap();
        bake(&place, "").exits(0).logs(&[name, "scene.baked.blend"]).logs_no_warnings();
        assert_eq!(fs::read(place.path("scene.blend")).unwrap(), scene, "the scene stays as it is");
        let has_cache = place.path("scene.baked.cache").exists();
        assert_eq!(has_cache, name.starts_with("fluid"), "only fluids need a folder");

        let baked = place.path("scene.baked.blend");
        for index in ["0", "1", "2"] {
            let run = worker("render").input(&baked).output(place.path("baked")).args("-f 2");
            let run = run.env("AWS_BATCH_JOB_ARRAY_INDEX", index).run().exits(0);
            run.never_logs(&["simulating"]).logs_no_warnings();
        }
        assert_eq!(pictures(&place.path("baked"), 1..=6), whole, "{name}");
        worker("bake").input(&baked).run().exits(0).logs(&["nothing was left to bake"]);
    }
}

#[test]
fn a_fluid_cannot_be_baked_on_s3_and_other_simulations_can() {
    let s3 = S3Server::start();
    for (changes, name) in kinds() {
        let place = simulated(changes);
        s3.put("scene.blend", &fs::read(place.path("scene.blend")).unwrap());
        let (scene, baked) = (s3.uri("scene.blend"), s3.uri("baked.blend"));
        let run = worker("bake").input(&scene).output(&baked).s3(&s3).run();
        if name.starts_with("fluid") {
            run.fails(65, &[name, "folder of files", "--simulate"]);
            continue;
        }
        run.exits(0);
        let run = worker("render").input(&baked).output(place.path("baked")).s3(&s3);
        run.args("--frames 6").run().exits(0).never_logs(&["simulating"]);
    }
}

#[test]
fn the_scene_itself_and_a_folder_are_no_output_of_bake() {
    let place = Place::with_scene("");
    bake(&place, &format!("-o {}", place.scene())).exits(2).logs(&["--output-uri (OUTPUT_URI)"]);
    bake(&place, "-o out").exits(2).logs(&["--output-uri (OUTPUT_URI)", ".blend"]);
}

#[test]
fn a_bake_that_fails_leaves_no_scene() {
    let place = Place::with_scene("no scene");
    bake(&place, "").fails(65, &["scene.blend"]);
    assert_eq!(names(place.folder()), ["scene.blend"]);
    let place = simulated("scene.frame_end = 6");
    let run = worker("bake").input(place.scene()).arg("--blender").arg("/bin/false").run();
    run.fails(70, &["is not baked"]);
    assert!(!place.path("scene.baked.blend").exists());
}

#[test]
fn a_bake_needs_the_files_of_the_scene() {
    let place = Place::with_scene("");
    save_startup_scene(&place.path("set.blend"), "bpy.data.objects['Cube'].name = 'Floor'");
    let link = format!(
        "{CLOTH}
scene.frame_end = 3
with bpy.data.libraries.load({:?}, link=True) as (there, linked):
    linked.objects = ['Floor']
scene.collection.objects.link(linked.objects[0])
bpy.data.libraries[0].filepath = '//set.blend'",
        place.path("set.blend")
    );
    save_startup_scene(&place.path("scene.blend"), &link);
    fs::rename(place.path("set.blend"), place.path("elsewhere.blend")).unwrap();
    let run = bake(&place, "").exits(65);
    run.logs(&["linked library set.blend", "//set.blend was not found", "what to do: put"]);
    assert_eq!(report(place.folder(), "bake")["unusable_files"][0]["path"], "//set.blend");
    assert!(!place.path("scene.baked.blend").exists());
    fs::remove_dir_all(place.path("reports")).unwrap();
    let run = bake(&place, "--missing-files warn").exits(0);
    run.logs(&["baking without linked library set.blend"]);
    fs::rename(place.path("elsewhere.blend"), place.path("set.blend")).unwrap();
    bake(&place, "").exits(0).logs_no_warnings();
}

#[test]
fn a_bake_that_is_stopped_leaves_no_scene() {
    // The cloth, which never ends, is baked when the animation plays.
    let place = simulated(&format!("{CLOTH}scene.frame_end = 100000"));
    let cache = "import bpy
bpy.data.objects['Grid'].modifiers['Cloth'].point_cache.frame_end = 100000
bpy.ops.wm.save_mainfile()";
    blender_runs(Some(&place.path("scene.blend")), cache);
    let running = worker("bake").input(place.scene()).start();
    running.wait_for_log("simulating frames 1 to");
    running.signal(Signal::SIGTERM);
    running.finish().exits(143);
    assert!(!place.path("scene.baked.blend").exists());
}

#[test]
fn dynamic_paint_has_to_be_baked_in_blender() {
    let place = simulated(
        "
cube = bpy.data.objects['Cube']
bpy.context.view_layer.objects.active = cube
cube.modifiers.new('Paint', 'DYNAMIC_PAINT').ui_type = 'CANVAS'
bpy.ops.dpaint.type_toggle(type='CANVAS')
",
    );
    for simulate in ["", "--simulate"] {
        let run = place.render(&format!("--frames 2 {simulate}")).run();
        run.fails(
            65,
            &[
                "dynamic paint",
                "object Cube (its cache is a folder beside the scene: bake it in Blender)",
            ],
        );
    }
    bake(&place, "").fails(65, &["dynamic paint", "bake it in Blender"]);
}

#[test]
fn simulations_that_do_not_step_with_the_scene_have_to_be_baked_in_blender() {
    let remapped = "scene.render.frame_map_old, scene.render.frame_map_new = 200, 100";
    let shown = "
main = bpy.data.scenes.new('Main')
main.camera = scene.camera
main.collection.objects.link(scene.camera)
bpy.context.window.scene = main
other, scene = scene, main
";
    let by_the_compositor = "
tree, end = add_compositor()
node = tree.nodes.new('CompositorNodeRLayers')
node.scene = other
tree.links.new(node.outputs[0], end.inputs[0])
";
    let by_a_strip = "
editor = scene.sequence_editor_create()
strips = editor.strips if hasattr(editor, 'strips') else editor.sequences
strips.new_scene('Shot', other, 1, 1)
";
    for (python, reason) in [
        (remapped.to_owned(), "Time Remapping: bake it in Blender"),
        ([shown, by_the_compositor].concat(), "scene Scene is shown by another one"),
        ([shown, by_a_strip].concat(), "scene Scene is shown by another one"),
    ] {
        let place = simulated(&[CLOTH, &python].concat());
        for simulate in ["", "--simulate"] {
            let run = place.render(&format!("--frames 2 {simulate}")).run();
            run.fails(65, &["cloth Cloth of object Grid", reason]);
        }
        bake(&place, "").fails(65, &["bake it in Blender"]);
    }
}

#[test]
fn a_zone_that_is_baked_to_a_folder_is_rendered_although_blender_may_not_write_there() {
    if !blender_has("hasattr(bpy.types, 'NodesModifierBake')") {
        return;
    }
    let place = simulated(ZONE);
    place.render("-f 6").run().exits(0);
    let whole = pictures(&place.path("out"), 1..=6);
    let python = "import bpy
cube = bpy.data.objects['Cube']
modifier = cube.modifiers['Drift']
if hasattr(modifier, 'bake_target'):
    modifier.bake_target = 'DISK'
bpy.context.view_layer.objects.active = cube
bpy.ops.object.geometry_node_bake_single(
    session_uid=cube.session_uid, modifier_name='Drift', bake_id=modifier.bakes[0].bake_id)
bpy.ops.wm.save_mainfile()";
    blender_runs(Some(&place.path("scene.blend")), python);
    place.render("-f 6").run().exits(0).never_logs(&["not baked"]);
    assert_eq!(pictures(&place.path("out"), 1..=6), whole);
}
