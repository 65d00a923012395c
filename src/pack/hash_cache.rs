//! The hashes of files that were packed before, so that what has not changed is not read again.
//!
//! A file is known by its device, inode, size, and the times of its last changes, in nanoseconds. As in
//! Git, that is not trusted for a file that was changed less than two seconds before it was read: it
//! could change again within what the file system takes for the same moment. A content is stored only
//! after it was hashed anew, so a wrong entry could at worst name another content that is stored
//! already.
//!
//! The entries are in one file, which is replaced as a whole. If it is damaged or missing, all files are
//! read.

use std::collections::HashMap;
use std::fs::{self, Metadata};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use crate::project::ContentHash;

/// How the file begins: its format. Another one is not read.
const MAGIC: &[u8] = b"render-worker hashes 1\n";

/// The numbers of an entry: a [`Key`], and the day of its last use.
const NUMBERS: usize = 8;

/// The size of a hash in bytes.
const HASH: usize = 32;

/// The size of an entry in bytes.
const ENTRY: usize = NUMBERS * 8 + HASH;

/// The most entries: those of two large projects. The ones that were not used for the longest time are
/// forgotten.
const MOST: usize = 200_000;

/// How old the last change of a file must be when it is read.
const SETTLED: Duration = Duration::from_secs(2);

/// What identifies a file with its content: device, inode, size, and the times of the last changes of
/// the content and of the file, each in seconds and nanoseconds.
type Key = [i64; NUMBERS - 1];

/// The hashes of files that were packed before.
#[derive(Debug)]
pub struct HashCache {
    /// Where they are kept; `None` for nowhere.
    file: Option<PathBuf>,
    entries: HashMap<Key, (ContentHash, i64)>,
    /// What was used or learned this time.
    fresh: Mutex<HashMap<Key, ContentHash>>,
}

impl HashCache {
    /// The hashes that are kept in a file.
    pub fn open(file: Option<&Path>) -> Self {
        let kept = file.and_then(|file| fs::read(file).ok());
        let entries = kept.as_deref().and_then(parsed).unwrap_or_default();
        Self { file: file.map(Path::to_owned), entries, fresh: Mutex::default() }
    }

    /// The hash of a file, if it is known.
    pub fn get(&self, file: &Metadata) -> Option<ContentHash> {
        let key = key_of(file);
        let (content, _) = self.entries.get(&key)?;
        self.fresh().insert(key, *content);
        Some(*content)
    }

    /// Remembers the hash of a file that was read from the time `began` on.
    pub fn learn(&self, file: &Metadata, content: ContentHash, began: SystemTime) {
        if is_settled(file, began) {
            self.fresh().insert(key_of(file), content);
        }
    }

    fn fresh(&self) -> std::sync::MutexGuard<'_, HashMap<Key, ContentHash>> {
        // What a panic left is still true.
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what was learned, with what other commands have kept meanwhile. If that is not possible,
    /// the next command takes longer.
    pub fn save(&self) {
        let Some(file) = &self.file else { return };
        if let Err(why) = self.try_save(file) {
            tracing::debug!("the hashes of files are not kept in {}: {why}", file.display());
        }
    }

    fn try_save(&self, file: &Path) -> io::Result<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let today = i64::try_from(now.as_secs() / (24 * 60 * 60)).unwrap_or_default();
        let kept = fs::read(file).ok();
        let mut entries = kept.as_deref().and_then(parsed).unwrap_or_default();
        entries.extend(self.fresh().iter().map(|(key, content)| (*key, (*content, today))));
        let mut entries: Vec<_> = entries.into_iter().collect();
        entries.sort_unstable_by_key(|(key, (_, day))| (-day, *key));
        entries.truncate(MOST);
        let mut bytes = MAGIC.to_vec();
        bytes.reserve(entries.len() * ENTRY + HASH);
        for (key, (content, day)) in entries {
            key.into_iter().chain([day]).for_each(|number| bytes.extend(number.to_le_bytes()));
            bytes.extend(content.bytes());
        }
        let sum = Sha256::digest(&bytes);
        bytes.extend(sum);
        let folder = file.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let mut hidden = NamedTempFile::new_in(folder)?;
        hidden.write_all(&bytes)?;
        hidden.persist(file)?;
        Ok(())
    }
}

/// The entries in the content of a file; `None` if it is damaged.
fn parsed(content: &[u8]) -> Option<HashMap<Key, (ContentHash, i64)>> {
    let (content, sum) = content.split_last_chunk::<HASH>()?;
    if Sha256::digest(content).as_slice() != sum {
        return None;
    }
    let (entries, []) = content.strip_prefix(MAGIC)?.as_chunks::<ENTRY>() else { return None };
    let entry = |entry: &[u8; ENTRY]| {
        let (numbers, hash) = entry.split_last_chunk::<HASH>()?;
        let (numbers, _) = numbers.as_chunks::<8>();
        let mut numbers = numbers.iter().map(|number| i64::from_le_bytes(*number));
        let mut key = Key::default();
        for (part, number) in key.iter_mut().zip(numbers.by_ref()) {
            *part = number;
        }
        Some((key, (ContentHash::from(*hash), numbers.next()?)))
    };
    entries.iter().map(entry).collect()
}

fn key_of(file: &Metadata) -> Key {
    [
        file.dev().cast_signed(),
        file.ino().cast_signed(),
        file.len().cast_signed(),
        file.mtime(),
        file.mtime_nsec(),
        file.ctime(),
        file.ctime_nsec(),
    ]
}

/// Whether the last change of a file is long enough ago that another one would have another time.
fn is_settled(file: &Metadata, began: SystemTime) -> bool {
    let Ok(began) = began.duration_since(UNIX_EPOCH) else { return false };
    let began = i64::try_from(began.as_secs()).unwrap_or_default();
    let settled = i64::try_from(SETTLED.as_secs()).unwrap_or_default();
    // Whole seconds are lost on both sides.
    file.mtime().max(file.ctime()) < began - settled
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    /// A file, and a time at which its last change is long ago.
    fn file(folder: &Path, content: &str) -> (Metadata, SystemTime) {
        let path = folder.join("file");
        fs::write(&path, content).unwrap();
        (path.metadata().unwrap(), SystemTime::now() + Duration::from_secs(10))
    }

    #[test]
    fn what_was_learned_is_known_to_the_next_command() {
        let folder = tempfile::tempdir().unwrap();
        let kept = folder.path().join("cache/hashes");
        let (metadata, later) = file(folder.path(), "one");
        let content = ContentHash::of(b"one");
        let cache = HashCache::open(Some(&kept));
        assert_eq!(cache.get(&metadata), None);
        cache.learn(&metadata, content, later);
        // Another command keeps something else meanwhile.
        fs::write(folder.path().join("other"), "other").unwrap();
        let other = folder.path().join("other").metadata().unwrap();
        let second = HashCache::open(Some(&kept));
        second.learn(&other, ContentHash::of(b"other"), later);
        second.save();
        cache.save();
        let next = HashCache::open(Some(&kept));
        assert_eq!(next.get(&metadata), Some(content));
        assert_eq!(next.get(&other), Some(ContentHash::of(b"other")));
        // Every kind of change is another file.
        let path = folder.path().join("file");
        File::options().write(true).open(&path).unwrap().set_modified(UNIX_EPOCH).unwrap();
        assert_eq!(next.get(&path.metadata().unwrap()), None);
        HashCache::open(None).save();
    }

    #[test]
    fn a_file_that_was_just_changed_is_not_trusted() {
        let folder = tempfile::tempdir().unwrap();
        let (metadata, _) = file(folder.path(), "one");
        let cache = HashCache::open(None);
        cache.learn(&metadata, ContentHash::of(b"one"), SystemTime::now());
        assert!(cache.fresh().is_empty());
        // A file whose own time was set back has still just been changed.
        let path = folder.path().join("file");
        File::options().write(true).open(&path).unwrap().set_modified(UNIX_EPOCH).unwrap();
        cache.learn(&path.metadata().unwrap(), ContentHash::of(b"one"), SystemTime::now());
        assert!(cache.fresh().is_empty());
    }

    #[test]
    fn a_damaged_file_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let kept = folder.path().join("hashes");
        let (metadata, later) = file(folder.path(), "one");
        let cache = HashCache::open(Some(&kept));
        cache.learn(&metadata, ContentHash::of(b"one"), later);
        cache.save();
        let whole = fs::read(&kept).unwrap();
        assert_eq!(parsed(&whole).unwrap().len(), 1);
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 1;
            assert!(parsed(&flipped).is_none(), "{at}");
            assert!(parsed(&whole[..at]).is_none(), "{at}");
        }
    }
}
