//! The state of external files in the file system: sizes and modification times.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use walkdir::WalkDir;

use crate::blender::ExternalFile;

/// The most entries of folders that are examined, over all folders. A scene can name the root
/// folder.
const MAX_ENTRIES: usize = 100_000;

/// The state of all external files. Two states are equal if no file has changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExternalState {
    /// A line per file.
    pub text: String,
    /// The latest modification time.
    pub changed: Option<SystemTime>,
    /// Whether any of the files exists.
    pub found: bool,
    /// How many entries of folders were examined.
    count: usize,
}

impl ExternalState {
    /// Adds the state of `file`. `scene_dir` is the folder of the scene file; without it, files
    /// relative to the scene are recorded as missing.
    ///
    /// # Errors
    /// If the folders contain more than [`MAX_ENTRIES`] entries.
    pub fn add(&mut self, file: &ExternalFile, scene_dir: Option<&Path>) -> io::Result<()> {
        let (name, depth) = match file {
            ExternalFile::File(name) => (name, 0),
            ExternalFile::Folder(name) => (name, 1),
            ExternalFile::Tree(name) => (name, usize::MAX),
        };
        let path = match (name.strip_prefix("//"), scene_dir) {
            (Some(rest), Some(scene_dir)) => scene_dir.join(rest),
            (Some(_), None) => {
                self.record(name, Err(io::ErrorKind::NotFound.into()));
                return Ok(());
            }
            (None, _) => PathBuf::from(name),
        };
        let metadata = fs::metadata(&path);
        let is_folder = depth > 0 && metadata.as_ref().is_ok_and(Metadata::is_dir);
        self.record(name, metadata);
        let below = WalkDir::new(&path).min_depth(1).max_depth(depth.max(1)).sort_by_file_name();
        for entry in below.into_iter().take_while(|_| is_folder) {
            let Ok(entry) = entry else {
                // The entry was removed meanwhile, or neither we nor Blender can read it.
                self.record(name, Err(io::ErrorKind::Other.into()));
                continue;
            };
            self.count += 1;
            if self.count > MAX_ENTRIES {
                return Err(io::Error::other(format!(
                    "the scene refers to folders of more than {MAX_ENTRIES} files, such as {name}"
                )));
            }
            let metadata = fs::metadata(entry.path());
            // The modification time of a folder changes with entries that Blender may not read.
            // Those that it reads are recorded themselves.
            if !metadata.as_ref().is_ok_and(Metadata::is_dir) {
                let below = entry.path().strip_prefix(&path).unwrap_or(entry.path());
                self.record(&format!("{name}/{}", below.display()), metadata);
            }
        }
        Ok(())
    }

    fn record(&mut self, name: &str, metadata: io::Result<Metadata>) {
        use std::fmt::Write as _;
        self.found |= metadata.is_ok();
        let state = match metadata {
            Ok(metadata) if metadata.is_dir() => "folder".to_owned(),
            Ok(metadata) => {
                self.changed = self.changed.max(metadata.modified().ok());
                size_and_time(&metadata)
            }
            Err(error) => match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => "missing".to_owned(),
                kind => format!("unreadable: {kind}"),
            },
        };
        // Writing to memory does not fail.
        _ = writeln!(self.text, "{name:?} {state}");
    }
}

/// The size and modification time of a file, which change with its content.
pub fn size_and_time(file: &Metadata) -> String {
    format!("{} bytes of {}.{:09}", file.len(), file.mtime(), file.mtime_nsec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::fs::File;
    use std::time::Duration;
    use tempfile::TempDir;

    /// A folder with a texture, a sequence and a cache, and the external files of its scene.
    fn scene_folder() -> (TempDir, BTreeSet<ExternalFile>) {
        let folder = tempfile::tempdir().unwrap();
        for file in ["wood.png", "seq/1.png", "seq/2.png", "cache/data/1.vdb", "seq/below/x"] {
            let file = folder.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "x").unwrap();
        }
        let absolute = folder.path().join("cache").to_str().unwrap().to_owned();
        let files = [
            ExternalFile::File("//wood.png".into()),
            ExternalFile::File("//missing.png".into()),
            ExternalFile::Folder("//seq".into()),
            ExternalFile::Tree(absolute),
        ];
        (folder, files.into())
    }

    fn state(folder: &TempDir, files: &BTreeSet<ExternalFile>) -> ExternalState {
        let mut state = ExternalState::default();
        for file in files {
            state.add(file, Some(folder.path())).unwrap();
        }
        state
    }

    #[test]
    fn every_change_of_a_file_changes_the_state() {
        type Change = fn(&Path);
        let changes: [(&str, Change); 9] = [
            ("size", |folder| fs::write(folder.join("wood.png"), "xx").unwrap()),
            ("time", |folder| {
                let file = File::options().write(true).open(folder.join("wood.png")).unwrap();
                file.set_modified(SystemTime::now() + Duration::from_secs(9)).unwrap();
            }),
            ("removed", |folder| fs::remove_file(folder.join("wood.png")).unwrap()),
            ("added", |folder| fs::write(folder.join("missing.png"), "").unwrap()),
            ("a frame of a sequence changed", |folder| {
                fs::write(folder.join("seq/2.png"), "xx").unwrap();
            }),
            ("a frame of a sequence added", |folder| {
                fs::write(folder.join("seq/3.png"), "x").unwrap();
            }),
            ("a frame of a sequence removed", |folder| {
                fs::remove_file(folder.join("seq/2.png")).unwrap();
            }),
            ("a file deep in a cache", |folder| {
                fs::write(folder.join("cache/data/1.vdb"), "xx").unwrap();
            }),
            ("a cache removed", |folder| fs::remove_dir_all(folder.join("cache")).unwrap()),
        ];
        for (what, change) in changes {
            let (folder, files) = scene_folder();
            let before = state(&folder, &files);
            assert_eq!(state(&folder, &files), before, "{what}");
            change(folder.path());
            assert_ne!(state(&folder, &files).text, before.text, "{what}");
        }
    }

    #[test]
    fn files_that_the_scene_does_not_need_change_nothing() {
        let (folder, files) = scene_folder();
        let before = state(&folder, &files);
        assert!(before.found);
        let missing = [ExternalFile::File("//missing.png".into())].into();
        assert!(!state(&folder, &missing).found);
        fs::create_dir_all(folder.path().join("out/frames")).unwrap();
        for name in ["out/frames/0001.png", "notes.txt", "seq/below/y"] {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        assert_eq!(state(&folder, &files), before);
    }

    #[test]
    fn files_relative_to_a_scene_from_s3_are_missing() {
        let files = [ExternalFile::File("//wood.png".into()), ExternalFile::Folder("//".into())];
        let mut state = ExternalState::default();
        for file in &files {
            state.add(file, None).unwrap();
        }
        assert_eq!(state.text, "\"//wood.png\" missing\n\"//\" missing\n");
        assert!(!state.found);
    }

    #[test]
    fn the_latest_modification_time_is_recorded() {
        let (folder, files) = scene_folder();
        let later = SystemTime::now() + Duration::from_hours(1);
        let file = File::options().write(true).open(folder.path().join("seq/1.png")).unwrap();
        file.set_modified(later).unwrap();
        assert_eq!(state(&folder, &files).changed, Some(later));
    }
}
