//! What each program may reach beside the system's own files: no more than it needs.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fs::{DirEntry, File};
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::Worker;
use crate::blender::Launch;
use crate::process::sandbox::SandboxPolicy;
use crate::request::Location;

/// How many files and folders beside a scene are looked at one by one. A folder that is found
/// after so many may be read as a whole.
const MOST: usize = 10_000;

/// How the scratch folders of all workers begin.
pub const SCRATCH_PREFIX: &str = "render-worker-";

/// Blender renders: it reads itself and the scene, and writes frames and temporary files.
/// `scene` is where the scene came from: of one on S3 there is nothing beside it, beside
/// a local one lie its textures and libraries.
pub fn for_blender(worker: &Worker, launch: &Launch<'_>, scene: &Location) -> SandboxPolicy {
    let mut policy = for_program(worker, launch.blender);
    let scratch = launch.frames_dir.parent().unwrap_or(launch.frames_dir);
    policy.read.extend([launch.scene.to_owned(), launch.setup_dir.to_owned()]);
    match scene {
        Location::S3 { .. } => {}
        Location::Local(_) => {
            let (read, list) = beside(launch.scene, scratch, MOST);
            policy.read.extend(read);
            policy.list.extend(list);
        }
    }
    let written = [launch.frames_dir, launch.answer_dir, launch.home];
    policy.write.extend(written.map(Path::to_owned));
    policy
}

/// Blender says its version.
pub fn for_version(worker: &Worker, program: &Path, home: &Path) -> SandboxPolicy {
    let mut policy = for_program(worker, program);
    policy.write.push(home.to_owned());
    policy
}

/// FFmpeg makes a video: it is given the frames, and writes where the video lies.
pub fn for_ffmpeg(worker: &Worker, program: &Path, video: &Path) -> SandboxPolicy {
    let mut policy = for_program(worker, program);
    policy.write.extend(video.parent().map(Path::to_owned));
    policy
}

/// `FFprobe` reads the video.
pub fn for_ffprobe(worker: &Worker, program: &Path, video: &Path) -> SandboxPolicy {
    let mut policy = for_program(worker, program);
    policy.read.push(video.to_owned());
    policy
}

/// A program reads and executes what lies beside it, and what it is a link to.
fn for_program(worker: &Worker, program: &Path) -> SandboxPolicy {
    let itself = program.canonicalize().unwrap_or_else(|_| program.to_owned());
    let mut policy =
        SandboxPolicy { run: worker.confinement.readable.clone(), ..SandboxPolicy::default() };
    for program in [program, &itself] {
        let around = Around::of(program);
        policy.run.push(program.to_owned());
        policy.run.extend(around.inside);
        policy.list.extend(around.folder);
    }
    if let Some(interpreter) = interpreter(&itself) {
        let real = interpreter.canonicalize().unwrap_or_else(|_| interpreter.clone());
        for interpreter in [interpreter, real] {
            policy.run.extend(parts_of(&interpreter));
            policy.run.push(interpreter);
        }
    }
    policy
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

/// What may be read beside a scene, and which folders may be listed: what is there now, file by
/// file, so that what comes later is not, whatever its name; textures and libraries are there
/// when a scene is opened. Not what is nobody's business: see [`Nobodys`].
///
/// Before Blender has opened the scene nobody knows what it needs, and then it is too late to
/// let it read more.
fn beside(scene: &Path, scratch: &Path, most: usize) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let nobodys = Nobodys::besides(scratch);
    let (mut read, mut list) = (Vec::new(), Vec::new());
    let mut folders = VecDeque::from_iter(scene.parent().map(Path::to_owned));
    let mut seen = 0;
    while let Some(folder) = folders.pop_front() {
        if seen >= most && !nobodys.is_among(&folder) {
            read.push(folder);
            continue;
        }
        let Ok(entries) = folder.read_dir() else { continue };
        let is_root = folder.parent().is_none();
        for entry in entries.flatten().filter(|entry| !nobodys.has(entry)) {
            seen += 1;
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() && !is_root {
                folders.push_back(entry.path());
            } else if kind.is_file() {
                read.push(entry.path());
            }
            // A link would open what it leads to; to what may be read it leads all the same.
        }
        list.push(folder);
    }
    (read, list)
}

/// What no program may read beside what it needs: hidden files and folders (keys and tokens
/// lie in `~/.ssh` and `~/.aws`), scratch folders, and whatever leads to ours.
struct Nobodys {
    scratch: PathBuf,
}

impl Nobodys {
    fn besides(scratch: &Path) -> Self {
        Self { scratch: scratch.canonicalize().unwrap_or_else(|_| scratch.to_owned()) }
    }

    fn has(&self, entry: &DirEntry) -> bool {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        // A file leads nowhere, and there may be many.
        let is_file = || entry.file_type().is_ok_and(|kind| kind.is_file());
        let is_hidden = name.starts_with('.') || name.starts_with(SCRATCH_PREFIX);
        is_hidden || (!is_file() && self.is_among(&entry.path()))
    }

    /// Whether our scratch folder is this one, or in it.
    fn is_among(&self, folder: &Path) -> bool {
        folder.canonicalize().is_ok_and(|folder| self.scratch.starts_with(folder))
    }
}

/// What may be read of the folder in which a program lies.
#[derive(Debug, Default, PartialEq, Eq)]
struct Around {
    /// Files and folders.
    inside: Vec<PathBuf>,
    /// The folder itself, for its names, if there is something in it that may not be read.
    folder: Option<PathBuf>,
}

impl Around {
    /// Everything that is not [`Nobodys`]. In the root of the file system, files only.
    fn of(program: &Path) -> Self {
        let Some(folder) = program.parent() else { return Self::default() };
        let Ok(entries) = folder.read_dir() else { return Self::default() };
        let nobodys = Nobodys::besides(Path::new("/proc"));
        let is_root = folder.parent().is_none();
        let is_file = |entry: &DirEntry| entry.file_type().is_ok_and(|kind| kind.is_file());
        let may_be_read = |entry: &DirEntry| !nobodys.has(entry) && (!is_root || is_file(entry));
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

    /// Paths below a folder, sorted.
    fn within(folder: &Path, paths: &[PathBuf]) -> Vec<String> {
        let name = |path: &PathBuf| match path.strip_prefix(folder).unwrap().to_str() {
            Some("") | None => ".".to_owned(),
            Some(name) => name.to_owned(),
        };
        let mut names: Vec<_> = paths.iter().map(name).collect();
        names.sort();
        names
    }

    fn make(folder: &Path, files: &[&str]) {
        for file in files {
            let file = folder.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "").unwrap();
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
    fn beside_a_scene_what_is_there_may_be_read_and_nothing_that_comes_later() {
        let place = tempfile::tempdir().unwrap();
        let at = place.path();
        make(at, &["scene.blend", "textures/wood.png", "textures/deep/er/x", ".aws/credentials"]);
        make(at, &["textures/.key", "render-worker-other/scene.blend", "tmp/render-worker-ours/x"]);
        make(at, &["tmp/file"]);
        symlink("/etc", at.join("link")).unwrap();
        let (read, list) = beside(&at.join("scene.blend"), &at.join("tmp/render-worker-ours"), 100);
        let files = ["scene.blend", "textures/deep/er/x", "textures/wood.png"];
        assert_eq!(within(at, &read), files);
        assert_eq!(within(at, &list), [".", "textures", "textures/deep", "textures/deep/er"]);
        // With too many, folders as a whole, but none that leads to ours.
        let (read, list) = beside(&at.join("scene.blend"), &at.join("tmp/render-worker-ours"), 1);
        assert_eq!(within(at, &read), ["scene.blend", "textures"]);
        assert_eq!(within(at, &list), ["."]);
    }

    #[test]
    fn around_a_program_everything_may_be_read_but_what_is_nobodys() {
        let place = tempfile::tempdir().unwrap();
        let at = place.path();
        make(at, &["blender", "lib/x.so"]);
        let whole = Around::of(&at.join("blender"));
        assert_eq!((within(at, &whole.inside), whole.folder), (vec![".".to_owned()], None));
        make(at, &[".config/x", "render-worker-other/x"]);
        symlink("/etc", at.join("link")).unwrap();
        let part = Around::of(&at.join("blender"));
        assert_eq!(within(at, &part.inside), ["blender", "lib"]);
        assert_eq!(part.folder.as_deref(), Some(at));
    }

    #[test]
    fn of_the_root_only_files_may_be_read() {
        let Around { inside, folder } = Around::of(Path::new("/blender"));
        assert_eq!(folder, Some(PathBuf::from("/")));
        assert!(inside.iter().all(|path| path.is_file()), "{inside:?}");
        let (read, list) = beside(Path::new("/scene.blend"), Path::new("/tmp/x"), 100);
        assert_eq!(list, [PathBuf::from("/")]);
        assert!(read.iter().all(|path| path.is_file()), "{read:?}");
    }
}
