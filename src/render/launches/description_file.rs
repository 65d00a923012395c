//! Reads the setup script's description of the scene. The scene's own scripts can write to the same
//! folder, so the file is untrusted.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use nix::fcntl::OFlag;

use crate::blender::SceneDescription;

/// The name of the description's file.
pub const DESCRIPTION_FILE: &str = "scene.json";

/// The largest description that is read, in bytes. A hundred thousand external files take ten
/// million.
const MAX_BYTES: u64 = 32 * 1024 * 1024;

/// Reads the description in `folder`; `None` if there is none yet.
///
/// # Errors
/// What is wrong with the file, if it is not a description.
pub(crate) fn read(folder: &Path) -> Option<Result<SceneDescription, String>> {
    match content(&folder.join(DESCRIPTION_FILE)) {
        Ok(json) if json.len() as u64 > MAX_BYTES => {
            Some(Err(format!("it is longer than {} MiB", MAX_BYTES >> 20)))
        }
        Ok(json) => Some(SceneDescription::parse(&json)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => Some(Err(error.to_string())),
    }
}

fn content(path: &Path) -> io::Result<Vec<u8>> {
    // A link could point to any of our files, and opening a pipe would block forever.
    let flags = (OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits();
    let file = File::options().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut content = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut content)?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn only_a_regular_file_of_bounded_size_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(DESCRIPTION_FILE);
        assert!(read(folder.path()).is_none());
        fs::write(&file, "{}").unwrap();
        assert!(read(folder.path()).unwrap().is_err());
        File::create(&file).unwrap().set_len(MAX_BYTES + 1).unwrap();
        assert!(read(folder.path()).unwrap().unwrap_err().contains("longer"));
        fs::remove_file(&file).unwrap();
        symlink("/etc/passwd", &file).unwrap();
        assert!(read(folder.path()).unwrap().is_err());
        fs::remove_file(&file).unwrap();
        fs::create_dir(&file).unwrap();
        assert!(read(folder.path()).unwrap().is_err());
    }
}
