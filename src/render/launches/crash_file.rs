//! What Blender writes of its own crash: `*.crash.txt` in the folder for temporary files
//! (`BKE_tempdir_base` in `sig_handle_crash`, Blender's `creator_signals.cc`).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use nix::libc::{O_NOFOLLOW, O_NONBLOCK};

/// How much of it is kept. They are a few kilobytes long; the first words tell most.
const KEPT: u64 = 256 * 1024;

/// Takes the crash file out of `folder`, if there is one: its content. What else is
/// there under such a name is removed as well.
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
            tracing::debug!("{} stays in scratch: {error}", path.display());
        }
    }
    found
}

/// A scene's script may have put something else there: a link to a file of ours, or a
/// pipe that never ends.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file: File =
        OpenOptions::new().read(true).custom_flags(O_NOFOLLOW | O_NONBLOCK).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.nlink() != 1 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut text = Vec::new();
    file.take(KEPT).read_to_end(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_crash_file_is_taken_once_and_cut_short() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(take(folder.path()), None);
        fs::write(folder.path().join("other.txt"), "other").unwrap();
        fs::write(folder.path().join("scene.crash.txt"), "x".repeat(1 << 20)).unwrap();
        let text = take(folder.path()).unwrap();
        assert_eq!(text.len() as u64, KEPT);
        assert_eq!(take(folder.path()), None);
        assert!(folder.path().join("other.txt").exists());
    }

    #[test]
    fn what_is_no_plain_file_is_not_read() {
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
