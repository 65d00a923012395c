//! The file that Blender writes when it crashes: `*.crash.txt` in the folder for temporary files
//! (`BKE_tempdir_base` in `sig_handle_crash`, Blender's `creator_signals.cc`).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use nix::libc::{O_NOFOLLOW, O_NONBLOCK};

/// How much of a crash file is kept, in bytes. Usually it has a few kilobytes, and the beginning
/// matters most.
const MAX_BYTES: u64 = 256 * 1024;

/// Removes all crash files from `folder`, and returns the content of one, if there is any.
pub fn take(folder: &Path) -> Option<Vec<u8>> {
    let entries = fs::read_dir(folder).ok()?;
    let mut found = None;
    for entry in entries.filter_map(Result::ok) {
        if !entry.file_name().as_encoded_bytes().ends_with(b".crash.txt") {
            continue;
        }
        let path = entry.path();
        found = found.or_else(|| read(&path).ok().filter(|text| !text.is_empty()));
        if let Err(error) = fs::remove_file(&path) {
            tracing::debug!("cannot remove {} from scratch: {error}", path.display());
        }
    }
    found
}

/// Reads a regular file only. A script in the scene may have created a link to one of our files, or
/// a pipe that never ends.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file: File =
        OpenOptions::new().read(true).custom_flags(O_NOFOLLOW | O_NONBLOCK).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.nlink() != 1 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut text = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_crash_file_is_taken_once_and_truncated() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(take(folder.path()), None);
        fs::write(folder.path().join("other.txt"), "other").unwrap();
        fs::write(folder.path().join("scene.crash.txt"), "x".repeat(1 << 20)).unwrap();
        let text = take(folder.path()).unwrap();
        assert_eq!(text.len() as u64, MAX_BYTES);
        assert_eq!(take(folder.path()), None);
        assert!(folder.path().join("other.txt").exists());
    }

    #[test]
    fn only_a_regular_file_with_one_link_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("secret");
        fs::write(&secret, "secret").unwrap();
        symlink(&secret, folder.path().join("a.crash.txt")).unwrap();
        fs::hard_link(&secret, folder.path().join("b.crash.txt")).unwrap();
        let pipe = folder.path().join("c.crash.txt");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        fs::create_dir(folder.path().join("d.crash.txt")).unwrap();
        assert_eq!(take(folder.path()), None);
        assert!(!pipe.exists());
    }
}
