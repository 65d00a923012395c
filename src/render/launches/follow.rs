//! Following a Blender that runs: what it prints becomes progress, what it saves is delivered,
//! and when it does nothing for too long, or the disk is full, it is stopped.

use std::path::Path;
use std::time::{Duration, Instant};

use tokio::time::sleep_until;

use super::disk::room_for_frames;
use super::launch::StopReason;
use super::rendering::Rendering;
use super::{scene_answer, spot_decision};
use crate::blender::{Answer, Cause, Event, Lack, Progress};
use crate::process::shutdown::Stage;
use crate::process::supervisor::watchdog::Watchdog;
use crate::process::supervisor::{self, End, Running};
use crate::request::{BlenderVersion, Engine, Feature, FrameFile};
use crate::space::Space;
use crate::worker::CHILD_GRACE;

/// How long Blender has to quit once every frame is stored. Freeing a large scene takes
/// seconds; an add-on that never lets Blender quit must not hold the job.
const QUIT_GRACE: Duration = Duration::from_secs(20);

/// How often the log mentions the frame in hand.
const HEARTBEAT: Duration = Duration::from_secs(15);

impl Rendering<'_> {
    /// Follows Blender until it ends. It is stopped for the first reason that comes up.
    pub async fn follow(&mut self, child: &mut Running) -> (End, Option<StopReason>) {
        let (worker, launch) = (self.worker(), self.assignment.launch);
        let shutdown = worker.shutdown.clone();
        let folders = vec![launch.frames_dir.to_owned(), launch.home.to_owned()];
        let (stall, frame) = (worker.limits.stall.get(), worker.limits.frame.get());
        let mut watchdog = Watchdog::watch(child.group(), folders, stall, frame);
        let (mut stage, mut stopped) = (Stage::Working, None);
        loop {
            let stopping = stopped.is_some();
            let all_stored = self.launch.all_stored_since;
            let overdue = async {
                match all_stored {
                    Some(since) => sleep_until((since + QUIT_GRACE).into()).await,
                    None => std::future::pending().await,
                }
            };
            // A paused Blender cannot work, and one that has saved everything has no frame to be
            // late with.
            let excused = child.is_paused() || all_stored.is_some();
            let saved = self.launch.saved.len();
            let stop = tokio::select! {
                event = child.next() => match event {
                    supervisor::Event::Line(_, line) => {
                        watchdog.sign_of_life();
                        self.line(&line)
                    }
                    supervisor::Event::Ended(end) => {
                        // The description may be there though its announcement is not.
                        let stop = self.look_for_answer();
                        return (end, stopped.or(stop));
                    }
                },
                delivered = self.delivery.next() => {
                    self.delivered(delivered);
                    self.launch.disk_full.take().map(StopReason::DiskFull).or_else(|| self.futile())
                }
                reached = shutdown.beyond(stage) => {
                    stage = reached;
                    worker.stop_child(child, stage);
                    if stage == Stage::Noticed {
                        self.spot_notice();
                    }
                    shutdown.requested().map(StopReason::Interrupted)
                }
                () = overdue, if !stopping => Some(StopReason::Idle),
                () = watchdog.look(), if !stopping => {
                    let space = Space::on(launch.frames_dir).ok();
                    space.filter(Space::is_full).map(StopReason::DiskFull)
                }
            };
            watchdog.time_passes(excused);
            if self.launch.saved.len() > saved {
                watchdog.next_step();
            }
            if stopping {
                continue;
            }
            if let Some(stop) = stop.or_else(|| watchdog.alarm().map(StopReason::Alarm)) {
                tracing::warn!("{stop}");
                stopped = Some(stop);
                child.stop(CHILD_GRACE);
            } else {
                self.throttle(child);
            }
        }
    }

    /// Pauses Blender while too much of what it saved is not stored.
    fn throttle(&self, child: &mut Running) {
        let backlog = self.delivery.backlog();
        let (size, limit) = (backlog.size(), self.job().max_backlog);
        if !child.is_paused() && backlog.is_full() {
            child.pause();
            let frames = backlog.frames();
            tracing::warn!(
                "Blender is paused: {size} wait to be stored, more than {limit} (--max-backlog, \
                 MAX_BACKLOG); frames {frames}"
            );
        } else if child.is_paused() && backlog.has_room() {
            child.resume();
            tracing::info!("Blender goes on: {size} wait to be stored");
        }
    }

    /// Takes a line of the log. The result is why Blender must be stopped, if it must.
    fn line(&mut self, line: &str) -> Option<StopReason> {
        match self.launch.tail.push(line) {
            Event::Progress(progress) => {
                tracing::debug!(program = "blender", "{line}");
                self.show_progress(progress);
            }
            Event::Saved(path) => {
                tracing::debug!(program = "blender", "{line}");
                let stop = self.look_for_answer();
                self.saved(Path::new(path));
                return stop;
            }
            Event::Described => {
                tracing::debug!(program = "blender", "{line}");
                return self.look_for_answer();
            }
            Event::Timing => tracing::debug!(program = "blender", "{line}"),
            Event::Error(_) => {
                self.log.pass(|| tracing::error!(program = "blender", "{line}"));
            }
            Event::Other => self.log.pass(|| tracing::info!(program = "blender", "{line}")),
        }
        None
    }

    fn show_progress(&mut self, progress: Progress) {
        self.launch.rendering = progress.frame.or(self.launch.rendering);
        if let (Some(frame), Some((done, total))) = (progress.frame, progress.samples) {
            self.progress.at_work(frame, f64::from(done) / f64::from(total.max(1)));
            if self.progress.is_due(HEARTBEAT) {
                tracing::info!(
                    frame = frame.get(),
                    "frame {frame}: sample {done} of {total}; stored {}",
                    self.progress
                );
            }
        }
    }

    /// Reads the setup script's description of the scene, once it is there. The result is why
    /// Blender must be stopped, if it must.
    fn look_for_answer(&mut self) -> Option<StopReason> {
        if self.launch.described {
            return None;
        }
        let answer = scene_answer::read(self.assignment.launch.answer_dir)?;
        self.launch.described = true;
        match answer {
            Ok(answer) => self.scene_is_open(answer),
            Err(why) => {
                tracing::warn!(
                    "Blender's description of the scene cannot be read, so frames are stored \
                     without a fingerprint, and the next attempt renders them again: {why}"
                );
                None
            }
        }
    }

    /// Blender has opened the scene and described it: can it render the scene, and is there room
    /// for the frames?
    fn scene_is_open(&mut self, Answer { mut scene, external }: Answer) -> Option<StopReason> {
        let job = self.job();
        self.launch.tail.scene_is_open();
        if job.engine == Engine::Scene
            && let Some(engine) = self.launch.tail.missing_engine(&scene.name)
        {
            let needed_by = vec![format!("scene {}, which is set to {engine}", scene.name)];
            scene.lacking.push(Lack { feature: Feature::Engine, needed_by });
        }
        let lacking = scene.not_allowed(&job.allow_missing);
        for lack in scene.lacking.iter().filter(|lack| !lacking.contains(lack)) {
            scene.warnings.push(format!(
                "rendering without what is allowed to be missing ({}), which is needed by {}",
                lack.feature,
                lack.needed_by.join(", ")
            ));
        }
        for warning in scene.warnings.iter().filter(|_| self.scene.is_none()) {
            tracing::warn!("{warning}");
        }
        tracing::info!(
            "Blender {}, {}, {}x{}, {} to be delivered",
            scene.blender,
            scene.engine,
            scene.width,
            scene.height,
            scene.format().map_or_else(|| scene.extension.clone(), |f| f.to_string()),
        );
        let needed = room_for_frames(&scene);
        self.fingerprints.scene_described(&scene, external);
        let running = scene.blender.clone();
        self.scene = Some(scene);
        if !lacking.is_empty() {
            let cause = self.cause_of_refusal(lacking, running);
            self.launch.refused = Some(cause.clone());
            return Some(StopReason::Refused(cause));
        }
        // Measured when Blender was started: by now it may have written the first frames.
        let space = self.launch.space.take();
        space.filter(|space| !space.holds(needed)).map(|space| StopReason::NoRoom(space, needed))
    }

    fn cause_of_refusal(&self, lacking: Vec<Lack>, running: String) -> Cause {
        if lacking.iter().any(|lack| lack.feature == Feature::NewerBlender) {
            let running = BlenderVersion::parse(&running);
            return Cause::NewerFile { saved_by: self.assignment.header.saved_by, running };
        }
        Cause::Lacking { lacking, running }
    }

    /// Blender says that it saved a file. A scene may write other files beside our frames.
    fn saved(&mut self, path: &Path) {
        if self.launch.refused.is_some() {
            return;
        }
        let name = path.file_name().and_then(|name| name.to_str());
        let Some(frame) = name.and_then(FrameFile::parse) else { return };
        let file = self.frames_dir().join(FrameFile::name(frame.number, frame.format));
        let asked = self.launch.frames.contains(frame.number);
        if path != file || !asked || self.ledger.is_stored(frame.number) {
            return;
        }
        let now = Instant::now();
        self.ledger.record_saved(frame.number, (now - self.launch.frame_began).as_secs_f64());
        self.launch.frame_began = now;
        self.launch.saved.insert(frame.number);
        self.delivery.accept(frame.number, file, self.fingerprints.of(frame.number));
        if self.launch.stop_after_frame {
            self.worker().shutdown.stop_if_noticed();
        }
    }

    /// The Spot instance will be taken away: the frame in hand is finished if there is time.
    fn spot_notice(&mut self) {
        let shutdown = &self.worker().shutdown;
        let (asked, saved) = (&self.launch.frames, &self.launch.saved);
        let unsaved = asked.iter().filter(|frame| !saved.contains(frame)).collect();
        let in_hand = self.launch.in_hand(&unsaved);
        let (Some(frame), Some(time)) = (in_hand, shutdown.time_to_finish()) else {
            shutdown.stop_if_noticed();
            return;
        };
        let elapsed = self.launch.frame_began.elapsed();
        let seconds = self.ledger.recent_seconds();
        let left = spot_decision::time_left(seconds, elapsed, self.progress.part());
        self.launch.stop_after_frame = left.is_none_or(|left| left <= time);
        tracing::warn!(
            frame = frame.get(),
            "Spot notice: {}",
            spot_decision::describe(frame, left, time)
        );
        if !self.launch.stop_after_frame {
            shutdown.stop_if_noticed();
        }
    }
}
