//! `serve` with scenes: uploads, what Blender finds in them, rendering, stopping, going on.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::sandbox::without;
use crate::support::blender::save_startup_scene;
use crate::support::schema::parse;
use crate::support::server::Server;
use crate::support::{
    fixture, names, ordered_scene, pixel_hashes, probe, scene, wait_until, worker,
};

/// A scene of three small frames, with a texture beside it.
const TEXTURED: &str = "
scene.frame_end = 3
image = bpy.data.images.new('Wood', 8, 8)
image.generated_color = (1, 0.5, 0, 1)
material = bpy.data.objects['Cube'].active_material
node = material.node_tree.nodes.new('ShaderNodeTexImage')
node.image = image
material.node_tree.links.new(node.outputs[0], material.node_tree.nodes['Principled BSDF'].inputs[0])
image.source, image.filepath = 'FILE', '//tex/wood.png'
";

fn zip(folder: &Path, archive: &Path, names: &[&str]) {
    let status = Command::new("python3")
        .args(["-m", "zipfile", "-c"])
        .arg(archive)
        .args(names)
        .current_dir(folder)
        .status();
    assert!(status.unwrap().success());
}

/// A folder with a scene and its texture.
fn textured() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path().join("project");
    fs::create_dir_all(project.join("tex")).unwrap();
    fs::copy(fixture("frames/blender-rgb-8.png"), project.join("tex/wood.png")).unwrap();
    save_startup_scene(&project.join("shot.blend"), TEXTURED);
    (folder, project)
}

#[test]
fn a_scene_becomes_frames_and_a_video_that_other_tools_understand() {
    let server = Server::start();
    let id = server.create_render("Tiny");
    server.upload_scene(&id, "tiny.blend", &fs::read(scene("tiny")).unwrap());
    let found = server.inspect(&id);
    assert_eq!(found["state"], "done", "{found}");
    let active = &found["scene"]["blender"]["scenes"][0];
    server.set_render(&id, &json!({"frames": "2-3", "samples": "1", "fps": "12"}));
    assert_eq!(server.show_render(&id)["main"], "tiny.blend");
    assert_eq!(server.render(&id)["state"], "done");

    let folder = server.render_folder(&id);
    assert_eq!(names(&folder.join("output/frames")), ["0002.png", "0003.png"]);
    let probed = video(&server, &id);
    assert_eq!(
        (&probed["nb_read_frames"], &probed["r_frame_rate"], &probed["width"]),
        (&json!("2"), &json!("12/1"), &active["width"])
    );
    // The same on a command line has nothing left to do.
    let output = folder.join("output");
    let before = names(&output.join("reports"));
    let run = worker("render").input(folder.join("scene/tiny.blend")).output(&output);
    run.args("--frames 2-3 --samples 1 --engine scene").run().exits(0);
    let is_new = |name: &String| name.starts_with("render-") && !before.contains(name);
    let new = names(&output.join("reports")).into_iter().find(is_new).unwrap();
    let report = parse("report", fs::read(output.join("reports").join(new)).unwrap());
    for frame in ["2", "3"] {
        assert_eq!(report["frames"][frame]["state"], "already_there", "{}", report["frames"]);
    }
    server.stop().exits(143);
}

#[test]
fn a_stopped_render_keeps_its_frames_and_goes_on_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let start = || {
        Server::start_with(&data, |worker| {
            worker.env("SANDBOX", "off").env("BLENDER", fixture("stand-ins/blender"))
        })
    };
    let path = |name: &str| folder.path().join(name);
    let waits = |frame: i32| {
        let wait = json!({"at": frame, "do": "wait_for_file", "path": path(&format!("go{frame}"))});
        json!({"steps": [wait], "record": path("launches"), "size": [32, 24]})
    };
    let server = start();
    let create = |server: &Server, orders: &Value| {
        let id = server.create_render("Ordered");
        server.upload_scene(&id, "shot.blend", &ordered_scene(1, 4, orders));
        id
    };
    let (id, next) = (create(&server, &waits(3)), create(&server, &json!({"size": [32, 24]})));
    server.start_render(&id, &Value::Null);
    server.start_render(&next, &Value::Null);
    let frames = server.render_folder(&id).join("output/frames");
    wait_until("two frames", || frames.join("0002.png").exists());
    assert_eq!(server.show_render(&next)["making"], json!({"state": "waiting", "ahead": 1}));
    let removed = server.send("DELETE", &format!("/api/renders/{id}"), b"");
    assert_eq!(removed.status, 409, "{removed:?}");
    server.json("POST", &format!("/api/renders/{id}/stop"), &Value::Null);
    assert_eq!(server.render_ended(&id), json!({"state": "stopped"}));
    assert!(frames.join("0002.png").exists() && !frames.join("0003.png").exists());
    assert_eq!(server.render_ended(&next)["state"], "done");

    // The server ends while it renders: the render goes on at the next start.
    server.start_render(&id, &Value::Null);
    wait_until("it runs", || {
        fs::read_to_string(path("launches")).unwrap_or_default().lines().count() == 2
    });
    server.stop().exits(143);
    fs::write(path("go3"), "").unwrap();
    let server = start();
    assert_eq!(server.render_ended(&id)["state"], "done");
    let launches = fs::read_to_string(path("launches")).unwrap();
    let last: Value = serde_json::from_str(launches.lines().last().unwrap()).unwrap();
    let argv = last["argv"].to_string();
    assert!(argv.contains("\"3\"") && !argv.contains("\"1\",\"--frame-end"), "{argv}");
    assert_eq!(video(&server, &id)["nb_read_frames"], "4");
    let removed = server.send("DELETE", &format!("/api/renders/{id}"), b"");
    assert_eq!((removed.status, server.render_folder(&id).exists()), (204, false));
}

#[test]
fn a_quick_look_is_small_and_beside_the_frames() {
    let server = Server::start();
    let id = server.create_render("Look");
    server.upload_scene(&id, "odd.blend", &fs::read(scene("odd_size")).unwrap());
    server.set_render(&id, &json!({"frames": "1"}));
    server.start_render(&id, &json!({"preview": true}));
    assert_eq!(server.render_ended(&id)["state"], "done");
    let shown = server.show_render(&id);
    assert_eq!((&shown["is_preview"], &shown["video"]), (&json!(true), &Value::Null));
    assert_eq!(shown["preview_video"]["name"], "output.mp4");
    let output = server.render_folder(&id).join("output");
    assert!(output.join("preview/frames/0001.png").exists() && !output.join("frames").exists());
    let video = server.send("GET", &format!("/api/renders/{id}/video?preview"), b"");
    assert_eq!((video.status, video.header("content-type")), (200, Some("video/mp4")));
    assert_eq!(server.send("GET", &format!("/api/renders/{id}/video"), b"").status, 404);
}

#[test]
fn a_zip_is_a_project_whose_missing_texture_is_named_and_then_added() {
    let (folder, project) = textured();
    let server = Server::start();
    let id = server.create_render("Zipped");
    fs::copy(project.join("shot.blend"), project.join("other.blend")).unwrap();
    let archive = folder.path().join("project.zip");
    zip(&project, &archive, &["shot.blend", "other.blend"]);
    let path = format!("/api/renders/{id}");
    let answer = server.send("PUT", &format!("{path}/archive"), &fs::read(&archive).unwrap());
    assert_eq!((answer.status, answer.json()), (201, json!({"files": 2})));

    // Which of the two is to be rendered is the user's choice.
    assert_eq!(server.show_render(&id)["main"], Value::Null);
    for action in ["inspect", "start"] {
        let refused = server.send("POST", &format!("{path}/{action}"), b"");
        assert_eq!(refused.status, 409, "{refused:?}");
    }
    let chosen = server.json("PATCH", &path, &json!({"main": "shot.blend"}));
    assert_eq!(chosen["main"], "shot.blend");
    let missing = |inspection: &Value| {
        inspection["scene"]["blender"]["unusable_files"].as_array().unwrap().len()
    };
    assert_eq!(missing(&server.inspect(&id)), 1);
    let failed = server.render(&id);
    assert_eq!(failed["state"], "failed");
    assert!(failed["error"].as_str().unwrap().contains("//tex/wood.png"), "{failed}");
    // The state survives a restart: it is in the log.
    server.set_render(&id, &json!({"frames": "1", "without_missing_files": true}));
    assert_eq!(server.render(&id)["state"], "done");
    let frame = server.render_folder(&id).join("output/frames/0001.png");
    let without = pixel_hashes(&frame);

    server.upload_scene(&id, "tex/wood.png", &fs::read(project.join("tex/wood.png")).unwrap());
    assert_eq!(server.show_render(&id)["inspection"]["state"], "none");
    assert_eq!(missing(&server.inspect(&id)), 0);
    assert_eq!(server.render(&id)["state"], "done");
    assert_ne!(pixel_hashes(&frame), without, "the texture is in the picture");
}

#[test]
fn what_cannot_be_a_scene_or_a_setting_is_refused_and_leads_nowhere() {
    let server = Server::start();
    let id = server.create_render("Bad");
    let path = format!("/api/renders/{id}");
    for name in ["..%2f..%2fx.blend", "a/..%2f..%2f..%2fx.blend", ".hidden/a.blend", "a//b.blend"] {
        let refused = server.send("PUT", &format!("{path}/scene/{name}"), b"x");
        assert_eq!(refused.status, 400, "{name}: {refused:?}");
    }
    for settings in [
        json!({"frames": "5-3"}),
        json!({"samples": "--allow-read=/"}),
        json!({"scene": "\0"}),
        json!({"camera": "each"}),
        json!({"python": "x.py"}),
    ] {
        let change = json!({ "settings": settings }).to_string();
        let refused = server.send("PATCH", &path, change.as_bytes());
        assert_eq!(refused.status, 400, "{settings}: {refused:?}");
    }
    let refused = server.send("PATCH", &path, br#"{"main": "../../x.blend"}"#);
    assert_eq!(refused.status, 400, "{refused:?}");
    server.upload_scene(&id, "bad.blend", b"no scene");
    let inspection = server.inspect(&id);
    assert_eq!(inspection["state"], "failed");
    let failed = server.render(&id);
    assert_eq!(failed["state"], "failed");
    for value in [&inspection["error"], &failed["error"]] {
        assert!(value.as_str().unwrap().contains("bad.blend"), "{value}");
    }
    assert_eq!(names(server.folder()), [".lock", "outputs", "renders", "videos"]);
}

#[test]
fn scenes_are_opened_in_the_sandbox_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start();
    let id = server.create_render("Tiny");
    server.upload_scene(&id, "tiny.blend", &fs::read(scene("tiny")).unwrap());
    server.set_render(&id, &json!({"frames": "1"}));
    assert_eq!(server.render(&id)["state"], "done");
    let log = fs::read_to_string(server.render_folder(&id).join("log.jsonl")).unwrap();
    assert!(log.contains("sandbox: Landlock") && !log.contains("\"DEBUG\""), "{log}");
    // A kernel without Landlock.
    let server = Server::start_with(&folder.path().join("data"), |worker| {
        worker.wrapped_in(without("landlock"))
    });
    let id = server.create_render("Tiny");
    server.upload_scene(&id, "tiny.blend", &fs::read(scene("tiny")).unwrap());
    assert_eq!(server.inspect(&id)["state"], "failed");
    let failed = server.render(&id);
    assert!(failed["error"].as_str().unwrap().contains("Landlock"), "{failed}");
    assert_eq!(names(&server.render_folder(&id).join("output")), Vec::<String>::new());
}

/// What the video of a render is.
fn video(server: &Server, id: &str) -> Value {
    let answer = server.send("GET", &format!("/api/renders/{id}/video"), b"");
    assert_eq!(answer.status, 200, "{answer:?}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.mp4");
    fs::write(&file, answer.body).unwrap();
    probe(&file)["streams"][0].clone()
}
