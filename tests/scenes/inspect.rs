//! `inspect`: the description of a scene file from its first bytes, which agrees with Blender's.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::blender::blender_runs;
use crate::support::s3_server::{Fault, Operation, S3Server};
use crate::support::schema::parse;
use crate::support::{fixture, scene, worker};

/// Returns the output of `inspect --json` for a file.
#[track_caller]
fn inspected(file: impl AsRef<Path>) -> Value {
    let run = worker("inspect").input(file.as_ref()).arg("--json").run().exits(0);
    assert!(run.lines.is_empty(), "the log is not empty:\n{}", run.text());
    parse("inspect", run.stdout)
}

/// Returns the test scenes, and two copies of one that Blender saves to `folder`: compressed and
/// uncompressed.
fn scenes(folder: &Path) -> Vec<PathBuf> {
    let scenes = fs::read_dir(fixture("scenes")).expect("scenes");
    let scenes = scenes.map(|entry| entry.expect("a readable folder").path());
    let mut scenes: Vec<_> =
        scenes.filter(|path| path.extension().is_some_and(|it| it == "blend")).collect();
    // Debian's Blender 4.3 aborts on this scene.
    scenes.retain(|path| path.file_stem().is_some_and(|it| it != "fluid"));
    scenes.sort();
    for (name, options) in [("packed.blend", "compress=True"), ("plain.blend", "compress=False")] {
        let copy = folder.join(name);
        save_copy(&copy, options);
        scenes.push(copy);
    }
    scenes
}

/// Returns the bytes of an uncompressed scene.
fn uncompressed_scene() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("plain.blend");
    save_copy(&copy, "compress=False");
    fs::read(copy).unwrap()
}

/// Saves a copy of a scene with Blender.
fn save_copy(copy: &Path, options: &str) {
    let path = json!(copy.to_str().expect("UTF-8"));
    let save = format!("bpy.ops.wm.save_as_mainfile(filepath={path}, {options})");
    blender_runs(Some(&scene("demo")), &format!("import bpy; {save}"));
}

/// Returns Blender's description of files: the version that saved them, and the name and frame
/// range of the active scene.
fn described_by_blender(files: &[PathBuf]) -> BTreeMap<PathBuf, Value> {
    let script = format!(
        "import bpy, json
for path in json.loads({:?}):
    bpy.ops.wm.open_mainfile(filepath=path, load_ui=True)
    scene = bpy.context.window_manager.windows[0].scene
    print('DESCRIPTION', json.dumps([path, list(bpy.data.version[:2]), scene.name,
          scene.frame_start, scene.frame_end]))",
        json!(files).to_string()
    );
    let output = blender_runs(Some(&files[0]), &script);
    let lines = output.lines().filter_map(|line| line.strip_prefix("DESCRIPTION "));
    let parsed = lines.map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    parsed
        .map(|scene| {
            let version = format!("{}.{}", scene[1][0], scene[1][1]);
            let description = json!([version, scene[2], scene[3], scene[4]]);
            (scene[0].as_str().expect("a path").into(), description)
        })
        .collect()
}

#[test]
fn the_description_agrees_with_that_of_blender() {
    let folder = tempfile::tempdir().unwrap();
    let files = scenes(folder.path());
    let expected = described_by_blender(&files);
    assert_eq!(expected.len(), files.len());
    for file in &files {
        let found = inspected(file);
        let scene = &found["scenes"][0];
        let description = json!([
            found["blender_version"],
            scene["name"],
            found["first_frame"],
            found["last_frame"]
        ]);
        assert_eq!(description, expected[file], "{}", file.display());
        assert_eq!(found["first_frame"], scene["first_frame"]);
        assert_eq!(found["byte_order"], "little");
    }
    assert_eq!(inspected(folder.path().join("packed.blend"))["compression"], "zstd");
    assert_eq!(inspected(folder.path().join("plain.blend"))["compression"], "none");
}

#[test]
fn files_of_every_blender_version_are_read() {
    let mut files = 0;
    for version in ["3.4.1", "4.3.2", "5.2.2"] {
        let folder = fixture("beginnings").join(version);
        let truth = fs::read(folder.join("truth.json")).expect("Blender's descriptions");
        let truth: BTreeMap<String, Value> = serde_json::from_slice(&truth).expect("JSON");
        for (name, expected) in truth {
            let found = inspected(folder.join(&name));
            let compression = if name.ends_with("-packed.blend") { "zstd" } else { "none" };
            let description = json!({
                "blender_version": found["blender_version"],
                "scene": found["scenes"][0]["name"],
                "first_frame": found["first_frame"],
                "last_frame": found["last_frame"],
            });
            let expected = (expected, &json!(compression));
            assert_eq!((description, &found["compression"]), expected, "{version}/{name}");
            files += 1;
        }
    }
    assert_eq!(files, 18);
}

#[test]
fn the_output_has_the_size_of_the_array_job() {
    let found = inspected(scene("demo"));
    assert_eq!(found["frames"], 24);
    assert_eq!((&found["frames_per_job"], &found["array_size"]), (&json!(1), &json!(24)));
    let output = |arguments| {
        let run = worker("inspect").input(scene("demo")).args(arguments).run().exits(0);
        run.stdout
    };
    for (arguments, text) in [
        ("-f 7", "array size  4, for 7 frames a job (-f 7)\n"),
        ("-f 24", "array size  1, for 24 frames a job (-f 24); AWS Batch has no arrays of 1"),
        ("", "Scene: frames 1-24, 24 of them\n"),
        ("", "(64 bit, little endian, "),
    ] {
        assert!(output(arguments).contains(text), "{arguments}: {}", output(arguments));
    }
}

#[test]
fn for_an_array_that_is_too_large_the_output_suggests_frames_per_job() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("long.blend");
    let mut bytes = uncompressed_scene();
    // The frame range follows the header of the first block.
    bytes[36..44].copy_from_slice(&[1i32.to_le_bytes(), 200_000i32.to_le_bytes()].concat());
    fs::write(&file, bytes).unwrap();
    let run = worker("inspect").input(&file).run().exits(0);
    assert!(run.stdout.contains("200000, for 1 frame a job (-f 1)"), "{}", run.stdout);
    assert!(run.stdout.contains("up to 10000: -f 20 fits"), "{}", run.stdout);
}

#[test]
fn no_more_than_64_kib_of_a_scene_on_s3_are_fetched() {
    let server = S3Server::start();
    let folder = tempfile::tempdir().unwrap();
    let packed = folder.path().join("packed.blend");
    let file = uncompressed_scene();
    save_copy(&packed, "compress=True");
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(&file).unwrap();
    server.put("gzip.blend", &encoder.finish().unwrap());
    server.put("zstd.blend", &fs::read(&packed).unwrap());
    server.put("plain.blend", &file);
    for (name, compression) in [("plain", "none"), ("gzip", "gzip"), ("zstd", "zstd")] {
        let key = format!("{name}.blend");
        let run =
            worker("inspect").s3(&server).input(server.uri(&key)).arg("--json").run().exits(0);
        let found: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!((&found["compression"], &found["frames"]), (&json!(compression), &json!(24)));
        let requests = server.requests();
        let requests = requests.iter().filter(|request| request.key == key);
        let fetched: Vec<u64> = requests.map(|request| request.bytes_out).collect();
        // A part of an object has no checksum, so it is fetched a second time and compared.
        let is_partial = server.get(&key).unwrap().len() > 65_536;
        assert!(fetched.iter().all(|bytes| *bytes <= 65_536), "{name}: {fetched:?}");
        assert_eq!(fetched.len(), if is_partial { 2 } else { 1 }, "{name}: {fetched:?}");
    }
}

#[test]
fn a_flipped_bit_neither_changes_the_frame_range_nor_makes_a_scene_unusable() {
    let mut file = uncompressed_scene();
    file.resize(file.len().max(2 * 1024 * 1024), 0);
    // A bit of the last frame's number, and one of the magic bytes of a .blend file.
    for at in [40, 3] {
        let server = S3Server::start();
        server.put("plain.blend", &file);
        server.inject(Fault::on(Operation::GetObject).times(1).flip_bit(at));
        let inspect = || worker("inspect").s3(&server).input(server.uri("plain.blend"));
        let run = inspect().run().exits(75);
        assert!(run.final_error().contains("in two versions"), "{}", run.final_error());
        assert!(run.stdout.is_empty(), "{}", run.stdout);
        inspect().run().exits(0);
    }
}

#[test]
fn a_file_that_is_no_scene_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let whole = uncompressed_scene();
    let damaged = |at: usize, bytes: &[u8]| {
        let mut whole = whole.clone();
        whole[at..at + bytes.len()].copy_from_slice(bytes);
        whole
    };
    for (bytes, text) in [
        (Vec::new(), "it is empty"),
        (b"BLEMISH".to_vec(), "it does not begin like a .blend file"),
        (b"<html>".to_vec(), "it is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n".to_vec(), "it is a Git LFS pointer"),
        (whole[..30].to_vec(), "it is cut short at byte 30"),
        (damaged(8, b"?"), "it is damaged at byte 8: `?` is not a byte order"),
        (damaged(16, &[0; 4]), "it is damaged at byte 16: a scene's block cannot be 0"),
        (damaged(37, &[0xff, 0xff, 0x7f]), "it is damaged at byte 36: a scene cannot have frames"),
    ] {
        let file = folder.path().join("scene.blend");
        fs::write(&file, bytes).unwrap();
        let run = worker("inspect").input(&file).run().exits(65);
        assert!(run.final_error().contains(text), "{text}: {}", run.final_error());
        assert!(run.stdout.is_empty(), "{}", run.stdout);
    }
    worker("inspect").input(folder.path().join("none.blend")).run().exits(66);
    symlink("elsewhere.blend", folder.path().join("link.blend")).unwrap();
    let run = worker("inspect").input(folder.path().join("link.blend")).run().exits(66);
    assert!(run.final_error().contains("a link to elsewhere.blend"), "{}", run.final_error());
    worker("inspect").input("s3://bucket").run().exits(2).logs(&["--input-uri", "INPUT_URI"]);
    worker("inspect").run().exits(2).logs(&["--input-uri", "INPUT_URI"]);
}

#[test]
fn reading_the_frame_range_of_a_damaged_scene_names_the_damaged_byte() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("scene.blend");
    let mut bytes = uncompressed_scene();
    bytes[8] = b'?';
    fs::write(&file, bytes).unwrap();
    let run = worker("render").input(&file).output(folder.path().join("out"));
    let run = run.args("-f 1 --total-frames scene").run().exits(65);
    assert!(run.final_error().contains("it is damaged at byte 8"), "{}", run.final_error());
}

#[test]
fn a_blender_that_is_older_than_the_file_is_reported() {
    let blend = fixture("beginnings/4.3.2/negative-plain.blend");
    assert_eq!(inspected(&blend).get("renderer_is_older"), None);
    for (version, older) in [("4.2.9", true), ("4.3", false), ("5.2.3", false)] {
        let run = worker("inspect").input(&blend).args("--json --blender-version").arg(version);
        let found: Value = serde_json::from_str(&run.run().exits(0).stdout).unwrap();
        assert_eq!(found["renderer_is_older"], older, "{version}");
        let run = worker("inspect").input(&blend).env("BLENDER_VERSION", version).run().exits(0);
        assert_eq!(run.stdout.contains("older than the Blender that saved"), older, "{version}");
    }
    let run = worker("inspect").input(&blend).args("--blender-version new").run().exits(2);
    run.logs(&["--blender-version (BLENDER_VERSION)"]);
}
