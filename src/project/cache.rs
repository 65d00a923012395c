//! A cache of files on this machine, which its workers share: a file that one of them has fetched, the
//! others do not fetch.
//!
//! A file is taken in once it was verified, in one step, and is never changed. A project gets a link to
//! it, or a copy where there are no links. The files that were not used for the longest time are removed
//! when the cache is larger than it may be. A project keeps what is removed: its link is a name of its
//! own. So workers need not wait for each other, and may be killed at any time.

use std::fs::{self, File, FileTimes};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use super::content::ContentHash;
use crate::hex::hex;
use crate::storage::{Opened, Version};

/// The folder of the files, in the folder of the cache.
const FILES_DIR: &str = "files";

/// How the name of a file ends that is not whole.
const PARTIAL: &str = ".part";

/// After this time, a file that is not whole is what a killed worker has left.
const ABANDONED: Duration = Duration::from_hours(24);

/// The cache.
#[derive(Clone, Debug)]
pub struct ProjectCache {
    folder: PathBuf,
    /// The most bytes of files.
    size: u64,
    /// Whether files are read again before they are used, because scenes could have changed them.
    is_exposed: bool,
}

impl ProjectCache {
    /// The cache in `folder`, of up to `size` bytes. It `is_exposed` if no sandbox keeps scenes from
    /// writing to it.
    pub fn new(folder: &Path, size: u64, is_exposed: bool) -> Self {
        Self { folder: folder.join(FILES_DIR), size, is_exposed }
    }

    /// The name of an opened object in the cache: that of its version. `None` for what is on this
    /// machine, and if the store does not identify versions.
    pub fn name_of(opened: &Opened) -> Option<String> {
        let Version::S3 { etag: Some(etag) } = &opened.version else { return None };
        let version = format!("{} {etag:?} {}", opened.location, opened.size);
        Some(format!("object-{}", hex(&Sha256::digest(version))))
    }

    /// Places the file of this name, of `size` bytes, at `target`. Whether it was there.
    pub fn take_out(&self, name: &str, size: u64, target: &Path) -> bool {
        let file = self.folder.join(name);
        let taken = (|| {
            let opened = File::open(&file)?;
            if opened.metadata()?.len() != size {
                return Ok(false);
            }
            // What was used last is removed last.
            _ = opened.set_times(FileTimes::new().set_modified(SystemTime::now()));
            if self.is_exposed {
                // A link would let the scene change it, and another scene may have.
                fs::copy(&file, target)?;
                let expected = ContentHash::parse(name);
                let found = ContentHash::of_reader(File::open(target)?)?.0;
                let is_same = expected.is_none_or(|expected| expected == found);
                if !is_same {
                    fs::remove_file(&file)?;
                }
                return Ok::<_, io::Error>(is_same);
            }
            if fs::hard_link(&file, target).is_err() {
                fs::copy(&file, target)?;
            }
            Ok(true)
        })();
        if !matches!(taken, Ok(true)) {
            _ = fs::remove_file(target);
        }
        matches!(taken, Ok(true))
    }

    /// Takes in a verified file under this name.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn take_in(&self, name: &str, source: &Path) -> io::Result<()> {
        let target = self.folder.join(name);
        if target.exists() {
            return Ok(());
        }
        fs::create_dir_all(&self.folder)?;
        if !self.is_exposed && fs::hard_link(source, &target).is_ok() {
            return Ok(());
        }
        let mut builder = tempfile::Builder::new();
        let partial: NamedTempFile =
            builder.prefix(".").suffix(PARTIAL).tempfile_in(&self.folder)?;
        fs::copy(source, partial.path())?;
        partial.persist(&target)?;
        Ok(())
    }

    /// Removes what was not used for the longest time, until the cache is as small as it may be. What
    /// a project uses stays: removing its name would free no space.
    ///
    /// # Errors
    /// If the cache cannot be listed.
    pub fn shrink(&self) -> io::Result<()> {
        let (mut files, mut total) = (Vec::new(), 0u64);
        for entry in self.folder.read_dir()? {
            let entry = entry?;
            // It may have been removed meanwhile.
            let Ok(metadata) = entry.metadata() else { continue };
            let modified = metadata.modified()?;
            if entry.file_name().to_string_lossy().ends_with(PARTIAL) {
                if modified.elapsed().is_ok_and(|age| age > ABANDONED) {
                    _ = fs::remove_file(entry.path());
                }
                continue;
            }
            total = total.saturating_add(metadata.len());
            if metadata.nlink() == 1 {
                files.push((modified, metadata.len(), entry.path()));
            }
        }
        files.sort();
        for (_, size, path) in files {
            if total <= self.size {
                break;
            }
            if fs::remove_file(path).is_ok() {
                total = total.saturating_sub(size);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(size: u64, is_exposed: bool) -> (tempfile::TempDir, ProjectCache) {
        let temp = tempfile::tempdir().unwrap();
        let cache = ProjectCache::new(temp.path(), size, is_exposed);
        (temp, cache)
    }

    /// Takes in a content, and returns its name.
    fn put(temp: &tempfile::TempDir, cache: &ProjectCache, content: &str) -> String {
        let (source, hash) = (temp.path().join("source"), ContentHash::of(content.as_bytes()));
        fs::write(&source, content).unwrap();
        cache.take_in(&hash.to_string(), &source).unwrap();
        fs::remove_file(&source).unwrap();
        hash.to_string()
    }

    #[test]
    fn what_was_taken_in_is_taken_out() {
        for is_exposed in [false, true] {
            let (temp, cache) = cache(100, is_exposed);
            let target = temp.path().join("target");
            let name = put(&temp, &cache, "hello");
            assert!(!cache.take_out(&name, 4, &target), "another size");
            assert!(!cache.take_out(&ContentHash::of(b"").to_string(), 5, &target));
            assert!(cache.take_out(&name, 5, &target));
            assert_eq!(fs::read(&target).unwrap(), b"hello");
            assert_eq!(put(&temp, &cache, "hello"), name, "a second time");
        }
    }

    #[test]
    fn a_file_that_a_scene_could_change_is_read_again() {
        let (temp, cache) = cache(100, true);
        let target = temp.path().join("target");
        let name = put(&temp, &cache, "hello");
        assert!(cache.take_out(&name, 5, &target));
        fs::write(&target, "jello").unwrap();
        assert_eq!(fs::read(cache.folder.join(&name)).unwrap(), b"hello", "it is a copy");
        fs::write(cache.folder.join(&name), "jello").unwrap();
        assert!(!cache.take_out(&name, 5, &temp.path().join("again")));
        assert!(!temp.path().join("again").exists() && !cache.folder.join(&name).exists());
    }

    #[test]
    fn what_was_used_last_stays_and_so_does_what_is_in_use() {
        let (temp, cache) = cache(10, false);
        let names = ["1aaaa", "2bbbb", "3cccc", "4dddd"].map(|text| put(&temp, &cache, text));
        let age = |name: &str, hours| {
            let file = File::open(cache.folder.join(name)).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_hours(hours)).unwrap();
        };
        for (name, hours) in names.iter().zip([4, 3, 2, 1]) {
            age(name, hours);
        }
        fs::write(cache.folder.join(".killed.part"), "x").unwrap();
        fs::write(cache.folder.join(".running.part"), "x").unwrap();
        age(".killed.part", 30);
        // The first is used now, and the third is in use.
        assert!(cache.take_out(&names[0], 5, &temp.path().join("now")));
        fs::remove_file(temp.path().join("now")).unwrap();
        fs::hard_link(cache.folder.join(&names[2]), temp.path().join("in use")).unwrap();
        cache.shrink().unwrap();
        let left: Vec<_> = names.iter().map(|name| cache.folder.join(name).exists()).collect();
        assert_eq!(left, [true, false, true, false]);
        assert!(!cache.folder.join(".killed.part").exists());
        assert!(cache.folder.join(".running.part").exists());
    }
}
