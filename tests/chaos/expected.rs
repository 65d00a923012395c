//! The expected content of each frame, rendered without the worker.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{fixture, frames, names, ordered_scene, pixel_hashes, scene};

/// The expected frames of a job, by file name.
pub enum ExpectedFrames {
    /// The bytes of the files.
    Bytes(BTreeMap<String, Vec<u8>>),
    /// The hashes of the pixels, because Blender writes the date into its files.
    Pixels(BTreeMap<String, Vec<String>>),
}

impl ExpectedFrames {
    /// Renders the frames 1 to `last` with the stand-in and these orders.
    pub fn of_the_stand_in(last: i32, orders: &Value) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let scene = folder.path().join("scene.blend");
        fs::write(&scene, ordered_scene(1, last, orders)).expect("a scene");
        render(&fixture("stand-ins/blender"), &scene, folder.path(), last);
        let read =
            |name: String| (name.clone(), fs::read(folder.path().join(name)).expect("a frame"));
        Self::Bytes(images(folder.path()).map(read).collect())
    }

    /// Renders the frames 1 to `last` of a real scene.
    pub fn of_blender(name: &str, last: i32) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        render(Path::new("blender"), &scene(name), folder.path(), last);
        let hash = |name: String| (name.clone(), pixel_hashes(&folder.path().join(name)));
        Self::Pixels(images(folder.path()).map(hash).collect())
    }

    /// Returns the file names of all frames.
    pub fn names(&self) -> Vec<String> {
        match self {
            Self::Bytes(frames) => frames.keys().cloned().collect(),
            Self::Pixels(frames) => frames.keys().cloned().collect(),
        }
    }

    /// Returns whether a file has the expected content.
    pub fn matches(&self, name: &str, bytes: &[u8]) -> bool {
        match self {
            Self::Bytes(frames) => frames.get(name).is_some_and(|frame| frame == bytes),
            Self::Pixels(frames) => {
                let file = tempfile::NamedTempFile::with_suffix(name).expect("a file");
                fs::write(file.path(), bytes).expect("a frame");
                // FFmpeg also decodes a truncated file.
                bytes.ends_with(b"\0\0\0\0IEND\xae\x42\x60\x82")
                    && frames.get(name).is_some_and(|frame| *frame == pixel_hashes(file.path()))
            }
        }
    }
}

fn render(blender: &Path, scene: &Path, folder: &Path, last: i32) {
    let mut command = Command::new(blender);
    command.arg("-b").arg(scene).args(["-E", "CYCLES", "-o"]).arg(folder.join("####"));
    command.args(["-x", "1", "-s", "1", "-e", &last.to_string(), "-a"]);
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status().expect("it starts");
    assert!(status.success(), "{}: {status}", blender.display());
    assert_eq!(
        images(folder).collect::<Vec<_>>(),
        (1..=last).map(frames::name).collect::<Vec<_>>()
    );
}

fn images(folder: &Path) -> impl Iterator<Item = String> {
    let is_image = |name: &String| Path::new(name).extension().is_some_and(|kind| kind == "png");
    names(folder).into_iter().filter(is_image)
}
