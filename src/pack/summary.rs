//! What `pack` prints.

use serde::Serialize;

use super::inventory::Inventory;
use super::storing::Sent;
use crate::ending::Size;
use crate::error::Error;
use crate::jobs::{Table, json};
use crate::project::Manifest;
use crate::request::Location;

/// The output of `pack --json`: what a project consists of, and what of it was not stored before.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Summary {
    /// The URI or path of the manifest, for `-i`.
    manifest: String,
    /// The path of the scene file in the project.
    main: String,
    /// How many files the project has.
    files: usize,
    /// Their size in bytes. Files with the same content count once.
    bytes: u64,
    /// How many contents were not stored before.
    new_files: usize,
    /// The size in bytes of what was not stored before.
    new_bytes: u64,
    /// How many of the files were outside of the project's folder.
    outside: usize,
    /// How many files that the scene names, or of the folder, a pattern leaves out.
    left_out: usize,
    /// Whether nothing was stored, because of `--dry-run`.
    dry_run: bool,
}

impl Summary {
    pub fn new(
        manifest: &Manifest,
        location: &Location,
        sent: &Sent,
        inventory: &Inventory,
        dry_run: bool,
    ) -> Self {
        Self {
            manifest: location.to_string(),
            main: manifest.main().to_string(),
            files: manifest.files().len(),
            bytes: manifest.contents().iter().map(|(_, size)| size).sum(),
            new_files: sent.files,
            new_bytes: sent.bytes,
            outside: manifest.files().values().filter(|file| file.origin.is_some()).count(),
            left_out: inventory.left_out.len(),
            dry_run,
        }
    }

    /// The summary as a table, or as JSON.
    ///
    /// # Errors
    /// [`Error::Internal`] if JSON cannot represent it.
    pub fn text(&self, as_json: bool) -> Result<String, Error> {
        if as_json {
            return json(self);
        }
        let mut table = Table::default();
        table.row("manifest", &self.manifest);
        table.row("scene", &self.main);
        table.row("files", format_args!("{}, {}", self.files, Size(self.bytes)));
        let verb = if self.dry_run { "would be stored" } else { "stored" };
        table.row("new", format_args!("{}, {} {verb}", self.new_files, Size(self.new_bytes)));
        if self.outside > 0 {
            table.row("outside", format_args!("{} from outside of the project", self.outside));
        }
        if self.left_out > 0 {
            table.row("left out", format_args!("{} because of patterns", self.left_out));
        }
        Ok(table.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::schema::{assert_file, schema_of};

    #[test]
    fn the_schema_is_that_of_the_type() {
        assert_file("pack", &schema_of::<Summary>("Pack"));
    }
}
