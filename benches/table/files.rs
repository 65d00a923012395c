//! The files of a folder.

use std::path::{Path, PathBuf};

/// Returns the paths of a folder's entries, sorted.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    files.sort();
    files
}

/// Returns the number of files in a folder, and their total size in bytes.
pub fn content(folder: &Path) -> (usize, u64) {
    let sizes = files(folder).into_iter().map(|file| file.metadata().expect("a file").len());
    sizes.fold((0, 0), |(count, bytes), size| (count + 1, bytes + size))
}
