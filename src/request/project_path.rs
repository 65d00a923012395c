//! Paths in a project: relative, and never out of it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use thiserror::Error;

use crate::printable::printable;

/// The longest path in bytes. Linux accepts 4096 (`PATH_MAX`), with the folder of the project in front
/// of it.
const MAX_LENGTH: usize = 2048;

/// The longest name of a file or folder in bytes (`NAME_MAX`).
const MAX_NAME: usize = 255;

/// The path of a file in a project, relative to the project's folder: `tex/wood.png`.
///
/// Its names are separated by slashes. None of them is empty, `.` or `..`, and it has no control
/// characters and no backslashes. So it leads to a place in the folder on every system.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProjectPath(String);

/// Why a text is not a path in a project.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the path {:?} {why}", printable(path))]
pub struct PathError {
    path: String,
    why: &'static str,
}

impl PathError {
    /// The error of a path that is no text.
    pub fn not_utf8(path: String) -> Self {
        Self { path, why: "is not UTF-8" }
    }
}

impl ProjectPath {
    /// Validates a path.
    ///
    /// # Errors
    /// If it could lead out of the project, or cannot exist on some system.
    pub fn new(path: &str) -> Result<Self, PathError> {
        let refuse = |why| Err(PathError { path: path.to_owned(), why });
        if path.is_empty() {
            return refuse("is empty");
        }
        if path.starts_with('/') || is_drive(path) {
            return refuse("is absolute, and belongs to no project");
        }
        if path.contains(|c: char| c == '\\' || c.is_control()) {
            return refuse("has a backslash or a control character");
        }
        if path.len() > MAX_LENGTH || path.split('/').any(|name| name.len() > MAX_NAME) {
            return refuse("is too long");
        }
        if path.split('/').any(|name| matches!(name, "" | "." | "..")) {
            return refuse("has a part that is empty, `.` or `..`");
        }
        Ok(Self(path.to_owned()))
    }

    /// Validates a path on this machine, relative to the folder of a project.
    ///
    /// # Errors
    /// The same as [`ProjectPath::new`], and if it is not UTF-8.
    pub fn of_file(path: &Path) -> Result<Self, PathError> {
        match path.to_str() {
            Some(path) => Self::new(path),
            None => Err(PathError::not_utf8(path.to_string_lossy().into_owned())),
        }
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The file in a project that lies in `folder`.
    pub fn below(&self, folder: &Path) -> PathBuf {
        folder.join(&self.0)
    }

    /// The name of the file.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// The folders that it is in, the innermost first.
    pub fn folders(&self) -> impl Iterator<Item = &str> {
        self.0.rmatch_indices('/').filter_map(|(at, _)| self.0.get(..at))
    }

    /// The same path for file systems that do not tell capital letters from small ones.
    pub fn folded(&self) -> String {
        self.0.to_lowercase()
    }
}

impl FromStr for ProjectPath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text)
    }
}

impl fmt::Display for ProjectPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a path begins with a drive of Windows.
fn is_drive(path: &str) -> bool {
    matches!(path.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_lead_out_of_a_project_are_refused() {
        for bad in [
            "",
            "/",
            "/etc/passwd",
            "..",
            "../a",
            "a/../b",
            "a/..",
            ".",
            "./a",
            "a//b",
            "a/",
            "C:/a",
            "c:a",
            "a\\b",
            "..\\a",
            "\\\\server\\a",
            "a\0b",
            "a\nb",
            "a/\u{7f}",
            &"x".repeat(256),
            &"x/".repeat(1100),
        ] {
            let error = ProjectPath::new(bad).expect_err(bad).to_string();
            assert!(!error.contains(char::is_control), "{error:?}");
        }
        for good in ["a", "tex/wood.png", "a b/ü.png", "...", ".hidden", "a/..b", "ab:c"] {
            assert_eq!(ProjectPath::new(good).unwrap().as_str(), good);
        }
    }

    #[test]
    fn the_folders_of_a_path_begin_with_the_innermost() {
        let path = ProjectPath::new("a/b/C.png").unwrap();
        assert_eq!(path.folders().collect::<Vec<_>>(), ["a/b", "a"]);
        assert_eq!((path.name(), path.folded().as_str()), ("C.png", "a/b/c.png"));
        assert_eq!(ProjectPath::new("a").unwrap().folders().count(), 0);
    }
}
