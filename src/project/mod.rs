//! Projects: scenes that travel with every file that they need.
//!
//! A project is content. Every file is stored once, as `files/SHA-256`, and a [`Manifest`] for each
//! shot, `NAME.project.json`, says which content belongs at which path. Shots share files, and a file
//! is stored again only if its content is new.
//!
//! These invariants hold:
//!
//! - Nothing in a manifest leads out of the folder that the project is fetched to.
//! - A fetched file has the content that the manifest names: every byte was hashed.
//! - A manifest is stored after all of its files.

mod cache;
mod content;
mod error;
mod fetch;
mod ignore;
pub(crate) mod manifest;
mod prefix;
mod scene;
mod store;
mod unpack;

pub use cache::ProjectCache;
pub use content::{ContentHash, FileState};
pub use error::ProjectError;
pub use ignore::{IGNORE_FILE, Ignored};
pub use manifest::{MAX_FILES, Manifest, ManifestError, ProjectFile};
pub use scene::{FetchedScene, SceneInput};
pub use store::{ProjectStore, read_manifest};
