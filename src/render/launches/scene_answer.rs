//! The setup script's answer: read from a folder in which the scene, too, can leave what it
//! likes.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use nix::fcntl::OFlag;

use crate::blender::Answer;

/// The name of its file.
pub const ANSWER: &str = "scene.json";

/// The longest answer that is read, in bytes. A hundred thousand external files take ten
/// million.
const LONGEST: u64 = 32 * 1024 * 1024;

/// The answer in `folder`; `None` if there is none yet.
///
/// # Errors
/// In words, if what lies there is no answer.
pub(crate) fn read(folder: &Path) -> Option<Result<Answer, String>> {
    match content(&folder.join(ANSWER)) {
        Ok(json) if json.len() as u64 > LONGEST => {
            Some(Err(format!("it is longer than {} MiB", LONGEST >> 20)))
        }
        Ok(json) => Some(Answer::parse(&json)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => Some(Err(error.to_string())),
    }
}

fn content(path: &Path) -> io::Result<Vec<u8>> {
    // A link would lead to files of ours, and a pipe keep us waiting.
    let flags = (OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits();
    let file = File::options().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut content = Vec::new();
    file.take(LONGEST + 1).read_to_end(&mut content)?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn only_a_regular_file_of_bounded_size_is_an_answer() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(ANSWER);
        assert!(read(folder.path()).is_none());
        fs::write(&file, "{}").unwrap();
        assert!(read(folder.path()).unwrap().is_err());
        File::create(&file).unwrap().set_len(LONGEST + 1).unwrap();
        assert!(read(folder.path()).unwrap().unwrap_err().contains("longer"));
        fs::remove_file(&file).unwrap();
        symlink("/etc/passwd", &file).unwrap();
        assert!(read(folder.path()).unwrap().is_err());
        fs::remove_file(&file).unwrap();
        fs::create_dir(&file).unwrap();
        assert!(read(folder.path()).unwrap().is_err());
    }
}
