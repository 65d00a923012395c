//! Fingerprints of local files, in sidecar files in a hidden folder beside them. Not every file
//! system has extended attributes.
//!
//! A sidecar names the content of its file, and is ignored for any other content. It is written
//! before the file appears, so that every stored file has a sidecar even if the worker is killed.
//! Until then, the sidecar does not match the old file. A sidecar by another writer of the same
//! file does not match either, if that writer's content differs.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::replace::{CHUNK, replace};
use crate::storage::Fingerprint;
use crate::storage::crc::{Algorithm, Crc};
use crate::storage::fingerprint::{BoundFingerprint, ContentId};

/// The name of the stored checksum. Its algorithm is the fastest.
const CHECKSUM: &str = "crc64nvme";

/// The folder of the sidecars. It is hidden, so that no listing contains it.
const FOLDER: &str = ".fingerprints";

/// The largest size of a sidecar, in bytes.
const MAX_BYTES: u64 = 1024;

/// The path of the sidecar of `file`.
fn path(file: &Path) -> Option<PathBuf> {
    Some(file.parent()?.join(FOLDER).join(file.file_name()?))
}

/// Removes the sidecar of `file`.
pub(crate) fn remove(file: &Path) {
    let Some(path) = path(file) else { return };
    match fs::remove_file(&path) {
        // Harmless: the sidecar will not match the new file.
        Err(error) if !is_missing(&error) => {
            tracing::debug!("cannot remove {}: {error}", path.display());
        }
        Ok(()) | Err(_) => {}
    }
}

/// Writes the sidecar of `file` for its next content, of `size` bytes and with the CRC `crc`. On
/// failure, logs a warning: the file will have no fingerprint.
pub(crate) fn write(file: &Path, fingerprint: Fingerprint, size: u64, crc: &Crc) {
    let Some(path) = path(file) else { return };
    let content = ContentId::new(size).with(CHECKSUM, crc);
    let bound = BoundFingerprint { fingerprint, content };
    let written = replace(&path, |sidecar| sidecar.write_all(format!("{bound}\n").as_bytes()));
    if let Err(error) = written {
        tracing::warn!(
            "cannot write {}: {error}; {} is stored without a fingerprint, so another attempt \
             will make it again",
            path.display(),
            file.display()
        );
    }
}

/// The CRC of no bytes, with the algorithm of sidecars.
pub(crate) fn new_crc() -> Crc {
    Crc::new(Algorithm::Crc64Nvme)
}

/// The fingerprint of `file`, if the file has the content that its sidecar names.
pub(crate) fn read(file: &Path) -> io::Result<Option<Fingerprint>> {
    let Some(path) = path(file) else { return Ok(None) };
    let metadata = match fs::metadata(file) {
        Err(error) if is_missing(&error) => return Ok(None),
        metadata => metadata?,
    };
    let written = match fs::metadata(&path) {
        Ok(sidecar) if sidecar.is_file() && sidecar.len() <= MAX_BYTES => fs::read(&path)?,
        Err(error) if !is_missing(&error) => return Err(error),
        Ok(_) | Err(_) => return Ok(None),
    };
    let bound = String::from_utf8(written).ok().and_then(|text| text.trim_end().parse().ok());
    let Some(BoundFingerprint { fingerprint, content }) = bound else { return Ok(None) };
    // A file of another size need not be read.
    if !metadata.is_file() || metadata.len() != content.size() {
        return Ok(None);
    }
    let crc = crc_of(&mut File::open(file)?.take(content.size()))?;
    Ok((content.checksum(CHECKSUM) == Some(&crc.to_string())).then_some(fingerprint))
}

fn crc_of(content: &mut impl io::Read) -> io::Result<Crc> {
    let (mut crc, mut buffer) = (new_crc(), vec![0; CHUNK]);
    loop {
        match content.read(&mut buffer) {
            Ok(0) => return Ok(crc),
            Ok(length) => crc.update(buffer.get(..length).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
