//! Several Blenders side by side, each with its share of the frames.
//!
//! Each process is started again, watched and judged as if it were alone. What they have in common
//! is the progress, and the error if frames are missing in the end.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use futures_util::future::join_all;

use super::launches::{Assignment, Outcome, Process, interruption, render_frames};
use super::reuse::fingerprint_task::FingerprintTask;
use crate::error::{Error, Rest};
use crate::request::{FrameNumber, FrameSet, RenderJob};
use crate::worker::progress::Progress;

/// Deals frames among up to `processes`, in turn: neighbours take about as long, so that all
/// processes end at about the same time. No share is empty.
pub fn deal(frames: &FrameSet, processes: usize) -> Vec<FrameSet> {
    let processes = processes.clamp(1, frames.len().max(1));
    let share = |number| frames.iter().skip(number).step_by(processes).collect();
    (0..processes).map(share).collect()
}

/// Renders and delivers the frames of each assignment in a process of its own.
pub async fn render_side_by_side(
    job: &RenderJob,
    already_there: &FrameSet,
    assignments: Vec<(Assignment<'_>, FingerprintTask)>,
) -> Outcome {
    let frames = assignments.iter().map(|(assignment, _)| assignment.launch.frames.len()).sum();
    let progress = Progress::resume(frames, already_there.len());
    let working = Arc::new(AtomicUsize::new(assignments.len()));
    let is_alone = assignments.len() == 1;
    let processes = assignments.into_iter().enumerate().map(|(number, (assignment, task))| {
        let program =
            if is_alone { "blender".to_owned() } else { format!("blender {}", number + 1) };
        let progress = progress.of_another_process();
        let process = Process { number, program, working: Arc::clone(&working), progress };
        render_frames(assignment, task, process)
    });
    let outcome = merge(job, already_there, join_all(processes).await);
    if outcome.result.is_ok() {
        match frames + already_there.len() {
            1 => tracing::info!("the frame is stored"),
            count => tracing::info!("all {count} frames are stored"),
        }
    }
    outcome
}

/// The outcome of all processes. Their errors become one.
fn merge(job: &RenderJob, already_there: &FrameSet, outcomes: Vec<Outcome>) -> Outcome {
    let mut errors = Vec::new();
    let mut merged = Outcome::default();
    for outcome in outcomes {
        errors.extend(outcome.result.err());
        if merged.scene.is_none() {
            (merged.scene, merged.outputs) = (outcome.scene, outcome.outputs);
        }
        merged.launches.extend(outcome.launches);
        merged.stored.extend(outcome.stored);
        merged.side_files.extend(outcome.side_files);
        merged.skipped.extend(outcome.skipped);
        merged.missing.extend(outcome.missing);
        merged.has_previews |= outcome.has_previews;
    }
    let numbers = merged.stored.keys().filter_map(|&number| FrameNumber::new(number.into()));
    let stored: FrameSet = numbers.chain(already_there.iter()).collect();
    let missing: FrameSet = merged.missing.iter().copied().collect();
    merged.result = errors
        .into_iter()
        .reduce(worse)
        .map_or(Ok(()), |error| Err(about_all(error, job, &stored, &missing)));
    merged
}

/// The error that says more about a job: a stop, then what kept Blender from rendering, then frames
/// at which it failed.
fn worse(one: Error, other: Error) -> Error {
    match (one, other) {
        (
            Error::FramesSkipped { skipped, rest, excerpt, command, scene, missing },
            Error::FramesSkipped { skipped: others, rest: other_rest, .. },
        ) => {
            let mut skipped: Vec<_> = skipped.into_iter().chain(others).collect();
            skipped.sort_by_key(|skipped| skipped.frame);
            let rest = if other_rest == Rest::NotOpened { other_rest } else { rest };
            Error::FramesSkipped { skipped, rest, excerpt, command, scene, missing }
        }
        (stop @ Error::Interrupted { .. }, _) | (_, stop @ Error::Interrupted { .. }) => stop,
        (Error::FramesSkipped { .. }, other) => other,
        (one, _) => one,
    }
}

/// The error of a process as that of the job: with the frames of all.
fn about_all(mut error: Error, job: &RenderJob, stored: &FrameSet, all: &FrameSet) -> Error {
    match &mut error {
        Error::Interrupted { by, .. } => return interruption(*by, stored, all, &job.output),
        Error::FramesSkipped { missing, .. }
        | Error::Blender { missing, .. }
        | Error::NotStored { missing, .. }
        | Error::ScratchFull { missing, .. }
        | Error::ScratchUnwritable { missing, .. } => missing.clone_from(all),
        _ => {}
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blender::{Cause, SkippedFrame};
    use crate::exit::Exit;
    use crate::process::shutdown::Interrupt;

    #[test]
    fn frames_are_dealt_in_turn_and_no_share_is_empty() {
        let shares = |frames: &str, processes| -> Vec<String> {
            let frames: FrameSet = frames.parse().unwrap();
            deal(&frames, processes).iter().map(ToString::to_string).collect()
        };
        assert_eq!(shares("1-5", 1), ["1-5"]);
        assert_eq!(shares("1-5", 2), ["1,3,5", "2,4"]);
        assert_eq!(shares("7,9", 3), ["7", "9"]);
    }

    fn outcome(missing: &str, result: Result<(), Error>) -> Outcome {
        let missing: FrameSet = missing.parse().unwrap();
        Outcome { missing: missing.iter().collect(), result, ..Outcome::default() }
    }

    fn skipped(frame: i64) -> Error {
        let frame = FrameNumber::new(frame).unwrap();
        Error::FramesSkipped {
            scene: RenderJob::example().scene,
            missing: FrameSet::from_iter([frame]),
            skipped: vec![SkippedFrame { frame, cause: Cause::SetupFailed, times: 1 }],
            rest: Rest::NotTried,
            excerpt: vec![],
            command: String::new(),
        }
    }

    #[test]
    fn the_error_of_a_job_names_the_frames_of_all_processes() {
        let merged = |outcomes| merge(&RenderJob::example(), &FrameSet::default(), outcomes);
        let both = merged(vec![outcome("3", Err(skipped(3))), outcome("2", Err(skipped(2)))]);
        let Err(Error::FramesSkipped { missing, skipped: frames, .. }) = &both.result else {
            panic!("{:?}", both.result)
        };
        assert_eq!(missing.to_string(), "2-3");
        assert_eq!(frames.iter().map(|skipped| skipped.frame.get()).collect::<Vec<_>>(), [2, 3]);

        let stop = Error::Interrupted { by: Interrupt::Terminate, left: String::new() };
        let stopped = merged(vec![outcome("3", Err(skipped(3))), outcome("2,4", Err(stop))]);
        let error = stopped.result.unwrap_err();
        assert_eq!(error.exit(), Exit::Terminated);
        assert!(error.to_string().contains("3 of 3 frames are left: 2-4"), "{error}");
    }
}
