//! The side files that the output already has.
//!
//! They have no fingerprints of their own, which would take a request each. The fingerprint of a
//! frame names its side files and their sizes, and none of them can be newer than the frame: they
//! are stored before it. One listing of each folder is enough to check both.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::blender::{OutputFile, SceneOutputs};
use crate::render::stored_outputs::StoredOutputs;
use crate::request::{FrameNumber, FrameSet, Location};
use crate::storage::{Entry, NameRange, Storage, StorageError};

/// How many folders are listed concurrently.
const CONCURRENT_LISTINGS: usize = 8;

/// How much newer than its frame a side file may seem: S3 counts whole seconds, on many machines.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(5);

/// The side files of frames, as the output has them.
#[derive(Debug)]
pub struct FoundSideFiles<'a> {
    outputs: &'a SceneOutputs,
    /// By frame, and by the number of the file among those that the scene makes for each frame.
    files: BTreeMap<FrameNumber, BTreeMap<usize, Entry>>,
}

impl<'a> FoundSideFiles<'a> {
    /// Lists the side files of `frames` in the output.
    ///
    /// # Errors
    /// If storage fails, or listing is not permitted.
    pub async fn list(
        storage: &Storage,
        output: &Location,
        outputs: &'a SceneOutputs,
        frames: &FrameSet,
    ) -> Result<Self, StorageError> {
        let mut folders: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for output in &outputs.files {
            folders.entry(output.parent()).or_default().push(output);
        }
        let ranges = folders.into_iter().map(|(folder, files)| {
            let location = output.join(&folder);
            (folder, location, names(&files, frames))
        });
        let ranges: Vec<_> = ranges.collect();
        let listed = stream::iter(ranges).map(|(folder, location, names)| async move {
            let entries = storage.list_names(&location, names).await?;
            Ok::<_, StorageError>((folder, entries))
        });
        let listed: BTreeMap<_, _> =
            listed.buffer_unordered(CONCURRENT_LISTINGS).try_collect().await?;
        let mut files: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
        for (index, output) in outputs.files.iter().enumerate() {
            for entry in listed.get(&output.parent()).into_iter().flatten() {
                let frame = output.frame_of(&entry.name);
                if let Some(frame) = frame.filter(|&frame| frames.contains(frame)) {
                    files.entry(frame).or_default().insert(index, entry.clone());
                }
            }
        }
        Ok(Self { outputs, files })
    }

    /// The side files that were stored with a frame, as their paths below the output and their
    /// sizes in bytes. `None` if one of them is missing, or newer than the frame, whose file is
    /// `stored`.
    pub fn of(&self, frame: FrameNumber, stored: &Entry) -> Option<BTreeMap<String, u64>> {
        let found = self.files.get(&frame);
        let latest = stored.modified + CLOCK_TOLERANCE;
        let mut sides = BTreeMap::new();
        for (index, output) in self.outputs.files.iter().enumerate() {
            match found.and_then(|files| files.get(&index)) {
                Some(entry) if entry.modified > latest => return None,
                Some(entry) => {
                    sides.insert(output.path(frame), entry.size);
                }
                None if output.certain => return None,
                None => {}
            }
        }
        Some(sides)
    }

    /// The side files of `frames`.
    pub fn stored_with(&self, frames: &FrameSet) -> StoredOutputs {
        let mut stored = StoredOutputs::default();
        for (&frame, files) in self.files.iter().filter(|(frame, _)| frames.contains(**frame)) {
            for (&index, entry) in files {
                stored.add(index, frame, entry.size);
            }
        }
        stored
    }
}

/// The names between the first and the last of these files.
fn names(files: &[&OutputFile], frames: &FrameSet) -> NameRange {
    let names = files.iter().flat_map(|file| frames.iter().map(|frame| file.name(frame)));
    let names: BTreeSet<_> = names.collect();
    let mut after = names.first().cloned().unwrap_or_default();
    // A bound is excluded.
    after.pop();
    NameRange { after, before: names.last().map(|last| format!("{last}/")), expected: None }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    fn entry(name: &str, seconds: u64) -> Entry {
        let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        Entry { name: name.to_owned(), size: 7, modified }
    }

    fn outputs() -> SceneOutputs {
        let maybe = OutputFile { certain: false, ..OutputFile::example("b_", ".png") };
        let files = vec![OutputFile::example("a_", ".exr"), maybe];
        SceneOutputs { files, ..SceneOutputs::default() }
    }

    fn sides_of_frame_1(files: &[(usize, Entry)]) -> Option<Vec<String>> {
        let outputs = outputs();
        let files = [(FrameNumber::ONE, files.iter().cloned().collect())].into();
        let found = FoundSideFiles { outputs: &outputs, files };
        let sides = found.of(FrameNumber::ONE, &entry("0001.png", 100))?;
        Some(sides.into_keys().collect())
    }

    #[test]
    fn a_frame_needs_the_files_that_are_certain() {
        let (a, b) = (entry("a_0001.exr", 99), entry("b_0001.png", 99));
        let paths =
            ["outputs/Passes/a_0001.exr".to_owned(), "outputs/Passes/b_0001.png".to_owned()];
        assert_eq!(sides_of_frame_1(&[(0, a.clone()), (1, b.clone())]), Some(paths.to_vec()));
        assert_eq!(sides_of_frame_1(&[(0, a)]), Some(paths[..1].to_vec()));
        assert_eq!(sides_of_frame_1(&[(1, b)]), None);
    }

    #[test]
    fn files_that_a_later_job_has_replaced_are_not_those_of_the_frame() {
        assert!(sides_of_frame_1(&[(0, entry("a_0001.exr", 105))]).is_some());
        assert_eq!(sides_of_frame_1(&[(0, entry("a_0001.exr", 106))]), None);
    }

    #[tokio::test]
    async fn the_files_of_the_frames_are_listed() {
        let folder = tempfile::tempdir().unwrap();
        let passes = folder.path().join("outputs/Passes");
        std::fs::create_dir_all(&passes).unwrap();
        for name in
            ["a_0001.exr", "a_0002.exr", "b_0001.png", "a_1.exr", "c_0001.png", "a_0009.exr"]
        {
            std::fs::write(passes.join(name), b"x").unwrap();
        }
        let storage = Storage::new(crate::request::Transfers::default());
        let (output, outputs) = (Location::Local(folder.path().to_owned()), outputs());
        let frames = "1-3".parse().unwrap();
        let found = FoundSideFiles::list(&storage, &output, &outputs, &frames).await.unwrap();
        let numbers = |frame| found.files.get(&frame).map(|files| files.keys().copied().collect());
        assert_eq!(numbers(FrameNumber::ONE), Some(vec![0, 1]));
        assert_eq!(numbers(FrameNumber::new(2).unwrap()), Some(vec![0]));
        assert_eq!(found.files.len(), 2);
    }
}
