//! The files that each program may access besides the system's own: no more than it needs.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fs::{DirEntry, File};
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::Worker;
use crate::blender::{BakeLaunch, Launch, SceneProject};
use crate::process::sandbox::SandboxPolicy;
use crate::request::Location;

/// How many files and folders beside a scene are allowed one by one. Folders found after that are
/// allowed as a whole.
const MAX_ENTRIES: usize = 10_000;

/// The prefix of the scratch folders of all workers.
pub const SCRATCH_PREFIX: &str = "render-worker-";

/// The policy for rendering: Blender reads its own files and the scene, and writes frames and
/// temporary files. It also reads the project of the scene. Otherwise, a local `scene` has its textures
/// and libraries beside it, and a scene on S3 has nothing beside it.
pub fn for_blender(worker: &Worker, launch: &Launch<'_>, scene: &Location) -> SandboxPolicy {
    let mut policy = for_program(worker, launch.blender);
    match launch.project {
        Some(project) => add_project(&mut policy, launch, project),
        None => add_scene(&mut policy, launch.scene, launch.setup_dir, scene),
    }
    policy.read.push(launch.user_code_dir.to_owned());
    let writable = [launch.frames_dir, launch.outputs_dir, launch.description_dir, launch.home];
    policy.write.extend(writable.map(Path::to_owned));
    policy.write.extend(launch.kernel_cache());
    policy
}

/// Lets Blender read a scene file, the files beside a local one, and the script in the scratch
/// folder.
fn add_scene(policy: &mut SandboxPolicy, file: &Path, script_dir: &Path, scene: &Location) {
    policy.read.extend([file.to_owned(), script_dir.to_owned()]);
    match scene {
        Location::S3 { .. } => {}
        Location::Local(_) => {
            let scratch = script_dir.parent().unwrap_or(script_dir);
            let folder = file.parent().unwrap_or(file);
            let (read, list) = beside(folder, scratch, MAX_ENTRIES);
            policy.read.extend(read);
            policy.list.extend(list);
        }
    }
}

/// Lets Blender read the scene file, the script and the project.
fn add_project(policy: &mut SandboxPolicy, launch: &Launch<'_>, project: &SceneProject) {
    policy.read.extend([launch.scene.to_owned(), launch.setup_dir.to_owned()]);
    let SceneProject { folder, is_fetched, colours: _, origins: _ } = project;
    if *is_fetched {
        policy.read.push(folder.clone());
    } else {
        let scratch = launch.setup_dir.parent().unwrap_or(launch.setup_dir);
        let (read, list) = beside(folder, scratch, MAX_ENTRIES);
        policy.read.extend(read);
        policy.list.extend(list);
    }
}

/// The policy for baking: Blender reads its own files and the scene, and writes the baked scene,
/// caches beside it and temporary files.
pub fn for_baking(
    worker: &Worker,
    launch: &BakeLaunch<'_>,
    caches: Option<&Path>,
    scene: &Location,
) -> SandboxPolicy {
    let mut policy = for_program(worker, launch.blender);
    let writable = [Some(launch.output_dir), Some(launch.home), caches];
    add_scene(&mut policy, launch.scene, launch.script_dir, scene);
    policy.write.extend(writable.into_iter().flatten().map(Path::to_owned));
    policy
}

/// The policy for a program that prints its version.
pub fn for_version(worker: &Worker, program: &Path, home: &Path) -> SandboxPolicy {
    let mut policy = for_program(worker, program);
    policy.write.push(home.to_owned());
    policy
}

/// The policy for encoding: FFmpeg reads the frames from its standard input and the file with the
/// sound, and writes to the folder of the video.
pub fn for_ffmpeg(
    worker: &Worker,
    program: &Path,
    video: &Path,
    sound: Option<&Path>,
) -> SandboxPolicy {
    let mut policy = for_program(worker, program);
    policy.read.extend(sound.map(Path::to_owned));
    policy.write.extend(video.parent().map(Path::to_owned));
    policy
}

/// The policy for checking a video: `FFprobe` reads it.
pub fn for_ffprobe(worker: &Worker, program: &Path, video: &Path) -> SandboxPolicy {
    let mut policy = for_program(worker, program);
    policy.read.push(video.to_owned());
    policy
}

/// The policy that all have in common: a program reads and executes the files beside it. If it is
/// a link, the same goes for its target; if it is a script, for its interpreter.
fn for_program(worker: &Worker, program: &Path) -> SandboxPolicy {
    let target = program.canonicalize().unwrap_or_else(|_| program.to_owned());
    let mut policy =
        SandboxPolicy { run: worker.confinement.readable.clone(), ..SandboxPolicy::default() };
    for program in [program, &target] {
        let surroundings = Surroundings::of(program);
        policy.run.push(program.to_owned());
        policy.run.extend(surroundings.readable);
        policy.list.extend(surroundings.listed);
    }
    if let Some(interpreter) = interpreter(&target) {
        let target = interpreter.canonicalize().unwrap_or_else(|_| interpreter.clone());
        for interpreter in [interpreter, target] {
            policy.run.extend(libraries_of(&interpreter));
            policy.run.push(interpreter);
        }
    }
    policy
}

/// How many bytes of a script the kernel searches for its interpreter (`BINPRM_BUF_SIZE`).
const SHEBANG_BYTES: u64 = 256;

/// Returns the interpreter that the first line of a script names.
fn interpreter(program: &Path) -> Option<PathBuf> {
    let mut start = Vec::new();
    File::open(program).ok()?.take(SHEBANG_BYTES).read_to_end(&mut start).ok()?;
    let line = start.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let mut words = line.split(|byte| matches!(byte, b' ' | b'\t' | b'\r'));
    let path = Path::new(OsStr::from_bytes(words.find(|word| !word.is_empty())?));
    path.is_absolute().then(|| path.to_owned())
}

/// Returns the library folders of an interpreter outside of the system's folders: they are siblings
/// of its own folder. A virtual environment for Python has its configuration file there, too.
fn libraries_of(interpreter: &Path) -> Vec<PathBuf> {
    let Some(prefix) = interpreter.parent().and_then(Path::parent) else { return Vec::new() };
    ["lib", "lib64", "pyvenv.cfg"].map(|name| prefix.join(name)).to_vec()
}

/// Returns the paths in and below the folder of a scene that may be read, and the folders that may be listed. Files are
/// allowed one by one: a file that is created later cannot be read, whatever its name. Textures
/// and libraries exist when a scene is opened. [`Excluded`] entries are left out.
/// After `max_entries`, folders are allowed as a whole, including excluded entries in them.
///
/// The policy cannot be narrowed to the files that the scene needs: they are unknown until Blender
/// has opened it, and a sandbox cannot be widened afterwards.
fn beside(folder: &Path, scratch: &Path, max_entries: usize) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let excluded = Excluded::new(scratch);
    let (mut read, mut list) = (Vec::new(), Vec::new());
    let mut folders = VecDeque::from([folder.to_owned()]);
    let mut seen = 0;
    while let Some(folder) = folders.pop_front() {
        if seen >= max_entries && !excluded.is_within(&folder) {
            read.push(folder);
            continue;
        }
        let Ok(entries) = folder.read_dir() else { continue };
        let is_root = folder.parent().is_none();
        for entry in entries.flatten().filter(|entry| !excluded.matches(entry)) {
            seen += 1;
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() && !is_root {
                folders.push_back(entry.path());
            } else if kind.is_file() {
                read.push(entry.path());
            }
            // Links are left out: a rule for a link would allow its target. A link to an allowed
            // file works without a rule.
        }
        list.push(folder);
    }
    (read, list)
}

/// Entries that no program may read: hidden files and folders (`~/.ssh` and `~/.aws` hold keys and
/// tokens), scratch folders, and folders that contain our scratch folder.
struct Excluded {
    scratch: PathBuf,
}

impl Excluded {
    fn new(scratch: &Path) -> Self {
        Self { scratch: scratch.canonicalize().unwrap_or_else(|_| scratch.to_owned()) }
    }

    fn matches(&self, entry: &DirEntry) -> bool {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        // Spares a system call for each file: a file contains no folder.
        let is_file = || entry.file_type().is_ok_and(|kind| kind.is_file());
        let is_hidden = name.starts_with('.') || name.starts_with(SCRATCH_PREFIX);
        is_hidden || (!is_file() && self.is_within(&entry.path()))
    }

    /// Whether our scratch folder is `folder`, or inside of it.
    fn is_within(&self, folder: &Path) -> bool {
        folder.canonicalize().is_ok_and(|folder| self.scratch.starts_with(folder))
    }
}

/// The access that a program has to the folder that contains it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Surroundings {
    /// Files and folders that may be read.
    readable: Vec<PathBuf>,
    /// The folder itself, which may be listed, if some of its entries may not be read.
    listed: Option<PathBuf>,
}

impl Surroundings {
    /// Allows everything that is not [`Excluded`]. In the root of the file system, files only.
    fn of(program: &Path) -> Self {
        let Some(folder) = program.parent() else { return Self::default() };
        let Ok(entries) = folder.read_dir() else { return Self::default() };
        let excluded = Excluded::new(Path::new("/proc"));
        let is_root = folder.parent().is_none();
        let is_file = |entry: &DirEntry| entry.file_type().is_ok_and(|kind| kind.is_file());
        let may_be_read =
            |entry: &DirEntry| !excluded.matches(entry) && (!is_root || is_file(entry));
        // A rule for a link would allow its target. A rule for a folder does not do so for
        // the links in it.
        let is_link = |entry: &DirEntry| entry.file_type().is_ok_and(|kind| kind.is_symlink());
        let (allowed, denied): (Vec<_>, Vec<_>) = entries.flatten().partition(may_be_read);
        if denied.is_empty() {
            return Self { readable: vec![folder.to_owned()], listed: None };
        }
        let readable = allowed.iter().filter(|entry| !is_link(entry)).map(DirEntry::path).collect();
        Self { readable, listed: Some(folder.to_owned()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    /// Paths relative to a folder, sorted.
    fn relative(folder: &Path, paths: &[PathBuf]) -> Vec<String> {
        let name = |path: &PathBuf| match path.strip_prefix(folder).unwrap().to_str() {
            Some("") | None => ".".to_owned(),
            Some(name) => name.to_owned(),
        };
        let mut names: Vec<_> = paths.iter().map(name).collect();
        names.sort();
        names
    }

    fn create(folder: &Path, files: &[&str]) {
        for file in files {
            let file = folder.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "").unwrap();
        }
    }

    #[test]
    fn the_interpreter_of_a_script_and_its_libraries_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("blender");
        let interpreter_of = |line: &str| {
            fs::write(&script, line).unwrap();
            interpreter(&script)
        };
        let python = Path::new("/home/me/venv/bin/python3");
        assert_eq!(
            interpreter_of("#!/home/me/venv/bin/python3 -I\nimport sys\n").as_deref(),
            Some(python)
        );
        assert_eq!(interpreter_of("#! /home/me/venv/bin/python3\n").as_deref(), Some(python));
        for other in ["", "#!", "#!\n/bin/sh", "#!python3\n", "\x7fELF", "import sys\n"] {
            assert_eq!(interpreter_of(other), None, "{other:?}");
        }
        assert_eq!(interpreter(folder.path()), None);
        let libraries = libraries_of(python);
        assert_eq!(libraries[0], Path::new("/home/me/venv/lib"));
        assert!(libraries_of(Path::new("/python3")).is_empty());
    }

    #[test]
    fn existing_files_beside_a_scene_may_be_read() {
        let temp = tempfile::tempdir().unwrap();
        let at = temp.path();
        create(at, &["scene.blend", "textures/wood.png", "textures/deep/er/x", ".aws/credentials"]);
        create(
            at,
            &["textures/.key", "render-worker-other/scene.blend", "tmp/render-worker-ours/x"],
        );
        create(at, &["tmp/file"]);
        symlink("/etc", at.join("link")).unwrap();
        let (read, list) = beside(at, &at.join("tmp/render-worker-ours"), 100);
        let files = ["scene.blend", "textures/deep/er/x", "textures/wood.png"];
        assert_eq!(relative(at, &read), files);
        assert_eq!(relative(at, &list), [".", "textures", "textures/deep", "textures/deep/er"]);
        // Above the limit, whole folders, except those that contain our scratch folder.
        let (read, list) = beside(at, &at.join("tmp/render-worker-ours"), 1);
        assert_eq!(relative(at, &read), ["scene.blend", "textures"]);
        assert_eq!(relative(at, &list), ["."]);
    }

    #[test]
    fn everything_around_a_program_may_be_read_except_excluded_entries() {
        let temp = tempfile::tempdir().unwrap();
        let at = temp.path();
        create(at, &["blender", "lib/x.so"]);
        let whole = Surroundings::of(&at.join("blender"));
        assert_eq!((relative(at, &whole.readable), whole.listed), (vec![".".to_owned()], None));
        create(at, &[".config/x", "render-worker-other/x"]);
        symlink("/etc", at.join("link")).unwrap();
        let part = Surroundings::of(&at.join("blender"));
        assert_eq!(relative(at, &part.readable), ["blender", "lib"]);
        assert_eq!(part.listed.as_deref(), Some(at));
    }

    #[test]
    fn only_files_of_the_root_folder_may_be_read() {
        let Surroundings { readable, listed } = Surroundings::of(Path::new("/blender"));
        assert_eq!(listed, Some(PathBuf::from("/")));
        assert!(readable.iter().all(|path| path.is_file()), "{readable:?}");
        let (read, list) = beside(Path::new("/"), Path::new("/tmp/x"), 100);
        assert_eq!(list, [PathBuf::from("/")]);
        assert!(read.iter().all(|path| path.is_file()), "{read:?}");
    }
}
