//! The numbered images of a folder that form one sequence.

use std::collections::BTreeMap;
use std::mem::take;

use super::file::{SlotFile, by_name, extension};
use super::numbered_name::{Kind, NumberedName};
use crate::error::Error;
use crate::request::{FrameNumber, FrameSet, Location};

/// The images with their numbers, in ascending order. `read` reads their names: they must be alike
/// but for the number, and the numbers must differ.
pub(super) fn images_of_one_kind(
    folder: &Location,
    files: Vec<SlotFile>,
    read: impl Fn(&str) -> Option<NumberedName>,
) -> Result<Vec<(i64, SlotFile)>, Error> {
    let mut kinds: BTreeMap<Kind, Vec<(i64, SlotFile)>> = BTreeMap::new();
    let mut unnumbered = Vec::new();
    // Mostly, all of them are of one kind.
    let mut room = files.len();
    for file in files {
        let Some(NumberedName { kind, number }) = read(&file.entry.name) else {
            unnumbered.push(file.entry.name);
            continue;
        };
        let of_kind = kinds.entry(kind);
        of_kind.or_insert_with(|| Vec::with_capacity(take(&mut room))).push((number, file));
    }
    let mut duplicates = Vec::new();
    for files in kinds.values_mut() {
        files.sort_by(|(a, one), (b, other)| a.cmp(b).then_with(|| by_name(one, other)));
        duplicates.extend(files.array_windows().filter(|[(a, _), (b, _)]| a == b).map(
            |[(number, one), (_, other)]| {
                let (one, other) = (&one.entry.name, &other.entry.name);
                format!("frame {number} is there twice, {one} and {other}")
            },
        ));
    }
    let unusable = |problems| Error::UnusableFrames { folder: folder.clone(), problems };
    if !duplicates.is_empty() {
        return Err(unusable(duplicates));
    }
    if kinds.len() > 1 {
        let descriptions = kinds.iter().map(|(kind, files)| {
            let format = kind.format;
            let frames: FrameSet =
                files.iter().filter_map(|(number, _)| FrameNumber::new(*number)).collect();
            let example = files.first().map_or("", |(_, file)| file.entry.name.as_str());
            format!("{format} images like {example}: frames {frames}")
        });
        let example = kinds.first_key_value().and_then(|(kind, files)| {
            let extension = files.first().and_then(|(_, file)| extension(&file.entry))?;
            Some(folder.join(&kind.pattern(extension)))
        });
        let example = example.map_or_else(String::new, |example| {
            format!("; to choose one: -i '{example}' (INPUT_URI)")
        });
        let mut problems = vec![format!(
            "there are several sequences, which --in-order name (IN_ORDER) takes as one{example}"
        )];
        problems.extend(descriptions);
        return Err(unusable(problems));
    }
    if let [name, more @ ..] = &unnumbered[..]
        && !kinds.is_empty()
    {
        let subject = match more.len() {
            0 => format!("{name} has no number, and is"),
            1 => format!("{name} and 1 more image in {folder} have no number, and are"),
            more => format!("{name} and {more} more images in {folder} have no number, and are"),
        };
        tracing::warn!("{subject} not part of the video (--in-order name or IN_ORDER takes all)");
    }
    let only = kinds.pop_first().map(|(_, files)| files);
    only.ok_or_else(|| Error::NoFrames { folder: folder.clone(), unnumbered })
}
