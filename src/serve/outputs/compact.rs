//! What an output has, as JSON for the page, and what has changed since another time.

use std::collections::HashMap;

use serde::Serialize;

use super::columns::{Columns, rounded};
use super::output::Snapshot;
use crate::request::{FrameNumber, FrameRange, FrameSet};
use crate::watch::activity::{Activity, Work};
use crate::watch::figures::Figures;
use crate::watch::state::State;

/// An output as the page shows it, or what has changed of it.
#[derive(Serialize)]
pub struct Compact<'a> {
    /// Another number than before says that something has changed.
    revision: u64,
    /// Why the output could not be read just now; null if it could.
    error: Option<&'a str>,
    /// The figures.
    figures: CompactFigures<'a>,
    /// All frames, or those that have changed.
    frames: Columns<'a>,
    /// The numbers of the frames that are no longer there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    gone: Vec<i32>,
    /// All attempts, or those that have changed.
    attempts: Vec<CompactAttempt<'a>>,
    /// Whether these are all attempts.
    all_attempts: bool,
    /// The video; null if there is none.
    video: Option<CompactVideo<'a>>,
    /// Width and height of the pictures in pixels; null if no report tells them.
    size: Option<(u32, u32)>,
    /// How many files in `frames/` are not shown.
    others: usize,
    /// How many reports are damaged or foreign.
    skipped: usize,
}

/// What follows from the state of all frames.
#[derive(Serialize)]
struct CompactFigures<'a> {
    stored: usize,
    total: Option<usize>,
    pending: usize,
    failed: usize,
    missing: usize,
    /// Frames a minute.
    rate: Option<f64>,
    /// Seconds.
    left: Option<u64>,
    /// Seconds.
    median: Option<f64>,
    slowest: &'a [i32],
    running: usize,
    stuck: usize,
    /// Milliseconds since 1970.
    last_frame: Option<u64>,
    failures: Vec<CompactFailure<'a>>,
}

#[derive(Serialize)]
struct CompactFailure<'a> {
    cause: &'a str,
    exit_codes: &'a [u8],
    attempts: usize,
    /// As `--frames` takes them.
    frames: String,
    count: usize,
}

#[derive(Serialize)]
struct CompactVideo<'a> {
    name: &'a str,
    size: u64,
    modified: u64,
}

#[derive(Serialize)]
struct CompactAttempt<'a> {
    report: &'a str,
    action: &'static str,
    job: Option<&'a str>,
    number: Option<u32>,
    index: Option<u32>,
    started: u64,
    finished: Option<u64>,
    activity: Activity,
    exit_code: Option<u8>,
    cause: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    said: &'a [String],
    asked: String,
    count: usize,
    done: usize,
    last_frame: Option<u64>,
    peak_memory: Option<u64>,
    memory_limit: Option<u64>,
}

impl<'a> Compact<'a> {
    /// All that an output has.
    pub fn whole(snapshot: &'a Snapshot) -> Self {
        let state = &snapshot.state;
        Self::with(
            snapshot,
            Columns::of(state.frames.iter()),
            Vec::new(),
            (state.attempts.iter().map(CompactAttempt::of).collect(), true),
        )
    }

    /// What has changed since `before`.
    pub fn changes(snapshot: &'a Snapshot, before: &Snapshot) -> Self {
        let (now, before) = (&snapshot.state, &before.state);
        let changed = now.frames.iter().filter(|frame| before.frame(frame.number) != Some(frame));
        let gone = before.frames.iter().map(|frame| frame.number);
        let gone = gone.filter(|number| now.frame(*number).is_none()).collect();
        Self::with(snapshot, Columns::of(changed), gone, attempts(now, before))
    }

    fn with(
        snapshot: &'a Snapshot,
        frames: Columns<'a>,
        gone: Vec<i32>,
        (attempts, all_attempts): (Vec<CompactAttempt<'a>>, bool),
    ) -> Self {
        let Snapshot { revision, state, error } = snapshot;
        let video = state.video.as_ref();
        Self {
            revision: *revision,
            error: error.as_deref(),
            figures: CompactFigures::of(&state.figures),
            frames,
            gone,
            attempts,
            all_attempts,
            video: video.map(|it| CompactVideo {
                name: &it.name,
                size: it.size,
                modified: it.modified,
            }),
            size: state.size,
            others: state.others,
            skipped: state.skipped,
        }
    }
}

/// The attempts that have changed, or all of them if some are gone.
fn attempts<'a>(now: &'a State, before: &State) -> (Vec<CompactAttempt<'a>>, bool) {
    let known: HashMap<_, _> =
        before.attempts.iter().map(|work| (work.attempt.report.as_str(), work)).collect();
    let kept = now.attempts.iter().filter(|work| known.contains_key(work.attempt.report.as_str()));
    let all = kept.count() < known.len();
    let changed = now
        .attempts
        .iter()
        .filter(|work| all || known.get(work.attempt.report.as_str()) != Some(work));
    (changed.map(CompactAttempt::of).collect(), all)
}

impl<'a> CompactFigures<'a> {
    fn of(figures: &'a Figures) -> Self {
        let failures = figures.failures.iter().map(|group| CompactFailure {
            cause: &group.cause,
            exit_codes: &group.exit_codes,
            attempts: group.attempts,
            frames: group.frames.to_string(),
            count: group.frames.len(),
        });
        Self {
            stored: figures.stored,
            total: figures.total,
            pending: figures.pending,
            failed: figures.failed,
            missing: figures.missing,
            rate: figures.rate.map(rounded),
            left: figures.left,
            median: figures.median.map(rounded),
            slowest: &figures.slowest,
            running: figures.running,
            stuck: figures.stuck,
            last_frame: figures.last_frame,
            failures: failures.collect(),
        }
    }
}

impl<'a> CompactAttempt<'a> {
    fn of(work: &'a Work) -> Self {
        let Work { attempt, activity, done, last_frame } = work;
        Self {
            report: &attempt.report,
            action: attempt.action.name(),
            job: attempt.job.as_deref(),
            number: attempt.number,
            index: attempt.index,
            started: attempt.started,
            finished: attempt.finished,
            activity: *activity,
            exit_code: attempt.exit_code,
            cause: attempt.cause.as_deref(),
            said: &attempt.said,
            asked: frames_text(&attempt.asked),
            count: attempt.asked_count(),
            done: *done,
            last_frame: *last_frame,
            peak_memory: attempt.peak_memory,
            memory_limit: attempt.memory_limit,
        }
    }
}

/// Frames as `--frames` takes them.
fn frames_text(ranges: &[FrameRange]) -> String {
    let frames = ranges.iter().flat_map(|range| range.first.get()..=range.last.get());
    let frames = frames.filter_map(|number| FrameNumber::new(number.into()));
    frames.collect::<FrameSet>().to_string()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use serde_json::{Value, json};

    use super::*;
    use crate::storage::Entry;
    use crate::watch::Listing;

    fn snapshot(revision: u64, frames: &[(&str, u64)]) -> Snapshot {
        let entry = |(name, modified): &(&str, u64)| Entry {
            name: (*name).to_owned(),
            size: 5,
            modified: UNIX_EPOCH + Duration::from_millis(*modified),
        };
        let frames = frames.iter().map(entry).collect();
        let listing = Listing { frames, ..Listing::default() };
        let state = State::of(&listing, Vec::new(), 0, 1_000_000);
        Snapshot { revision, state, error: None }
    }

    fn json(compact: &Compact<'_>) -> Value {
        serde_json::to_value(compact).unwrap()
    }

    #[test]
    fn only_what_has_changed_is_told() {
        let before = snapshot(1, &[("0001.png", 100), ("2.png", 200), ("0003.png", 300)]);
        let whole = json(&Compact::whole(&before));
        let columns = &whole["frames"];
        assert_eq!(columns["number"], json!([1, 2, 3]));
        assert_eq!(columns["standing"], "sss");
        assert_eq!((&columns["from"], &columns["modified"]), (&json!(100), &json!([0, 100, 200])));
        assert_eq!(
            (&columns["extension"], &columns["names"]),
            (&json!("png"), &json!({"1": "2.png"}))
        );

        let now = snapshot(2, &[("0001.png", 100), ("0003.png", 900), ("0004.png", 950)]);
        let changes = json(&Compact::changes(&now, &before));
        assert_eq!((&changes["revision"], &changes["gone"]), (&json!(2), &json!([2])));
        assert_eq!(changes["frames"]["number"], json!([3, 4]));
        assert_eq!(changes["figures"]["stored"], 3);
        assert_eq!(json(&Compact::changes(&now, &now))["frames"]["number"], json!([]));
    }

    #[test]
    fn ten_thousand_frames_are_half_a_megabyte() {
        let names: Vec<_> = (1..=10_000).map(|n| (format!("{n:04}.png"), n * 20_000)).collect();
        let frames: Vec<_> = names.iter().map(|(name, time)| (name.as_str(), *time)).collect();
        let mut snapshot = snapshot(1, &frames);
        for frame in &mut snapshot.state.frames {
            frame.seconds = Some(12.345_678);
            frame.memory = Some(3_456_789_012);
            frame.file.as_mut().unwrap().size = 1_234_567;
        }
        let bytes = serde_json::to_vec(&Compact::whole(&snapshot)).unwrap().len();
        assert!(bytes < 500_000, "{bytes}");
    }
}
