//! The state of a rendering: what all launches share, and what they change.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::launch::LaunchState;
use super::ledger::Ledger;
use crate::blender::{Launch, SceneFile, SceneInfo, SceneOutputs};
use crate::process::shutdown::Interrupt;
use crate::render::companions::audio::Audio;
use crate::render::companions::view_lut::ViewLut;
use crate::render::delivery::Delivery;
use crate::render::reuse::fingerprint_task::FingerprintTask;
use crate::request::{FrameNumber, FrameSet, ImageFormat, RenderJob};
use crate::worker::Worker;
use crate::worker::file_check::FileCheck;
use crate::worker::log_rate_limiter::LogRateLimiter;
use crate::worker::progress::Progress;
use crate::worker::report::LaunchReport;

/// The frames to render, and everything needed to render them.
#[derive(Clone, Copy, Debug)]
pub struct Assignment<'a> {
    /// The services and settings of the worker.
    pub worker: &'a Worker,
    /// The job.
    pub job: &'a RenderJob,
    /// The header of the scene file.
    pub header: &'a SceneFile,
    /// The command line of Blender for all frames.
    pub launch: Launch<'a>,
    /// The name of the report without its extension; crash files are named after it.
    pub report_stem: &'a str,
    /// The other frames of this job, which the output already has.
    pub already_there: &'a FrameSet,
}

/// What the processes of a job share, as one of them sees it.
#[derive(Debug)]
pub struct Process {
    /// Its number, from 0.
    pub number: usize,
    /// What its lines are called in the log.
    pub program: String,
    /// How many processes may still render.
    pub working: Arc<AtomicUsize>,
    /// The progress of the job.
    pub progress: Progress,
}

impl Process {
    /// Whether it does what one process does for all: it logs what is true for each of them, and
    /// mixes the sound.
    pub fn is_first(&self) -> bool {
        self.number == 0
    }
}

/// The launches of Blender, and the delivery of the frames that they save.
#[derive(Debug)]
pub(super) struct Rendering<'a> {
    pub assignment: Assignment<'a>,
    pub ledger: Ledger,
    /// The current launch, or the last one.
    pub launch: LaunchState,
    pub delivery: Delivery,
    pub fingerprints: FingerprintTask,
    /// The check of the files that the pictures need, while it is under way.
    pub file_check: Option<FileCheck>,
    pub view_lut: ViewLut,
    pub audio: Audio,
    pub process: Process,
    pub log: LogRateLimiter,
    /// Whether Blender has said that the pictures may be wrong. The first time is a warning.
    pub has_doubts: bool,
    /// The scene, once Blender has described it.
    pub scene: Option<SceneInfo>,
    /// What the scene makes besides its frames, once Blender has described it.
    pub outputs: SceneOutputs,
    /// The last lines of Blender's output when it last failed.
    pub excerpt: Vec<String>,
    /// The launches that have ended.
    pub reports: Vec<LaunchReport>,
    /// Why this process renders no more, while others may finish their frames.
    pub given_up: Option<Interrupt>,
}

impl<'a> Rendering<'a> {
    /// A rendering that has not begun.
    pub fn new(
        assignment: Assignment<'a>,
        fingerprints: FingerprintTask,
        process: Process,
    ) -> Self {
        let Assignment { worker, job, launch, already_there, .. } = assignment;
        let attempts = worker.limits.blender_attempts.get();
        Self {
            assignment,
            ledger: Ledger::new(launch.frames.clone(), attempts, already_there.clone()),
            launch: LaunchState::default(),
            delivery: Delivery::new(
                worker.storage.clone(),
                job,
                worker.shutdown.clone(),
                worker.timeouts,
            ),
            fingerprints,
            file_check: None,
            view_lut: ViewLut::new(worker.storage.clone(), &job.output),
            audio: Audio::new(
                &worker.attempt,
                worker.storage.clone(),
                &job.output,
                launch.description_dir,
                process.is_first(),
            ),
            log: LogRateLimiter::new(process.program.clone()),
            has_doubts: false,
            process,
            scene: None,
            outputs: SceneOutputs::default(),
            excerpt: Vec::new(),
            reports: Vec::new(),
            given_up: None,
        }
    }

    /// After a Spot notice, ends this process: it has no work in progress that is worth finishing.
    /// The last one of them stops the job. Changes nothing without a notice. The result is the
    /// reason for stopping, if any.
    pub fn stop_if_noticed(&mut self) -> Option<Interrupt> {
        let shutdown = &self.assignment.worker.shutdown;
        if self.given_up.is_none() {
            self.given_up = shutdown.noticed();
            if self.given_up.is_some() && self.process.working.fetch_sub(1, Ordering::Relaxed) == 1
            {
                shutdown.stop_if_noticed();
            }
        }
        self.stop_requested()
    }

    /// The reason for stopping, if there is one.
    pub fn stop_requested(&self) -> Option<Interrupt> {
        self.worker().shutdown.requested().or(self.given_up)
    }

    pub fn worker(&self) -> &'a Worker {
        self.assignment.worker
    }

    pub fn job(&self) -> &'a RenderJob {
        self.assignment.job
    }

    /// The folder in scratch that Blender writes frames to.
    pub fn frames_dir(&self) -> &'a Path {
        self.assignment.launch.frames_dir
    }

    /// The path that Blender saves a frame to.
    pub fn frame_file(&self, frame: FrameNumber, format: ImageFormat) -> PathBuf {
        self.frames_dir().join(self.outputs.saved_name(frame, format))
    }
}
