//! `pack`, and rendering what it has packed: scenes with their files, by content, on another machine.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::support::machine::{Machine, pictures};
use crate::support::place::mounted;
use crate::support::s3_server::{Fault, Gate, Operation, S3Server};
use crate::support::schema::parse;
use crate::support::{LONG, Run, Worker, names, scene, worker};

/// What `pack` has printed.
#[track_caller]
fn packed(run: Run) -> Value {
    parse("pack", run.exits(0).stdout)
}

/// The manifest of this name, held to its schema.
#[track_caller]
fn manifest(server: &S3Server, name: &str) -> Value {
    parse("project", server.get(&format!("p/{name}.project.json")).expect("a manifest"))
}

fn paths(manifest: &Value) -> Vec<&str> {
    manifest["files"].as_array().unwrap().iter().map(|it| it["path"].as_str().unwrap()).collect()
}

/// A command line that renders frames 1 and 3 of a manifest, on a machine that has nothing else.
fn render(server: &S3Server, name: &str, out: &Path) -> Worker {
    let render = worker("render").input(server.uri(&format!("p/{name}.project.json"))).output(out);
    render.s3(server).args("--frames 1,3")
}

/// The pictures of a manifest.
#[track_caller]
fn rendered(server: &S3Server, name: &str) -> [Vec<String>; 2] {
    let out = tempfile::tempdir().unwrap();
    render(server, name, out.path()).run().exits(0);
    pictures(out.path())
}

/// A film with a shot that needs libraries two levels deep, a sequence, an image in tiles, and an image
/// by an absolute path.
fn film() -> Machine {
    let machine = Machine::new();
    for seed in 1..=3 {
        machine.picture(&format!("film/fire/fire_000{seed}.png"), seed);
    }
    machine.picture("film/tex/wood.png", 4);
    machine.picture("film/tex/oak.png", 5);
    machine.picture("film/tex/w.1001.png", 6);
    machine.picture("film/tex/w.1002.png", 7);
    machine.write("film/tex/notes.txt", b"not needed");
    machine.write("film/fire/other_1.png", b"not needed");
    machine.scene("film/lib/inner.blend", "show(cube, image('//../tex/wood.png'))");
    let inner = machine.text("film/lib/inner.blend");
    machine.scene(
        "film/lib/outer.blend",
        &format!(
            "bpy.data.objects.remove(cube)
inner = link({inner:?})
bpy.context.view_layer.update()
group = bpy.data.collections.new('Group')
group.objects.link(inner)
group.use_fake_user = True
bpy.data.libraries[0].filepath = '//inner.blend'"
        ),
    );
    let (outer, oak) = (machine.text("film/lib/outer.blend"), machine.text("film/tex/oak.png"));
    machine.scene(
        "film/shots/010.blend",
        &format!(
            "with bpy.data.libraries.load({outer:?}, link=True) as (there, wanted):
    wanted.collections = ['Group']
instance = bpy.data.objects.new('Instance', None)
instance.instance_type, instance.instance_collection = 'COLLECTION', wanted.collections[0]
scene.collection.objects.link(instance)
for it in bpy.data.libraries: it.filepath = '//../lib/' + it.filepath.split('/')[-1]
bpy.data.objects.remove(cube)
fire = add_cube(-3, image('//../fire/fire_0001.png', 'SEQUENCE', 'Fire'))
fire.image_user.frame_duration, fire.image_user.use_auto_refresh = 3, True
add_cube(3, tiled('//../tex/w.1001.png', '//../tex/w.<UDIM>.png'))
add_cube(0, image({oak:?}, name='Oak'))
bpy.context.object.location.z = 2.5
"
        ),
    );
    machine
}

/// The files of this film that the shot needs.
const NEEDED: [&str; 10] = [
    "fire/fire_0001.png",
    "fire/fire_0002.png",
    "fire/fire_0003.png",
    "lib/inner.blend",
    "lib/outer.blend",
    "shots/010.blend",
    "tex/oak.png",
    "tex/w.1001.png",
    "tex/w.1002.png",
    "tex/wood.png",
];

#[test]
fn a_shot_travels_with_everything_that_it_needs() {
    let (machine, server) = (film(), S3Server::start());
    let film = machine.text("film");
    let expected = machine.pictures("film/shots/010.blend", &format!("--allow-read {film}"));
    assert_ne!(expected[0], expected[1], "the sequence plays");
    let pack = || machine.pack("film/shots/010.blend", &server).args("--project-dir").arg(&film);

    let dry = packed(pack().arg("--dry-run").run());
    assert_eq!((&dry["new_files"], &dry["dry_run"]), (&json!(10), &json!(true)));
    assert_eq!(server.keys(""), [""; 0]);

    let first = packed(pack().run());
    assert_eq!((&first["files"], &first["new_files"]), (&json!(10), &json!(10)));
    assert_eq!(paths(&manifest(&server, "010")), NEEDED);
    assert_eq!(server.keys("p/files/").len(), 10);
    // Nothing tells where the project was.
    let stored = server.get("p/010.project.json").unwrap();
    assert!(!String::from_utf8(stored).unwrap().contains(film.as_str()));

    let before = server.requests().len();
    let again = packed(pack().run());
    assert_eq!((&again["new_files"], &again["new_bytes"]), (&json!(0), &json!(0)));
    let requests: Vec<_> = server.requests()[before..].iter().map(|it| it.operation).collect();
    // One listing and the manifest that is there, at the same time, and the same manifest again.
    assert_eq!(requests.len(), 3, "{requests:?}");
    for operation in [Operation::GetObject, Operation::ListObjectsV2] {
        assert!(requests[..2].contains(&operation), "{requests:?}");
    }
    assert_eq!(requests[2], Operation::PutObject);

    // On a machine that has nothing of it.
    fs::rename(machine.path("film"), machine.path("away")).unwrap();
    let out = machine.path("out");
    let run = render(&server, "010", &out).run().exits(0);
    run.logs(&["tex/oak.png of the project"]);
    assert_eq!(pictures(&out), expected);

    // The same project, packed by somebody else from elsewhere, is the same.
    let other = S3Server::start();
    let elsewhere = worker("pack").input(machine.path("away/shots/010.blend")).s3(&other);
    let elsewhere = elsewhere.output(other.uri("p")).args("--json --project-dir");
    packed(elsewhere.arg(machine.path("away")).run());
    let run = render(&other, "010", &out).run().exits(0);
    run.logs(&["already"]).never_logs(&["starting /", "fetched"]);

    // Another texture makes other pictures.
    machine.picture("away/tex/wood.png", 99);
    let changed = worker("pack").input(machine.path("away/shots/010.blend")).s3(&server);
    let changed = changed.output(server.uri("p")).args("--json --project-dir");
    assert_eq!(packed(changed.arg(machine.path("away")).run())["new_files"], 1);
    render(&server, "010", &out).run().exits(0);
    assert_ne!(pictures(&out)[0], expected[0]);
}

#[test]
fn inspect_and_submit_take_a_manifest() {
    let (machine, server) = (Machine::new(), S3Server::start());
    machine.picture("film/wood.png", 1);
    machine.scene("film/shot.blend", "show(cube, image('//wood.png'))");
    packed(machine.pack("film/shot.blend", &server).run());
    let manifest = server.uri("p/shot.project.json");
    let inspect = worker("inspect").input(&manifest).s3(&server).args("--deep --json");
    let found = parse("inspect", inspect.run().exits(0).stdout);
    assert_eq!((&found["last_frame"], &found["uri"]), (&json!(3), &json!(manifest)));
    assert_eq!(found["blender"]["unusable_files"], json!([]));
    let submit = worker("submit").input(&manifest).s3(&server).output(server.uri("out"));
    let submit = submit.args("--job-queue q --job-definition d -f 1 --dry-run").run().exits(0);
    let jobs = parse("submit", submit.stdout);
    assert_eq!(jobs["render"]["parameters"]["inputUri"], manifest);
    assert_eq!(jobs["render"]["jobName"], "shot");
}

#[test]
fn missing_files_are_named_before_anything_is_stored() {
    let (machine, server) = (Machine::new(), S3Server::start());
    machine.scene("film/shot.blend", "show(cube, image('//wood.png'))");
    let run = machine.pack("film/shot.blend", &server).run();
    run.fails(65, &["shot.blend is not packed", "wood.png"]);
    assert_eq!(server.keys(""), [""; 0]);
    let run = machine.pack("film/shot.blend", &server).args("--missing-files warn").run();
    assert_eq!(packed(run)["files"], 1);
    let run = render(&server, "shot", &machine.path("out")).run();
    run.fails(65, &["wood.png", "pack the project again"]);
}

#[test]
fn files_from_elsewhere_are_packed_only_if_they_are_named() {
    let (machine, server) = (Machine::new(), S3Server::start());
    machine.picture("lib/oak.png", 1);
    machine.picture("film/.hidden/wood.png", 2);
    machine.picture("secret/key.png", 3);
    fs::create_dir_all(machine.path("film/tex")).unwrap();
    symlink(machine.path("secret"), machine.path("film/tex/link")).unwrap();
    let oak = machine.text("lib/oak.png");
    let lib = machine.text("lib");
    machine.scene("film/shot.blend", &format!("show(cube, image({oak:?}))"));
    for sandbox in ["auto", "off"] {
        let run = machine.pack("film/shot.blend", &server).env("SANDBOX", sandbox).run();
        run.fails(65, &["oak.png", &format!("--allow-read {lib}")]);
    }
    for (file, secret) in [("a", "//.hidden/wood.png"), ("b", "//tex/link/key.png")] {
        machine.scene(&format!("film/{file}.blend"), &format!("show(cube, image({secret:?}))"));
        for sandbox in ["auto", "off"] {
            let run = machine.pack(&format!("film/{file}.blend"), &server).env("SANDBOX", sandbox);
            run.run().fails(65, &[secret.rsplit('/').next().unwrap()]);
        }
    }
    assert_eq!(server.keys(""), [""; 0]);

    let run = machine.pack("film/shot.blend", &server).args("--allow-read").arg(&lib).run();
    assert_eq!(packed(run)["outside"], 1);
    let manifest = manifest(&server, "shot");
    assert_eq!(manifest["files"][0]["path"], format!("_outside{oak}"));
    assert_eq!(manifest["files"][0]["origin"], oak);
    let expected = machine.pictures("film/shot.blend", &format!("--allow-read {lib}"));
    fs::rename(machine.path("lib"), machine.path("away")).unwrap();
    assert_eq!(rendered(&server, "shot"), expected);
}

#[test]
fn paths_of_windows_and_of_other_machines_lead_to_the_files_of_the_project() {
    let (machine, server) = (Machine::new(), S3Server::start());
    for (seed, name) in
        (1..).zip(["tex/a/Wood.png", "tex/b/wood.png", "Tex2/Sky.PNG", "w.1001.png"])
    {
        machine.picture(&format!("film/{name}"), seed);
    }
    machine.scene("film/lib/thing.blend", "show(cube, image('//../tex/b/wood.png', name='Inner'))");
    let shot = |wood: &str, sky: &str, tiles: &str, library: &str| {
        format!(
            "bpy.data.objects.remove(cube)
link({:?})
add_cube(-3, image({wood:?}))
add_cube(3, image({sky:?}, name='Sky'))
add_cube(0, tiled('//w.1001.png', {tiles:?}))
bpy.context.object.location.z = 2.5
bpy.data.libraries[0].filepath = {library:?}",
            machine.text("film/lib/thing.blend")
        )
    };
    let relative =
        shot("//tex/a/Wood.png", "//Tex2/Sky.PNG", "//w.<UDIM>.png", "//lib/thing.blend");
    machine.scene("film/shot.blend", &relative);
    let expected = machine.pictures("film/shot.blend", "");
    let windows = shot(
        "C:\\\\proj\\\\film\\\\tex\\\\A\\\\wood.png",
        "\\\\\\\\server\\\\share\\\\tex2\\\\sky.png",
        "//gone\\\\W.<UDIM>.png",
        "D:\\\\proj\\\\lib\\\\thing.blend",
    );
    machine.scene("film/windows.blend", &windows.replace("\\\\", "\\"));
    let moved = shot(
        "/home/somebody/film/tex/a/Wood.png",
        "//../../elsewhere/Sky.PNG",
        "/home/somebody/w.<UDIM>.png",
        "/home/somebody/film/lib/thing.blend",
    );
    machine.scene("film/moved.blend", &moved);
    for name in ["windows", "moved"] {
        let run = machine.pack(&format!("film/{name}.blend"), &server).run();
        assert_eq!(packed(run)["files"], 6, "{name}");
        assert_eq!(rendered(&server, name), expected, "{name}");
    }
    // Two files are as likely: none is taken.
    machine.scene("film/unclear.blend", "show(cube, image('/elsewhere/WOOD.png'))");
    let run = machine.pack("film/unclear.blend", &server).run();
    run.fails(65, &["/elsewhere/WOOD.png"]);
}

#[test]
fn without_a_blender_every_file_of_the_folder_is_packed() {
    let (machine, server) = (Machine::new(), S3Server::start());
    fs::create_dir_all(machine.path("film")).unwrap();
    fs::copy(scene("tiny"), machine.path("film/shot.blend")).unwrap();
    for file in ["a.png", "tex/b.png", "tex/b.psd", "renders/1.png", ".git/config", "old.blend1"] {
        machine.write(&format!("film/{file}"), file.as_bytes());
    }
    machine.write("film/.renderignore", b"# comment\n*.blend1\nrenders/\n");
    let pack = || {
        let pack = machine.pack("film/shot.blend", &server).args("--exclude *.psd");
        pack.env("PATH", "/nowhere")
    };
    let run = pack().run();
    run.logs(&["there is no Blender"]);
    assert_eq!(paths(&manifest(&server, "shot")), ["a.png", "shot.blend", "tex/b.png"]);
    pack().args("--blender blender").run().fails(69, &["blender"]);
}

#[test]
fn a_name_that_another_scene_has_is_refused() {
    let (machine, server) = (Machine::new(), S3Server::start());
    for folder in ["a", "b"] {
        fs::create_dir_all(machine.path(&format!("film/{folder}"))).unwrap();
        fs::copy(scene("tiny"), machine.path(&format!("film/{folder}/shot.blend"))).unwrap();
    }
    let pack =
        |scene: &str| machine.pack(scene, &server).arg("--project-dir").arg(machine.path("film"));
    packed(pack("film/a/shot.blend").run());
    pack("film/b/shot.blend").run().fails(2, &["a/shot.blend", "--name"]);
    let run = pack("film/b/shot.blend").args("--name shot_b").run();
    assert_eq!(packed(run)["new_files"], 0, "they share their content");
    let elsewhere = worker("pack").input(scene("tiny")).output(server.uri("p")).s3(&server);
    elsewhere.arg("--project-dir").arg(machine.path("film")).run().fails(2, &["--project-dir"]);
    worker("pack").args("-i s3://bucket/a.blend -o out").run().exits(2).logs(&["on this machine"]);
}

/// A project of the smallest scene and a file that is stored in parts.
fn with_large_file(machine: &Machine) {
    fs::create_dir_all(machine.path("film")).unwrap();
    fs::copy(scene("tiny"), machine.path("film/shot.blend")).unwrap();
    let content: Vec<u8> = (0..5_000_000u32).flat_map(u32::to_be_bytes).collect();
    machine.write("film/large.bin", &content);
}

#[test]
fn a_file_that_changes_while_it_is_packed_is_named_and_not_stored() {
    let (machine, server) = (Machine::new(), S3Server::start());
    with_large_file(&machine);
    let gate = Gate::default();
    server.inject(Fault::on(Operation::UploadPart).hold(&gate));
    let pack = machine.pack("film/shot.blend", &server).env("PATH", "/nowhere").start();
    server.wait_for_arrival(|request| request.operation == Operation::UploadPart, LONG);
    let mut file = File::options().append(true).open(machine.path("film/large.bin")).unwrap();
    file.write_all(b"more").unwrap();
    gate.open();
    pack.finish().fails(75, &["large.bin", "changed while"]);
    // The scene is stored, without the large file and the manifest.
    assert_eq!(server.keys("").len(), 1);
    assert_eq!(server.open_uploads(), [""; 0]);
    let again = machine.pack("film/shot.blend", &server).env("PATH", "/nowhere").run();
    assert_eq!(packed(again)["new_files"], 1);
}

#[test]
fn what_is_stored_when_packing_is_stopped_is_not_sent_again() {
    let (machine, server) = (Machine::new(), S3Server::start());
    with_large_file(&machine);
    let gate = Gate::default();
    server.inject(Fault::on(Operation::CompleteMultipartUpload).hold(&gate));
    let pack = || machine.pack("film/shot.blend", &server).env("PATH", "/nowhere");
    let stopped = pack().start();
    let is_complete = |it: &crate::support::s3_server::Request| {
        it.operation == Operation::CompleteMultipartUpload
    };
    server.wait_for_arrival(is_complete, LONG);
    // With its response: the server may finish a request whose client is gone after the files are
    // counted.
    let is_stored = |it: &&crate::support::s3_server::Request| {
        it.operation == Operation::PutObject
            && it.key.starts_with("p/files/")
            && it.finished.is_some()
    };
    server.wait_until(|requests| requests.iter().find(is_stored).map(drop), LONG);
    stopped.signal(nix::sys::signal::Signal::SIGINT);
    gate.open();
    stopped.finish().exits(130);
    assert_eq!(server.open_uploads(), [""; 0]);
    assert_eq!(server.get("p/shot.project.json"), None);
    let stored = server.keys("p/files/").len();
    assert!(stored >= 1);
    assert_eq!(packed(pack().run())["new_files"], 2 - stored);
}

/// Fetches a project onto a disk of its own.
#[test]
fn a_disk_without_room_for_the_project_is_named() {
    let (machine, server) = (Machine::new(), S3Server::start());
    with_large_file(&machine);
    packed(machine.pack("film/shot.blend", &server).env("PATH", "/nowhere").run());
    let on_disk_of = |size: &str| {
        let render = render(&server, "shot", &machine.path("out"));
        let scratch = render.scratch().to_owned();
        let run = render.wrapped_in(mounted(&format!("size={size}"), &scratch)).start();
        (run, scratch.to_str().unwrap().to_owned())
    };
    let (run, scratch) = on_disk_of("8m");
    run.finish().fails(74, &["do not fit on the scratch disk", " of 8 MiB are free in ", &scratch]);
    // A disk that something else fills meanwhile.
    let gate = Gate::default();
    let later = |request: &crate::support::s3_server::Request| {
        request.range().is_some_and(|range| !range.starts_with("bytes=0-"))
    };
    server.inject(Fault::on(Operation::GetObject).when(later).hold(&gate));
    let (run, scratch) = on_disk_of("24m");
    server.wait_for_arrival(later, LONG);
    let inside = format!("/proc/{}/root{scratch}/filler", run.pid());
    fs::write(&inside, vec![0; 23 << 20]).expect_err("the disk is full");
    gate.open();
    run.finish().fails(74, &["No space left", &scratch]);
    assert!(names(&machine.path("out/frames")).is_empty());
}

#[test]
fn contents_that_are_not_those_of_the_manifest_are_not_rendered() {
    let (machine, server) = (Machine::new(), S3Server::start());
    machine.picture("film/wood.png", 1);
    machine.picture("film/oak.png", 2);
    machine.scene("film/shot.blend", "show(cube, image('//wood.png'))");
    packed(machine.pack("film/shot.blend", &server).run());
    let manifest = manifest(&server, "shot");
    let wood = manifest["files"].as_array().unwrap().iter().find(|it| it["path"] == "wood.png");
    let key = format!("p/files/{}", wood.unwrap()["sha256"].as_str().unwrap());
    let right = server.get(&key).unwrap();
    let mut flipped = right.clone();
    flipped[40] ^= 1;
    for wrong in [flipped, right[1..].to_vec()] {
        server.put(&key, &wrong);
        let run = render(&server, "shot", &machine.path("out")).run();
        run.fails(65, &["wood.png", "another content", "pack the project again"]);
    }
    server.remove(&key);
    render(&server, "shot", &machine.path("out")).run().fails(66, &[&key]);
    assert!(names(&machine.path("out/frames")).is_empty());
}

#[test]
fn hostile_manifests_are_refused_and_leave_nothing() {
    let (machine, server) = (Machine::new(), S3Server::start());
    let content = fs::read(scene("tiny")).unwrap();
    let project = machine.path("p");
    machine.write("film/shot.blend", &content);
    let run = worker("pack").input(machine.path("film/shot.blend")).output(&project).run();
    run.exits(0);
    let whole: Value =
        serde_json::from_slice(&fs::read(project.join("shot.project.json")).unwrap()).unwrap();
    let outside = machine.text("outside.png");
    for (what, path) in [
        ("absolute", outside.as_str()),
        ("`..`", "../../outside.png"),
        ("both a file and a folder", "shot.blend/outside.png"),
        ("one folder", "SHOT.blend"),
    ] {
        let mut hostile = whole.clone();
        let mut file = hostile["files"][0].clone();
        file["path"] = path.into();
        hostile["files"].as_array_mut().unwrap().push(file);
        machine.write("p/hostile.project.json", hostile.to_string().as_bytes());
        let render = worker("render").input(project.join("hostile.project.json"));
        let run = render.output(server.uri("out")).s3(&server).args("-f 1").run();
        run.fails(65, &["hostile.project.json", what]);
    }
    assert!(!machine.path("outside.png").exists());
    // A project on a mounted folder is rendered like one on S3.
    let render = worker("render").input(project.join("shot.project.json")).args("-f 1");
    render.output(machine.path("out")).run().exits(0);
    assert_eq!(names(&machine.path("out/frames")), ["0001.png"]);
}

#[test]
fn only_the_files_of_the_project_can_be_read() {
    let (machine, server) = (Machine::new(), S3Server::start());
    machine.picture("film/wood.png", 1);
    machine.write("film/not_packed.txt", b"private");
    machine.scene(
        "film/shot.blend",
        &format!(
            "show(cube, image('//wood.png'))
text = bpy.data.texts.new('steal.py')
text.use_module = True
text.write('''
import bpy, os
for path in [{:?}, bpy.path.abspath('//wood.png')]:
    try: open(path).close(); print('READS', path)
    except OSError: print('DENIED', path)
try: open(bpy.path.abspath('//new.txt'), 'w'); print('WRITES')
except OSError: print('READ ONLY')
''')",
            machine.text("film/not_packed.txt")
        ),
    );
    packed(machine.pack("film/shot.blend", &server).run());
    let run = render(&server, "shot", &machine.path("out")).arg("--enable-autoexec").run().exits(0);
    let stolen = machine.text("film/not_packed.txt");
    run.logs(&[&format!("DENIED {stolen}"), "READ ONLY", "READS "]).never_logs(&["WRITES"]);
}

/// Makes an archive of what is in the folder `film`: the output of a shell command.
fn archive(machine: &Machine, name: &str, command: &str) -> PathBuf {
    let path = machine.path(name);
    let script = format!("{{ {command}; }} >\"$0\"");
    let mut shell = Command::new("sh");
    shell.args(["-ec", &script]).arg(&path).current_dir(machine.path("film"));
    assert!(shell.status().unwrap().success(), "{command}");
    path
}

#[test]
fn archives_and_folders_are_rendered_like_the_project_that_they_hold() {
    let (machine, server) = (Machine::new(), S3Server::start());
    machine.picture("film/tex/wood.png", 1);
    machine.scene("film/lib/thing.blend", "show(cube, image('//../tex/wood.png'))");
    let thing = machine.text("film/lib/thing.blend");
    let shot = format!(
        "bpy.data.objects.remove(cube)
link({thing:?})
bpy.data.libraries[0].filepath = r'C:\\film\\lib\\thing.blend'"
    );
    machine.scene("film/shots/010.blend", &shot);
    // On its own, the scene has nothing in the folders above it.
    let alone = worker("render").input(machine.path("film/shots/010.blend")).args("--frames 1");
    alone.output(machine.path("alone")).run().fails(65, &["thing.blend"]);

    let render = |input: &str, out: &str| {
        let render = worker("render").input(input).s3(&server).args("--frames 1,3");
        render.output(machine.path(out)).args("--main shots/010.blend")
    };
    render(&machine.text("film"), "folder").run().exits(0);
    let expected = pictures(&machine.path("folder"));
    let zip = "python3 -m zipfile -c ../made.zip lib tex shots && cat ../made.zip";
    for (name, command) in
        [("a.zip", zip), ("a.tar.gz", "tar -cz ."), ("a.tar.zst", "tar -c * | zstd -q")]
    {
        let file = archive(&machine, name, command);
        let out = format!("out of {name}");
        let run = render(file.to_str().unwrap(), &out).run().exits(0);
        run.logs(&["lib/thing.blend of the project"]);
        assert_eq!(pictures(&machine.path(&out)), expected, "{name}");
        server.put(name, &fs::read(&file).unwrap());
    }
    // From S3, and continued from another archive of the same files.
    render(&server.uri("a.tar.gz"), "s3").run().exits(0);
    assert_eq!(pictures(&machine.path("s3")), expected);
    let run = render(&server.uri("a.tar.zst"), "s3").run().exits(0);
    run.logs(&["already"]).never_logs(&["starting /"]);

    let several = worker("inspect").input(server.uri("a.zip")).s3(&server);
    several.run().fails(2, &["--main (MAIN)", "lib/thing.blend, shots/010.blend"]);
    let inspect = worker("inspect").input(server.uri("a.zip")).s3(&server).args("--json --main");
    let run = inspect.arg("shots/010.blend").run().exits(0);
    assert_eq!(parse("inspect", run.stdout)["last_frame"], 3);
    let submit = worker("submit").input(server.uri("a.zip")).s3(&server).output(server.uri("out"));
    let submit = submit.args("--job-queue q --job-definition d -f 1 --dry-run");
    let run = submit.args("--main shots/010.blend").run().exits(0);
    let jobs = parse("submit", run.stdout);
    let variables = jobs["render"]["containerOverrides"]["environment"].as_array().unwrap();
    assert!(variables.contains(&json!({"name": "MAIN", "value": "shots/010.blend"})));
    for (input, text) in [("a.blend", "neither"), ("a.project.json", "neither")] {
        render(input, "out").run().exits(2).logs(&[text]);
    }
}

#[test]
fn hostile_archives_are_refused_and_leave_nothing() {
    let machine = Machine::new();
    fs::create_dir_all(machine.path("film")).unwrap();
    fs::copy(scene("tiny"), machine.path("film/shot.blend")).unwrap();
    symlink("/etc", machine.path("film/link")).unwrap();
    File::create(machine.path("film/large")).unwrap().set_len(1 << 30).unwrap();
    machine.write("outside", b"1");
    for (name, command, text) in [
        ("a.tar", "tar -c shot.blend link", "link"),
        ("a.tar", "tar -cP shot.blend ../outside", "`..`"),
        ("a.tar.gz", "tar -cz shot.blend large", "more content"),
        ("a.tar.zst", "tar -c shot.blend large | zstd -q", "more content"),
        ("a.zip", "tar -c shot.blend", "no zip archive"),
        ("a.tar", "echo nothing", "no tar archive"),
    ] {
        let file = archive(&machine, name, command);
        let render = worker("render").input(&file).output(machine.path("out")).args("-f 1");
        let before = fs::metadata(machine.path("outside")).unwrap().modified().unwrap();
        render.run().fails(65, &[name, text]);
        assert_eq!(fs::metadata(machine.path("outside")).unwrap().modified().unwrap(), before);
        assert!(!machine.path("out").exists(), "nothing is stored");
    }
}

/// The names of the files in a cache. Asserts that each has the content that its name says.
fn cached(cache: &Path) -> Vec<String> {
    let names = names(&cache.join("files"));
    for name in names.iter().filter(|name| !name.starts_with("object-")) {
        let sum = Command::new("sha256sum").arg(cache.join("files").join(name)).output().unwrap();
        let sum = String::from_utf8(sum.stdout).unwrap();
        assert!(sum.starts_with(name.as_str()), "{name}: {sum}");
    }
    names
}

#[test]
fn workers_of_a_machine_share_what_they_have_fetched() {
    let (machine, server) = (Machine::new(), S3Server::start());
    machine.picture("film/wood.png", 1);
    machine.picture("film/again.png", 1);
    machine.picture("film/sky.png", 2);
    let shown = "show(cube, image('//wood.png'))
add_cube(-3, image('//sky.png', name='Sky'))
add_cube(3, image('//again.png', name='Again'))";
    machine.scene("film/shot.blend", shown);
    let expected = machine.pictures("film/shot.blend", "");
    packed(machine.pack("film/shot.blend", &server).run());
    let cache = machine.path("cache");
    let contents = || {
        let is_content = |it: &&crate::support::s3_server::Request| {
            it.operation == Operation::GetObject && it.key.contains("files/")
        };
        server.requests().iter().filter(is_content).count()
    };
    let render = |out: &str| {
        let render = render(&server, "shot", &machine.path(out)).arg("--cache-dir");
        render.arg(&cache).arg("--no-previews")
    };
    let before = contents();
    render("1").run().exits(0).never_logs(&["were in the cache"]);
    assert_eq!((contents() - before, cached(&cache).len()), (3, 3));
    let before = contents();
    render("2").run().exits(0).logs(&["3 were in the cache"]);
    assert_eq!(contents() - before, 1);
    assert_eq!(
        [pictures(&machine.path("1")), pictures(&machine.path("2"))],
        [(); 2].map(|()| expected.clone())
    );

    // Without a sandbox, a scene could have changed a file.
    let wood = cached(&cache)
        .into_iter()
        .min_by_key(|name| fs::metadata(cache.join("files").join(name)).unwrap().len());
    let wood = cache.join("files").join(wood.unwrap());
    let mut content = fs::read(&wood).unwrap();
    content[40] ^= 1;
    fs::write(&wood, &content).unwrap();
    render("3").env("SANDBOX", "off").run().exits(0).logs(&["2 were in the cache"]);
    assert_eq!(pictures(&machine.path("3")), expected);

    // What is too much is removed, and another job fetches it again.
    render("4").args("--cache-size 0").env("SANDBOX", "off").run().exits(0);
    assert_eq!(cached(&cache), [""; 0]);
}

#[test]
fn a_scene_on_s3_is_fetched_once_for_each_of_its_versions() {
    let (machine, server) = (Machine::new(), S3Server::start());
    machine.scene(
        "scene.blend",
        "bpy.ops.mesh.primitive_grid_add(x_subdivisions=300, y_subdivisions=300)",
    );
    server.put("scene.blend", &fs::read(machine.path("scene.blend")).unwrap());
    let cache = machine.path("cache");
    let fetched = |out: &str| {
        let before = server.count(Operation::GetObject);
        let render = worker("render").input(server.uri("scene.blend")).s3(&server).args("-f 1");
        let render = render.output(machine.path(out)).arg("--cache-dir").arg(&cache);
        render.run().exits(0);
        server.count(Operation::GetObject) - before
    };
    let first = fetched("1");
    assert!(first > 1, "it has several parts: {first}");
    assert_eq!(fetched("2"), 1, "its beginning");
    machine.scene(
        "scene.blend",
        "bpy.ops.mesh.primitive_grid_add(x_subdivisions=300, y_subdivisions=301)",
    );
    server.put("scene.blend", &fs::read(machine.path("scene.blend")).unwrap());
    assert_eq!(fetched("3"), first);
    assert_eq!(cached(&cache).len(), 2);
}

#[test]
fn a_worker_that_is_killed_leaves_nothing_wrong_in_the_cache() {
    let (machine, server) = (Machine::new(), S3Server::start());
    with_large_file(&machine);
    packed(machine.pack("film/shot.blend", &server).env("PATH", "/nowhere").run());
    let cache = machine.path("cache");
    let render = |out: &str| {
        let render = render(&server, "shot", &machine.path(out)).arg("--cache-dir");
        render.arg(&cache)
    };
    let gate = Gate::default();
    let later = |request: &crate::support::s3_server::Request| {
        request.range().is_some_and(|range| !range.starts_with("bytes=0-"))
    };
    server.inject(Fault::on(Operation::GetObject).when(later).hold(&gate));
    let (killed, other) = (render("killed").start(), render("other").start());
    server.wait_until(
        |requests| (requests.iter().filter(|it| later(it)).count() > 0).then_some(()),
        LONG,
    );
    killed.signal(nix::sys::signal::Signal::SIGKILL);
    killed.finish();
    gate.open();
    other.finish().exits(0);
    assert_eq!(cached(&cache).len(), 2);
    render("again").run().exits(0).logs(&["2 were in the cache"]);
}
