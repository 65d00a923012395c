//! Fingerprints of local files, in a hidden folder beside them: not every file system
//! has extended attributes.
//!
//! A sidecar names size and time of the file that it is for, and is trusted for no
//! other. It is written before its file takes its place, so that a file that is there has
//! one whenever we are killed; until then it does not fit the file that is there. Neither
//! does the sidecar of another writer of the same file.

use std::fs::{self, File, Metadata};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::Fingerprint;
use super::local::replace;

/// The folder. Hidden, so that no listing has it.
const FOLDER: &str = ".fingerprints";

/// More than any sidecar has.
const LIMIT: u64 = 1024;

/// Where the sidecar of `file` lies.
fn path(file: &Path) -> Option<PathBuf> {
    Some(file.parent()?.join(FOLDER).join(file.file_name()?))
}

/// The text of a sidecar: the fingerprint, and which file it is for.
fn text(fingerprint: &Fingerprint, file: &Metadata) -> String {
    format!("{fingerprint} {} {}.{:09}\n", file.size(), file.mtime(), file.mtime_nsec())
}

/// Removes the sidecar of `file`.
pub(super) fn remove(file: &Path) {
    let Some(path) = path(file) else { return };
    match fs::remove_file(&path) {
        // It will not fit the file that takes this one's place.
        Err(error) if !is_missing(&error) => {
            tracing::debug!("{} stays: {error}", path.display());
        }
        Ok(()) | Err(_) => {}
    }
}

/// Writes the sidecar of `file` for `content`, which is on the disk and about to take its
/// place. Where that cannot be done, the file has no fingerprint.
pub(super) fn write(file: &Path, content: &File, fingerprint: &Fingerprint) {
    let Some(path) = path(file) else { return };
    let written = content.metadata().and_then(|metadata| {
        replace(&path, |sidecar| sidecar.write_all(text(fingerprint, &metadata).as_bytes()))
    });
    if let Err(error) = written {
        tracing::warn!(
            "{} is stored without its fingerprint, so another attempt will make it again: {} \
             cannot be written: {error}",
            file.display(),
            path.display()
        );
    }
}

/// The fingerprint of `file`, if it is still the file that this was written for.
pub(super) fn read(file: &Path) -> io::Result<Option<Fingerprint>> {
    let Some(path) = path(file) else { return Ok(None) };
    let metadata = match fs::metadata(file) {
        Err(error) if is_missing(&error) => return Ok(None),
        metadata => metadata?,
    };
    let written = match fs::metadata(&path) {
        Ok(sidecar) if sidecar.is_file() && sidecar.len() <= LIMIT => fs::read(&path)?,
        Err(error) if !is_missing(&error) => return Err(error),
        Ok(_) | Err(_) => return Ok(None),
    };
    let Ok(written) = String::from_utf8(written) else { return Ok(None) };
    let fingerprint = written.split(' ').next().and_then(|word| word.parse().ok());
    Ok(fingerprint.filter(|fingerprint| text(fingerprint, &metadata) == written))
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
