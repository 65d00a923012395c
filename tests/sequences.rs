//! Scenes with images of several files, some of which are not there.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::support::blender::save_startup_scene;
use crate::support::frames::frame;
use crate::support::worker;

/// A scene whose default material shows an image, with these files of it in `textures/`.
fn scene(path: &str, settings: &str, files: &[&str]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let textures = folder.path().join("textures");
    fs::create_dir(&textures).unwrap();
    for name in files {
        fs::write(textures.join(name), frame(1)).unwrap();
    }
    let file = folder.path().join("scene.blend");
    let python = format!(
        "
scene.frame_start, scene.frame_end = 1, 3
image = bpy.data.images.new('Wood', 4, 4)
image.filepath = '//textures/{path}'
material = bpy.data.materials['Material']
node = material.node_tree.nodes.new('ShaderNodeTexImage')
node.image = image
shader = material.node_tree.nodes['Principled BSDF']
material.node_tree.links.new(node.outputs[0], shader.inputs[0])
{settings}"
    );
    save_startup_scene(&file, &python);
    (folder, file)
}

fn warnings(scene: &Path) -> Vec<String> {
    let output = scene.parent().unwrap().join("out");
    let run = worker("render").input(scene).output(&output).args("-f 1").run().exits(0);
    let mut warnings = run.warnings();
    warnings.retain(|text| text.contains("Wood"));
    warnings
}

const SEQUENCE: &str = "
image.source = 'SEQUENCE'
node.image_user.frame_duration = 3
";

#[test]
fn missing_files_of_a_sequence_are_named() {
    let (_folder, whole) =
        scene("a_0001.png", SEQUENCE, &["a_0001.png", "a_0002.png", "a_0003.png"]);
    assert_eq!(warnings(&whole), [""; 0]);
    let (_folder, gap) = scene("a_0001.png", SEQUENCE, &["a_0001.png", "a_0003.png"]);
    let [warning] = &warnings(&gap)[..] else { panic!("one warning") };
    assert!(warning.contains("1 of its 3 files") && warning.contains("//textures/a_0002.png"));
    let (_folder, none) = scene("a_0001.png", SEQUENCE, &[]);
    let [warning] = &warnings(&none)[..] else { panic!("one warning") };
    assert!(warning.contains("3 of its 3 files"), "{warning}");
    // The numbers that the scene uses begin at 101.
    let moved = [SEQUENCE, "node.image_user.frame_offset = 100"].concat();
    let files = ["a_0101.png", "a_0102.png", "a_0103.png"];
    let (_folder, offset) = scene("a_0101.png", &moved, &files);
    assert_eq!(warnings(&offset), [""; 0]);
}

#[test]
fn missing_tiles_are_named() {
    let tiled = "
image.source = 'TILED'
image.tiles.new(tile_number=1002)
";
    let (_folder, whole) = scene("w.<UDIM>.png", tiled, &["w.1001.png", "w.1002.png"]);
    assert_eq!(warnings(&whole), [""; 0]);
    let (_folder, gap) = scene("w.<UDIM>.png", tiled, &["w.1001.png"]);
    let [warning] = &warnings(&gap)[..] else { panic!("one warning") };
    assert!(warning.contains("1 of its 2 files") && warning.contains("//textures/w.1002.png"));
}
