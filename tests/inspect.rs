//! What a scene file is, told from its first bytes: the same as its Blender says.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::blender::blender_runs;
use crate::support::s3_server::{Fault, Operation, S3Server};
use crate::support::{fixture, scene, worker};

/// What `inspect --json` says of a file.
#[track_caller]
fn inspected(file: impl AsRef<Path>) -> Value {
    let run = worker("inspect").input(file.as_ref()).arg("--json").run().exits(0);
    assert!(run.lines.is_empty(), "it says nothing else:\n{}", run.text());
    serde_json::from_str(&run.stdout).expect("JSON")
}

/// The scenes that were made for the tests, and copies that Blender has saved of each, to
/// `folder`: compressed, and not.
fn scenes(folder: &Path) -> Vec<PathBuf> {
    let scenes = fs::read_dir(fixture("scenes")).expect("scenes");
    let scenes = scenes.map(|entry| entry.expect("a readable folder").path());
    let mut scenes: Vec<_> =
        scenes.filter(|path| path.extension().is_some_and(|it| it == "blend")).collect();
    // Debian's Blender 4.3 aborts on it.
    scenes.retain(|path| path.file_stem().is_some_and(|it| it != "fluid"));
    scenes.sort();
    for (name, options) in [("packed.blend", "compress=True"), ("plain.blend", "compress=False")] {
        let copy = folder.join(name);
        saved(&copy, options);
        scenes.push(copy);
    }
    scenes
}

/// The bytes of a scene that is not compressed.
fn plain() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("plain.blend");
    saved(&copy, "compress=False");
    fs::read(copy).unwrap()
}

/// Has Blender save a scene to a file, in some way.
fn saved(copy: &Path, options: &str) {
    let path = json!(copy.to_str().expect("UTF-8"));
    let save = format!("bpy.ops.wm.save_as_mainfile(filepath={path}, {options})");
    blender_runs(Some(&scene("demo")), &format!("import bpy; {save}"));
}

/// What Blender says of files: the name and the range of the scene that is active, and the
/// version that saved them.
fn said_by_blender(files: &[PathBuf]) -> BTreeMap<PathBuf, Value> {
    let script = format!(
        "import bpy, json
for path in json.loads({:?}):
    bpy.ops.wm.open_mainfile(filepath=path, load_ui=True)
    scene = bpy.context.window_manager.windows[0].scene
    print('SAID', json.dumps([path, list(bpy.data.version[:2]), scene.name,
          scene.frame_start, scene.frame_end]))",
        json!(files).to_string()
    );
    let said = blender_runs(Some(&files[0]), &script);
    let said = said.lines().filter_map(|line| line.strip_prefix("SAID "));
    let said = said.map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    said.map(|said| {
        let version = format!("{}.{}", said[1][0], said[1][1]);
        let answer = json!([version, said[2], said[3], said[4]]);
        (said[0].as_str().expect("a path").into(), answer)
    })
    .collect()
}

#[test]
fn it_says_what_blender_says() {
    let folder = tempfile::tempdir().unwrap();
    let files = scenes(folder.path());
    let expected = said_by_blender(&files);
    assert_eq!(expected.len(), files.len());
    for file in &files {
        let told = inspected(file);
        let scene = &told["scenes"][0];
        let answer = json!([
            told["blender_version"],
            scene["name"],
            told["first_frame"],
            told["last_frame"]
        ]);
        assert_eq!(answer, expected[file], "{}", file.display());
        assert_eq!(told["first_frame"], scene["first_frame"]);
        assert_eq!(told["byte_order"], "little");
    }
    assert_eq!(inspected(folder.path().join("packed.blend"))["compression"], "zstd");
    assert_eq!(inspected(folder.path().join("plain.blend"))["compression"], "none");
}

#[test]
fn files_of_every_blender_are_read() {
    let mut files = 0;
    for version in ["3.4.1", "4.3.2", "5.2.2"] {
        let folder = fixture("beginnings").join(version);
        let truth = fs::read(folder.join("truth.json")).expect("what Blender said");
        let truth: BTreeMap<String, Value> = serde_json::from_slice(&truth).expect("JSON");
        for (name, said) in truth {
            let told = inspected(folder.join(&name));
            let packing = if name.ends_with("-packed.blend") { "zstd" } else { "none" };
            let answer = json!({
                "blender_version": told["blender_version"],
                "scene": told["scenes"][0]["name"],
                "first_frame": told["first_frame"],
                "last_frame": told["last_frame"],
            });
            assert_eq!((answer, &told["compression"]), (said, &json!(packing)), "{version}/{name}");
            files += 1;
        }
    }
    assert_eq!(files, 18);
}

#[test]
fn it_says_how_large_an_array_must_be() {
    let told = inspected(scene("demo"));
    assert_eq!(told["frames"], 24);
    assert_eq!((&told["frames_per_job"], &told["array_size"]), (&json!(1), &json!(24)));
    let asked = |arguments| {
        let run = worker("inspect").input(scene("demo")).args(arguments).run().exits(0);
        run.stdout
    };
    for (arguments, words) in [
        ("-f 7", "array size  4, for 7 frames a job (-f 7)\n"),
        ("-f 24", "array size  1, for 24 frames a job (-f 24); AWS Batch has no arrays of 1"),
        ("", "Scene: frames 1-24, 24 of them\n"),
        ("", "(64 bit, little endian, "),
    ] {
        assert!(asked(arguments).contains(words), "{arguments}: {}", asked(arguments));
    }
}

#[test]
fn of_a_large_animation_it_says_what_fits() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("long.blend");
    let mut bytes = plain();
    // Behind the header of the first block.
    bytes[36..44].copy_from_slice(&[1i32.to_le_bytes(), 200_000i32.to_le_bytes()].concat());
    fs::write(&file, bytes).unwrap();
    let run = worker("inspect").input(&file).run().exits(0);
    assert!(run.stdout.contains("200000, for 1 frame a job (-f 1)"), "{}", run.stdout);
    assert!(run.stdout.contains("up to 10000: -f 20 fits"), "{}", run.stdout);
}

#[test]
fn no_more_than_64_kib_travel() {
    let server = S3Server::start();
    let folder = tempfile::tempdir().unwrap();
    let packed = folder.path().join("packed.blend");
    let file = plain();
    saved(&packed, "compress=True");
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(&file).unwrap();
    server.put("gzip.blend", &encoder.finish().unwrap());
    server.put("zstd.blend", &fs::read(&packed).unwrap());
    server.put("plain.blend", &file);
    for (name, packing) in [("plain", "none"), ("gzip", "gzip"), ("zstd", "zstd")] {
        let uri = server.uri(&format!("{name}.blend"));
        let run = worker("inspect").s3(&server).input(uri).arg("--json").run().exits(0);
        let told: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!((&told["compression"], &told["frames"]), (&json!(packing), &json!(24)));
        let requests = server.requests();
        let of_it = requests.iter().filter(|request| request.key == format!("{name}.blend"));
        let travelled: Vec<u64> = of_it.map(|request| request.bytes_out).collect();
        // What is no whole came without a checksum, and is asked for once more.
        let twice = usize::from(server.get(&format!("{name}.blend")).unwrap().len() > 65_536);
        assert!(travelled.iter().all(|bytes| *bytes <= 65_536), "{name}: {travelled:?}");
        assert_eq!(travelled.len(), 1 + twice, "{name}: nothing else is asked for");
    }
}

#[test]
fn a_bit_that_is_wrong_on_its_way_chooses_no_frames_and_spoils_no_scene() {
    let mut file = plain();
    file.resize(file.len().max(2 * 1024 * 1024), 0);
    // A bit of the last frame's number; one of the word that every .blend begins with.
    for at in [40, 3] {
        let server = S3Server::start();
        server.put("plain.blend", &file);
        server.inject(Fault::on(Operation::GetObject).times(1).flip_bit(at));
        let inspect = || worker("inspect").s3(&server).input(server.uri("plain.blend"));
        let run = inspect().run().exits(75);
        assert!(run.last_words().contains("in two versions"), "{}", run.last_words());
        assert!(run.stdout.is_empty(), "{}", run.stdout);
        inspect().run().exits(0);
    }
}

#[test]
fn what_is_no_scene_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let whole = plain();
    let damaged = |at: usize, bytes: &[u8]| {
        let mut whole = whole.clone();
        whole[at..at + bytes.len()].copy_from_slice(bytes);
        whole
    };
    for (bytes, words) in [
        (Vec::new(), "it is empty"),
        (b"BLEMISH".to_vec(), "it does not begin like a .blend file"),
        (b"<html>".to_vec(), "it is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n".to_vec(), "it is a Git LFS pointer"),
        (whole[..30].to_vec(), "it ends at byte 30, in the middle of something"),
        (damaged(8, b"?"), "at byte 8 it stops making sense: no byte order: `?`"),
        (damaged(16, &[0; 4]), "at byte 16 it stops making sense: a scene's block cannot be 0"),
        (damaged(37, &[0xff, 0xff, 0x7f]), "at byte 36 it stops making sense: no scene has frames"),
    ] {
        let file = folder.path().join("scene.blend");
        fs::write(&file, bytes).unwrap();
        let run = worker("inspect").input(&file).run().exits(65);
        assert!(run.last_words().contains(words), "{words}: {}", run.last_words());
        assert!(run.stdout.is_empty(), "{}", run.stdout);
    }
    worker("inspect").input(folder.path().join("none.blend")).run().exits(66);
    symlink("elsewhere.blend", folder.path().join("link.blend")).unwrap();
    let run = worker("inspect").input(folder.path().join("link.blend")).run().exits(66);
    assert!(run.last_words().contains("a link to elsewhere.blend"), "{}", run.last_words());
    worker("inspect").input("s3://bucket").run().exits(2).says(&["--input-uri", "INPUT_URI"]);
    worker("inspect").run().exits(2).says(&["--input-uri", "INPUT_URI"]);
}

#[test]
fn a_range_that_was_asked_of_a_damaged_scene_says_where_it_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("scene.blend");
    let mut bytes = plain();
    bytes[8] = b'?';
    fs::write(&file, bytes).unwrap();
    let run = worker("render").input(&file).output(folder.path().join("out"));
    let run = run.args("-f 1 --total-frames scene").run().exits(65);
    assert!(run.last_words().contains("at byte 8 it stops making sense"), "{}", run.last_words());
}

#[test]
fn a_renderer_that_is_older_than_the_file_is_named() {
    let blend = fixture("beginnings/4.3.2/negative-plain.blend");
    assert_eq!(inspected(&blend).get("renderer_is_older"), None);
    for (version, older) in [("4.2.9", true), ("4.3", false), ("5.2.3", false)] {
        let run = worker("inspect").input(&blend).args("--json --blender-version").arg(version);
        let told: Value = serde_json::from_str(&run.run().exits(0).stdout).unwrap();
        assert_eq!(told["renderer_is_older"], older, "{version}");
        let run = worker("inspect").input(&blend).env("BLENDER_VERSION", version).run().exits(0);
        assert_eq!(run.stdout.contains("older than the Blender that saved"), older, "{version}");
    }
    let run = worker("inspect").input(&blend).args("--blender-version new").run().exits(2);
    run.says(&["--blender-version (BLENDER_VERSION)"]);
}
