//! Reads files that Blender writes for the worker. The scene's own scripts can write to the same
//! folder, so they are untrusted.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use nix::fcntl::OFlag;

/// Opens a regular file.
///
/// # Errors
/// If it does not exist, is no regular file, or cannot be opened.
pub fn open(path: &Path) -> io::Result<File> {
    // A link could point to any of our files, and opening a pipe would block forever.
    let flags = (OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits();
    let file = File::options().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    Ok(file)
}

/// Reads a regular file of at most `max` bytes.
///
/// # Errors
/// Those of [`open`], and if it is longer or cannot be read.
pub fn read(path: &Path, max: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    open(path)?.take(max + 1).read_to_end(&mut content)?;
    if content.len() as u64 > max {
        return Err(io::Error::other(format!("it is longer than {} MiB", max >> 20)));
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    const MAX: u64 = 1 << 20;

    #[test]
    fn only_a_regular_file_of_bounded_size_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        let fails = || read(&file, MAX).unwrap_err();
        assert_eq!(fails().kind(), io::ErrorKind::NotFound);
        File::create(&file).unwrap().set_len(MAX).unwrap();
        assert_eq!(read(&file, MAX).unwrap().len() as u64, MAX);
        File::create(&file).unwrap().set_len(MAX + 1).unwrap();
        assert!(fails().to_string().contains("longer"));
        fs::remove_file(&file).unwrap();
        symlink("/etc/passwd", &file).unwrap();
        fails();
        fs::remove_file(&file).unwrap();
        fs::create_dir(&file).unwrap();
        fails();
        fs::remove_dir(&file).unwrap();
        nix::unistd::mkfifo(&file, nix::sys::stat::Mode::S_IRWXU).unwrap();
        fails();
    }
}
