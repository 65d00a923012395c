//! Fetches the Python that the user adds to Blender.
//!
//! Blender reads copies in scratch: what is installed is what the fingerprint was made from, and the
//! sandbox need not be opened for the originals.

use std::fs;
use std::io;
use std::path::Path;

use sha2::{Digest as _, Sha256};
use walkdir::WalkDir;

use super::reuse::identity::each_chunk;
use crate::blender::UserCodePaths;
use crate::error::Error;
use crate::request::{Location, UserCode};
use crate::storage::{Failure, Fingerprint, Operation, Storage, StorageError};
use crate::worker::Worker;

/// The flags and variables that name the user's Python.
const PYTHON: &str = "--python (PYTHON_FILE)";
const ADDONS_DIR: &str = "--addons-dir (ADDONS_DIR)";

/// The most files in a folder of add-ons.
const MAX_FILES: usize = 100_000;

/// Fetches all of `code` to `paths`. The result identifies its content.
///
/// # Errors
/// - [`Error::UserCode`] if a script or the add-ons cannot be read or copied.
/// - [`Error::Interrupted`] if the job is stopped meanwhile.
pub async fn fetch(
    worker: &Worker,
    code: &UserCode,
    paths: &UserCodePaths,
) -> Result<String, Error> {
    if *code == UserCode::default() {
        return Ok("none".to_owned());
    }
    let folder = paths.folder();
    fs::create_dir_all(folder)
        .map_err(|source| Error::Scratch { path: folder.to_owned(), source })?;
    let storage = &worker.storage;
    let fetching = async {
        for (location, copy) in code.scripts.0.iter().zip(paths.scripts(code)) {
            let fetched = fetch_file(storage, location, &copy).await;
            fetched.map_err(|source| Error::UserCode { setting: PYTHON, source })?;
        }
        if let Some(location) = &code.addons_dir {
            let fetched = fetch_addons(storage, location, &paths.addons()).await;
            fetched.map_err(|source| Error::UserCode { setting: ADDONS_DIR, source })?;
        }
        Ok::<_, Error>(())
    };
    worker.unless_stopped(fetching).await?;
    let hash = content_hash(folder)
        .await
        .map_err(|source| Error::Scratch { path: folder.to_owned(), source })?;
    Ok(format!("{} add-ons {:?}", hash, code.addons.0))
}

/// Copies a file, or downloads it.
async fn fetch_file(storage: &Storage, from: &Location, copy: &Path) -> Result<(), StorageError> {
    let failed = |error: io::Error| StorageError::new(Operation::Read, from, error.into());
    fs::create_dir_all(copy.parent().unwrap_or(copy)).map_err(failed)?;
    let opened = storage.open(from).await?;
    let path = storage.localise(&opened, copy).await?;
    if path != copy {
        tokio::fs::copy(&path, copy).await.map_err(failed)?;
    }
    Ok(())
}

/// Fetches add-ons to a folder: an archive, a local folder with everything below it, or the objects
/// directly below a prefix.
async fn fetch_addons(storage: &Storage, from: &Location, to: &Path) -> Result<(), StorageError> {
    let name = from.split().map(|(_, name)| name.to_owned()).unwrap_or_default();
    if let Location::Local(path) = from
        && path.is_dir()
    {
        let (source, target) = (path.clone(), to.join(&name));
        let copying = tokio::task::spawn_blocking(move || copy_folder(&source, &target));
        let copied = copying.await.unwrap_or_else(|error| Err(io::Error::other(error)));
        return copied.map_err(|error| StorageError::new(Operation::Read, from, error.into()));
    }
    let is_archive =
        Path::new(&name).extension().is_some_and(|end| end.eq_ignore_ascii_case("zip"));
    if is_archive || matches!(from, Location::Local(_)) {
        return fetch_file(storage, from, &to.join(&name)).await;
    }
    let entries = storage.list(from).await?;
    if entries.is_empty() {
        let nothing = Failure::Missing("no file lies directly below it".into());
        return Err(StorageError::new(Operation::Read, from, nothing));
    }
    for entry in entries {
        // A name in a listing is data: it must not lead out of the folder.
        let is_plain = !matches!(entry.name.as_str(), "" | "." | "..") && !entry.name.contains('/');
        if is_plain {
            fetch_file(storage, &from.join(&entry.name), &to.join(&name).join(&entry.name)).await?;
        }
    }
    Ok(())
}

/// Copies a folder, without hidden files and compiled Python. Links are followed.
fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    let is_left_out = |name: &str| name.starts_with('.') || name == "__pycache__";
    let entries = WalkDir::new(from).follow_links(true).into_iter().filter_entry(|entry| {
        entry.depth() == 0 || !entry.file_name().to_str().is_some_and(is_left_out)
    });
    for (count, entry) in entries.enumerate() {
        if count > MAX_FILES {
            return Err(io::Error::other(format!("it has more than {MAX_FILES} files")));
        }
        let entry = entry?;
        let target = to.join(entry.path().strip_prefix(from).unwrap_or(Path::new("")));
        if entry.file_type().is_dir() {
            fs::create_dir_all(target)?;
        } else if entry.file_type().is_file() {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// The hash of all names and contents below a folder.
async fn content_hash(folder: &Path) -> io::Result<Fingerprint> {
    let folder = folder.to_owned();
    let hashing = tokio::task::spawn_blocking(move || hash_below(&folder));
    hashing.await.unwrap_or_else(|error| Err(io::Error::other(error)))
}

fn hash_below(folder: &Path) -> io::Result<Fingerprint> {
    let mut all = Sha256::new();
    for entry in WalkDir::new(folder).sort_by_file_name() {
        let entry = entry?;
        if entry.file_type().is_file() {
            let mut content = Sha256::new();
            each_chunk(entry.path(), |chunk| content.update(chunk))?;
            let name = entry.path().strip_prefix(folder).unwrap_or(entry.path());
            // No name contains a zero.
            all.update(name.as_os_str().as_encoded_bytes());
            all.update([0]);
            all.update(content.finalize());
        }
    }
    Ok(Fingerprint::from(<[u8; 32]>::from(all.finalize())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_copied_without_what_nobody_needs() {
        let temp = tempfile::tempdir().unwrap();
        let (from, to) = (temp.path().join("from"), temp.path().join("to"));
        for file in ["tool/__init__.py", "tool/.git/x", "tool/__pycache__/x.pyc", "b.zip"] {
            let file = from.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "x").unwrap();
        }
        std::os::unix::fs::symlink(&from, from.join("circle")).unwrap();
        assert!(copy_folder(&from, &to).is_err(), "a circle of links");
        fs::remove_file(from.join("circle")).unwrap();
        copy_folder(&from, &to).unwrap();
        let names = WalkDir::new(&to).sort_by_file_name().into_iter().map(|entry| {
            entry.unwrap().path().strip_prefix(&to).unwrap().to_str().unwrap().to_owned()
        });
        assert_eq!(names.collect::<Vec<_>>(), ["", "b.zip", "tool", "tool/__init__.py"]);
    }

    #[test]
    fn the_hash_depends_on_names_and_contents() {
        let temp = tempfile::tempdir().unwrap();
        let hash = || hash_below(temp.path()).unwrap().to_string();
        let empty = hash();
        fs::write(temp.path().join("a"), "1").unwrap();
        let one = hash();
        assert_eq!(one, hash());
        fs::write(temp.path().join("a"), "2").unwrap();
        let other = hash();
        fs::rename(temp.path().join("a"), temp.path().join("b")).unwrap();
        let renamed = hash();
        let all = std::collections::BTreeSet::from([empty, one, other, renamed]);
        assert_eq!(all.len(), 4);
    }
}
