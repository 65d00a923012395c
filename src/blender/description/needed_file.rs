//! The files that the pictures of a scene need, and what keeps Blender from using some of them.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::placeholder::Placeholder;
use crate::printable::printable;

/// The most files that are named one by one. The others are counted.
pub const MOST_NAMED: usize = 20;

/// A file that the pictures need, or several that belong together, such as those of a sequence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NeededFile {
    /// What it is: `image`, `linked library`, `Alembic cache`, ….
    pub kind: String,
    /// Its name in Blender.
    pub name: String,
    /// What uses it: `material Floor`.
    pub used_by: String,
    /// The path as the scene has it. `//` is the folder of the .blend file.
    pub path: String,
    /// The absolute paths of the files; empty for files that belong beside a scene on S3.
    pub files: Vec<String>,
}

/// A needed file that Blender cannot use. It renders without it, so the pictures differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct UnusableFile {
    /// The file; of several that belong together, only those that cannot be used.
    #[serde(flatten)]
    pub file: NeededFile,
    /// How many files belong together.
    pub of: usize,
    /// What is wrong.
    pub problem: FileProblem,
    /// What is wrong with a damaged file: `ends after 60 bytes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub damage: Option<String>,
    /// The value of `--allow-read` that lets Blender read the file in the sandbox.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_read: Option<String>,
}

/// What keeps Blender from using a file. The setup script's `files.py` uses the same names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum FileProblem {
    /// There is no such file.
    Missing,
    /// The file is there, but Blender may not open it.
    Unreadable,
    /// The file has no bytes.
    Empty,
    /// The library is there, but a data-block that the scene links from it is not in it.
    NotInLibrary,
    /// The content of the file is not that of a whole file of its kind.
    Damaged,
}

impl UnusableFile {
    /// A damaged file of those in `file`.
    pub fn damaged(file: &NeededFile, path: &str, damage: String) -> Self {
        Self {
            file: NeededFile { files: vec![path.to_owned()], ..file.clone() },
            of: file.files.len(),
            problem: FileProblem::Damaged,
            damage: Some(damage),
            allow_read: None,
        }
    }

    /// The placeholder damage of a file that begins like one.
    pub fn placeholder(placeholder: Placeholder) -> String {
        format!("is {placeholder}")
    }

    /// Whether the same files cannot be used for the same reason. How many belong together depends on
    /// the frames.
    pub fn is_same_as(&self, other: &Self) -> bool {
        self.file == other.file && self.problem == other.problem
    }

    /// The first of the files that cannot be used.
    fn first(&self) -> &str {
        self.file.files.first().map_or("", String::as_str)
    }

    /// The path as the scene has it, and the problem in a few words.
    pub fn short(&self) -> String {
        let path = printable(&self.file.path);
        match self.problem {
            FileProblem::Missing if self.of > 1 && !self.file.files.is_empty() => {
                format!("{path} ({} of its {} files)", self.file.files.len(), self.of)
            }
            FileProblem::Missing => path,
            FileProblem::Unreadable => format!("{path} (cannot be read)"),
            FileProblem::Empty => format!("{path} (empty)"),
            FileProblem::NotInLibrary => {
                format!("{path} (without {})", printable(&self.file.name))
            }
            FileProblem::Damaged => format!("{path} (damaged)"),
        }
    }
}

impl fmt::Display for UnusableFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let NeededFile { kind, name, used_by, path, files } = &self.file;
        let (kind, name, used_by) = (printable(kind), printable(name), printable(used_by));
        write!(f, "{kind} {name}, used by {used_by}: {} ", printable(path))?;
        if self.of > 1 && !files.is_empty() {
            write!(f, "({} of its {} files) ", files.len(), self.of)?;
        }
        let first = printable(self.first());
        match self.problem {
            FileProblem::Missing if files.is_empty() => {
                f.write_str("was not found: beside a scene on S3, no file is looked for")
            }
            FileProblem::Missing if is_of_windows(path) => write!(
                f,
                "is a path of a Windows machine (looked for at {first}): make it relative in \
                 Blender, File > External Data"
            ),
            FileProblem::Missing => match files.last().filter(|_| files.len() > 1) {
                Some(last) => {
                    write!(f, "was not found (looked for at {first} to {})", printable(last))
                }
                None => write!(f, "was not found (looked for at {first})"),
            },
            FileProblem::Unreadable => match &self.allow_read {
                Some(value) => write!(
                    f,
                    "cannot be read in the sandbox ({first}): --allow-read {} (ALLOW_READ)",
                    printable(value)
                ),
                None => write!(f, "cannot be read (permission denied: {first})"),
            },
            FileProblem::Empty => write!(f, "is empty, 0 bytes ({first})"),
            FileProblem::NotInLibrary => write!(f, "does not contain it (looked in {first})"),
            FileProblem::Damaged => {
                write!(f, "{} ({first})", self.damage.as_deref().unwrap_or("is damaged"))
            }
        }
    }
}

/// Whether a path names a drive of Windows or a server in its manner. Saving a scene on another
/// system can leave the drive in the middle.
fn is_of_windows(path: &str) -> bool {
    let is_drive =
        |part: &str| matches!(part.as_bytes(), [letter, b':'] if letter.is_ascii_alphabetic());
    path.starts_with("\\\\") || path.split(['/', '\\']).any(is_drive)
}

/// The values of `--allow-read` that let Blender read the files, in one value.
pub fn allow_read(files: &[UnusableFile]) -> Option<String> {
    let values: BTreeSet<_> = files.iter().filter_map(|it| it.allow_read.as_deref()).collect();
    let values: Vec<_> = values.into_iter().collect();
    (!values.is_empty()).then(|| values.join(":"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wood() -> UnusableFile {
        serde_json::from_str(
            r#"{"kind":"image","name":"Wood","used_by":"material Floor","path":"//wood.png",
            "files":["/job/wood.png"],"of":1,"problem":"missing"}"#,
        )
        .unwrap()
    }

    #[test]
    fn a_line_says_what_is_missing_what_uses_it_and_where_it_was_looked_for() {
        assert_eq!(
            wood().to_string(),
            "image Wood, used by material Floor: //wood.png was not found (looked for at \
             /job/wood.png)"
        );
    }

    #[test]
    fn every_problem_has_words_of_its_own() {
        let line = |change: &dyn Fn(&mut UnusableFile)| {
            let mut file = wood();
            change(&mut file);
            file.to_string()
        };
        let windows = line(&|it| it.file.path = "C:\\tex\\wood.png".to_owned());
        assert!(windows.contains("Windows"), "{windows}");
        let sequence = line(&|it| {
            it.file.files = vec!["/job/1.png".to_owned(), "/job/3.png".to_owned()];
            it.of = 9;
        });
        assert!(sequence.contains("2 of its 9 files"), "{sequence}");
        assert!(sequence.contains("/job/1.png to /job/3.png"), "{sequence}");
        let unreadable = line(&|it| {
            it.problem = FileProblem::Unreadable;
            it.allow_read = Some("/mnt/lib".to_owned());
        });
        assert!(unreadable.contains("--allow-read /mnt/lib (ALLOW_READ)"), "{unreadable}");
        let on_s3 = line(&|it| it.file.files.clear());
        assert!(on_s3.contains("//wood.png was not found") && on_s3.contains("S3"), "{on_s3}");
        let denied = line(&|it| it.problem = FileProblem::Unreadable);
        assert!(!denied.contains("--allow-read"), "{denied}");
        let damaged = line(&|it| {
            it.problem = FileProblem::Damaged;
            it.damage = Some("ends after 60 bytes".to_owned());
        });
        assert!(damaged.contains("//wood.png ends after 60 bytes"), "{damaged}");
    }

    #[test]
    fn paths_of_windows_are_recognised() {
        for path in ["C:\\a.png", "d:/a.png", "//../../C:/proj/a.png", "\\\\server\\a.png"] {
            assert!(is_of_windows(path), "{path}");
        }
        for path in ["//tex/a.png", "/c/a.png", "//tex\\a.png", "//a:b/c.png"] {
            assert!(!is_of_windows(path), "{path}");
        }
    }

    #[test]
    fn the_paths_to_allow_are_one_value() {
        let with = |value: &str| UnusableFile { allow_read: Some(value.to_owned()), ..wood() };
        assert_eq!(allow_read(&[wood()]), None);
        let files = [with("/b"), with("/a"), wood(), with("/b")];
        assert_eq!(allow_read(&files).as_deref(), Some("/a:/b"));
    }
}
