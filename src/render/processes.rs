//! Several Blenders side by side, each with its share of the frames.
//!
//! Each process is started again, watched and judged as if it were alone. What they have in common
//! is the progress, and the error if frames are missing in the end.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use futures_util::future::join_all;

use super::gpus::Gpus;
use super::launches::{Assignment, Outcome, Process, interruption, render_frames};
use super::reuse::Reuse;
use super::reuse::fingerprint_task::FingerprintTask;
use super::scratch_dirs::ScratchDirs;
use crate::blender::{Launch, Purpose, SceneFile, SceneProject, UserCodePaths};
use crate::error::{Error, Rest};
use crate::request::{FrameNumber, FrameRange, FrameSet, Processes, RenderJob};
use crate::worker::Worker;
use crate::worker::progress::Progress;

/// The environment of a process.
type Environment = Vec<(String, String)>;

/// The environment of each process that renders.
///
/// # Errors
/// [`Error::NoGpu`] if the job deals GPUs and there are none.
pub fn environments(
    environment: &[(String, String)],
    job: &RenderJob,
) -> Result<Vec<Environment>, Error> {
    match job.processes {
        Processes::Number(number) => Ok(vec![environment.to_vec(); number.get()]),
        Processes::ForGpus(size) => {
            let gpus = Gpus::find(environment).ok_or(Error::NoGpu)?;
            Ok(gpus.environments(size.get(), environment))
        }
    }
}

/// The number of threads of each process, so that together they have one for each core.
fn threads(processes: usize) -> Option<usize> {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    (processes > 1).then(|| (cores / processes).max(1))
}

/// The frames that are left to render, and what their processes have in common.
#[derive(Clone, Copy)]
pub struct PendingFrames<'a> {
    pub worker: &'a Worker,
    pub job: &'a RenderJob,
    /// The header of the scene file.
    pub header: &'a SceneFile,
    /// The Blender executable.
    pub blender: &'a Path,
    /// The scene file on this machine.
    pub scene: &'a Path,
    /// The project that the scene is in.
    pub project: Option<&'a SceneProject>,
    /// The scratch folder.
    pub scratch: &'a Path,
    /// The Python of the user.
    pub user_code: &'a UserCodePaths,
    /// All frames of the job.
    pub frames_of_job: &'a FrameSet,
    /// From the first one to the last.
    pub range: FrameRange,
    /// What is kept, and the inputs of the frames.
    pub reuse: &'a Reuse,
    /// The name of the report without its extension.
    pub report_stem: &'a str,
}

impl PendingFrames<'_> {
    /// Renders them in a process for each of the `environments`, or for each frame if there are
    /// fewer.
    ///
    /// # Errors
    /// [`Error::Scratch`] if scratch cannot be written.
    pub async fn render(&self, environments: &[Environment]) -> Result<Outcome, Error> {
        let (worker, job, plan) = (self.worker, self.job, &self.reuse.plan);
        // By their place in the whole job: what is left of it after a resumption keeps its order.
        let mut order = job.order.arrange(self.frames_of_job);
        order.retain(|&frame| plan.pending.contains(frame));
        let shares = deal(&order, environments.len());
        let threads = threads(shares.len());
        let dirs = (1..=shares.len()).map(|number| {
            let base = self.scratch.join(format!("process-{number}"));
            let purpose = Purpose::Render(self.range);
            ScratchDirs::prepare(&base, self.user_code, job, purpose, self.project)
        });
        let dirs = dirs.collect::<Result<Vec<_>, _>>()?;
        let already_there = self.frames_of_job.without(&plan.pending);
        let processes = shares.iter().zip(&dirs).zip(environments);
        let assignments = processes.map(|((frames, dirs), environment)| {
            let launch = Launch {
                blender: self.blender,
                scene: self.scene,
                project: self.project,
                setup_dir: &dirs.setup,
                user_code_dir: self.user_code.folder(),
                description_dir: &dirs.description,
                frames_dir: &dirs.frames,
                outputs_dir: &dirs.outputs,
                home: &dirs.home,
                environment,
                frames,
                order: &order,
                threads,
                mix_audio: false,
                job,
            };
            let assignment = Assignment {
                worker,
                job,
                header: self.header,
                launch,
                report_stem: self.report_stem,
                already_there: &already_there,
            };
            (assignment, self.fingerprints())
        });
        let outcome = render_side_by_side(job, &already_there, assignments.collect()).await;
        // Processes that ended after a Spot notice have left the job to the others.
        worker.shutdown.stop_if_noticed();
        Ok(outcome)
    }

    fn fingerprints(&self) -> FingerprintTask {
        let Reuse { local_scene, inputs, plan } = self.reuse;
        let storage = self.worker.storage.clone();
        let (inputs, scene, kept) = (inputs.clone(), local_scene.clone(), plan.kept.clone());
        FingerprintTask::new(storage, self.job, inputs, scene, kept)
    }
}

/// Deals frames among up to `processes`, in turn: neighbours take about as long, so that all
/// processes end at about the same time. No share is empty.
fn deal(frames: &[FrameNumber], processes: usize) -> Vec<FrameSet> {
    let processes = processes.clamp(1, frames.len().max(1));
    let share = |number| frames.iter().copied().skip(number).step_by(processes).collect();
    (0..processes).map(share).collect()
}

/// Renders and delivers the frames of each assignment in a process of its own.
async fn render_side_by_side(
    job: &RenderJob,
    already_there: &FrameSet,
    assignments: Vec<(Assignment<'_>, FingerprintTask)>,
) -> Outcome {
    let frames = assignments.iter().map(|(assignment, _)| assignment.launch.frames.len()).sum();
    let progress = Progress::of_rendering(frames, already_there.len());
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
    if outcome.error.is_none() {
        match frames + already_there.len() {
            1 => tracing::info!("the frame is stored"),
            count => tracing::info!("all {count} frames are stored"),
        }
    }
    outcome
}

/// The outcome of all processes. Their errors become one.
fn merge(job: &RenderJob, already_there: &FrameSet, outcomes: Vec<Outcome>) -> Outcome {
    let mut merged = Outcome::default();
    for outcome in outcomes {
        merged.error = merged.error.into_iter().chain(outcome.error).reduce(worse);
        match (&mut merged.scene, outcome.scene) {
            (Some(scene), Some(other)) => scene.add_from(other),
            (Some(_), None) => {}
            (None, scene) => (merged.scene, merged.outputs) = (scene, outcome.outputs),
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
    merged.error = merged.error.map(|error| about_all(error, job, &stored, &missing));
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
            let frames: Vec<_> = frames.parse::<FrameSet>().unwrap().iter().collect();
            deal(&frames, processes).iter().map(ToString::to_string).collect()
        };
        assert_eq!(shares("1-5", 1), ["1-5"]);
        assert_eq!(shares("1-5", 2), ["1,3,5", "2,4"]);
        assert_eq!(shares("7,9", 3), ["7", "9"]);
    }

    fn outcome(missing: &str, error: Error) -> Outcome {
        let missing: FrameSet = missing.parse().unwrap();
        Outcome { missing: missing.iter().collect(), error: Some(error), ..Outcome::default() }
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
        let both = merged(vec![outcome("3", skipped(3)), outcome("2", skipped(2))]);
        let Some(Error::FramesSkipped { missing, skipped: frames, .. }) = &both.error else {
            panic!("{:?}", both.error)
        };
        assert_eq!(missing.to_string(), "2-3");
        assert_eq!(frames.iter().map(|skipped| skipped.frame.get()).collect::<Vec<_>>(), [2, 3]);

        let stop = Error::Interrupted { by: Interrupt::Terminate, left: String::new() };
        let stopped = merged(vec![outcome("3", skipped(3)), outcome("2,4", stop)]);
        let error = stopped.error.unwrap();
        assert_eq!(error.exit(), Exit::Terminated);
        assert!(error.to_string().contains("3 of 3 frames are left: 2-4"), "{error}");
    }
}
