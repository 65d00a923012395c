//! What `inspect` knows of the scene of a render: the file `inspected.json` in its folder.

use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The name of the file.
const FILE: &str = "inspected.json";

/// The scene file that was looked at. Another one has another state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inspected {
    /// Its path in the folder of the scene.
    pub main: String,
    /// Its size in bytes.
    pub size: u64,
    /// The time of its last change, in milliseconds since 1970.
    pub modified: u64,
    /// The number of files around it, and their size in bytes: another one may have been missing.
    pub project: (usize, u64),
}

/// What is known of a scene.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum Inspection {
    /// Nothing yet.
    #[default]
    None,
    /// It is being looked at.
    Running,
    /// It was opened.
    Done {
        /// The output of `inspect --deep --json`.
        scene: Value,
    },
    /// It cannot be opened.
    Failed {
        /// What happened.
        error: String,
        /// What to do.
        advice: Option<String>,
    },
}

#[derive(Serialize, Deserialize)]
struct Stored {
    of: Inspected,
    result: Inspection,
}

impl Inspection {
    /// What the folder says of this scene file.
    pub fn read(folder: &Path, of: &Inspected) -> Self {
        let stored = fs::read(folder.join(FILE)).ok();
        let stored = stored.and_then(|bytes| serde_json::from_slice::<Stored>(&bytes).ok());
        stored.filter(|stored| stored.of == *of).map(|stored| stored.result).unwrap_or_default()
    }

    /// Writes it in one step.
    ///
    /// # Errors
    /// The error of the system.
    pub fn write(&self, folder: &Path, of: Inspected) -> io::Result<()> {
        let partial = folder.join(format!(".{FILE}"));
        fs::write(&partial, serde_json::to_vec(&Stored { of, result: self.clone() })?)?;
        fs::rename(partial, folder.join(FILE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_belongs_to_one_state_of_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let of = Inspected { main: "a.blend".to_owned(), size: 3, modified: 5, project: (1, 3) };
        assert_eq!(Inspection::read(folder.path(), &of), Inspection::None);
        let failed = Inspection::Failed { error: "cut".to_owned(), advice: None };
        failed.write(folder.path(), of.clone()).unwrap();
        assert_eq!(Inspection::read(folder.path(), &of), failed);
        let changed = Inspected { modified: 6, ..of };
        assert_eq!(Inspection::read(folder.path(), &changed), Inspection::None);
    }
}
