//! The files below a local folder.

use std::io;
use std::path::PathBuf;

use walkdir::{DirEntry, WalkDir};

use super::blocking;
use crate::storage::{Entry, Failure};

/// Lists the files in and below `folder`, by their paths from there. Hidden files and folders are
/// skipped, and so are links, and names that are not UTF-8.
pub(crate) async fn list_tree(folder: PathBuf) -> Result<Vec<Entry>, Failure> {
    let is_shown = |entry: &DirEntry| {
        entry.depth() == 0 || !entry.file_name().to_string_lossy().starts_with('.')
    };
    blocking(move || {
        let mut entries = Vec::new();
        for entry in WalkDir::new(&folder).into_iter().filter_entry(is_shown) {
            let read = entry.map_err(io::Error::from).and_then(|entry| {
                let metadata = entry.metadata()?;
                let name = entry.path().strip_prefix(&folder).ok().and_then(|name| name.to_str());
                let Some(name) = name.filter(|_| metadata.is_file()) else { return Ok(None) };
                let (name, size) = (name.to_owned(), metadata.len());
                Ok(Some(Entry { name, size, modified: metadata.modified()? }))
            });
            match read {
                Ok(entry) => entries.extend(entry),
                // It was removed in the meantime, or there is no such folder.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(entries)
    })
    .await
}
