//! The launches of Blender that render a frame set.
//!
//! Blender is started with all pending frames. The frames that it saves are delivered while it
//! goes on. When it has ended, the verdict is one of three: everything is stored, Blender is
//! started again with the rest, or another launch would not help.

mod crash_file;
mod deliveries;
mod disk;
mod failure_counts;
mod follow;
mod launch;
mod ledger;
mod rendering;
mod scene_answer;
mod spot_decision;
mod verdict;

use std::collections::BTreeMap;
use std::path::Path;

use crate::blender::{Launch, SceneInfo};
use crate::error::Error;
use crate::process::supervisor::{End, Running, Stdin, shell_line};
use crate::render::reuse::fingerprint_task::FingerprintTask;
use crate::request::{FrameFile, FrameSet, ImageFormat, REPORTS_DIR};
use crate::space::Space;
use crate::worker::programs::BLENDER;
use crate::worker::report::{FrameReport, LaunchReport};
use crate::worker::{in_time, sandbox_policy};
use launch::{LaunchState, StopReason};
use rendering::Rendering;

pub use rendering::Assignment;
pub use scene_answer::ANSWER;

/// How many crash files of an attempt are stored. The same frame crashes Blender in the same way.
const CRASH_FILES: usize = 10;

/// What came of a rendering.
#[derive(Debug)]
pub struct Outcome {
    /// Whether every frame is stored, or why not.
    pub result: Result<(), Error>,
    /// The scene, if Blender came so far as to describe it.
    pub scene: Option<SceneInfo>,
    /// Every launch.
    pub launches: Vec<LaunchReport>,
    /// The frames that were rendered and stored, by number.
    pub stored: BTreeMap<i32, FrameReport>,
    /// The frames that were given up, by number, and why.
    pub skipped: BTreeMap<i32, String>,
}

/// Renders and delivers the frames of an assignment.
pub async fn render_frames(assignment: Assignment<'_>, fingerprints: FingerprintTask) -> Outcome {
    let mut rendering = Rendering::new(assignment, fingerprints);
    let result = rendering.run().await;
    let (stored, skipped) = rendering.ledger.into_report();
    Outcome { result, scene: rendering.scene, launches: rendering.reports, stored, skipped }
}

impl Rendering<'_> {
    /// Starts Blender until every frame is stored, or another launch would not help.
    async fn run(&mut self) -> Result<(), Error> {
        loop {
            let frames = self.ledger.next_launch();
            if frames.is_empty() {
                return self.conclude();
            }
            if let Some(by) = self.worker().shutdown.stop_if_noticed() {
                return Err(self.interrupted(by));
            }
            self.remove_leftovers(&frames);
            let (end, stop) = self.launch(&frames).await?;
            if let Some(cause) = self.judge(end, stop)? {
                self.count_failure(&cause)?;
            }
        }
    }

    /// Removes what an earlier launch left in scratch of these frames. Whole frames are stored.
    fn remove_leftovers(&self, frames: &FrameSet) {
        // An old answer of the setup script would be taken for the new one.
        _ = std::fs::remove_file(self.assignment.launch.answer_dir.join(ANSWER));
        for frame in frames.iter().filter(|_| !self.reports.is_empty()) {
            for format in ImageFormat::ALL {
                let file = self.frames_dir().join(FrameFile::name(frame, format));
                if std::fs::remove_file(&file).is_ok() {
                    tracing::debug!("removed {}", file.display());
                }
            }
        }
    }

    /// One launch, from the start of Blender until everything that it saved is stored.
    async fn launch(&mut self, frames: &FrameSet) -> Result<(End, Option<StopReason>), Error> {
        let launch = Launch { frames, ..self.assignment.launch };
        let (worker, scene) = (self.worker(), &self.job().scene);
        let space = Space::on(launch.frames_dir).ok();
        if let Some(space) = space.clone().filter(Space::is_full) {
            let (scene, missing) = (scene.clone(), self.ledger.missing());
            return Err(Error::ScratchFull { scene, missing, space, needed: None });
        }
        self.launch = LaunchState::begin(frames.clone(), space);
        self.ledger.launch_begins();
        let command = launch.command();
        tracing::info!("starting {}", shell_line(&command));
        self.fingerprints.launch_begins();
        let policy = sandbox_policy::for_blender(worker, &launch, scene);
        let mut child = Running::start(command, Stdin::Null, &worker.sandbox, policy)
            .map_err(|error| Error::spawn(error, launch.blender.to_owned(), BLENDER))?;
        let (end, stop) = self.follow(&mut child).await;
        // Blender may have ended by itself after a Spot notice: no launch follows.
        worker.shutdown.stop_if_noticed();
        self.log.end();
        self.store_the_rest(stop.as_ref()).await;
        tokio::select! {
            () = self.fingerprints.settled(worker.timeouts.fingerprint) => {}
            () = worker.shutdown.no_time_to_store() => {}
        }
        let kills = self.launch.memory.kills();
        if kills > 0 {
            tracing::warn!("the system killed {kills} of our processes for lack of memory");
        }
        let crash_file = self.keep_crash_file(launch.home).await;
        self.reports.push(LaunchReport {
            frames: frames.to_string(),
            seconds: self.launch.began.elapsed().as_secs_f64().round(),
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

    /// Stores the crash file of Blender, if there is one. The result is its name.
    async fn keep_crash_file(&self, home: &Path) -> Option<String> {
        let text = crash_file::take(home)?;
        let kept = self.reports.iter().filter(|launch| launch.crash_file.is_some()).count();
        if kept >= CRASH_FILES {
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
                tracing::warn!("Blender crashed and wrote why: {location}");
                Some(name)
            }
            Err(why) => {
                tracing::warn!("the crash file of Blender is not stored: {why}");
                None
            }
        }
    }
}
