//! The ledger of an attempt: the outcome of each of its frames.

use std::collections::BTreeMap;

use super::failure_counts::FailureCounts;
use crate::render::delivery::side_files::StoredSideFile;
use crate::render::stored_outputs::StoredOutputs;
use crate::request::{FrameNumber, FrameSet};
use crate::storage::StorageError;
use crate::worker::report::{FrameReport, FrameState};

/// The frames of an attempt, and their outcomes over all launches.
#[derive(Debug)]
pub(crate) struct Ledger {
    /// The frames to render.
    frames: FrameSet,
    /// The other frames of this job, which an earlier attempt stored.
    already_there: FrameSet,
    /// The reports of stored frames, by number.
    stored: BTreeMap<i32, FrameReport>,
    /// The side files of stored frames.
    sides: StoredOutputs,
    /// The seconds that Blender took for each saved frame.
    seconds: BTreeMap<FrameNumber, f64>,
    /// The same seconds in the order in which the frames were saved.
    durations: Vec<f64>,
    /// The damage of frames that the current launch saved incompletely.
    damaged: BTreeMap<FrameNumber, String>,
    /// The latest errors of frames that could not be stored so far.
    not_stored: BTreeMap<FrameNumber, StorageError>,
    /// How often Blender has failed, and at which frames.
    pub failures: FailureCounts,
}

impl Ledger {
    /// A ledger for `frames`, all of them pending. A frame is skipped after `attempts` failed
    /// launches. `already_there` are the other frames of this job, which an earlier attempt
    /// stored.
    pub fn new(frames: FrameSet, attempts: u32, already_there: FrameSet) -> Self {
        Self {
            frames,
            already_there,
            stored: BTreeMap::new(),
            sides: StoredOutputs::default(),
            seconds: BTreeMap::new(),
            durations: Vec::new(),
            damaged: BTreeMap::new(),
            not_stored: BTreeMap::new(),
            failures: FailureCounts::new(attempts),
        }
    }

    /// All frames of the attempt.
    pub fn frames(&self) -> &FrameSet {
        &self.frames
    }

    /// The frames that are neither stored nor skipped.
    pub fn pending(&self) -> FrameSet {
        let is_pending =
            |frame: &FrameNumber| !self.is_stored(*frame) && !self.failures.is_skipped(*frame);
        self.frames.iter().filter(is_pending).collect()
    }

    /// The frames for the next launch: all pending frames.
    ///
    /// While no frame is stored, the scene rather than a frame may be to blame for a failure. To
    /// find out, the next launches start at frames that have not failed yet: the second launch in
    /// the middle, the third at the last frame.
    pub fn next_launch(&self) -> FrameSet {
        let pending = self.pending();
        if self.some_stored() {
            return pending;
        }
        let untried: FrameSet =
            pending.iter().filter(|&frame| !self.failures.has_failed_at(frame)).collect();
        let skip = match self.failures.frame_count() {
            0 => 0,
            1 => untried.len() / 2,
            _ => untried.len().saturating_sub(1),
        };
        if untried.is_empty() { pending } else { untried.iter().skip(skip).collect() }
    }

    /// The frames that are not stored, skipped ones included.
    pub fn missing(&self) -> FrameSet {
        self.frames.iter().filter(|&frame| !self.is_stored(frame)).collect()
    }

    /// The frames of this job that are stored, by this or an earlier attempt.
    pub fn stored(&self) -> FrameSet {
        let stored = self.frames.iter().filter(|&frame| self.is_stored(frame));
        stored.chain(self.already_there.iter()).collect()
    }

    /// Whether a frame is stored.
    pub fn is_stored(&self, frame: FrameNumber) -> bool {
        self.stored.contains_key(&frame.get())
    }

    /// Whether this attempt or an earlier one stored any frame: proof that the scene renders.
    pub fn some_stored(&self) -> bool {
        !self.already_there.is_empty() || !self.stored.is_empty()
    }

    /// Prepares for a new launch: forgets the damage that an earlier launch left.
    pub fn launch_begins(&mut self) {
        self.damaged.clear();
    }

    /// Records that Blender saved a frame, and the seconds that it took.
    pub fn record_saved(&mut self, frame: FrameNumber, seconds: f64) {
        let seconds = (seconds * 1000.0).round() / 1000.0;
        self.seconds.insert(frame, seconds);
        self.durations.push(seconds);
    }

    /// The seconds that Blender took for each frame, the frame that was saved last first.
    pub fn recent_seconds(&self) -> impl Iterator<Item = f64> {
        self.durations.iter().rev().copied()
    }

    /// Records that a frame is stored as `file`, with its side files. The result is the seconds that
    /// Blender took for it, and whether it was not stored before.
    pub fn record_stored(
        &mut self,
        frame: FrameNumber,
        file: String,
        bytes: u64,
        sides: &[StoredSideFile],
    ) -> (f64, bool) {
        for side in sides {
            self.sides.add(side.index, frame, side.bytes);
        }
        let seconds = self.seconds.get(&frame).copied().unwrap_or_default();
        self.damaged.remove(&frame);
        self.not_stored.remove(&frame);
        let state = FrameState::Rendered;
        let report = FrameReport { state, file, bytes, seconds: Some(seconds) };
        let before = self.stored.insert(frame.get(), report);
        (seconds, before.is_none())
    }

    /// How many frames are stored.
    pub fn stored_count(&self) -> usize {
        self.stored.len()
    }

    /// Records that the saved file of a frame is not whole. The result is whether this is new.
    pub fn record_damaged(&mut self, frame: FrameNumber, damage: String) -> bool {
        self.damaged.insert(frame, damage).is_none()
    }

    /// Whether the saved file of a frame is not whole.
    pub fn is_damaged(&self, frame: FrameNumber) -> bool {
        self.damaged.contains_key(&frame)
    }

    /// Whether the saved file of any frame is not whole.
    pub fn some_damaged(&self) -> bool {
        !self.damaged.is_empty()
    }

    /// Removes and returns the damage of all frames.
    pub fn take_damaged(&mut self) -> BTreeMap<FrameNumber, String> {
        std::mem::take(&mut self.damaged)
    }

    /// Records that a frame could not be stored. The result is whether this is new.
    pub fn record_not_stored(&mut self, frame: FrameNumber, error: StorageError) -> bool {
        self.not_stored.insert(frame, error).is_none()
    }

    /// The errors of frames that could not be stored.
    pub fn storage_errors(&self) -> impl Iterator<Item = &StorageError> {
        self.not_stored.values()
    }

    /// Removes and returns the transient storage errors.
    pub fn take_transient_storage_errors(&mut self) -> BTreeMap<FrameNumber, StorageError> {
        self.not_stored.extract_if(.., |_, error| error.failure().is_transient()).collect()
    }

    /// Restores the errors of frames that are neither stored nor have failed again since.
    pub fn restore_storage_errors(&mut self, errors: BTreeMap<FrameNumber, StorageError>) {
        for (frame, error) in errors {
            if !self.is_stored(frame) {
                self.not_stored.entry(frame).or_insert(error);
            }
        }
    }

    /// Removes and returns the storage error that best explains why frames are missing: the first
    /// permanent one, or else the first.
    pub fn take_storage_error(&mut self) -> Option<StorageError> {
        let permanent = self.not_stored.iter().find(|(_, error)| !error.failure().is_transient());
        let first =
            permanent.or_else(|| self.not_stored.first_key_value()).map(|(frame, _)| *frame);
        self.not_stored.remove(&first?)
    }

    /// The stored frames, their side files, and the skipped frames for the report; the latter with
    /// the cause.
    pub fn into_report(self) -> (BTreeMap<i32, FrameReport>, StoredOutputs, BTreeMap<i32, String>) {
        let skipped = self.failures.skipped().iter();
        let skipped = skipped.map(|skipped| (skipped.frame.get(), skipped.cause.to_string()));
        let skipped = skipped.collect();
        (self.stored, self.sides, skipped)
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::blender::Failure;
    use crate::request::Location;
    use crate::storage::{self, Operation};

    fn frame(number: i64) -> FrameNumber {
        FrameNumber::new(number).unwrap()
    }

    fn ledger(resumed: bool) -> Ledger {
        let already_there = if resumed { "10".parse().unwrap() } else { FrameSet::default() };
        Ledger::new("1-9".parse().unwrap(), 2, already_there)
    }

    fn fail(ledger: &mut Ledger, number: i64) {
        let some_stored = ledger.some_stored();
        ledger.failures.record_at_frame(frame(number), Failure::Crashed(11).into(), some_stored);
    }

    #[test]
    fn while_no_frame_is_stored_the_middle_and_the_last_frame_are_tried() {
        let mut ledger = ledger(false);
        assert_eq!(ledger.next_launch().to_string(), "1-9");
        fail(&mut ledger, 1);
        assert_eq!(ledger.next_launch().to_string(), "6-9");
        fail(&mut ledger, 6);
        assert_eq!(ledger.next_launch().to_string(), "9");
        fail(&mut ledger, 9);
        ledger.record_stored(frame(2), "0002.png".to_owned(), 1, &[]);
        assert_eq!(ledger.next_launch().to_string(), "1,3-9");
    }

    #[test]
    fn a_resumed_job_tries_the_failed_frame_again() {
        let mut ledger = ledger(true);
        fail(&mut ledger, 1);
        assert_eq!(ledger.next_launch().to_string(), "1-9");
        fail(&mut ledger, 1);
        assert_eq!(ledger.next_launch().to_string(), "2-9");
        assert_eq!(ledger.missing().to_string(), "1-9");
    }

    #[test]
    fn a_stored_frame_is_no_longer_damaged_or_failed() {
        let mut ledger = ledger(false);
        assert!(ledger.record_damaged(frame(3), "is empty".to_owned()));
        assert!(!ledger.record_damaged(frame(3), "is empty".to_owned()), "already recorded");
        let file = Location::Local("/out/0003.png".into());
        let full = storage::Failure::from(io::Error::from(io::ErrorKind::StorageFull));
        let error = StorageError::new(Operation::Write, &file, full);
        assert!(ledger.record_not_stored(frame(3), error));
        ledger.record_saved(frame(3), 1.23456);
        assert_eq!(ledger.record_stored(frame(3), "0003.png".to_owned(), 7, &[]), (1.235, true));
        assert!(!ledger.is_damaged(frame(3)) && ledger.storage_errors().next().is_none());
        assert!(!ledger.record_stored(frame(3), "0003.png".to_owned(), 7, &[]).1, "again");
    }

    #[test]
    fn recent_frames_are_those_that_were_saved_last_whatever_their_numbers() {
        let mut ledger = ledger(false);
        for (number, seconds) in [(6, 1.0), (9, 2.0), (1, 3.0)] {
            ledger.record_saved(frame(number), seconds);
        }
        assert_eq!(ledger.recent_seconds().collect::<Vec<_>>(), [3.0, 2.0, 1.0]);
    }
}
