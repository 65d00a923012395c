//! What is left to render: the frames that were asked for, without those that are
//! there already and were made from the same.

use std::collections::BTreeMap;
use std::path::Path;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::external::SceneDescription;
use super::inputs::RenderInputs;
use crate::error::frames as frames_are;
use crate::error_chain::chain;
use crate::request::{
    FRAMES_DIR, FrameFile, FrameNumber, FrameSet, ImageFormat, Location, RenderJob,
};
use crate::storage::{Entry, Failure, Names, Storage, StorageError};
use crate::worker::report::{FrameReport, FrameState};

/// Fingerprints that are asked for at once. Many, because their number is what takes the
/// time.
const AT_ONCE: usize = 32;

/// How many files a frame can have.
#[expect(clippy::cast_possible_truncation, reason = "a handful")]
const FORMATS: u32 = ImageFormat::ALL.len() as u32;

/// What lies in the output under the name of a frame that was asked for.
#[derive(Debug)]
pub struct Found(Vec<(FrameNumber, Entry)>);

impl Found {
    /// Looks for `frames`. Needs nothing but their numbers, so that it can be done while the
    /// scene is on its way. Where we may not look, nothing is found.
    ///
    /// # Errors
    /// If storage fails.
    pub async fn list(
        storage: &Storage,
        output: &Location,
        frames: &FrameSet,
    ) -> Result<Self, StorageError> {
        let found = unless_denied(Self::look(storage, output, frames).await)?;
        Ok(found.unwrap_or(Self(Vec::new())))
    }

    async fn look(
        storage: &Storage,
        output: &Location,
        frames: &FrameSet,
    ) -> Result<Self, StorageError> {
        let mut found = Vec::new();
        let folder = output.join(FRAMES_DIR);
        for names in names(frames) {
            let listed = storage.list_names(&folder, names).await?;
            found.extend(listed.into_iter().filter_map(|entry| {
                let frame = FrameFile::parse(&entry.name)?;
                let own_name = FrameFile::name(frame.number, frame.format) == entry.name;
                (own_name && frames.contains(frame.number)).then_some((frame.number, entry))
            }));
        }
        // One name can lie in what is listed for several.
        found.sort_by(|(_, one), (_, other)| one.name.cmp(&other.name));
        found.dedup_by(|(_, one), (_, other)| one.name == other.name);
        Ok(Self(found))
    }
}

/// What was found out, or `None`, with a warning, where we may not look.
fn unless_denied<T>(looked: Result<T, StorageError>) -> Result<Option<T>, StorageError> {
    match looked {
        Err(error) if matches!(error.failure(), Failure::Denied(_) | Failure::Refused(_)) => {
            tracing::warn!(
                "cannot tell which frames are there already, so all are rendered: {} \
                 (--no-resume, NO_RESUME does not look)",
                chain(&error)
            );
            Ok(None)
        }
        looked => looked.map(Some),
    }
}

/// What is to be done.
#[derive(Debug)]
pub struct Plan {
    /// The frames to render.
    pub pending: FrameSet,
    /// The others.
    pub already_there: BTreeMap<i32, FrameReport>,
    /// What is kept of an earlier attempt's scene.
    pub kept: Option<SceneDescription>,
    /// Everything that lies there under the name of a frame that was asked for.
    found: Vec<(FrameNumber, Entry)>,
}

impl Plan {
    /// To render all `frames`.
    pub fn everything(frames: &FrameSet) -> Self {
        let (already_there, found) = (BTreeMap::new(), Vec::new());
        Self { pending: frames.clone(), already_there, kept: None, found }
    }

    /// A plan to render those of `frames` that the output does not have, made from `inputs`.
    /// `found` is what the output has under their names. `beside` is the folder of the scene
    /// file, if anything can lie beside it. Frames of a scene that lacked what `job` does not
    /// allow to be missing are rendered again; so are all, where the output may not be read.
    ///
    /// # Errors
    /// If storage fails.
    pub async fn make(
        storage: &Storage,
        job: &RenderJob,
        inputs: &RenderInputs,
        frames: &FrameSet,
        found: Found,
        beside: Option<&Path>,
    ) -> Result<Self, StorageError> {
        let plan = Self::compare(storage, job, inputs, frames, found, beside).await;
        Ok(unless_denied(plan)?.unwrap_or_else(|| Self::everything(frames)))
    }

    async fn compare(
        storage: &Storage,
        RenderJob { output, allow_missing, .. }: &RenderJob,
        inputs: &RenderInputs,
        frames: &FrameSet,
        Found(found): Found,
        beside: Option<&Path>,
    ) -> Result<Self, StorageError> {
        let mut plan = Self { found, ..Self::everything(frames) };
        let folder = output.join(FRAMES_DIR);
        if plan.found.is_empty() {
            return Ok(plan);
        }
        plan.kept = SceneDescription::load(storage, output, inputs).await?;
        if let Some(kept) = &plan.kept
            && kept.scene.not_allowed(allow_missing).is_empty()
            // Where their state cannot be told now, it is not that of then.
            && let Ok(state) = kept.state(beside).await
        {
            let source = inputs.with_external(&state);
            let format = kept.scene.format();
            // What is there in another format is of an earlier job, and costs no request.
            let own = |(frame, entry): &(FrameNumber, Entry)| {
                format.is_none_or(|format| FrameFile::name(*frame, format) == entry.name)
            };
            let own: Vec<_> = plan.found.iter().filter(|found| own(found)).cloned().collect();
            let looked_at = stream::iter(own).map(|(frame, entry)| {
                let (file, wanted) = (folder.join(&entry.name), source.fingerprint(frame));
                async move {
                    let stored = storage.fingerprint(&file).await?;
                    Ok::<_, StorageError>((stored == Some(wanted)).then_some((frame, entry)))
                }
            });
            let same: Vec<_> = looked_at.buffer_unordered(AT_ONCE).try_collect().await?;
            plan.already_there = same.into_iter().flatten().map(there).collect();
        }
        let is_there = |frame: FrameNumber| plan.already_there.contains_key(&frame.get());
        plan.pending = frames.iter().filter(|&frame| !is_there(frame)).collect();
        plan.log(frames);
        Ok(plan)
    }

    fn log(&self, frames: &FrameSet) {
        let there: FrameSet = frames.iter().filter(|&f| !self.pending.contains(f)).collect();
        let found = self.found.iter().map(|(frame, _)| *frame);
        let other: FrameSet = found.filter(|&frame| self.pending.contains(frame)).collect();
        if !other.is_empty() {
            tracing::info!(
                "{} there and not known to be made from the same scene, files, settings and \
                 Blender: rendering again",
                frames_are(&other)
            );
        }
        if !there.is_empty() && self.pending.is_empty() {
            tracing::info!("{} already there: nothing to render", frames_are(&there));
        } else if !there.is_empty() {
            tracing::info!("{} already there; rendering {}", frames_are(&there), self.pending);
        }
    }

    /// Warns of frames that lie in the output in several formats, now that those of
    /// `stored` are there: of an earlier job, because a job has one format.
    pub fn warn_of_other_formats(&self, folder: &Location, stored: &BTreeMap<i32, FrameReport>) {
        let is_other = |(frame, entry): &&(FrameNumber, Entry)| {
            stored.get(&frame.get()).is_some_and(|stored| stored.file != entry.name)
        };
        let others: Vec<_> = self.found.iter().filter(is_other).collect();
        let frames: FrameSet = others.iter().map(|(frame, _)| *frame).collect();
        if let Some((_, example)) = others.first() {
            tracing::warn!(
                "{} in {folder} in another format as well, made before, such as {}: remove what is \
                 not wanted, or stitch will refuse to choose",
                frames_are(&frames),
                example.name
            );
        }
    }
}

fn there((frame, entry): (FrameNumber, Entry)) -> (i32, FrameReport) {
    let Entry { name: file, size: bytes, .. } = entry;
    (frame.get(), FrameReport { state: FrameState::AlreadyThere, file, bytes, seconds: None })
}

/// Where in a listing the files of `frames` are, whatever their format. Names are sorted
/// as text, so that frames are neighbours only if they have equally many digits.
fn names(frames: &FrameSet) -> Vec<Names> {
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
        Some(Names {
            after: after.clone(),
            // What follows a dot in the order of bytes.
            before: Some(format!("{before}/")),
            // The one more shows that there are no more.
            expected: Some(files.saturating_add(1)),
        })
    });
    names.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn asked(frames: &str) -> Vec<(String, String, u32)> {
        let names = names(&frames.parse().unwrap()).into_iter();
        names.map(|names| (names.after, names.before.unwrap(), names.expected.unwrap())).collect()
    }

    #[test]
    fn neighbours_are_listed_together() {
        // Five formats, and one more.
        let list = |after: &str, before: &str, frames: u32| {
            (after.to_owned(), before.to_owned(), frames * 5 + 1)
        };
        assert_eq!(asked("7-12"), [list("0007", "0012/", 6)]);
        assert_eq!(asked("7,12"), [list("0007", "0012/", 6)]);
        assert_eq!(asked("9998-10002"), [list("9998", "9999/", 2), list("10000", "10002/", 3)]);
        assert_eq!(asked("-12-0"), [list("0000", "0000/", 1), list("-0001", "-0012/", 12)]);
    }

    proptest! {
        #[test]
        fn every_file_of_a_frame_is_listed(
            frames in prop::collection::btree_set(-1_048_574i64..1_048_574, 1..50)
        ) {
            let frames: FrameSet = frames.into_iter().filter_map(FrameNumber::new).collect();
            let names = names(&frames);
            prop_assert!(names.len() <= 8);
            for frame in frames.iter() {
                for format in ImageFormat::ALL {
                    let name = FrameFile::name(frame, format);
                    prop_assert!(names.iter().any(|names| names.contain(&name)), "{}", name);
                }
            }
        }
    }
}
