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
    pub fn new(entry: Entry) -> Option<Self> {
        let format = ImageFormat::from_extension(extension(&entry)?)?;
        Some(Self { entry, format })
    }
}

/// The extension of its name.
pub(super) fn extension(entry: &Entry) -> Option<&str> {
    entry.name.rsplit_once('.').map(|(_, extension)| extension)
}

/// The order of names, in which 2 comes before 10. Negative numbers, as Blender names frames before
/// frame 0, come first: -2 before -1.
pub(super) fn by_name(a: &SlotFile, b: &SlotFile) -> Ordering {
    let (a, b) = (&a.entry.name, &b.entry.name);
    match (negative_number(a), negative_number(b)) {
        (Some(a), Some(b)) if a != b => a.cmp(&b),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        _ => alphanumeric_sort::compare_str(a, b),
    }
}

/// The negative number that a name is, without its extension.
fn negative_number(name: &str) -> Option<i64> {
    let (stem, _) = name.rsplit_once('.')?;
    let digits = stem.strip_prefix('-')?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    stem.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn names_are_in_the_order_of_their_numbers() {
        let ordered = [
            "-0010.png",
            "-0002.png",
            "-0001.png",
            "-1b.png",
            "0000.png",
            "2.png",
            "10.png",
            "a.png",
        ];
        let entry = |name: &&str| Entry {
            name: (*name).to_owned(),
            size: 0,
            modified: SystemTime::UNIX_EPOCH,
        };
        let mut files: Vec<_> = ordered.iter().rev().map(entry).filter_map(SlotFile::new).collect();
        files.sort_by(by_name);
        let found: Vec<_> = files.iter().map(|file| &*file.entry.name).collect();
        assert_eq!(found, ordered);
    }
}
