//! Reads the setup script's answer: its description of the scene, or its refusal.

use std::io;
use std::path::Path;

use crate::blender::Answer;
use crate::worker::untrusted_file;

/// The name of the file with the answer.
pub const DESCRIPTION_FILE: &str = "scene.json";

/// The largest answer that is read, in bytes. A hundred thousand external files take ten
/// million.
const MAX_BYTES: u64 = 32 * 1024 * 1024;

/// Reads the answer in `folder`; `None` if there is none yet.
///
/// # Errors
/// What is wrong with the file, if it is not an answer.
pub fn read(folder: &Path) -> Option<Result<Answer, String>> {
    match untrusted_file::read(&folder.join(DESCRIPTION_FILE), MAX_BYTES) {
        Ok(json) => Some(Answer::parse(&json)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => Some(Err(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_file_that_is_no_answer_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(DESCRIPTION_FILE);
        assert!(read(folder.path()).is_none());
        fs::write(&file, "{}").unwrap();
        assert!(read(folder.path()).unwrap().is_err());
        fs::remove_file(&file).unwrap();
        fs::create_dir(&file).unwrap();
        assert!(read(folder.path()).unwrap().is_err());
    }
}
