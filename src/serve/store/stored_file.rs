//! The files in a folder, as the page shows them.

use std::cmp::Ordering;
use std::fs;
use std::io;
use std::path::Path;

use alphanumeric_sort::compare_str;
use serde::Serialize;

use super::time::millis;

/// A file that the user has given to the server, or that it has made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoredFile {
    /// Its name.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// The time of its last change, in milliseconds since 1970.
    pub modified: u64,
}

impl StoredFile {
    /// The order of names, in which numbers count as numbers.
    pub fn by_name(&self, other: &Self) -> Ordering {
        compare_str(&self.name, &other.name).then_with(|| self.name.cmp(&other.name))
    }
}

/// The files in a folder, without hidden ones, links and folders. A folder that does not exist has none.
///
/// # Errors
/// The error of the system.
pub fn list(folder: &Path) -> io::Result<Vec<StoredFile>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let metadata = match entry.metadata() {
            Ok(metadata) => metadata,
            // It was removed meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        if metadata.is_file() && !name.starts_with('.') {
            files.push(StoredFile {
                name,
                size: metadata.len(),
                modified: metadata.modified().map(millis)?,
            });
        }
    }
    Ok(files)
}
