//! What each program may reach beside the system's own files: no more than it needs.

use std::ffi::OsStr;
use std::fs::{DirEntry, File};
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::Worker;
use crate::blender::Launch;
use crate::process::sandbox::Walls;
use crate::request::Location;

/// How the scratch folders of all workers begin.
pub const SCRATCH_PREFIX: &str = "render-worker-";

/// Blender renders: it reads itself and the scene, and writes frames and temporary files.
/// `scene` is where the scene came from: of one on S3 there is nothing beside it, beside
/// a local one lie its textures and libraries.
pub fn of_blender(worker: &Worker, launch: &Launch<'_>, scene: &Location) -> Walls {
    let mut walls = of_program(worker, launch.blender);
    let scratch = launch.frames_dir.parent().unwrap_or(launch.frames_dir);
    walls.read.extend([launch.scene.to_owned(), launch.setup_dir.to_owned()]);
    match scene {
        Location::S3 { .. } => {}
        Location::Local(_) => {
            let around = Around::of(launch.scene, scratch);
            walls.read.extend(around.inside);
            walls.list.extend(around.folder);
        }
    }
    let written = [launch.frames_dir, launch.answer_dir, launch.home];
    walls.write.extend(written.map(Path::to_owned));
    walls
}

/// Blender says its version.
pub fn of_version(worker: &Worker, program: &Path, home: &Path) -> Walls {
    let mut walls = of_program(worker, program);
    walls.write.push(home.to_owned());
    walls
}

/// FFmpeg makes a video: it is given the frames, and writes where the video lies.
pub fn of_ffmpeg(worker: &Worker, program: &Path, video: &Path) -> Walls {
    let mut walls = of_program(worker, program);
    walls.write.extend(video.parent().map(Path::to_owned));
    walls
}

/// `FFprobe` reads the video.
pub fn of_ffprobe(worker: &Worker, program: &Path, video: &Path) -> Walls {
    let mut walls = of_program(worker, program);
    walls.read.push(video.to_owned());
    walls
}

/// A program reads and executes what lies beside it, and what it is a link to.
fn of_program(worker: &Worker, program: &Path) -> Walls {
    let itself = program.canonicalize().unwrap_or_else(|_| program.to_owned());
    let mut walls = Walls { run: worker.confinement.readable.clone(), ..Walls::default() };
    for program in [program, &itself] {
        let around = Around::of(program, Path::new("/proc"));
        walls.run.push(program.to_owned());
        walls.run.extend(around.inside);
        walls.list.extend(around.folder);
    }
    if let Some(interpreter) = interpreter(&itself) {
        let real = interpreter.canonicalize().unwrap_or_else(|_| interpreter.clone());
        for interpreter in [interpreter, real] {
            walls.run.extend(parts_of(&interpreter));
            walls.run.push(interpreter);
        }
    }
    walls
}

/// How much of a script the kernel looks at for its interpreter (`BINPRM_BUF_SIZE`).
const FIRST_LINE: u64 = 256;

/// What a script is run by: its first line names it.
fn interpreter(program: &Path) -> Option<PathBuf> {
    let mut start = Vec::new();
    File::open(program).ok()?.take(FIRST_LINE).read_to_end(&mut start).ok()?;
    let line = start.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let mut words = line.split(|byte| matches!(byte, b' ' | b'\t' | b'\r'));
    let path = Path::new(OsStr::from_bytes(words.find(|word| !word.is_empty())?));
    path.is_absolute().then(|| path.to_owned())
}

/// Where an interpreter that is installed outside of the system's folders keeps its libraries:
/// beside the folder that it is in. A Python of a virtual environment has a file there, too.
fn parts_of(interpreter: &Path) -> Vec<PathBuf> {
    let Some(prefix) = interpreter.parent().and_then(Path::parent) else { return Vec::new() };
    ["lib", "lib64", "pyvenv.cfg"].map(|name| prefix.join(name)).to_vec()
}

/// What may be read of the folder in which a file lies.
#[derive(Debug, Default, PartialEq, Eq)]
struct Around {
    /// Files and folders.
    inside: Vec<PathBuf>,
    /// The folder itself, for its names, if there is something in it that may not be read.
    folder: Option<PathBuf>,
}

impl Around {
    /// Everything, but what is nobody's business there: hidden files and folders (keys and
    /// tokens lie in `~/.ssh` and `~/.aws`), scratch folders and whatever leads to ours,
    /// `scratch`. In the root of the file system, files only.
    fn of(file: &Path, scratch: &Path) -> Self {
        let Some(folder) = file.parent() else { return Self::default() };
        let Ok(entries) = folder.read_dir() else { return Self::default() };
        let scratch = scratch.canonicalize().unwrap_or_else(|_| scratch.to_owned());
        let is_root = folder.parent().is_none();
        let may_be_read = |entry: &DirEntry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let leads_to_ours =
                || entry.path().canonicalize().is_ok_and(|p| scratch.starts_with(p));
            let is_file = || entry.file_type().is_ok_and(|kind| kind.is_file());
            !name.starts_with('.')
                && !name.starts_with(SCRATCH_PREFIX)
                && (!is_root || is_file())
                && !leads_to_ours()
        };
        // A link would open what it leads to; inside of an open folder it does not.
        let is_link = |entry: &DirEntry| entry.file_type().is_ok_and(|kind| kind.is_symlink());
        let (open, closed): (Vec<_>, Vec<_>) = entries.flatten().partition(may_be_read);
        if closed.is_empty() {
            return Self { inside: vec![folder.to_owned()], folder: None };
        }
        let inside = open.iter().filter(|entry| !is_link(entry)).map(DirEntry::path).collect();
        Self { inside, folder: Some(folder.to_owned()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn around(make: impl FnOnce(&Path), scratch: &str) -> (Vec<String>, bool) {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("scene.blend"), "").unwrap();
        make(folder.path());
        let around = Around::of(&folder.path().join("scene.blend"), &folder.path().join(scratch));
        assert!(around.folder.iter().all(|listed| listed == folder.path()));
        let name = |path: &PathBuf| match path.strip_prefix(folder.path()).unwrap().to_str() {
            Some("") | None => ".".to_owned(),
            Some(name) => name.to_owned(),
        };
        let mut inside: Vec<_> = around.inside.iter().map(name).collect();
        inside.sort();
        (inside, around.folder.is_some())
    }

    #[test]
    fn what_lies_beside_a_file_may_be_read() {
        let (inside, part) = around(|at| fs::create_dir(at.join("textures")).unwrap(), "nowhere");
        assert_eq!((inside, part), (vec![".".to_owned()], false));
    }

    #[test]
    fn hidden_files_and_scratch_folders_may_not() {
        for (closed, scratch) in [
            (".aws", "nowhere"),
            ("render-worker-a1b2c3", "nowhere"),
            ("scratch", "scratch/render-worker-a1b2c3"),
        ] {
            let make = |at: &Path| {
                fs::create_dir(at.join("textures")).unwrap();
                fs::create_dir_all(at.join(closed).join("render-worker-a1b2c3")).unwrap();
                symlink("/etc", at.join("link")).unwrap();
            };
            let (inside, part) = around(make, scratch);
            assert_eq!(inside, ["scene.blend", "textures"], "{closed}");
            assert!(part);
        }
    }

    #[test]
    fn the_interpreter_of_a_script_and_its_libraries_may_be_run() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("blender");
        let named = |line: &str| {
            fs::write(&script, line).unwrap();
            interpreter(&script)
        };
        let python = Path::new("/home/me/venv/bin/python3");
        assert_eq!(named("#!/home/me/venv/bin/python3 -I\nimport sys\n").as_deref(), Some(python));
        assert_eq!(named("#! /home/me/venv/bin/python3\n").as_deref(), Some(python));
        for other in ["", "#!", "#!\n/bin/sh", "#!python3\n", "\x7fELF", "import sys\n"] {
            assert_eq!(named(other), None, "{other:?}");
        }
        assert_eq!(interpreter(folder.path()), None);
        let parts = parts_of(python);
        assert_eq!(parts[0], Path::new("/home/me/venv/lib"));
        assert!(parts_of(Path::new("/python3")).is_empty());
    }

    #[test]
    fn of_the_root_only_files_may_be_read() {
        let Around { inside, folder } = Around::of(Path::new("/scene.blend"), Path::new("/tmp/x"));
        assert_eq!(folder, Some(PathBuf::from("/")));
        assert!(inside.iter().all(|path| path.is_file()), "{inside:?}");
    }
}
