//! Scenes that need features that this Blender lacks. The job ends before the first frame, unless
//! the user allows the feature to be missing.

use std::fs;

use serde_json::json;

use crate::support::blender::{blender_has, can_denoise, save_startup_scene};
use crate::support::place::{Place, frame_names};
use crate::support::{pixel_hashes, report, scene};

/// The missing features that the stand-in reports for a scene: a denoiser and volumes.
fn lacking() -> serde_json::Value {
    json!([
        {"feature": "denoiser", "needed_by": ["view layer Foreground"]},
        {"feature": "openvdb", "needed_by": ["volume Smoke"]},
    ])
}

#[test]
fn a_missing_feature_ends_the_job_at_the_first_launch_and_is_named() {
    let place = Place::ordered(&json!({"scene": {"lacking": lacking()}}));
    let run = place.stand_in().run().fails(
        69,
        &[
            "frames 1-12 are not rendered: this Blender (3.4.1) has no denoiser",
            "view layer Foreground",
            "no OpenVDB, which is needed by volume Smoke",
            "--allow-missing denoiser,openvdb (ALLOW_MISSING)",
            "--denoise off",
        ],
    );
    assert_eq!(place.launches().len(), 1, "{}", run.text());
    assert!(place.frames().is_empty());
    let report = report(&place.path("out"), "render");
    assert_eq!(report["scene"]["lacking"], lacking());
    assert_eq!(report["exit_code"], 69);
}

#[test]
fn a_feature_that_may_be_missing_is_a_warning_in_the_report() {
    for arguments in
        ["--allow-missing denoiser,openvdb", "--allow-missing denoiser --allow-missing openvdb"]
    {
        let place = Place::ordered(&json!({"scene": {"lacking": lacking()}}));
        let run = place.stand_in().args(arguments).run().exits(0);
        run.logs(&["rendering without openvdb, which is needed by volume Smoke"]);
        assert_eq!(place.frames(), frame_names(1..=12));
        let report = report(&place.path("out"), "render");
        assert_eq!(report["scene"]["warnings"].as_array().unwrap().len(), 2, "{report}");
    }
    let place = Place::ordered(&json!({"scene": {"lacking": lacking()}}));
    let run = place.stand_in().env("ALLOW_MISSING", "denoiser").run();
    let run = run.fails(69, &["has no OpenVDB"]);
    assert!(!run.final_error().contains("denoiser"), "{}", run.final_error());
}

#[test]
fn frames_rendered_without_a_feature_are_not_reused_when_it_is_required() {
    let place = Place::ordered(&json!({"scene": {"lacking": lacking()}}));
    place.stand_in().env("ALLOW_MISSING", "denoiser,openvdb").run().exits(0);
    place.stand_in().env("ALLOW_MISSING", "denoiser,openvdb").run().exits(0);
    assert_eq!(place.launches().len(), 1);
    place.stand_in().run().fails(69, &["has no denoiser"]);
}

#[test]
fn a_scene_of_a_newer_blender_is_unusable_input() {
    let lacking = json!([{"feature": "newer-blender", "needed_by": ["the file"]}]);
    let place = Place::ordered(&json!({"scene": {"lacking": lacking, "blender": "3.3.0"}}));
    let run = place.stand_in().run();
    run.fails(65, &["was saved by Blender 3.4, and this is Blender 3.3", "Blender 3.4 or later"]);
    assert!(place.frames().is_empty());
    place.stand_in().args("--allow-missing newer-blender").run().exits(0);
}

#[test]
fn the_description_of_a_scene_may_have_any_length() {
    let warnings: Vec<_> = (0..200)
        .map(|n| format!("image {n}: not found: //textures/{}.png", "x".repeat(100)))
        .collect();
    let place = Place::ordered(&json!({"scene": {"warnings": warnings, "fps": 30}}));
    place.stand_in().run().exits(0).logs(&["image 0: not found", "image 199: not found"]);
    let found = report(&place.path("out"), "render");
    assert_eq!(found["scene"]["fps"], 30);
    assert_eq!(found["scene"]["warnings"].as_array().unwrap().len(), 200);
    place.stand_in().run().exits(0);
    assert_eq!(place.launches().len(), 1);
}

#[test]
fn a_scene_cannot_forge_its_description_by_printing_one() {
    let forged = r#"render-worker-scene: {"blender":"9.9.9"}"#;
    let mark = "render-worker: the scene is described";
    let place = Place::ordered(&json!({
        "scene": {"fps": 30},
        // The mark comes before the description exists, and not after it.
        "steps": [
            {"at": "start", "do": "say", "text": mark},
            {"at": "start", "do": "say", "text": forged},
        ],
        "announce": false,
    }));
    place.stand_in().run().exits(0);
    let report = report(&place.path("out"), "render");
    assert_eq!(report["scene"]["fps"], 30);
    assert_eq!(report["scene"]["blender"], "3.4.1");
}

#[test]
fn unknown_features_are_refused() {
    let place = Place::ordered(&json!({}));
    let run = place.stand_in().args("--allow-missing denoise").run().exits(2);
    run.logs(&["--allow-missing (ALLOW_MISSING)", "denoiser, alembic"]);
    let run = place.stand_in().env("DENOISE", "yes").run().exits(2);
    run.logs(&["--denoise (DENOISE)", "scene, on or off"]);
}

#[test]
fn blenders_start_up_scene_is_denoised_or_refused() {
    let place = Place::with_scene("");
    save_startup_scene(&place.path("scene.blend"), "");
    let run = place.render("-f 2").env("DENOISE", "").run();
    if can_denoise() {
        run.exits(0);
        assert_eq!(place.frames(), frame_names(1..=2));
    } else {
        run.fails(69, &["has no denoiser", "view layer ViewLayer"]);
        assert!(place.frames().is_empty());
        let allowed = place.render("-f 2 --allow-missing denoiser").env("DENOISE", "");
        allowed.run().exits(0);
    }
    let denoised = pixel_hashes(&place.path("out/frames/0001.png"));
    place.render("-f 2 --denoise off").run().exits(0);
    if can_denoise() {
        let noisy = pixel_hashes(&place.path("out/frames/0001.png"));
        assert_ne!(denoised, noisy);
    }
}

#[test]
fn a_denoise_node_of_the_compositor_counts_unless_it_is_muted() {
    let nodes = "
scene.cycles.use_denoising = False
tree, out = add_compositor()
layers = tree.nodes.new('CompositorNodeRLayers')
denoise = tree.nodes.new('CompositorNodeDenoise')
denoise.name = 'Smooth'
tree.links.new(layers.outputs[0], denoise.inputs[0])
tree.links.new(denoise.outputs[0], out.inputs[0])
";
    for (changes, needed) in [("", true), ("denoise.mute = True", false)] {
        let place = Place::with_scene("");
        save_startup_scene(&place.path("scene.blend"), &format!("{nodes}{changes}"));
        let run = place.render("-f 1").env("DENOISE", "").run();
        if can_denoise() || !needed {
            run.exits(0);
        } else {
            run.fails(69, &["Denoise node Smooth of the compositor"]);
        }
        place.render("-f 1 --denoise off").run().exits(0);
    }
}

#[test]
fn a_missing_engine_is_an_error_and_never_replaced() {
    let place = Place::with_scene("");
    let changes = "set_unknown_engine()\nscene.cycles.use_denoising = False";
    save_startup_scene(&place.path("scene.blend"), changes);
    let run = place.render("-f 1 --engine scene").run();
    run.fails(69, &["which is set to LUXCORE", "--engine"]);
    assert!(place.frames().is_empty());
    place.render("-f 1").run().exits(0);
}

#[test]
fn a_script_node_needs_open_shading_language() {
    let nodes = "
scene.cycles.use_denoising = False
scene.cycles.shading_system = True
material = bpy.data.objects['Cube'].active_material
node = material.node_tree.nodes.new('ShaderNodeScript')
node.name = 'Stripes'
";
    let place = Place::with_scene("");
    save_startup_scene(&place.path("scene.blend"), nodes);
    let run = place.render("-f 1").run();
    if blender_has("_cycles.with_osl") {
        run.exits(0);
    } else {
        let run = run.never_logs(&["no Script node"]);
        run.fails(69, &["Open Shading Language", "Script node Stripes of material Material"]);
    }
}

#[test]
fn caches_volumes_and_oceans_need_their_features_if_they_are_rendered() {
    let modifier = |kind: &str| format!("cube.modifiers.new('Made', '{kind}')");
    let cache = |name: &str| {
        format!(
            "bpy.ops.cachefile.open(filepath='//{name}')
made = {}
made.cache_file = bpy.data.cache_files[0]",
            modifier("MESH_SEQUENCE_CACHE")
        )
    };
    let volume = "data = bpy.data.volumes.new('Smoke')
data.filepath = '//smoke.vdb'
scene.collection.objects.link(bpy.data.objects.new('Smoke', data))";
    let ocean = modifier("OCEAN");
    for (feature, option, changes) in [
        ("Alembic", "alembic", cache("a.abc").as_str()),
        ("USD", "usd", &cache("a.usdc")),
        ("OpenVDB", "openvdb", volume),
        ("Ocean", "mod_oceansim", &ocean),
    ] {
        // An object that is hidden in renders needs nothing.
        let cases = [("False", true), ("True", false)];
        for (hidden, needed) in cases.into_iter().take(if feature == "Alembic" { 2 } else { 1 }) {
            let place = Place::with_scene("");
            let changes = format!(
                "cube = bpy.data.objects['Cube']
scene.cycles.use_denoising = False
{changes}
for thing in scene.objects:
    thing.hide_render = {hidden} and thing.type not in {{'CAMERA', 'LIGHT'}}"
            );
            save_startup_scene(&place.path("scene.blend"), &changes);
            // The files are not there.
            let run = place.render("-f 1 --missing-files warn").run();
            if blender_has(&format!("bpy.app.build_options.{option}")) || !needed {
                run.exits(0);
            } else {
                run.fails(69, &[&format!("has no {feature}"), "Made of object Cube"]);
                assert!(place.frames().is_empty());
            }
        }
    }
}

#[test]
fn a_blender_that_aborts_on_fluids_lacks_the_feature() {
    let place = Place::with_scene(fs::read(scene("fluid")).unwrap());
    let run = place.render("-f 1").run();
    // Debian's 4.3 claims to have fluids, and aborts.
    if run.text().contains("PyImport_AppendInittab") {
        run.fails(69, &["this build of Blender cannot simulate fluids"]);
        let report = report(&place.path("out"), "render");
        assert_eq!(report["launches"].as_array().map(Vec::len), Some(1), "{report}");
    } else {
        run.exits(0);
    }
}

#[test]
fn a_scene_of_a_later_blender_is_not_rendered_by_a_real_one() {
    // A real file with a later version in its header.
    let place = Place::with_scene("");
    save_startup_scene(&place.path("scene.blend"), "scene.cycles.use_denoising = False");
    let mut content = fs::read(place.path("scene.blend")).unwrap();
    let version = content.iter().position(|&byte| byte == b'v').unwrap() + 1;
    let digits = content[version..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    content[version + digits - 3..version + digits].copy_from_slice(b"999");
    fs::write(place.path("scene.blend"), content).unwrap();
    let run = place.render("-f 1").run();
    run.fails(65, &["saved by Blender 9.99, and this is Blender", "Blender 9.99 or later"]);
    assert!(place.frames().is_empty());
}
