//! File names → the ordered frames of a video. Gaps, duplicates and several sequences are reported.

use std::collections::BTreeMap;

use crate::error::Error;
use crate::request::{
    FirstFrame, FrameFile, FrameNumber, FrameRange, FrameSet, ImageFormat, Location,
    SelectionError, SequenceSelection, TotalFrames,
};
use crate::storage::Entry;

/// One frame of the video.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Its number.
    pub number: FrameNumber,
    /// Its file; `None` repeats the frame before.
    pub file: Option<Entry>,
}

/// The frames of a video, in order. At least one of them has a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequence {
    /// The format of all files.
    pub format: ImageFormat,
    /// The frames.
    pub slots: Vec<Slot>,
    /// How many frames of the folder are not part of the video.
    pub left_out: usize,
}

impl Sequence {
    /// Arranges the frames of `selection` among the `entries` of `folder`. `scene` is the scene's
    /// own range, required if `needs_scene_range`. With `allow_gaps`, a missing frame repeats the
    /// one before.
    ///
    /// # Errors
    /// - [`Error::NoFrames`] if there are no numbered images.
    /// - [`Error::UnusableFrames`] if a frame has several files, or files differ in format or
    ///   prefix.
    /// - [`Error::MissingFrames`] if a selected frame is missing, or with `allow_gaps` all of them.
    /// - [`Error::NoSceneRange`] if the scene's range is required and not known.
    /// - [`Error::Selection`] if the selected frames cannot exist.
    pub fn arrange(
        folder: &Location,
        entries: Vec<Entry>,
        selection: &SequenceSelection,
        scene: Option<FrameRange>,
        allow_gaps: bool,
    ) -> Result<Self, Error> {
        let (format, mut files) = frames_of_one_kind(folder, entries)?;
        let no_frames = || Error::NoFrames { folder: folder.clone(), unnumbered: Vec::new() };
        let present: FrameSet = files.keys().copied().collect();
        let (Some(lowest), Some(highest)) = (present.first(), present.last()) else {
            return Err(no_frames());
        };
        let wanted = match selection {
            SequenceSelection::Exactly(frames) => frames.clone(),
            SequenceSelection::Range { first, total } => {
                range(*first, *total, scene, lowest, highest).map_err(|error| match error {
                    SelectionError::SceneRangeUnknown => {
                        Error::NoSceneRange { location: folder.clone(), flaw: None }
                    }
                    SelectionError::OutOfRange { .. } | SelectionError::PastTheEnd { .. } => {
                        Error::Selection(error)
                    }
                })?
            }
        };
        let missing: FrameSet = wanted.iter().filter(|&frame| !present.contains(frame)).collect();
        if !missing.is_empty() && (!allow_gaps || missing.len() == wanted.len()) {
            return Err(Error::MissingFrames { folder: folder.clone(), frames: missing });
        }
        if !missing.is_empty() {
            tracing::warn!(
                missing = missing.to_string(),
                "frames {missing} are missing: repeating the frame before each (--allow-gaps)"
            );
        }
        let slots: Vec<_> =
            wanted.iter().map(|number| Slot { number, file: files.remove(&number) }).collect();
        if slots.is_empty() {
            return Err(no_frames());
        }
        Ok(Self { format, slots, left_out: files.len() })
    }

    /// Whether its files have the names that Blender and `render` give to frames.
    pub fn is_named_by_blender(&self) -> bool {
        self.slots.iter().all(|Slot { number, file }| {
            let name = || FrameFile::name(*number, self.format);
            file.as_ref().is_none_or(|file| file.name == name())
        })
    }
}

/// Whether the selection depends on the scene's own range.
pub fn needs_scene_range(selection: &SequenceSelection) -> bool {
    match selection {
        SequenceSelection::Exactly(_) => false,
        SequenceSelection::Range { first, total } => {
            *first == Some(FirstFrame::Scene) || *total == Some(TotalFrames::Scene)
        }
    }
}

fn range(
    first: Option<FirstFrame>,
    total: Option<TotalFrames>,
    scene: Option<FrameRange>,
    lowest: FrameNumber,
    highest: FrameNumber,
) -> Result<FrameSet, SelectionError> {
    let unknown = SelectionError::SceneRangeUnknown;
    let first = match (first, total) {
        (Some(FirstFrame::Number(number)), _) => number,
        (Some(FirstFrame::Scene), _) => scene.ok_or(unknown)?.first,
        (None, None) => lowest,
        // With a total, the animation begins where `render` begins it. The lowest number would hide
        // a missing first frame.
        (None, Some(_)) => FrameNumber::ONE,
    };
    let last = match total {
        // At least one frame: if the first is beyond the highest number, it is reported as missing.
        None => highest.max(first),
        Some(total) => {
            let last = i64::from(first.get()) + total.count(scene).ok_or(unknown)? - 1;
            let out_of_range = SelectionError::OutOfRange { first: first.get().into(), last };
            FrameNumber::new(last).ok_or(out_of_range)?
        }
    };
    Ok(FrameSet::from_bounds(first, last))
}

/// The numbered images by number, and their format. They must have the same format and prefix, and
/// different numbers.
fn frames_of_one_kind(
    folder: &Location,
    entries: Vec<Entry>,
) -> Result<(ImageFormat, BTreeMap<FrameNumber, Entry>), Error> {
    /// The frames of one prefix and format.
    type Kind = BTreeMap<FrameNumber, Entry>;

    let mut kinds: BTreeMap<(String, ImageFormat), Kind> = BTreeMap::new();
    let (mut duplicates, mut unnumbered) = (Vec::new(), Vec::new());
    for entry in entries {
        let Some(frame) = FrameFile::parse(&entry.name) else {
            let extension = entry.name.rsplit_once('.').map(|(_, extension)| extension);
            if extension.and_then(ImageFormat::from_extension).is_some() {
                unnumbered.push(entry.name);
            }
            continue;
        };
        let kind = kinds.entry((frame.prefix, frame.format)).or_default();
        let name = entry.name.clone();
        if let Some(other) = kind.insert(frame.number, entry) {
            duplicates
                .push(format!("frame {} is there twice, {} and {name}", frame.number, other.name));
        }
    }
    let unusable = |problems| Error::UnusableFrames { folder: folder.clone(), problems };
    if !duplicates.is_empty() {
        return Err(unusable(duplicates));
    }
    if kinds.len() > 1 {
        let descriptions = kinds.iter().map(|((_, format), kind)| {
            let frames: FrameSet = kind.keys().copied().collect();
            let example = kind.values().next().map_or("", |entry| entry.name.as_str());
            format!("{format} images like {example}: frames {frames}")
        });
        let mut problems = vec!["there are several sequences".to_owned()];
        problems.extend(descriptions);
        return Err(unusable(problems));
    }
    let only = kinds.pop_first().map(|((_, format), kind)| (format, kind));
    only.ok_or_else(|| Error::NoFrames { folder: folder.clone(), unnumbered })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    fn entries(names: &[&str]) -> Vec<Entry> {
        let entry = |name: &&str| Entry {
            name: (*name).to_owned(),
            size: 1,
            modified: SystemTime::UNIX_EPOCH,
        };
        names.iter().map(entry).collect()
    }

    fn all() -> SequenceSelection {
        SequenceSelection::Range { first: None, total: None }
    }

    fn exactly(frames: &str) -> SequenceSelection {
        SequenceSelection::Exactly(frames.parse().unwrap())
    }

    fn from(first: Option<&str>, total: Option<&str>) -> SequenceSelection {
        SequenceSelection::Range {
            first: first.map(|text| text.parse().unwrap()),
            total: total.map(|text| text.parse().unwrap()),
        }
    }

    /// The names in order, with `-` where the frame before is repeated.
    fn arranged(
        names: &[&str],
        selection: &SequenceSelection,
        allow_gaps: bool,
    ) -> Result<String, Error> {
        let folder = Location::Local("in".into());
        let scene =
            FrameRange { first: FrameNumber::new(2).unwrap(), last: FrameNumber::new(3).unwrap() };
        let sequence =
            Sequence::arrange(&folder, entries(names), selection, Some(scene), allow_gaps)?;
        let names: Vec<_> =
            sequence.slots.into_iter().map(|s| s.file.map_or("-".to_owned(), |f| f.name)).collect();
        Ok(names.join(" "))
    }

    #[test]
    fn frames_are_ordered_by_number() {
        let table: &[(&[&str], SequenceSelection, &str)] = &[
            (&["0002.png", "0001.png"], all(), "0001.png 0002.png"),
            (&["10000.png", "9999.png"], all(), "9999.png 10000.png"),
            (&["0000.png", "-0001.png", "0001.png"], all(), "-0001.png 0000.png 0001.png"),
            (&["0007.png", "0008.png", "notes.txt", "cover.png"], all(), "0007.png 0008.png"),
            (&["a_9.jpg", "a_10.jpg"], all(), "a_9.jpg a_10.jpg"),
            (&["0001.png", "0002.png", "0003.png"], from(Some("2"), None), "0002.png 0003.png"),
            (&["0001.png", "0002.png", "0003.png"], from(None, Some("2")), "0001.png 0002.png"),
            (
                &["0001.png", "0002.png", "0003.png"],
                from(Some("scene"), Some("scene")),
                "0002.png 0003.png",
            ),
            (&["0001.png", "0005.png", "0009.png"], exactly("1-9x4"), "0001.png 0005.png 0009.png"),
        ];
        for (names, selection, expected) in table {
            assert_eq!(&arranged(names, selection, false).unwrap(), expected, "{selection:?}");
        }
    }

    #[test]
    fn missing_frames_are_reported() {
        let table: &[(&[&str], SequenceSelection, &str)] = &[
            (&["0001.png", "0004.png", "0006.png"], all(), "2-3,5"),
            (&["0002.png", "0003.png"], from(None, Some("4")), "1,4"),
            (&["0002.png", "0003.png"], from(Some("1"), None), "1"),
            (&["0001.png"], exactly("1,7"), "7"),
            (&["0001.png"], from(Some("5"), None), "5"),
        ];
        for (names, selection, expected) in table {
            match arranged(names, selection, false) {
                Err(Error::MissingFrames { frames, .. }) => {
                    assert_eq!(frames.to_string(), *expected);
                }
                other => panic!("{selection:?}: {other:?}"),
            }
        }
    }

    #[test]
    fn gaps_can_be_bridged_unless_all_frames_are_missing() {
        assert_eq!(arranged(&["1.png", "3.png"], &all(), true).unwrap(), "1.png - 3.png");
        assert_eq!(arranged(&["2.png"], &exactly("1-2"), true).unwrap(), "- 2.png");
        assert!(matches!(
            arranged(&["1.png"], &exactly("7-8"), true),
            Err(Error::MissingFrames { .. })
        ));
    }

    #[test]
    fn duplicates_several_sequences_and_empty_folders_are_errors() {
        let several: &[&[&str]] = &[
            &["0001.png", "0002.jpg"],
            &["a_1.png", "b_1.png"],
            &["0001.png", "01.png"],
            &["0001.jpg", "0001.jpeg"],
        ];
        for names in several {
            let result = arranged(names, &all(), true);
            assert!(matches!(result, Err(Error::UnusableFrames { .. })), "{names:?}: {result:?}");
        }
        let none: &[&[&str]] = &[&[], &["notes.txt"], &["cover.png"]];
        for names in none {
            assert!(
                matches!(arranged(names, &all(), true), Err(Error::NoFrames { .. })),
                "{names:?}"
            );
        }
    }
}
