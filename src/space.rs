//! Free space on a disk.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use nix::sys::statvfs::statvfs;
use nix::unistd::geteuid;

use crate::ending::Size;

/// With fewer free bytes than this, lack of space explains an incomplete file.
const TIGHT: u64 = 1024 * 1024;

/// With fewer free bytes than this, nothing more can be written.
const FULL: u64 = 64 * 1024;

/// The free space on the disk of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Space {
    folder: PathBuf,
    /// The free bytes that this process may use.
    free: u64,
    /// The size of the disk in bytes.
    size: u64,
    /// Whether no more files can be created, however small.
    no_more_files: bool,
}

impl Space {
    /// Queries the free space on the disk of `folder`.
    ///
    /// # Errors
    /// The error of `statvfs`.
    pub fn on(folder: &Path) -> io::Result<Self> {
        let fs = statvfs(folder)?;
        // Blocks that the file system reserves are available to root only.
        let (blocks, files) = if geteuid().is_root() {
            (fs.blocks_free(), fs.files_free())
        } else {
            (fs.blocks_available(), fs.files_available())
        };
        Ok(Self {
            folder: folder.to_owned(),
            free: blocks.saturating_mul(fs.fragment_size()),
            size: fs.blocks().saturating_mul(fs.fragment_size()),
            // Some file systems do not count files: they report 0 of 0.
            no_more_files: fs.files() > 0 && files == 0,
        })
    }

    /// Whether lack of space explains an incomplete file.
    pub fn is_tight(&self) -> bool {
        self.free < TIGHT || self.no_more_files
    }

    /// Whether nothing more can be written.
    pub fn is_full(&self) -> bool {
        self.free < FULL || self.no_more_files
    }

    /// Whether `bytes` more bytes fit on the disk.
    pub fn holds(&self, bytes: u64) -> bool {
        bytes <= self.free
    }
}

impl fmt::Display for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let folder = self.folder.display();
        write!(f, "{} of {} are free in {folder}", Size(self.free), Size(self.size))?;
        if self.no_more_files { f.write_str(", and no more files can be created") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space(free: u64, no_more_files: bool) -> Space {
        Space { folder: "/tmp/x".into(), free, size: 8 << 20, no_more_files }
    }

    #[test]
    fn a_disk_is_full_without_free_bytes_or_files() {
        for (free, no_more_files, tight, full) in [
            (4 << 20, false, false, false),
            (512 << 10, false, true, false),
            (4096, false, true, true),
            (4 << 20, true, true, true),
        ] {
            let space = space(free, no_more_files);
            assert_eq!((space.is_tight(), space.is_full()), (tight, full), "{space}");
        }
        assert_eq!(space(4096, false).to_string(), "4096 bytes of 8 MiB are free in /tmp/x");
        assert!(space(1, true).to_string().ends_with("and no more files can be created"));
    }

    #[test]
    fn the_free_space_of_a_folder_is_queried() {
        let space = Space::on(Path::new("/proc")).unwrap();
        assert_eq!((space.size, space.free), (0, 0));
        assert!(Space::on(Path::new("/no/such/folder")).is_err());
    }
}
