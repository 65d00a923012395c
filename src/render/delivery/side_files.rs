//! The side files of a frame: those that the scene makes besides it. They are verified and stored
//! before the frame itself, so a stored frame has all of them.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// A side file that Blender has saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SideFile {
    /// Its number among the files that the scene makes for each frame.
    pub index: usize,
    /// Its path in scratch.
    pub file: PathBuf,
    /// Its path below the output.
    pub path: String,
    /// What makes it, as it is named in messages.
    pub maker: String,
}

/// A side file that is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSideFile {
    /// Its number among the files that the scene makes for each frame.
    pub index: usize,
    /// Its path below the output.
    pub path: String,
    /// Its size in bytes.
    pub bytes: u64,
}

/// The side files of a frame. Clones share what is stored, so that a retry goes on where an earlier
/// attempt ended.
#[derive(Clone, Debug, Default)]
pub struct SideFiles {
    files: Arc<[SideFile]>,
    stored: Arc<Mutex<Vec<StoredSideFile>>>,
}

impl SideFiles {
    /// These files, none of which is stored.
    pub fn new(files: Vec<SideFile>) -> Self {
        Self { files: files.into(), stored: Arc::default() }
    }

    /// The first file that is not stored.
    pub fn next(&self) -> Option<&SideFile> {
        self.files.get(self.stored().len())
    }

    /// Records that the [next](Self::next) file is stored, with its size in bytes.
    pub fn record_stored(&self, bytes: u64) {
        if let Some(SideFile { index, path, .. }) = self.next().cloned() {
            let mut stored = self.stored.lock().unwrap_or_else(PoisonError::into_inner);
            stored.push(StoredSideFile { index, path, bytes });
        }
    }

    /// The files that are stored.
    pub fn stored(&self) -> Vec<StoredSideFile> {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The size of the files in scratch, in bytes. A missing file is reported as damaged later.
    pub fn size_in_scratch(&self) -> u64 {
        let sizes = self.files.iter().filter_map(|side| side.file.symlink_metadata().ok());
        sizes.map(|metadata| metadata.len()).sum()
    }

    /// Removes the files from scratch.
    pub async fn remove_from_scratch(&self) {
        for SideFile { file, .. } in &*self.files {
            if let Err(error) = tokio::fs::remove_file(file).await {
                tracing::debug!("cannot remove {} from scratch: {error}", file.display());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retry_goes_on_where_an_earlier_attempt_ended() {
        let side = |index: usize| SideFile {
            index,
            file: "/none".into(),
            path: format!("outputs/a/{index}.png"),
            maker: String::new(),
        };
        let first = SideFiles::new(vec![side(3), side(5)]);
        assert_eq!(first.next(), Some(&side(3)));
        first.record_stored(7);
        let retry = first.clone();
        assert_eq!(retry.next(), Some(&side(5)));
        retry.record_stored(8);
        assert_eq!(first.next(), None);
        let stored = first.stored().into_iter().map(|side| (side.index, side.bytes));
        assert_eq!(stored.collect::<Vec<_>>(), [(3, 7), (5, 8)]);
    }
}
