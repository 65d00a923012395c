//! A folder that is mounted into containers as `/work`, and the command lines on it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;

use crate::container::{Container, container};
use crate::support::engine::printed;
use crate::support::{fixture, names, scene};

/// A script for `Stage::scripted`: in frame 3, Blender waits for the file `go`.
pub const WAITS_IN_FRAME_3: &str = "
import os, time

def wait(scene, _=None):
    if scene.frame_current == 3:
        open('/work/in-frame-3', 'w').close()
        while not os.path.exists('/work/go'):
            time.sleep(0.01)

bpy.app.handlers.render_pre.append(wait)
";

/// A folder of the test that any user may write to.
pub struct Stage {
    folder: TempDir,
}

impl Stage {
    pub fn new() -> Self {
        let stage = Self { folder: tempfile::tempdir().expect("a folder") };
        stage.mode("", 0o777);
        stage
    }

    /// Creates a folder with a scene, `scene.blend`, that runs a script when Blender opens it.
    pub fn scripted(script: &str) -> Self {
        let stage = Self::new();
        fs::copy(scene("scripted"), stage.path("scene.blend")).expect("a writable folder");
        fs::write(stage.path("scripted.py"), script).expect("a writable folder");
        for file in ["scene.blend", "scripted.py"] {
            stage.mode(file, 0o644);
        }
        stage
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Creates a subfolder with these permissions.
    pub fn folder(&self, name: &str, mode: u32) -> PathBuf {
        fs::create_dir(self.path(name)).expect("a writable folder");
        self.mode(name, mode);
        self.path(name)
    }

    fn mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), Permissions::from_mode(mode)).expect("our own file");
    }

    /// Returns the names of the frames in an output folder.
    pub fn frames(&self, output: &str) -> Vec<String> {
        names(&self.path(output).join("frames"))
    }

    /// Begins the command line of a container with this folder as `/work` and the test scenes as
    /// `/scenes`.
    pub fn container(&self) -> Container {
        container().volume(self.folder.path(), "/work").volume(&fixture("scenes"), "/scenes:ro")
    }

    /// A command line that renders a test scene to `out`.
    pub fn render(&self, name: &str) -> Container {
        self.container().args(&format!("render -i /scenes/{name}.blend -o /work/out"))
    }

    /// A command line that renders the scene with the script to `out`. The sandbox is off because
    /// the script writes files of the test in `/work`.
    pub fn render_scripted(&self) -> Container {
        let arguments = "render -i /work/scene.blend -o /work/out --enable-autoexec";
        self.container().args(arguments).env("SANDBOX", "off")
    }

    /// A command line that stitches the frames in `out`.
    pub fn stitch(&self) -> Container {
        self.container().args("stitch -i /work/out -o /work/out")
    }

    /// Returns the image's `FFprobe` output for the only stream of a file, which is video.
    #[track_caller]
    pub fn probe(&self, file: &str) -> Value {
        let mut streams = self.streams(file);
        assert_eq!(streams.len(), 1);
        streams.remove(0)
    }

    /// Returns the image's `FFprobe` output for the streams of a file. Their frames are decoded and
    /// counted.
    #[track_caller]
    pub fn streams(&self, file: &str) -> Vec<Value> {
        let probe = self
            .container()
            .args("-v error -count_frames -show_streams -of json")
            .arg(&format!("/work/{file}"))
            .output_of("ffprobe");
        let found: Value = serde_json::from_str(&printed(probe)).expect("JSON");
        found["streams"].as_array().expect("streams").clone()
    }

    /// Decodes a video with the image's FFmpeg to the pixels of its frames: red, green, blue.
    #[track_caller]
    pub fn pixels(&self, file: &str, (width, height): (usize, usize)) -> Vec<Vec<u8>> {
        let decoded = self
            .container()
            .arg("-v")
            .arg("error")
            .arg("-i")
            .arg(&format!("/work/{file}"))
            .args("-f rawvideo -pix_fmt rgb24 -fps_mode passthrough -")
            .output_of("ffmpeg");
        assert!(decoded.status.success(), "{}", String::from_utf8_lossy(&decoded.stderr));
        let frame = width * height * 3;
        assert_eq!(decoded.stdout.len() % frame, 0, "{file} is not {width}x{height}");
        decoded.stdout.chunks(frame).map(<[u8]>::to_vec).collect()
    }
}

impl Drop for Stage {
    /// Only root may remove the files of other users.
    fn drop(&mut self) {
        if fs::remove_dir_all(self.folder.path()).is_err() {
            self.container().options("--user 0").arg("-c").arg("rm -rf /work/*").output_of("sh");
        }
    }
}
