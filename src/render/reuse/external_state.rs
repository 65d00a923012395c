//! The state of the files outside of the scene file, as the file system has it: equal while
//! none of them has changed.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use walkdir::WalkDir;

use crate::blender::ExternalFile;

/// Files in folders that are looked at, of all folders together; with more their state is
/// unknown. A scene can name the root.
const MOST: usize = 100_000;

/// What all external files look like to the file system: equal while none has changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExternalState {
    /// A line for each file.
    pub text: String,
    /// When the latest change was.
    pub changed: Option<SystemTime>,
    /// Whether any of them is there.
    pub found: bool,
    /// How many files in folders were looked at.
    count: usize,
}

impl ExternalState {
    pub fn add(&mut self, file: &ExternalFile, beside: Option<&Path>) -> io::Result<()> {
        let (name, depth) = match file {
            ExternalFile::File(name) => (name, 0),
            ExternalFile::Folder(name) => (name, 1),
            ExternalFile::Tree(name) => (name, usize::MAX),
        };
        let path = match (name.strip_prefix("//"), beside) {
            (Some(rest), Some(beside)) => beside.join(rest),
            (Some(_), None) => {
                self.note(name, Err(io::ErrorKind::NotFound.into()));
                return Ok(());
            }
            (None, _) => PathBuf::from(name),
        };
        let metadata = fs::metadata(&path);
        let is_folder = depth > 0 && metadata.as_ref().is_ok_and(Metadata::is_dir);
        self.note(name, metadata);
        let below = WalkDir::new(&path).min_depth(1).max_depth(depth.max(1)).sort_by_file_name();
        for entry in below.into_iter().take_while(|_| is_folder) {
            let Ok(entry) = entry else {
                // It went away meanwhile, or cannot be read, by Blender either.
                self.note(name, Err(io::ErrorKind::Other.into()));
                continue;
            };
            self.count += 1;
            if self.count > MOST {
                let text = format!("its folders have more than {MOST} files, such as {name}");
                return Err(io::Error::other(text));
            }
            let metadata = fs::metadata(entry.path());
            // Time and name of a folder change with what is in it, which is looked at itself
            // if it matters.
            if !metadata.as_ref().is_ok_and(Metadata::is_dir) {
                let below = entry.path().strip_prefix(&path).unwrap_or(entry.path());
                self.note(&format!("{name}/{}", below.display()), metadata);
            }
        }
        Ok(())
    }

    fn note(&mut self, name: &str, metadata: io::Result<Metadata>) {
        use std::fmt::Write as _;
        self.found |= metadata.is_ok();
        let looks = match metadata {
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
        _ = writeln!(self.text, "{name:?} {looks}");
    }
}

/// What tells a file from what it was before a change.
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

    /// A folder with a texture, a sequence and a cache, and what a scene needs of it.
    fn place() -> (TempDir, BTreeSet<ExternalFile>) {
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
            ("gone", |folder| fs::remove_file(folder.join("wood.png")).unwrap()),
            ("come", |folder| fs::write(folder.join("missing.png"), "").unwrap()),
            ("one of a sequence", |folder| fs::write(folder.join("seq/2.png"), "xx").unwrap()),
            ("another of a sequence", |folder| fs::write(folder.join("seq/3.png"), "x").unwrap()),
            ("one less", |folder| fs::remove_file(folder.join("seq/2.png")).unwrap()),
            ("deep in a cache", |folder| {
                fs::write(folder.join("cache/data/1.vdb"), "xx").unwrap();
            }),
            ("all gone", |folder| fs::remove_dir_all(folder.join("cache")).unwrap()),
        ];
        for (what, change) in changes {
            let (folder, files) = place();
            let before = state(&folder, &files);
            assert_eq!(state(&folder, &files), before, "{what}");
            change(folder.path());
            assert_ne!(state(&folder, &files).text, before.text, "{what}");
        }
    }

    #[test]
    fn what_the_scene_does_not_need_changes_nothing() {
        let (folder, files) = place();
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
    fn nothing_lies_beside_a_scene_from_s3() {
        let files = [ExternalFile::File("//wood.png".into()), ExternalFile::Folder("//".into())];
        let mut state = ExternalState::default();
        for file in &files {
            state.add(file, None).unwrap();
        }
        assert_eq!(state.text, "\"//wood.png\" missing\n\"//\" missing\n");
        assert!(!state.found);
    }

    #[test]
    fn the_latest_change_is_known() {
        let (folder, files) = place();
        let later = SystemTime::now() + Duration::from_hours(1);
        let file = File::options().write(true).open(folder.path().join("seq/1.png")).unwrap();
        file.set_modified(later).unwrap();
        assert_eq!(state(&folder, &files).changed, Some(later));
    }
}
