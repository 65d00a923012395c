//! What is said of a project that was packed.

use serde::Serialize;

use super::output::{Table, json};
use crate::ending::Size;
use crate::error::Error;
use crate::request::FrameSet;

/// The output of `pack --json`: what a project consists of, and what of it was not stored before.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Packed {
    /// The URI or path of the manifest, for `-i`.
    pub manifest: String,
    /// The path of the scene file in the project.
    pub main: String,
    /// The version of the Blender that saved the scene file, such as `4.3`; null if the file does not
    /// say.
    pub blender_version: Option<String>,
    /// How many files the project has.
    pub files: usize,
    /// Their size in bytes. Files with the same content count once.
    pub bytes: u64,
    /// How many contents were not stored before.
    pub new_files: usize,
    /// The size in bytes of what was not stored before.
    pub new_bytes: u64,
    /// How many contents were stored before.
    pub known_files: usize,
    /// The size in bytes of what was stored before.
    pub known_bytes: u64,
    /// How many of the files were outside of the project's folder.
    pub outside: usize,
    /// How many files that the scene names, or of the folder, a pattern leaves out.
    pub left_out: usize,
    /// Whether nothing was stored, because of `--dry-run`.
    pub dry_run: bool,
}

impl Packed {
    /// The project as a table, or as JSON.
    ///
    /// # Errors
    /// [`Error::Internal`] if JSON cannot represent it.
    pub fn text(&self, as_json: bool) -> Result<String, Error> {
        if as_json {
            return json(self);
        }
        let mut table = Table::default();
        self.rows(&mut table);
        Ok(table.text())
    }

    /// Adds the rows for people.
    pub fn rows(&self, table: &mut Table) {
        table.row("manifest", &self.manifest);
        table.row("scene", &self.main);
        if let Some(version) = &self.blender_version {
            table.row("saved by", format_args!("Blender {version}"));
        }
        table.row("files", format_args!("{}, {}", self.files, Size(self.bytes)));
        let verb = if self.dry_run { "would be stored" } else { "stored" };
        table.row("new", format_args!("{}, {} {verb}", self.new_files, Size(self.new_bytes)));
        if self.known_files > 0 {
            let (files, bytes) = (self.known_files, Size(self.known_bytes));
            table.row("known", format_args!("{files}, {bytes} stored before"));
        }
        if self.outside > 0 {
            table.row("outside", format_args!("{} from outside of the project", self.outside));
        }
        if self.left_out > 0 {
            table.row("left out", format_args!("{} because of patterns", self.left_out));
        }
    }
}

/// The project of a submission, in the output of `submit --project`.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SubmittedProject {
    /// What was packed, as `pack --json` prints it.
    #[serde(flatten)]
    packed: Packed,
    /// How many frames all children render together.
    frames: usize,
}

impl SubmittedProject {
    /// The project of a submission of these frames.
    pub fn new(packed: Packed, frames: &FrameSet) -> Self {
        Self { packed, frames: frames.len() }
    }

    /// Adds the rows for people.
    pub fn rows(&self, table: &mut Table) {
        self.packed.rows(table);
        table.row("frames", self.frames);
    }
}
