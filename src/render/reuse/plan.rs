//! The plan: the requested frames, without those that the output already has, made from the same
//! inputs.

use std::collections::BTreeMap;
use std::path::Path;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::external::StoredDescription;
use super::inputs::RenderInputs;
use super::side_files::FoundSideFiles;
use crate::error::frames_are;
use crate::error_chain::chain;
use crate::render::stored_outputs::StoredOutputs;
use crate::request::{
    FRAMES_DIR, FrameFile, FrameNumber, FrameSet, ImageFormat, Location, OUTPUTS_DIR, RenderJob,
};
use crate::storage::{Entry, Failure, NameRange, Storage, StorageError};
use crate::worker::report::{FrameReport, FrameState};

/// How many fingerprints are read concurrently. The time is spent on waiting for responses.
const CONCURRENT_READS: usize = 32;

/// How many files a frame can have: one per format.
#[expect(clippy::cast_possible_truncation, reason = "a handful")]
const FORMATS: u32 = ImageFormat::ALL.len() as u32;

/// The files of requested frames that the output already has.
#[derive(Debug)]
pub struct Found(Vec<(FrameNumber, Entry)>);

impl Found {
    /// Lists the files of `frames` in the output. It needs only their numbers, so it can run while
    /// the scene is being opened. If listing is not permitted, it warns and finds nothing.
    ///
    /// # Errors
    /// If storage fails.
    pub async fn list(
        storage: &Storage,
        output: &Location,
        frames: &FrameSet,
    ) -> Result<Self, StorageError> {
        let found = unless_denied(Self::look_up(storage, output, frames).await)?;
        Ok(found.unwrap_or(Self(Vec::new())))
    }

    /// The frames that have a file.
    pub fn frames(&self) -> FrameSet {
        self.0.iter().map(|(frame, _)| *frame).collect()
    }

    /// Lists the files of `frames` in the output.
    ///
    /// # Errors
    /// If storage fails, or listing is not permitted.
    pub async fn look_up(
        storage: &Storage,
        output: &Location,
        frames: &FrameSet,
    ) -> Result<Self, StorageError> {
        let mut found = Vec::new();
        let folder = output.join(FRAMES_DIR);
        for names in name_ranges(frames) {
            let listed = storage.list_names(&folder, names).await?;
            found.extend(listed.into_iter().filter_map(|entry| {
                let frame = FrameFile::parse(&entry.name)?;
                let own_name = FrameFile::name(frame.number, frame.format) == entry.name;
                (own_name && frames.contains(frame.number)).then_some((frame.number, entry))
            }));
        }
        // Ranges of names can overlap.
        found.sort_by(|(_, one), (_, other)| one.name.cmp(&other.name));
        found.dedup_by(|(_, one), (_, other)| one.name == other.name);
        Ok(Self(found))
    }
}

/// Turns a lack of permission into a warning and `None`.
fn unless_denied<T>(result: Result<T, StorageError>) -> Result<Option<T>, StorageError> {
    match result {
        Err(error) if matches!(error.failure(), Failure::Denied(_) | Failure::Refused(_)) => {
            tracing::warn!(
                "cannot check which frames are already there, so all are rendered: {} \
                 (--no-resume or NO_RESUME skips this check)",
                chain(&error)
            );
            Ok(None)
        }
        result => result.map(Some),
    }
}

/// The frames to render, and those to keep.
#[derive(Debug)]
pub struct Plan {
    /// The frames to render.
    pub pending: FrameSet,
    /// The frames to keep, by number.
    pub already_there: BTreeMap<i32, FrameReport>,
    /// The side files of the frames to keep.
    pub side_files: StoredOutputs,
    /// The description of the scene that an earlier attempt stored.
    pub kept: Option<StoredDescription>,
    /// The files of requested frames that the output already has.
    found: Vec<(FrameNumber, Entry)>,
}

impl Plan {
    /// A plan to render all `frames`.
    pub fn everything(frames: &FrameSet) -> Self {
        Self {
            pending: frames.clone(),
            already_there: BTreeMap::new(),
            side_files: StoredOutputs::default(),
            kept: None,
            found: Vec::new(),
        }
    }

    /// A plan to render those of `frames` that the output does not have, made from `inputs`.
    ///
    /// `found` are the files of these frames in the output. `scene_dir` is the folder of a local
    /// scene file. All frames are rendered if the scene lacked what `job` does not allow to be
    /// missing, or if reading the output is not permitted.
    ///
    /// # Errors
    /// If storage fails.
    pub async fn make(
        storage: &Storage,
        job: &RenderJob,
        inputs: &RenderInputs,
        frames: &FrameSet,
        found: Found,
        scene_dir: Option<&Path>,
    ) -> Result<Self, StorageError> {
        let plan = Self::compare(storage, job, inputs, frames, found, scene_dir).await;
        Ok(unless_denied(plan)?.unwrap_or_else(|| Self::everything(frames)))
    }

    async fn compare(
        storage: &Storage,
        job: &RenderJob,
        inputs: &RenderInputs,
        frames: &FrameSet,
        Found(found): Found,
        scene_dir: Option<&Path>,
    ) -> Result<Self, StorageError> {
        let mut plan = Self { found, ..Self::everything(frames) };
        let folder = job.output.join(FRAMES_DIR);
        if plan.found.is_empty() {
            return Ok(plan);
        }
        plan.kept = StoredDescription::load(storage, &job.output, inputs).await?;
        let mut incomplete = Vec::new();
        if let Some(kept) = &plan.kept
            && kept.scene.is_acceptable(job)
            // If the state cannot be read, the files may have changed.
            && let Ok(state) = kept.state(scene_dir).await
        {
            let source = inputs.source(&kept.scene, &state);
            let format = kept.scene.format();
            // Files in another format are from an earlier job: they need no request.
            let own = |(frame, entry): &(FrameNumber, Entry)| {
                format.is_none_or(|format| FrameFile::name(*frame, format) == entry.name)
            };
            let own: Vec<_> = plan.found.iter().filter(|found| own(found)).cloned().collect();
            let sides = FoundSideFiles::list(storage, &job.output, &kept.outputs, frames).await?;
            let mut complete = Vec::new();
            for (frame, entry) in own {
                match sides.of(frame, &entry) {
                    Some(sides) => {
                        complete.push((frame, entry, source.fingerprint(frame, &sides)));
                    }
                    None => incomplete.push(frame),
                }
            }
            let verified = stream::iter(complete).map(|(frame, entry, wanted)| {
                let file = folder.join(&entry.name);
                async move {
                    let stored = storage.fingerprint(&file).await?;
                    Ok::<_, StorageError>((stored == Some(wanted)).then_some((frame, entry)))
                }
            });
            let same: Vec<_> = verified.buffer_unordered(CONCURRENT_READS).try_collect().await?;
            let same: Vec<_> = same.into_iter().flatten().collect();
            plan.side_files = sides.stored_with(&same.iter().map(|(frame, _)| *frame).collect());
            plan.already_there = same.into_iter().map(kept_frame).collect();
        }
        let is_there = |frame: FrameNumber| plan.already_there.contains_key(&frame.get());
        plan.pending = frames.iter().filter(|&frame| !is_there(frame)).collect();
        plan.log(frames, &incomplete.into_iter().collect());
        Ok(plan)
    }

    /// Logs what is there. The side files of `incomplete` frames are not.
    fn log(&self, frames: &FrameSet, incomplete: &FrameSet) {
        let there = frames.without(&self.pending);
        let found = self.found.iter().map(|(frame, _)| *frame);
        let other: FrameSet = found.filter(|&frame| self.pending.contains(frame)).collect();
        let other = other.without(incomplete);
        if !incomplete.is_empty() {
            tracing::warn!(
                "{} there, but not with all files that the scene makes besides its frames, in \
                 {OUTPUTS_DIR}/: rendered again",
                frames_are(incomplete)
            );
        }
        if !other.is_empty() {
            tracing::warn!(
                "{} there, but not known to be made from the same scene, files, settings and \
                 Blender: they are rendered again and replaced",
                frames_are(&other)
            );
        }
        if !there.is_empty() && self.pending.is_empty() {
            tracing::info!("{} already there: nothing to render", frames_are(&there));
        } else if !there.is_empty() {
            tracing::info!("{} already there; rendering {}", frames_are(&there), self.pending);
        }
    }

    /// Warns about frames that the output has in several formats, now that those of `stored` are
    /// there. A job has one format, so the other files are from an earlier job.
    pub fn warn_of_other_formats(&self, folder: &Location, stored: &BTreeMap<i32, FrameReport>) {
        let is_other = |(frame, entry): &&(FrameNumber, Entry)| {
            stored.get(&frame.get()).is_some_and(|stored| stored.file != entry.name)
        };
        let others: Vec<_> = self.found.iter().filter(is_other).collect();
        let frames: FrameSet = others.iter().map(|(frame, _)| *frame).collect();
        if let Some((_, example)) = others.first() {
            tracing::warn!(
                "{} in {folder} in another format as well, from an earlier job, such as {}: remove \
                 the files that you do not want, or stitch will refuse to choose",
                frames_are(&frames),
                example.name
            );
        }
    }
}

/// The report of a frame that is kept.
fn kept_frame((frame, entry): (FrameNumber, Entry)) -> (i32, FrameReport) {
    let Entry { name: file, size: bytes, .. } = entry;
    (frame.get(), FrameReport { state: FrameState::AlreadyThere, file, bytes, seconds: None })
}

/// The ranges of a listing that contain the files of `frames` in every format. A listing is sorted
/// as text, so each sign and number of digits needs a range of its own.
fn name_ranges(frames: &FrameSet) -> Vec<NameRange> {
    let mut groups: BTreeMap<(bool, usize), BTreeMap<u32, String>> = BTreeMap::new();
    for frame in frames.iter() {
        let name = FrameFile::name(frame, ImageFormat::Png);
        let stem = name.split_once('.').map_or(name.as_str(), |(stem, _)| stem);
        let group = groups.entry((frame.get() < 0, stem.len())).or_default();
        group.insert(frame.get().unsigned_abs(), stem.to_owned());
    }
    let names = groups.into_values().filter_map(|stems| {
        let ((first, after), (last, before)) = (stems.first_key_value()?, stems.last_key_value()?);
        let files = (last - first + 1).saturating_mul(FORMATS);
        Some(NameRange {
            after: after.clone(),
            // In the order of bytes, a slash follows a dot.
            before: Some(format!("{before}/")),
            // One more entry shows that the listing is complete.
            expected: Some(files.saturating_add(1)),
        })
    });
    names.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ranges(frames: &str) -> Vec<(String, String, u32)> {
        let names = name_ranges(&frames.parse().unwrap()).into_iter();
        names.map(|names| (names.after, names.before.unwrap(), names.expected.unwrap())).collect()
    }

    #[test]
    fn frames_with_equally_many_digits_are_listed_together() {
        // All formats, and one more.
        let list = |after: &str, before: &str, frames: u32| {
            (after.to_owned(), before.to_owned(), frames * FORMATS + 1)
        };
        assert_eq!(ranges("7-12"), [list("0007", "0012/", 6)]);
        assert_eq!(ranges("7,12"), [list("0007", "0012/", 6)]);
        assert_eq!(ranges("9998-10002"), [list("9998", "9999/", 2), list("10000", "10002/", 3)]);
        assert_eq!(ranges("-12-0"), [list("0000", "0000/", 1), list("-0001", "-0012/", 12)]);
    }

    proptest! {
        #[test]
        fn every_file_of_a_frame_is_listed(
            frames in prop::collection::btree_set(-1_048_574i64..1_048_574, 1..50)
        ) {
            let frames: FrameSet = frames.into_iter().filter_map(FrameNumber::new).collect();
            let names = name_ranges(&frames);
            prop_assert!(names.len() <= 8);
            for frame in frames.iter() {
                for format in ImageFormat::ALL {
                    let name = FrameFile::name(frame, format);
                    prop_assert!(names.iter().any(|names| names.contains(&name)), "{}", name);
                }
            }
        }
    }
}
