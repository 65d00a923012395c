//! `submit --project`: a scene of this machine is packed, then submitted. What the jobs would refuse is
//! refused before anything is stored.

use std::fs;

use serde_json::{Value, json};

use crate::support::batch_server::BatchServer;
use crate::support::machine::Machine;
use crate::support::s3_server::S3Server;
use crate::support::schema::parse;
use crate::support::{Worker, scene, worker};

/// A command line that packs a scene of the machine, and submits it.
fn submit(machine: &Machine, scene: &str, server: &S3Server, batch: &BatchServer) -> Worker {
    let submit = worker("submit").input(machine.path(scene)).output(server.uri("out"));
    let submit = submit.arg("--project").arg(server.uri("p")).batch(batch).s3(server);
    submit.args("--job-queue q --job-definition d")
}

/// A film with a shot that needs a picture.
fn film() -> Machine {
    let machine = Machine::new();
    machine.picture("film/wood.png", 1);
    machine.scene("film/shot.blend", "show(cube, image('//wood.png'))");
    machine
}

#[test]
fn a_scene_is_packed_and_its_project_is_submitted() {
    let (machine, server, batch) = (film(), S3Server::start(), BatchServer::start());
    let submit = || submit(&machine, "film/shot.blend", &server, &batch).args("-f 2");
    let manifest = server.uri("p/shot.project.json");

    let dry = parse("submit", submit().arg("--dry-run").run().exits(0).stdout);
    assert_eq!(server.keys(""), [""; 0]);
    assert_eq!(dry["render"]["parameters"]["inputUri"], manifest);
    let project = &dry["project"];
    assert_eq!((&project["new_files"], &project["dry_run"]), (&json!(2), &json!(true)));
    assert_eq!((&project["frames"], &project["known_files"]), (&json!(3), &json!(0)));
    assert!(project["blender_version"].as_str().is_some_and(|version| version.contains('.')));

    let run = submit().run().exits(0);
    let rows: Vec<_> =
        run.stdout.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let labels =
        ["manifest", "scene", "saved", "files", "new", "frames", "render", "stitch", "follow"];
    assert_eq!(rows, labels, "{}", run.stdout);
    assert!(run.stdout.contains(&manifest));
    let [render, stitch]: [Value; 2] = batch.requests_for("submitjob").try_into().unwrap();
    assert_eq!(render, dry["render"]);
    assert_eq!(stitch["parameters"]["inputUri"], server.uri("out"));
    assert_eq!(server.keys("p/").len(), 3);

    // Nothing is new.
    let again = parse("submit", submit().arg("--json").run().exits(0).stdout);
    let project = &again["project"];
    assert_eq!((&project["new_files"], &project["known_files"]), (&json!(0), &json!(2)));
    assert_eq!(again["render"]["array_size"], 2);

    // What was submitted can be rendered anywhere.
    let out = machine.path("there");
    let render = worker("render").input(&manifest).output(&out).s3(&server).args("--frames 1");
    render.run().exits(0);
}

#[test]
fn what_the_jobs_would_refuse_is_refused_before_anything_is_stored() {
    let (machine, server, batch) = (film(), S3Server::start(), BatchServer::start());
    machine.scene("film/missing.blend", "show(cube, image('//gone.png'))");
    machine.scene(
        "film/cloth.blend",
        "bpy.ops.mesh.primitive_grid_add(x_subdivisions=4, y_subdivisions=4, location=(0, 0, 2))
bpy.context.object.modifiers.new('Cloth', 'CLOTH')",
    );
    for (scene, arguments, code, texts) in [
        ("missing", "", 65, ["missing.blend is not packed", "gone.png"]),
        ("cloth", "", 65, ["frame 3 would not be rendered", "cloth Cloth of object Grid"]),
        ("shot", "--blender-version 2.8", 65, ["shot.blend is not a usable scene", "2.8"]),
        ("shot", "--camera Nobody", 2, ["--camera (CAMERA)", "Nobody"]),
        ("shot", "-t 20000 -f 1", 2, ["20000 children", "--frames-per-job"]),
        ("shot", "--blender nowhere", 69, ["cannot start nowhere", "(--blender, BLENDER)"]),
        ("none", "", 66, ["none.blend", "there is no file"]),
    ] {
        let run = submit(&machine, &format!("film/{scene}.blend"), &server, &batch);
        let run = if arguments.contains("-f ") { run } else { run.args("-f 2") };
        let run = run.args(arguments);
        run.run().fails(code, &texts);
        assert_eq!(server.keys(""), [""; 0], "{scene} {arguments}");
        assert_eq!(batch.operations(), [""; 0], "{scene} {arguments}");
    }
    // The same simulation in one job, or with what the jobs may do about it.
    for arguments in ["--frames 1-2", "--simulate", "--allow-unbaked"] {
        let run = submit(&machine, "film/cloth.blend", &server, &batch).args("-f 2");
        run.args(arguments).arg("--dry-run").run().exits(0);
    }
    let run = submit(&machine, "film/missing.blend", &server, &batch);
    run.args("-f 2 --missing-files warn --dry-run").run().exits(0).logs(&["gone.png"]);
}

#[test]
fn without_a_blender_it_is_said_what_is_not_checked() {
    let (machine, server, batch) = (Machine::new(), S3Server::start(), BatchServer::start());
    machine.write("film/wood.png", b"wood");
    fs::copy(scene("tiny"), machine.path("film/shot.blend")).unwrap();
    let run = submit(&machine, "film/shot.blend", &server, &batch).env("PATH", "/nowhere");
    let run = run.args("-f 2").run();
    run.exits(0).logs(&["packing every file", "it is not checked whether files are missing"]);
    assert_eq!(server.keys("p/").len(), 3);
}

#[test]
fn flags_that_contradict_each_other_are_refused() {
    let common = "-o s3://bucket/o -f 1 --job-queue q --job-definition d";
    for (arguments, text) in [
        ("-i s3://bucket/a.blend --project s3://bucket/p", "on this machine"),
        ("-i a.blend --project p", "--project (PROJECT_URI): `p` is relative"),
        ("-i a --main b.blend --project s3://bucket/p", "--main (MAIN)"),
        (
            "-i s3://bucket/a.blend --exclude x",
            "--exclude (EXCLUDE): is about the scene that --project",
        ),
        ("-i s3://bucket/a.blend --allow-read /x", "--allow-read (ALLOW_READ): is about the scene"),
    ] {
        let run = worker("submit").args(common).args(arguments).run();
        run.exits(2).logs(&[text]);
    }
}

#[test]
fn the_scripts_of_the_jobs_prepare_the_scene_for_its_check() {
    let (machine, server, batch) = (film(), S3Server::start(), BatchServer::start());
    // With it, the scene needs a picture that is not there.
    let script = "import bpy\nfor image in bpy.data.images: image.filepath = '//gone.png'\n";
    server.put("prepare.py", script.as_bytes());
    let submit = |script: &str| {
        submit(&machine, "film/shot.blend", &server, &batch)
            .args("-f 2 --dry-run --python")
            .arg(script)
    };
    let run = submit(&server.uri("prepare.py")).run().exits(65);
    assert!(run.final_error().contains("gone.png"), "{}", run.final_error());
    let run = submit(&server.uri("none.py")).run().exits(66);
    assert!(run.final_error().contains("none.py"), "{}", run.final_error());
    // Only the containers can read this one.
    submit("/scripts/prepare.py").run().exits(0).logs(&["/scripts/prepare.py"]);
}
