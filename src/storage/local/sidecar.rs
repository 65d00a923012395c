//! Fingerprints of local files, in a hidden folder beside them: not every file system
//! has extended attributes.
//!
//! A sidecar names the content of the file that it is for, and is trusted for no other. It is
//! written before its file takes its place, so that a file that is there has one whenever we
//! are killed; until then it does not fit the file that is there. Neither does the sidecar of
//! another writer of the same file, if that is another file.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::replace::{CHUNK, replace};
use crate::storage::Fingerprint;
use crate::storage::crc::{Crc, Kind};
use crate::storage::fingerprint::{Bound, Content};

/// Which sum of a file is kept: it is the fastest.
const SUM: &str = "crc64nvme";

/// The folder. Hidden, so that no listing has it.
const FOLDER: &str = ".fingerprints";

/// More than any sidecar has.
const LIMIT: u64 = 1024;

/// Where the sidecar of `file` lies.
fn path(file: &Path) -> Option<PathBuf> {
    Some(file.parent()?.join(FOLDER).join(file.file_name()?))
}

/// Removes the sidecar of `file`.
pub(crate) fn remove(file: &Path) {
    let Some(path) = path(file) else { return };
    match fs::remove_file(&path) {
        // It will not fit the file that takes this one's place.
        Err(error) if !is_missing(&error) => {
            tracing::debug!("{} stays: {error}", path.display());
        }
        Ok(()) | Err(_) => {}
    }
}

/// Writes the sidecar of `file` for a content of `size` bytes that add up to `sum`, and are
/// about to take its place. Where that cannot be done, the file has no fingerprint.
pub(crate) fn write(file: &Path, fingerprint: Fingerprint, size: u64, sum: &Crc) {
    let Some(path) = path(file) else { return };
    let bound = Bound { fingerprint, content: Content::new(size).with(SUM, sum) };
    let written = replace(&path, |sidecar| sidecar.write_all(format!("{bound}\n").as_bytes()));
    if let Err(error) = written {
        tracing::warn!(
            "{} is stored without its fingerprint, so another attempt will make it again: {} \
             cannot be written: {error}",
            file.display(),
            path.display()
        );
    }
}

/// The sum of what a sidecar is to be written for.
pub(crate) fn new_sum() -> Crc {
    Crc::new(Kind::Crc64Nvme)
}

/// The fingerprint of `file`, if it still has the content that this was written for.
pub(crate) fn read(file: &Path) -> io::Result<Option<Fingerprint>> {
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
    let bound = String::from_utf8(written).ok().and_then(|text| text.trim_end().parse().ok());
    let Some(Bound { fingerprint, content }) = bound else { return Ok(None) };
    // What has another size need not be read.
    if !metadata.is_file() || metadata.len() != content.size() {
        return Ok(None);
    }
    let sum = sum_of(&mut File::open(file)?.take(content.size()))?;
    Ok((content.sum(SUM) == Some(&sum.to_string())).then_some(fingerprint))
}

fn sum_of(content: &mut impl io::Read) -> io::Result<Crc> {
    let (mut sum, mut buffer) = (new_sum(), vec![0; CHUNK]);
    loop {
        match content.read(&mut buffer) {
            Ok(0) => return Ok(sum),
            Ok(length) => sum.update(buffer.get(..length).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
