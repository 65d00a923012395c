//! A folder to render in, and the assertion for failed runs.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Run, Worker, names, ordered_scene, worker};

impl Run {
    /// Asserts the exit code, and that the final error names it, advice, and each of these texts.
    #[track_caller]
    pub fn fails(self, code: i32, texts: &[&str]) -> Self {
        let run = self.exits(code);
        let error = run.final_error();
        for text in texts.iter().chain(&["what to do: ", &format!("(exit code {code})")]) {
            assert!(error.contains(text), "{text:?} is not in {error:?}; the log:\n{}", run.text());
        }
        run
    }
}

/// A folder with a scene file, and a place for the output.
pub struct Place(TempDir);

impl Place {
    /// Returns the folder.
    pub fn folder(&self) -> &Path {
        self.0.path()
    }

    /// Creates a folder with this scene file.
    pub fn with_scene(content: impl AsRef<[u8]>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("scene.blend"), content).expect("a scene");
        Self(folder)
    }

    /// Creates a folder with a scene of frames 1 to 12 that has orders for the stand-in. The
    /// stand-in records its launches: see [`Self::launches`].
    pub fn ordered(orders: &Value) -> Self {
        Self::ordered_with(|_| orders.clone())
    }

    /// The same, with orders that contain paths in the folder.
    pub fn ordered_with(orders: impl FnOnce(&Self) -> Value) -> Self {
        let place = Self::with_scene("");
        let orders = orders(&place);
        let mut orders = if orders.is_array() { json!({ "steps": orders }) } else { orders };
        orders["record"] = json!(place.path("launches"));
        fs::write(place.path("scene.blend"), ordered_scene(1, 12, &orders)).expect("a scene");
        place
    }

    /// Returns a path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Returns the URI of the scene file.
    pub fn scene(&self) -> String {
        self.path("scene.blend").to_str().expect("UTF-8").to_owned()
    }

    /// A command line that renders the scene with the real Blender.
    pub fn render(&self, arguments: &str) -> Worker {
        worker("render").input(self.scene()).output(self.path("out")).args(arguments)
    }

    /// A command line that renders frames 1 to 12 with the stand-in.
    pub fn stand_in(&self) -> Worker {
        self.render("-f 12").stand_in_blender()
    }

    /// Returns the names of the stored frames.
    pub fn frames(&self) -> Vec<String> {
        names(&self.path("out/frames"))
    }

    /// Returns the record of each launch in which the stand-in opened an [ordered](Self::ordered)
    /// scene.
    pub fn launches(&self) -> Vec<Value> {
        let records = fs::read_to_string(self.path("launches")).unwrap_or_default();
        records.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }
}

/// Returns the file names of frames.
pub fn frame_names(frames: impl IntoIterator<Item = u32>) -> Vec<String> {
    frames.into_iter().map(|frame| format!("{frame:04}.png")).collect()
}

/// Returns a command for [`Worker::wrapped_in`] that mounts a tmpfs on `folder`, in a mount
/// namespace that only the program sees.
pub fn mounted<'a>(options: &'a str, folder: &'a Path) -> [&'a str; 7] {
    const SCRIPT: &str = r#"mount -t tmpfs -o "$0" tmpfs "$1" && shift && exec "$@""#;
    ["unshare", "-rm", "sh", "-c", SCRIPT, options, folder.to_str().expect("UTF-8")]
}
