//! The launches of Blender that render a set of frames.
//!
//! The worker starts Blender with all pending frames, and delivers those that it saves while it
//! renders on. When Blender has ended, there are three possible verdicts: every frame is stored,
//! Blender is started again with the missing frames, or another launch would not help.

mod crash_file;
mod deliveries;
mod described;
mod disk;
mod failure_counts;
mod follow;
mod launch;
mod ledger;
mod rendering;
mod spot_decision;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use tokio::time::sleep;

use crate::blender::{Launch, SceneInfo, SceneOutputs};
use crate::error::Error;
use crate::process::supervisor::{End, Running, Stdin, shell_line};
use crate::render::companions::view_lut;
use crate::render::description_file::DESCRIPTION_FILE;
use crate::render::reuse::fingerprint_task::FingerprintTask;
use crate::render::stored_outputs::StoredOutputs;
use crate::request::{FrameNumber, FrameSet, ImageFormat, REPORTS_DIR};
use crate::space::Space;
use crate::telemetry::logging::DETAILS;
use crate::worker::programs::BLENDER;
use crate::worker::report::{FrameReport, LaunchReport, SimulationReport};
use crate::worker::{in_time, sandbox_policy};
use launch::{LaunchState, StopReason};
use rendering::Rendering;

pub use rendering::{Assignment, Process};
pub use verdict::interruption;

/// How many crash files of an attempt are stored. A frame usually crashes Blender in the same way
/// each time.
const MAX_CRASH_FILES: usize = 10;

/// The outcome of a rendering; by default, that without any frames.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The error, unless every frame is stored.
    pub error: Option<Error>,
    /// The frames that are not stored.
    pub missing: BTreeSet<FrameNumber>,
    /// The scene, if Blender has described it.
    pub scene: Option<SceneInfo>,
    /// All launches, in order.
    pub launches: Vec<LaunchReport>,
    /// The frames that were rendered and stored, by number.
    pub stored: BTreeMap<i32, FrameReport>,
    /// What the scene makes besides its frames, if Blender has described it.
    pub outputs: SceneOutputs,
    /// The side files of these frames.
    pub side_files: StoredOutputs,
    /// The causes of skipped frames, by number.
    pub skipped: BTreeMap<i32, String>,
    /// Whether any preview is stored.
    pub has_previews: bool,
}

/// Renders and delivers the frames of an assignment.
pub async fn render_frames(
    assignment: Assignment<'_>,
    fingerprints: FingerprintTask,
    process: Process,
) -> Outcome {
    let mut rendering = Rendering::new(assignment, fingerprints, process);
    let error = rendering.run().await.err();
    let has_previews = rendering.delivery.has_previews();
    let (scene, outputs, launches) = (rendering.scene, rendering.outputs, rendering.reports);
    let missing = rendering.ledger.missing().iter().collect();
    let (stored, side_files, skipped) = rendering.ledger.into_report();
    Outcome { error, missing, scene, launches, stored, outputs, side_files, skipped, has_previews }
}

impl Rendering<'_> {
    /// Launches Blender until every frame is stored, or another launch would not help.
    async fn run(&mut self) -> Result<(), Error> {
        loop {
            let frames = self.ledger.next_launch();
            if frames.is_empty() {
                return self.conclude();
            }
            if let Some(by) = self.stop_if_noticed() {
                return Err(self.interrupted(by));
            }
            self.remove_leftovers(&frames);
            let (end, stop) = self.launch(&frames).await?;
            if let Some(cause) = self.judge(end, stop)? {
                self.count_failure(&cause)?;
            }
        }
    }

    /// Removes files of these frames that an earlier launch left in scratch. They are incomplete:
    /// whole frames are stored by now.
    fn remove_leftovers(&self, frames: &FrameSet) {
        // A new launch must not read what an old one said about the scene.
        for name in [DESCRIPTION_FILE, view_lut::LUT_FILE] {
            _ = std::fs::remove_file(self.assignment.launch.description_dir.join(name));
        }
        self.audio.remove_leftovers();
        for frame in frames.iter().filter(|_| !self.reports.is_empty()) {
            for format in ImageFormat::ALL {
                remove_leftover(&self.frame_file(frame, format));
            }
            for output in &self.outputs.files {
                remove_leftover(&output.saved(self.assignment.launch.saved_in(), frame));
            }
        }
    }

    /// Runs one launch: starts Blender, follows it, and stores everything that it saved.
    async fn launch(&mut self, frames: &FrameSet) -> Result<(End, Option<StopReason>), Error> {
        let mix_audio = self.audio.is_wanted();
        let launch = Launch { frames, mix_audio, ..self.assignment.launch };
        let (worker, scene) = (self.worker(), &self.job().scene);
        let space = Space::on(launch.frames_dir).ok();
        if let Some(space) = space.clone().filter(Space::is_full) {
            let (scene, missing) = (scene.clone(), self.ledger.missing());
            return Err(Error::ScratchFull { scene, missing, space, needed: None });
        }
        self.launch = LaunchState::begin(launch.arranged(), space);
        self.ledger.launch_begins();
        let command = launch.command();
        tracing::info!(target: DETAILS, "starting {}", shell_line(&command));
        self.fingerprints.launch_begins();
        let policy = sandbox_policy::for_blender(worker, &launch, scene);
        let mut child = Running::start(command, Stdin::Null, &worker.sandbox, policy)
            .map_err(|error| Error::spawn(error, launch.blender.to_owned(), BLENDER))?;
        let (end, stop) = self.follow(&mut child).await;
        // If Blender ended by itself after a Spot notice, do not launch it again.
        self.stop_if_noticed();
        self.log.end();
        self.settle_file_check().await;
        if self.launch.refused.is_none() {
            self.store_remaining(stop.as_ref()).await;
        } else {
            self.delivery.abort().await;
        }
        tokio::select! {
            () = self.fingerprints.settled(worker.timeouts.fingerprint) => {}
            () = worker.shutdown.no_time_to_store() => {}
        }
        self.settle_view_lut().await;
        self.store_audio().await;
        let kills = self.launch.memory.kills();
        if kills > 0 {
            tracing::warn!("the kernel killed {kills} of our processes for lack of memory");
        }
        let crash_file = self.store_crash_file(launch.home).await;
        self.reports.push(LaunchReport {
            frames: frames.to_string(),
            seconds: self.launch.began.elapsed().as_secs_f64().round(),
            simulation: match self.launch.simulation {
                (0, _) => None,
                (frames, seconds) => Some(SimulationReport { frames, seconds }),
            },
            ended: match (&stop, end) {
                (Some(stop), _) => stop.to_string(),
                (None, End::Own(ending)) => ending.to_string(),
                (None, End::Stopped) => "stopped".to_owned(),
            },
            frame_in_hand: None,
            cause: None,
            crash_file,
        });
        Ok((end, stop))
    }

    /// Waits until the LUT is stored. If that fails, the report does not name it.
    async fn settle_view_lut(&mut self) {
        let worker = self.worker();
        let (stored, no_time) = (self.view_lut.settled(), worker.shutdown.no_time_to_store());
        if let Err(why) = in_time(stored, no_time, worker.timeouts.companion).await
            && let Some(view) = self.scene.as_mut().and_then(|scene| scene.view.as_mut())
        {
            view.lut = None;
            tracing::warn!("{}: {why}", view_lut::lost(view));
        }
    }

    /// Stores the scene's sound, if Blender has mixed it.
    async fn store_audio(&mut self) {
        if !self.audio.is_wanted() || self.scene.as_ref().is_none_or(|scene| scene.audio.is_none())
        {
            return;
        }
        let worker = self.worker();
        let result = tokio::select! {
            stored = self.audio.store() => stored,
            () = worker.shutdown.no_time_to_store() => Err("there is no time left".to_owned()),
            () = sleep(worker.timeouts.storing) => {
                Err("storage did not respond in time".to_owned())
            }
        };
        let why = match result {
            Ok(true) => return,
            // The next launch tries again.
            Ok(false) if self.launch.all_stored_since.is_none() => return,
            Ok(false) => "Blender ended before it had mixed it".to_owned(),
            Err(why) => why,
        };
        tracing::warn!("the scene's sound is not stored, so a video will be silent: {why}");
    }

    /// Stores Blender's crash file, if there is one. The result is its name in the output.
    async fn store_crash_file(&self, home: &Path) -> Option<String> {
        let text = crash_file::take(home)?;
        let stored = self.reports.iter().filter(|launch| launch.crash_file.is_some()).count();
        if stored >= MAX_CRASH_FILES {
            return None;
        }
        let (stem, number) = (self.assignment.report_stem, self.reports.len() + 1);
        let name = format!("{stem}-launch-{number}.crash.txt");
        let location = self.job().output.join(REPORTS_DIR).join(&name);
        let worker = self.worker();
        let written = worker.storage.write(&location, text.into());
        let no_time = worker.shutdown.no_time_to_store();
        match in_time(written, no_time, worker.timeouts.crash_file).await {
            Ok(()) => {
                tracing::warn!("Blender crashed; its crash file is stored as {location}");
                Some(name)
            }
            Err(why) => {
                tracing::warn!("cannot store Blender's crash file as {location}: {why}");
                None
            }
        }
    }
}

fn remove_leftover(file: &Path) {
    if std::fs::remove_file(file).is_ok() {
        tracing::debug!("removed the leftover {}", file.display());
    }
}
