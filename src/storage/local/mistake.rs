//! Local paths that are not what a job needs: what is wrong with them, and what may be meant.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// How alike two names must be for one to be a misspelling of the other, from 0 to 1.
const ALIKE: f64 = 0.85;

/// How many names are listed in a message.
const MAX_NAMES: usize = 3;

/// Why a local path is not what the job needs. In messages, "it" is the path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathMistake {
    /// The folder of the file exists, but the file does not.
    NoFile {
        /// The name of the file.
        name: String,
        /// The absolute path of the folder.
        folder: PathBuf,
        /// The names of files in the folder that may be meant.
        meant: Meant,
    },
    /// The folder does not exist, or that of the file.
    NoFolder(PathBuf),
    /// The scene is a folder. It contains these .blend files.
    SceneIsFolder(Vec<String>),
    /// A file is taken for a folder to read.
    InputIsFile(PathBuf),
    /// A file is taken for a folder to write to.
    OutputIsFile(PathBuf),
}

/// The files that may be meant by the name of one that does not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meant {
    /// A file with a similar name.
    Similar(String),
    /// Any of these files, which are of the same kind.
    OneOf(Vec<String>),
}

impl std::error::Error for PathMistake {}

impl fmt::Display for PathMistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFile { name, folder, meant } => {
                write!(f, "there is no file {name} in {}", folder.display())?;
                match meant {
                    Meant::Similar(other) => write!(f, " (did you mean {other}?)"),
                    Meant::OneOf(others) if others.is_empty() => Ok(()),
                    Meant::OneOf(others) => write!(f, " (it has {})", listed(others)),
                }
            }
            Self::NoFolder(folder) => write!(f, "there is no folder {}", folder.display()),
            Self::SceneIsFolder(scenes) if scenes.is_empty() => {
                f.write_str("it is a folder, which contains no .blend file")
            }
            Self::SceneIsFolder(scenes) => {
                write!(f, "it is a folder, which contains {}", listed(scenes))
            }
            Self::InputIsFile(path) | Self::OutputIsFile(path) => {
                write!(f, "{} is a file and not a folder", path.display())
            }
        }
    }
}

/// `a, b, c and 2 more`.
fn listed(names: &[String]) -> String {
    let (shown, others) = names.split_at(MAX_NAMES.min(names.len()));
    let shown = shown.join(", ");
    if others.is_empty() { shown } else { format!("{shown} and {} more", others.len()) }
}

/// Finds the reason why `scene` cannot be opened, if that is a mistake in its path.
pub(super) fn in_scene(scene: &Path) -> Option<PathMistake> {
    let scene = std::path::absolute(scene).ok()?;
    match fs::metadata(&scene) {
        Ok(found) => found.is_dir().then(|| PathMistake::SceneIsFolder(blend_files(&scene))),
        // A dead link has an error of its own.
        Err(_) if fs::symlink_metadata(&scene).is_ok() => None,
        Err(error) if is_absent(&error) => in_folder(scene.parent()?).or_else(|| {
            let (folder, name) = (scene.parent()?, scene.file_name()?.to_string_lossy());
            let meant = meant(&name, folder);
            Some(PathMistake::NoFile { name: name.into_owned(), folder: folder.into(), meant })
        }),
        Err(_) => None,
    }
}

/// Finds the reason why files in `folder` cannot be read, if that is a mistake in its path.
pub(super) fn in_folder(folder: &Path) -> Option<PathMistake> {
    let folder = std::path::absolute(folder).ok()?;
    if let Some(file) = file_in_the_way(&folder) {
        return Some(PathMistake::InputIsFile(file));
    }
    let found = fs::metadata(&folder);
    found.is_err_and(|error| is_absent(&error)).then_some(PathMistake::NoFolder(folder))
}

/// Finds the reason why `folder` cannot be created, if that is a mistake in its path.
pub(super) fn in_output(folder: &Path) -> Option<PathMistake> {
    file_in_the_way(&std::path::absolute(folder).ok()?).map(PathMistake::OutputIsFile)
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// The part of the path of a folder that exists and is not a folder.
fn file_in_the_way(folder: &Path) -> Option<PathBuf> {
    let (path, found) =
        folder.ancestors().find_map(|path| Some((path, fs::metadata(path).ok()?)))?;
    (!found.is_dir()).then(|| path.to_owned())
}

/// The files in `folder` that may be meant by `name`.
fn meant(name: &str, folder: &Path) -> Meant {
    let name = name.to_lowercase();
    let files = file_names(folder);
    let alike = files.iter().map(|file| (strsim::jaro_winkler(&name, &file.to_lowercase()), file));
    let alike = alike.filter(|(alike, _)| *alike >= ALIKE).max_by(|a, b| a.0.total_cmp(&b.0));
    match alike {
        Some((_, file)) => Meant::Similar(file.clone()),
        None => Meant::OneOf(blend_files(folder)),
    }
}

/// The names of the .blend files in `folder`, sorted.
fn blend_files(folder: &Path) -> Vec<String> {
    let mut files = file_names(folder);
    files.retain(|name| {
        Path::new(name).extension().is_some_and(|e| e.eq_ignore_ascii_case("blend"))
    });
    files.sort();
    files
}

/// The names of the files in `folder`; none if it cannot be listed.
fn file_names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    // Unlike `DirEntry::metadata`, this follows links.
    let files = entries.filter(|entry| fs::metadata(entry.path()).is_ok_and(|file| file.is_file()));
    files.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_nearly_right_is_recognised() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["pottery.blend", "kiln.blend", "notes.txt"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        for name in ["potery.blend", "Pottery.blend", "pottery", "pottery.blend1", "potteyr.blend"]
        {
            assert_eq!(
                meant(name, folder.path()),
                Meant::Similar("pottery.blend".into()),
                "{name}"
            );
        }
        let others = vec!["kiln.blend".to_owned(), "pottery.blend".to_owned()];
        assert_eq!(meant("x.zip", folder.path()), Meant::OneOf(others));
    }

    #[test]
    fn mistakes_in_the_path_of_a_scene_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("a.blend"), "").unwrap();
        std::os::unix::fs::symlink("nowhere", path("dead.blend")).unwrap();
        assert_eq!(in_scene(&path("a.blend")), None);
        assert_eq!(in_scene(&path("dead.blend")), None);
        let scenes = vec!["a.blend".to_owned()];
        assert_eq!(in_scene(folder.path()), Some(PathMistake::SceneIsFolder(scenes)));
        let missing = PathMistake::NoFolder(path("no"));
        assert_eq!(in_scene(&path("no/a.blend")), Some(missing));
        let file = PathMistake::InputIsFile(path("a.blend"));
        assert_eq!(in_scene(&path("a.blend/b.blend")), Some(file));
        assert!(matches!(in_scene(&path("b.blend")), Some(PathMistake::NoFile { .. })));
    }
}
