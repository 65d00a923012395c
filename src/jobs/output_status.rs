//! `status -o`: shows what an output has, from its listing and its reports. AWS Batch is not asked.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use tokio::time::sleep;

use super::live::Live;
use super::output::{Print, Table, json};
use super::output_json::{OutputStatus, frames, slowest};
use super::spent::{hours, stored_lately, time_of_attempts};
use crate::ending::Size;
use crate::error::Error;
use crate::request::{FrameSet, Location, PricePerHour, StatusJob};
use crate::watch::activity::{Activity, Work};
use crate::watch::figures::FailureGroup;
use crate::watch::frame::Standing;
use crate::watch::state::State;
use crate::watch::{Watched, millis};
use crate::worker::Worker;

/// The most attempts that are named one by one.
const MAX_NAMED: usize = 20;

/// Prints what an output has, now or when every attempt that has begun has ended.
///
/// # Errors
/// [`Error::Storage`] if the output cannot be read; [`Error::FramesLeft`] after waiting, if frames are
/// missing.
pub async fn output_status(
    worker: &Worker,
    output: &Location,
    request: &StatusJob,
    print: impl Print,
) -> Result<(), Error> {
    worker.unless_stopped(worker.storage.ensure_folder(output)).await?;
    let mut watched = Watched::new(output.clone());
    let looking = async {
        let mut live = Live::default();
        loop {
            let now = SystemTime::now();
            let state = watched.look(&worker.storage, now).await;
            match (state, request.wait) {
                (Ok(state), None) => return Ok((state, now)),
                (Ok(state), Some(_)) => {
                    let ended = has_ended(&state);
                    live.show(part_stored(&state), &summary(&state, millis(now)), ended);
                    if ended {
                        return Ok((state, now));
                    }
                }
                (Err(error), Some(_)) if error.failure().is_transient() => {
                    tracing::warn!("{error}; the output is looked at again");
                }
                (Err(error), _) => return Err(error),
            }
            sleep(request.wait.unwrap_or_default().get()).await;
        }
    };
    let (state, now) = worker.unless_stopped(looking).await?;
    let (now, price) = (millis(now), request.price);
    if request.json {
        print(&json(&OutputStatus::of(output, &state, now, price))?)?;
    } else {
        let mut lines = Table::default();
        rows(&mut lines, output, &state, now, price);
        for group in &state.figures.failures {
            lines.row("cause", cause(group));
        }
        print(&lines.text())?;
    }
    let left = left(&state);
    if request.wait.is_none() || left.is_empty() {
        return Ok(());
    }
    Err(Error::FramesLeft { output: output.clone(), frames: left })
}

/// Whether attempts have begun, and all of them have ended.
fn has_ended(state: &State) -> bool {
    !state.attempts.is_empty() && state.figures.running == 0
}

/// The frames that are not stored.
fn left(state: &State) -> FrameSet {
    frames(state, |standing| *standing != Standing::Stored)
}

/// The part of the frames that is stored, from 0 to 1.
#[expect(clippy::cast_precision_loss, reason = "a number of frames")]
fn part_stored(state: &State) -> f64 {
    let total = state.figures.total.unwrap_or(0).max(1);
    state.figures.stored as f64 / total as f64
}

/// How many frames there are, and how fast they come, in a few words.
pub fn summary(state: &State, now: u64) -> String {
    let mut text = stored(state, now);
    if let Some(left) = state.figures.left {
        _ = write!(text, ", about {} left", duration(left));
    }
    if state.figures.stuck > 0 {
        _ = write!(text, ", {} attempts stuck", state.figures.stuck);
    }
    text
}

/// Adds what an output has, for people.
pub fn rows(
    lines: &mut Table,
    output: &Location,
    state: &State,
    now: u64,
    price: Option<PricePerHour>,
) {
    let figures = &state.figures;
    lines.row("output", output);
    lines.row("frames", stored(state, now));
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
        lines.row("hours", hours(time_of_attempts(state, now), price));
    }
    let stuck = state.attempts.iter().filter(|work| work.activity == Activity::Stuck);
    for work in stuck.take(MAX_NAMED) {
        let since = work.last_frame.unwrap_or(0).max(work.attempt.started);
        let silent = duration(now.saturating_sub(since) / 1000);
        lines.row("stuck", format_args!("{}: no frame for {silent}", name(work)));
    }
    if let Some(video) = &state.video {
        lines.row("video", format_args!("{}, {}", video.name, Size(video.size)));
    }
    if state.skipped > 0 {
        lines.row("reports", format_args!("{} unreadable, left out", state.skipped));
    }
}

fn stored(state: &State, now: u64) -> String {
    let figures = &state.figures;
    let mut text = figures.stored.to_string();
    if let Some(total) = figures.total {
        _ = write!(text, " of {total}");
    }
    text.push_str(" stored");
    if figures.running > 0 {
        _ = write!(text, ", {} in the last minute", stored_lately(state, now));
    }
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
