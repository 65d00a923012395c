//! The document of `status -o --json`.

use serde::Serialize;

use super::spent::{stored_lately, time_of_attempts};
use crate::request::{FrameNumber, FrameSet, Location, PricePerHour};
use crate::watch::activity::{Activity, Work};
use crate::watch::figures::FailureGroup;
use crate::watch::frame::{Frame, Standing};
use crate::watch::state::State;

/// The output of `status -o --json`: what an output has, from its listing and its reports. A field is
/// null while its value is not known.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::jobs) struct OutputStatus<'a> {
    /// The URI or path of the output.
    output: String,
    /// How many frames are stored.
    stored: usize,
    /// How many of them were stored in the last minute.
    stored_in_the_last_minute: usize,
    /// How many frames were asked for, or are stored.
    total: Option<usize>,
    /// The frames that are not stored, and that an attempt was asked for that runs.
    pending: String,
    /// The frames that could not be rendered.
    failed: String,
    /// The other frames that were asked for and are not stored. No attempt that was asked for them runs.
    missing: String,
    /// The frames a minute that were stored during the last ten minutes, if an attempt runs.
    frames_per_minute: Option<f32>,
    /// The seconds until the pending frames are stored, at this rate.
    seconds_left: Option<u64>,
    /// The median of the seconds that stored frames took.
    median_seconds: Option<f32>,
    /// The ten slowest frames, the slowest one first.
    slowest: Vec<Slow>,
    /// The hours that all attempts have taken together by now, from the start of the worker to its end.
    attempt_hours: f64,
    /// What these hours cost; null without `--price-per-hour`.
    cost: Option<f64>,
    /// The attempts, in the order in which they began.
    attempts: Vec<OneAttempt<'a>>,
    /// The failures, in groups of the same cause; the largest group first.
    failures: Vec<Failures<'a>>,
    /// The file name of the newest video.
    video: Option<&'a str>,
    /// The number of reports that are damaged or foreign.
    skipped_reports: usize,
}

/// A frame that took long.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Slow {
    /// The number.
    frame: i32,
    /// The rendering time in seconds.
    seconds: f32,
    /// The peak memory in bytes of the attempt that has rendered it.
    peak_memory_bytes: Option<u64>,
}

/// An attempt of `render`, `stitch` or `bake`.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct OneAttempt<'a> {
    /// The file name of its report.
    report: &'a str,
    /// How it stands.
    activity: Activity,
    /// The id of the job on AWS Batch.
    job_id: Option<&'a str>,
    /// The index of the array's child, from 0.
    array_index: Option<u32>,
    /// How many frames it was asked for.
    frames: usize,
    /// How many of them are stored: rendered by it, or there before.
    done: usize,
    /// The exit code, once it has ended.
    exit_code: Option<u8>,
}

/// Failures with the same cause but for numbers in it.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Failures<'a> {
    /// The cause of the first of them.
    cause: &'a str,
    /// The number of attempts that failed with it.
    attempts: usize,
    /// The exit codes of these attempts.
    exit_codes: &'a [u8],
    /// The frames that are not stored because of it.
    frames: String,
}

impl<'a> OutputStatus<'a> {
    pub fn of(output: &Location, state: &'a State, now: u64, price: Option<PricePerHour>) -> Self {
        let time = time_of_attempts(state, now);
        let figures = &state.figures;
        let text = |is: fn(&Standing) -> bool| frames(state, is).to_string();
        Self {
            output: output.to_string(),
            stored: figures.stored,
            stored_in_the_last_minute: stored_lately(state, now),
            total: figures.total,
            pending: text(|standing| *standing == Standing::Pending),
            failed: text(|standing| matches!(standing, Standing::Failed(_))),
            missing: text(|standing| *standing == Standing::Missing),
            frames_per_minute: figures.rate,
            seconds_left: figures.left,
            median_seconds: figures.median,
            slowest: slowest(state)
                .map(|(frame, seconds)| Slow {
                    frame: frame.number,
                    seconds,
                    peak_memory_bytes: frame.memory,
                })
                .collect(),
            attempt_hours: time.as_secs_f64() / 3600.0,
            cost: price.map(|price| price.cost(time)),
            attempts: state.attempts.iter().map(OneAttempt::of).collect(),
            failures: figures.failures.iter().map(Failures::of).collect(),
            video: state.video.as_ref().map(|video| video.name.as_str()),
            skipped_reports: state.skipped,
        }
    }
}

impl<'a> OneAttempt<'a> {
    fn of(work: &'a Work) -> Self {
        let attempt = &work.attempt;
        Self {
            report: &attempt.report,
            activity: work.activity,
            job_id: attempt.job.as_deref(),
            array_index: attempt.index,
            frames: attempt.asked_count(),
            done: work.done,
            exit_code: attempt.exit_code,
        }
    }
}

impl<'a> Failures<'a> {
    fn of(group: &'a FailureGroup) -> Self {
        let FailureGroup { cause, exit_codes, attempts, frames } = group;
        Self { cause, attempts: *attempts, exit_codes, frames: frames.to_string() }
    }
}

/// The frames that stand so.
pub fn frames(state: &State, is: fn(&Standing) -> bool) -> FrameSet {
    let frames = state.frames.iter().filter(|frame| is(&frame.standing));
    frames.filter_map(|frame| FrameNumber::new(frame.number.into())).collect()
}

/// The slowest frames with their seconds.
pub fn slowest(state: &State) -> impl Iterator<Item = (&Frame, f32)> {
    let frames = state.figures.slowest.iter().filter_map(|number| state.frame(*number));
    frames.filter_map(|frame| Some((frame, frame.seconds?)))
}
