//! File names → the ordered frames of a video. Gaps, duplicates and several sequences are reported.

mod file;
mod numbered_name;
mod one_kind;

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Error;
use crate::request::{
    FirstFrame, FrameFile, FrameNumber, FrameRange, FrameSet, ImageFormat, Location, PictureOrder,
    SelectionError, SequenceSelection, StitchJob, TotalFrames,
};
use crate::storage::Entry;
pub use file::SlotFile;
use file::{by_name, extension};
use numbered_name::{NameReader, NumberedName};
use one_kind::images_of_one_kind;

/// One frame of the video.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Its number.
    pub number: FrameNumber,
    /// Its file; `None` repeats the frame before.
    pub file: Option<SlotFile>,
}

/// The frames of a video, in order. At least one of them has a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequence {
    /// The frames.
    pub slots: Vec<Slot>,
    /// How many frames of the folder are not part of the video.
    pub left_out: usize,
    /// Whether the numbers are those in the names of the files, and not their position.
    pub is_numbered: bool,
}

impl Sequence {
    /// Arranges the frames of `job` among the `entries` of `folder` in `order`. `scene` is the scene's
    /// own range, required if `needs_scene_range`. If `job` allows gaps, a missing frame repeats the one before.
    ///
    /// # Errors
    /// - [`Error::NoFrames`] if there are no images with a number and their order depends on it, or
    ///   else [`Error::NoPictures`] if there are none at all.
    /// - [`Error::UnusableFrames`] if a frame has several files, if numbered files differ in format
    ///   or in the text around the number, or if there are images of a format that cannot be decoded.
    /// - [`Error::MissingFrames`] if a selected frame is missing, or with `allow_gaps` all of them.
    /// - [`Error::NoSceneRange`] if the scene's range is required and not known.
    /// - [`Error::Selection`] if the selected frames cannot exist.
    pub fn arrange(
        folder: &Location,
        mut entries: Vec<Entry>,
        job: &StitchJob,
        order: PictureOrder,
        scene: Option<FrameRange>,
    ) -> Result<Self, Error> {
        // Hidden files are not meant: macOS leaves `._0001.png` beside `0001.png`.
        entries.retain(|entry| !entry.name.starts_with('.'));
        let undecodable = undecodable(&entries);
        // Lists of many frames take no more memory than they need: it is not given back.
        let mut files = Vec::with_capacity(entries.len());
        files.extend(entries.into_iter().filter_map(SlotFile::new));
        let takes_any = order != PictureOrder::Number;
        if let Some(problem) = undecodable.filter(|_| takes_any || files.is_empty()) {
            if !job.allow_gaps || files.is_empty() {
                let problems = vec![problem];
                return Err(Error::UnusableFrames { folder: folder.clone(), problems });
            }
            tracing::warn!("{problem}: leaving them out (--allow-gaps)");
        }
        match order {
            PictureOrder::Number => {}
            PictureOrder::Name => {
                files.sort_by(by_name);
                return Self::in_order(folder, files);
            }
            PictureOrder::Time => {
                let time = |file: &SlotFile| file.entry.modified;
                files.sort_by(|a, b| time(a).cmp(&time(b)).then_with(|| by_name(a, b)));
                return Self::in_order(folder, files);
            }
        }
        let names = files.iter().map(|file| file.entry.name.as_str());
        let reader = NameReader::of(names.clone());
        let read = |name: &str| match &job.images {
            Some(images) => NumberedName::of(images, name),
            None => reader.read(name),
        };
        // One picture without a number may be anything, such as a cover. Frames that are chosen by
        // number need numbers.
        let takes_all = job.frames == SequenceSelection::EVERYTHING;
        let unnumbered = files.len() > 1 && !names.clone().any(|name| read(name).is_some());
        if unnumbered && takes_all && *folder == job.input {
            tracing::warn!(
                "the images in {folder} have no numbers: taking all {} in the order of their names \
                 (--in-order, IN_ORDER)",
                files.len()
            );
            files.sort_by(by_name);
            return Self::in_order(folder, files);
        }
        let numbered = images_of_one_kind(folder, files, read)?;
        let too_large = numbered.iter().find(|(number, _)| FrameNumber::new(*number).is_none());
        if let Some((_, file)) = too_large {
            let name = &file.entry.name;
            if !takes_all {
                let problem = format!(
                    "the number of {name} is larger than any frame number, so --frames (FRAMES), \
                     --first-frame (FIRST_FRAME) and --total-frames (TOTAL_FRAMES) cannot choose it; \
                     leave them out"
                );
                let problems = vec![problem];
                return Err(Error::UnusableFrames { folder: folder.clone(), problems });
            }
            tracing::warn!(
                "the numbers of the images in {folder} are larger than frame numbers, such as that \
                 of {name}: taking the images in the order of their numbers, without looking for gaps"
            );
            return Self::in_order(folder, numbered.into_iter().map(|(_, file)| file).collect());
        }
        let numbered = numbered.into_iter();
        let files = numbered.filter_map(|(number, file)| Some((FrameNumber::new(number)?, file)));
        let files = files.collect();
        Self::select(folder, files, job, scene)
    }

    /// All images, numbered from 1 in this order.
    fn in_order(folder: &Location, files: Vec<SlotFile>) -> Result<Self, Error> {
        if files.is_empty() {
            return Err(Error::NoPictures { folder: folder.clone() });
        }
        let numbers = (1..).map_while(FrameNumber::new);
        let slots = numbers.zip(files).map(|(number, file)| Slot { number, file: Some(file) });
        Ok(Self { slots: slots.collect(), left_out: 0, is_numbered: false })
    }

    /// The frames of `job` among numbered files, in the order of their numbers.
    fn select(
        folder: &Location,
        files: Vec<(FrameNumber, SlotFile)>,
        job: &StitchJob,
        scene: Option<FrameRange>,
    ) -> Result<Self, Error> {
        let no_frames = || Error::NoFrames { folder: folder.clone(), unnumbered: Vec::new() };
        let present: FrameSet = files.iter().map(|(number, _)| *number).collect();
        let (Some(lowest), Some(highest)) = (present.first(), present.last()) else {
            return Err(no_frames());
        };
        let wanted = match &job.frames {
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
        let missing = wanted.without(&present);
        if !missing.is_empty() && (!job.allow_gaps || missing.len() == wanted.len()) {
            return Err(Error::MissingFrames { folder: folder.clone(), frames: missing });
        }
        if !missing.is_empty() {
            tracing::warn!(
                missing = missing.to_string(),
                "frames {missing} are missing: repeating the frame before each (--allow-gaps)"
            );
        }
        let left_out = present.without(&wanted).len();
        let mut files = files.into_iter().peekable();
        let slot = |number| {
            while files.next_if(|(other, _)| *other < number).is_some() {}
            let file = files.next_if(|(other, _)| *other == number).map(|(_, file)| file);
            Slot { number, file }
        };
        let mut slots = Vec::with_capacity(wanted.len());
        slots.extend(wanted.iter().map(slot));
        if slots.is_empty() {
            return Err(no_frames());
        }
        Ok(Self { slots, left_out, is_numbered: true })
    }

    /// The formats of the files.
    pub fn formats(&self) -> BTreeSet<ImageFormat> {
        self.files().map(|(_, file)| file.format).collect()
    }

    /// Whether its files have the names that Blender and `render` give to frames.
    pub fn is_named_by_blender(&self) -> bool {
        self.files().all(|(number, file)| file.entry.name == FrameFile::name(number, file.format))
    }

    fn files(&self) -> impl Iterator<Item = (FrameNumber, &SlotFile)> {
        self.slots.iter().filter_map(|slot| Some((slot.number, slot.file.as_ref()?)))
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

/// Describes the images among the files that the worker cannot decode; `None` if there are none.
fn undecodable(entries: &[Entry]) -> Option<String> {
    let formats = entries.iter().filter_map(|entry| {
        let format = ImageFormat::unsupported(extension(entry)?)?;
        Some((entry.name.as_str(), format))
    });
    let formats: BTreeMap<_, _> = formats.collect();
    let (name, format) = formats.first_key_value()?;
    let more = match formats.len() - 1 {
        0 => String::new(),
        1 => ", nor can 1 other image".to_owned(),
        more => format!(", nor can {more} other images"),
    };
    Some(format!(
        "{name} is a {format} image, which cannot be decoded{more}; convert such images, for \
         example to PNG"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, SystemTime};

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
        arranged_by(PictureOrder::Number, entries(names), selection, allow_gaps)
    }

    fn arranged_by(
        order: PictureOrder,
        entries: Vec<Entry>,
        selection: &SequenceSelection,
        allow_gaps: bool,
    ) -> Result<String, Error> {
        let folder = Location::Local("in".into());
        let job = StitchJob { allow_gaps, frames: selection.clone(), ..StitchJob::example() };
        let scene =
            FrameRange { first: FrameNumber::new(2).unwrap(), last: FrameNumber::new(3).unwrap() };
        let sequence = Sequence::arrange(&folder, entries, &job, order, Some(scene))?;
        let names: Vec<_> = sequence
            .slots
            .into_iter()
            .map(|s| s.file.map_or("-".to_owned(), |f| f.entry.name))
            .collect();
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
            (&["0002_L.png", "0001_L.png"], all(), "0001_L.png 0002_L.png"),
            (&["._0001.png", "0001.png", ".0002.png"], all(), "0001.png"),
            // Larger than any frame number: times.
            (&["1700000060.jpg", "1700000000.jpg"], all(), "1700000000.jpg 1700000060.jpg"),
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
    fn every_picture_is_taken_in_the_order_of_names_or_times() {
        let by = |order, names: &[&str]| {
            let mut entries = entries(names);
            for (seconds, entry) in entries.iter_mut().rev().enumerate() {
                entry.modified += Duration::from_secs(seconds as u64);
            }
            arranged_by(order, entries, &all(), false)
        };
        let names = ["b10.png", "b9.png", "anemone.png", "b11.png", "notes.txt", ".b12.png"];
        let by_name = by(PictureOrder::Name, &names).unwrap();
        assert_eq!(by_name, "anemone.png b9.png b10.png b11.png");
        let by_time = by(PictureOrder::Time, &names).unwrap();
        assert_eq!(by_time, "b11.png anemone.png b9.png b10.png");
        let selected = |names: &[&str]| arranged(names, &from(None, Some("1")), false);
        let chosen = selected(&["1700000000.jpg", "1700000060.jpg"]);
        assert!(matches!(chosen, Err(Error::UnusableFrames { .. })), "{chosen:?}");
        let chosen = selected(&["anemone.jpg", "coral.jpg"]);
        assert!(matches!(chosen, Err(Error::NoFrames { .. })), "{chosen:?}");
        assert_eq!(by(PictureOrder::Name, &["b.jpg", "a.png"]).unwrap(), "a.png b.jpg");
        for names in [&["a.png", "b.heic"][..], &["b.heic"]] {
            let result = by(PictureOrder::Name, names);
            assert!(matches!(result, Err(Error::UnusableFrames { .. })), "{names:?} {result:?}");
        }
        assert!(matches!(by(PictureOrder::Time, &["a.txt"]), Err(Error::NoPictures { .. })));
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
