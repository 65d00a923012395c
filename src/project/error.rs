//! Why a project cannot be read.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::manifest::ManifestError;
use crate::archive::ArchiveError;
use crate::ending::Size;
use crate::printable::printable;
use crate::request::{Location, ProjectPath};
use crate::space::Space;
use crate::storage::StorageError;

/// Why a project cannot be read.
#[derive(Debug, Error)]
pub enum ProjectError {
    /// Storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The manifest is refused.
    #[error("{location} is refused")]
    Manifest {
        /// The manifest.
        location: Location,
        /// Why.
        source: ManifestError,
    },
    /// The archive cannot be used.
    #[error("the archive {location} cannot be used")]
    Archive {
        /// The archive.
        location: Location,
        /// Why.
        source: ArchiveError,
    },
    /// It is not clear which file is rendered.
    #[error("{}", no_main(location, named.as_ref(), scenes))]
    NoMain {
        /// The archive or folder.
        location: Location,
        /// The file that `--main` names.
        named: Option<ProjectPath>,
        /// The scene files that there are.
        scenes: Vec<ProjectPath>,
    },
    /// A stored file is not what the manifest says.
    #[error(
        "{path} of the project is not the file that was packed: {location} has another content"
    )]
    Content {
        /// The file.
        path: ProjectPath,
        /// Where its content is stored.
        location: Location,
    },
    /// There is more below a prefix than is fetched.
    #[error(
        "{location} has {}, and up to {} are fetched of a prefix", Size(*bytes), Size(*most)
    )]
    TooLarge {
        /// The prefix.
        location: Location,
        /// The size of what is there, in bytes.
        bytes: u64,
        /// The largest size that is fetched, in bytes.
        most: u64,
    },
    /// A file below a prefix is no longer what was listed.
    #[error("{location} was replaced while the job began")]
    Replaced {
        /// The file.
        location: Location,
    },
    /// The project does not fit on the scratch disk.
    #[error("the project has {}, which do not fit on the scratch disk ({space})", Size(*needed))]
    NoSpace {
        /// The size of the project in bytes.
        needed: u64,
        /// The free space.
        space: Space,
    },
    /// A file of the project cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
}

/// How many scenes are named.
const MOST_NAMED: usize = 10;

fn no_main(location: &Location, named: Option<&ProjectPath>, scenes: &[ProjectPath]) -> String {
    let listed: Vec<_> =
        scenes.iter().take(MOST_NAMED).map(|path| printable(path.as_str())).collect();
    let more = match scenes.len().saturating_sub(MOST_NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let has = if scenes.is_empty() {
        "it has no .blend file".to_owned()
    } else {
        format!("it has {}{more}", listed.join(", "))
    };
    match named {
        Some(named) => format!("--main (MAIN): {location} has no file {named}; {has}"),
        None if scenes.is_empty() => format!("{location} has no .blend file"),
        None => format!("--main (MAIN): say which scene of {location} to render; {has}"),
    }
}
