//! `status -o`: shows what an output has, from its listing and its reports. AWS Batch is not asked.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::output::{Print, Table, json};
use crate::ending::Size;
use crate::error::Error;
use crate::request::{FrameNumber, FrameSet, Location};
use crate::watch::activity::{Activity, Work};
use crate::watch::figures::FailureGroup;
use crate::watch::frame::{Frame, Standing};
use crate::watch::state::State;
use crate::watch::{Watched, millis};
use crate::worker::Worker;

/// The most attempts that are named one by one.
const MAX_NAMED: usize = 20;

/// Prints what an output has.
///
/// # Errors
/// [`Error::Storage`] if the output cannot be read.
pub async fn output_status(
    worker: &Worker,
    output: &Location,
    as_json: bool,
    print: impl Print,
) -> Result<(), Error> {
    worker.unless_stopped(worker.storage.ensure_folder(output)).await?;
    let now = SystemTime::now();
    let mut watched = Watched::new(output.clone());
    let state = worker.unless_stopped(watched.look(&worker.storage, now)).await?;
    if as_json {
        return print(&json(&OutputStatus::of(output, &state))?);
    }
    print(&table(output, &state, millis(now)))
}

/// The output of `status -o --json`: what an output has, from its listing and its reports. A field is
/// null while its value is not known.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct OutputStatus<'a> {
    /// The URI or path of the output.
    output: String,
    /// How many frames are stored.
    stored: usize,
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
    fn of(output: &Location, state: &'a State) -> Self {
        let figures = &state.figures;
        let text = |is: fn(&Standing) -> bool| frames(state, is).to_string();
        Self {
            output: output.to_string(),
            stored: figures.stored,
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
fn frames(state: &State, is: fn(&Standing) -> bool) -> FrameSet {
    let frames = state.frames.iter().filter(|frame| is(&frame.standing));
    frames.filter_map(|frame| FrameNumber::new(frame.number.into())).collect()
}

/// The slowest frames with their seconds.
fn slowest(state: &State) -> impl Iterator<Item = (&Frame, f32)> {
    let frames = state.figures.slowest.iter().filter_map(|number| state.frame(*number));
    frames.filter_map(|frame| Some((frame, frame.seconds?)))
}

/// What an output has, for people.
fn table(output: &Location, state: &State, now: u64) -> String {
    let (figures, mut lines) = (&state.figures, Table::default());
    lines.row("output", output);
    lines.row("frames", stored(state));
    for (label, is) in [
        ("failed", (|standing| matches!(standing, Standing::Failed(_))) as fn(&Standing) -> bool),
        ("missing", |standing| *standing == Standing::Missing),
    ] {
        let frames = frames(state, is);
        if !frames.is_empty() {
            lines.row(label, format_args!("{}: {}", frames.len(), frames.named()));
        }
    }
    if let Some(rate) = figures.rate {
        let left = figures.left.map(|left| format!(", about {} left", duration(left)));
        lines.row("rate", format_args!("{rate:.1} frames a minute{}", left.unwrap_or_default()));
    }
    if let Some(median) = figures.median {
        lines.row("median", format_args!("{median:.1} s a frame"));
        let each = slowest(state).map(|(frame, seconds)| {
            let memory = frame.memory.map(|bytes| format!(", {}", Size(bytes)));
            format!("{} ({seconds:.1} s{})", frame.number, memory.unwrap_or_default())
        });
        lines.row("slowest", each.collect::<Vec<_>>().join(", "));
    }
    if !state.attempts.is_empty() {
        lines.row("attempts", attempts(&state.attempts));
    }
    let stuck = state.attempts.iter().filter(|work| work.activity == Activity::Stuck);
    for work in stuck.take(MAX_NAMED) {
        let since = work.last_frame.unwrap_or(0).max(work.attempt.started);
        let silent = duration(now.saturating_sub(since) / 1000);
        lines.row("stuck", format_args!("{}: no frame for {silent}", name(work)));
    }
    for group in &figures.failures {
        lines.row("cause", cause(group));
    }
    if let Some(video) = &state.video {
        lines.row("video", format_args!("{}, {}", video.name, Size(video.size)));
    }
    if state.skipped > 0 {
        lines.row("reports", format_args!("{} unreadable, left out", state.skipped));
    }
    lines.text()
}

fn stored(state: &State) -> String {
    let figures = &state.figures;
    let mut text = figures.stored.to_string();
    if let Some(total) = figures.total {
        _ = write!(text, " of {total}");
    }
    text.push_str(" stored");
    if figures.pending > 0 {
        _ = write!(text, ", {} to come", figures.pending);
    }
    text
}

/// How many attempts stand how.
fn attempts(works: &[Work]) -> String {
    let all = [
        (Activity::Running, "running"),
        (Activity::Stuck, "stuck"),
        (Activity::Lost, "killed"),
        (Activity::Succeeded, "succeeded"),
        (Activity::Failed, "failed"),
    ];
    let counts = all.map(|(activity, name)| {
        (works.iter().filter(|work| work.activity == activity).count(), name)
    });
    let counts = counts.iter().filter(|(count, _)| *count > 0);
    counts.map(|(count, name)| format!("{count} {name}")).collect::<Vec<_>>().join(", ")
}

/// The name of an attempt: its job, or its report.
fn name(work: &Work) -> &str {
    work.attempt.job.as_deref().unwrap_or(&work.attempt.report)
}

fn cause(group: &FailureGroup) -> String {
    let mut text = group.cause.clone();
    if group.attempts > 0 {
        let codes: Vec<_> = group.exit_codes.iter().map(ToString::to_string).collect();
        _ = write!(text, " ({} attempts, exit code {})", group.attempts, codes.join(", "));
    }
    if !group.frames.is_empty() {
        _ = write!(text, "; {}", group.frames.named());
    }
    text
}

fn duration(seconds: u64) -> humantime::FormattedDuration {
    humantime::format_duration(Duration::from_secs(seconds))
}
