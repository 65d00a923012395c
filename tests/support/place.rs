//! A place to render in, and how a run that fails there ends.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::{Run, Worker, names, ordered_scene, worker};

impl Run {
    /// Asserts the exit code, and that the last line names it, each of these texts and
    /// what to do.
    #[track_caller]
    pub fn fails(self, code: i32, words: &[&str]) -> Self {
        let run = self.exits(code);
        let last = run.last_words();
        for text in words.iter().chain(&["what to do: ", &format!("(exit code {code})")]) {
            assert!(last.contains(text), "{text:?} is not in {last:?}; the log:\n{}", run.text());
        }
        run
    }
}

/// A folder with a scene file and room for the output.
pub struct Place(TempDir);

impl Place {
    /// The folder.
    pub fn folder(&self) -> &Path {
        self.0.path()
    }

    /// With this scene file.
    pub fn with_scene(content: impl AsRef<[u8]>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("scene.blend"), content).expect("a scene");
        Self(folder)
    }

    /// With a scene of frames 1 to 12 that gives these orders to the stand-in.
    pub fn ordered(orders: &Value) -> Self {
        Self::with_scene(ordered_scene(1, 12, orders))
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The scene file, as a URI.
    pub fn scene(&self) -> String {
        self.path("scene.blend").to_str().expect("UTF-8").to_owned()
    }

    /// Renders the scene with the real Blender.
    pub fn render(&self, arguments: &str) -> Worker {
        worker("render").input(self.scene()).output(self.path("out")).args(arguments)
    }

    /// Renders frames 1 to 12 with the stand-in.
    pub fn stand_in(&self) -> Worker {
        self.render("-f 12").stand_in_blender()
    }

    /// The frames that were delivered.
    pub fn frames(&self) -> Vec<String> {
        names(&self.path("out/frames"))
    }
}

/// The names of frames.
pub fn frame_names(frames: impl IntoIterator<Item = u32>) -> Vec<String> {
    frames.into_iter().map(|frame| format!("{frame:04}.png")).collect()
}

/// Puts another program in front of the command.
pub fn behind<'a>(words: &'a [&'a str]) -> impl FnOnce(&mut Command) + 'a {
    move |command| {
        let mut outer = Command::new(words[0]);
        outer.args(&words[1..]).arg(command.get_program()).args(command.get_args());
        let environment = command.get_envs().filter_map(|(name, value)| Some((name, value?)));
        outer.env_clear().envs(environment).stdin(Stdio::null());
        *command = outer;
    }
}

/// Mounts a file system of memory on `folder` that only the program sees.
pub fn mounted(options: &str, folder: &Path) -> impl FnOnce(&mut Command) {
    const SCRIPT: &str = r#"mount -t tmpfs -o "$0" tmpfs "$1" && shift && exec "$@""#;
    let (options, folder) = (options.to_owned(), folder.to_str().expect("UTF-8").to_owned());
    move |command| behind(&["unshare", "-rm", "sh", "-c", SCRIPT, &options, &folder])(command)
}
