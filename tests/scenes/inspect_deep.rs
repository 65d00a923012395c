//! `inspect --deep`: what the real Blender finds in a scene file.

use serde_json::{Value, json};

use crate::support::blender::save_startup_scene;
use crate::support::place::Place;
use crate::support::s3_server::{BUCKET, S3Server};
use crate::support::schema::parse;
use crate::support::{names, scene, worker};

/// Two scenes, two cameras, two view layers and a step.
const CHANGES: &str = "
scene.frame_start, scene.frame_end, scene.frame_step = 3, 9, 2
scene.render.fps, scene.render.fps_base = 30, 1.001
scene.render.filepath = '//shots/take_'
scene.cycles.use_denoising = False
scene.collection.objects.link(bpy.data.objects.new('Close', bpy.data.cameras.new('Close')))
scene.view_layers.new('Mattes').use = False
other = bpy.data.scenes.new('Other')
other.render.engine = 'BLENDER_WORKBENCH'
other.render.image_settings.file_format = 'JPEG'
";

fn saved() -> Place {
    let place = Place::with_scene("");
    save_startup_scene(&place.path("scene.blend"), CHANGES);
    place
}

/// The output of `inspect --deep --json`.
#[track_caller]
fn inspected(place: &Place) -> Value {
    let run = worker("inspect").input(place.scene()).args("--deep --json").run().exits(0);
    parse("inspect", run.stdout)
}

#[test]
fn every_scene_is_described_with_its_settings() {
    let place = saved();
    let before = names(place.folder());
    let found = inspected(&place);
    assert_eq!(found["scenes"].as_array().unwrap().len(), 1, "the beginning has the active one");
    let scenes = found["blender"]["scenes"].as_array().unwrap();
    let by_name = |name| scenes.iter().find(|scene| scene["name"] == name).unwrap();
    let (active, other) = (by_name("Scene"), by_name("Other"));
    let expected = json!({
        "is_active": true, "engine": "CYCLES", "samples": 4, "width": 64, "height": 48,
        "fps": 30, "frame_start": 3, "frame_end": 9, "frame_step": 2, "format": "PNG",
        "output_path": "//shots/take_", "camera": "Camera", "cameras": ["Camera", "Close"],
        "view_layers": [
            {"name": "ViewLayer", "is_rendered": true}, {"name": "Mattes", "is_rendered": false},
        ],
        "uses_sequencer": false,
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&active[name], value, "{name}");
    }
    assert_eq!((&other["is_active"], &other["format"]), (&json!(false), &json!("JPEG")));
    assert_eq!((other.get("camera"), other.get("samples")), (None, None));
    // Nothing is left behind.
    assert_eq!(names(place.folder()), before);
}

#[test]
fn a_person_gets_a_table() {
    let place = saved();
    let run = worker("inspect").input(place.scene()).arg("--deep").run().exits(0);
    for text in ["Close", "Mattes (not rendered)", "CYCLES, 4 samples", "--frames 3-9x2", "JPEG"] {
        assert!(run.stdout.contains(text), "{text}: {}", run.stdout);
    }
}

#[test]
fn missing_files_are_named_before_anything_is_rendered() {
    let run =
        worker("inspect").input(scene("missing_texture")).args("--deep --json").run().exits(0);
    let files = parse("inspect", run.stdout)["blender"]["unusable_files"].clone();
    assert_eq!(files[0]["problem"], "missing", "{files}");
}

#[test]
fn an_engine_that_is_not_there_is_named() {
    let place = Place::with_scene("");
    save_startup_scene(&place.path("scene.blend"), "set_unknown_engine()");
    let found = inspected(&place)["blender"].clone();
    assert_eq!(found["scenes"][0]["engine"], "LUXCORE");
    assert_eq!(found["lacking"][0]["feature"], "engine");
}

#[test]
fn a_scene_on_s3_is_opened_too() {
    let (place, server) = (saved(), S3Server::start());
    server.put("scene.blend", &std::fs::read(place.path("scene.blend")).unwrap());
    let worker = worker("inspect").input(format!("s3://{BUCKET}/scene.blend")).s3(&server);
    let run = worker.args("--deep --json").run().exits(0);
    assert_eq!(parse("inspect", run.stdout)["blender"]["scenes"].as_array().unwrap().len(), 2);
}

#[test]
fn without_blender_or_a_sandbox_it_says_so() {
    let inspect = |arguments: &str| {
        worker("inspect").input(scene("tiny")).args("--deep").args(arguments).run()
    };
    inspect("--blender no-such-program").fails(69, &["no-such-program"]);
    inspect("--sandbox sometimes").exits(2).logs(&["--sandbox (SANDBOX)"]);
    // Without --deep, no Blender is needed.
    worker("inspect").input(scene("tiny")).env("BLENDER", "no-such-program").run().exits(0);
}

#[test]
fn a_file_that_blender_cannot_open_is_an_error() {
    let place = Place::with_scene(std::fs::read(scene("tiny")).unwrap());
    let whole = std::fs::read(scene("tiny")).unwrap();
    std::fs::write(place.path("scene.blend"), &whole[..whole.len() / 2]).unwrap();
    let run = worker("inspect").input(place.scene()).arg("--deep").run();
    run.fails(65, &["cannot inspect", "damaged"]);
}
