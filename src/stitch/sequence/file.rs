//! A file of an image.

use std::cmp::Ordering;

use crate::request::ImageFormat;
use crate::storage::Entry;

/// The file of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotFile {
    /// The file.
    pub entry: Entry,
    /// The format that its extension indicates.
    pub format: ImageFormat,
}

impl SlotFile {
    /// A file that has the extension of an image; `None` for any other.
    pub(super) fn new(entry: Entry) -> Option<Self> {
        let format = ImageFormat::from_extension(extension(&entry)?)?;
        Some(Self { entry, format })
    }
}

/// The extension of its name.
pub(super) fn extension(entry: &Entry) -> Option<&str> {
    entry.name.rsplit_once('.').map(|(_, extension)| extension)
}

/// The order of names, in which 2 comes before 10.
pub(super) fn by_name(a: &SlotFile, b: &SlotFile) -> Ordering {
    alphanumeric_sort::compare_str(&a.entry.name, &b.entry.name)
}
