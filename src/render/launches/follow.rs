//! Follows a running Blender: turns its output into progress, delivers the frames that it saves,
//! and stops it, for example when it stalls or the disk is full.

use std::path::Path;
use std::time::Duration;

use tokio::time::sleep_until;

use super::described::checked;
use super::launch::StopReason;
use super::rendering::Rendering;
use super::spot_decision;
use crate::blender::{Event, Progress, not_saved};
use crate::process::shutdown::Stage;
use crate::process::supervisor::watchdog::Watchdog;
use crate::process::supervisor::{self, End, Running};
use crate::request::{FrameNumber, FrameSet, ImageFormat};
use crate::space::Space;
use crate::worker::CHILD_GRACE;

/// How often the progress of the frame in hand is logged.
const HEARTBEAT: Duration = Duration::from_secs(15);

impl Rendering<'_> {
    /// Follows Blender until it ends, and stops it for the first reason that occurs.
    pub async fn follow(&mut self, child: &mut Running) -> (End, Option<StopReason>) {
        let (worker, launch) = (self.worker(), self.assignment.launch);
        let shutdown = worker.shutdown.clone();
        let folders = [launch.frames_dir, launch.outputs_dir, launch.home];
        let folders = folders.map(Path::to_owned).into();
        let (stall, frame) = (worker.limits.stall.get(), worker.limits.frame.get());
        let mut watchdog = Watchdog::watch(child.group(), folders, stall, frame);
        let (mut stage, mut stopped) = (Stage::Working, None);
        loop {
            let stopping = stopped.is_some();
            let all_stored = self.launch.all_stored_since.is_some();
            let is_mixing = all_stored && self.is_mixing();
            let deadline = self.launch.quit_deadline(is_mixing);
            let overdue = async {
                match deadline {
                    Some(deadline) => sleep_until(deadline.into()).await,
                    None => std::future::pending().await,
                }
            };
            // A paused Blender cannot work. One whose frames are all stored has no frame that could
            // take too long.
            let excused = child.is_paused() || all_stored;
            let steps = self.launch.steps();
            let stop = tokio::select! {
                event = child.next() => match event {
                    supervisor::Event::Line(_, line) => {
                        watchdog.sign_of_life();
                        self.line(&line)
                    }
                    supervisor::Event::Ended(end) => {
                        // Blender may have written the description without announcing it.
                        let stop = self.look_for_description();
                        return (end, stopped.or(stop));
                    }
                },
                delivered = self.delivery.next() => {
                    self.delivered(delivered);
                    let disk_full = self.launch.disk_full.take().map(StopReason::DiskFull);
                    disk_full.or_else(|| self.storage_stop_reason())
                }
                damaged = checked(&mut self.file_check) => self.files_are_checked(damaged),
                reached = shutdown.beyond(stage) => {
                    let is_new = stage < Stage::Noticed;
                    stage = reached;
                    worker.stop_child(child, stage);
                    // If the notice leaves no time, the next stage is reached at once.
                    if is_new && shutdown.noticed().is_some() {
                        self.spot_notice();
                    }
                    self.stop_requested().map(StopReason::Interrupted)
                }
                () = overdue, if !stopping => Some(StopReason::Idle),
                () = watchdog.sample(), if !stopping => {
                    let space = Space::on(launch.frames_dir).ok();
                    space.filter(Space::is_full).map(StopReason::DiskFull)
                }
            };
            watchdog.time_passes(excused);
            if self.launch.steps() > steps {
                watchdog.next_step();
            }
            if stopping {
                continue;
            }
            // After a Spot notice, this process may stop before the others.
            let stop = stop.or_else(|| self.given_up.map(StopReason::Interrupted));
            if let Some(stop) = stop.or_else(|| watchdog.alarm().map(StopReason::Alarm)) {
                tracing::warn!("{stop}");
                stopped = Some(stop);
                child.stop(CHILD_GRACE);
            } else {
                self.throttle(child);
            }
        }
    }

    /// Pauses Blender while the backlog is full.
    fn throttle(&mut self, child: &mut Running) {
        let backlog = self.delivery.backlog();
        let (size, limit) = (backlog.size(), self.job().max_backlog);
        if !child.is_paused() && backlog.is_full() {
            child.pause();
            self.launch.paused();
            tracing::warn!(
                "Blender is paused: {size} wait to be stored, more than {limit} (--max-backlog, \
                 MAX_BACKLOG): {}",
                backlog.frames().named()
            );
        } else if child.is_paused() && backlog.has_room() {
            child.resume();
            self.launch.resumed();
            tracing::info!("Blender is resumed: {size} wait to be stored");
        }
    }

    /// Handles a line of the log. The result is the reason to stop Blender, if there is one.
    fn line(&mut self, line: &str) -> Option<StopReason> {
        if let Some(path) = not_saved(line) {
            self.not_saved(Path::new(path));
        }
        match self.launch.tail.push(line) {
            Event::Progress(progress) => {
                tracing::debug!(program = self.process.program, "{line}");
                self.show_progress(progress);
            }
            Event::Saved(path) => {
                tracing::debug!(program = self.process.program, "{line}");
                let stop = self.look_for_description();
                self.saved(Path::new(path));
                return stop;
            }
            Event::Described => {
                tracing::debug!(program = self.process.program, "{line}");
                return self.look_for_description();
            }
            Event::Simulates { frames: (first, last), before } => {
                self.launch.is_simulating = true;
                let frames = FrameSet::from_bounds(first, last).named();
                tracing::info!("simulating {frames} before frame {before}");
            }
            Event::Simulated { frame, seconds } => {
                tracing::debug!(program = self.process.program, "{line}");
                self.launch.frame_simulated(frame, seconds);
            }
            Event::Timing => tracing::debug!(program = self.process.program, "{line}"),
            Event::Error(_) => {
                self.log.pass(|| tracing::error!(program = self.process.program, "{line}"));
            }
            Event::Doubt => self.doubt(line),
            // The setup script has named those that may not run.
            Event::FailedDriver if self.job().enable_autoexec => self.doubt(line),
            Event::FailedDriver | Event::Other => {
                self.log.pass(|| tracing::info!(program = self.process.program, "{line}"));
            }
        }
        None
    }

    /// Logs a line after which the pictures may be wrong: the first one as a warning.
    fn doubt(&mut self, line: &str) {
        if std::mem::replace(&mut self.has_doubts, true) {
            self.log.pass(|| tracing::info!(program = self.process.program, "{line}"));
        } else {
            tracing::warn!(
                program = self.process.program,
                "{}: Blender goes on, but its pictures may be wrong",
                line.trim_end_matches([':', '.'])
            );
        }
    }

    fn show_progress(&mut self, progress: Progress) {
        self.launch.rendering = progress.frame.or(self.launch.rendering);
        if let (Some(frame), Some((done, total))) = (progress.frame, progress.samples) {
            self.process.progress.set_current(frame, f64::from(done) / f64::from(total.max(1)));
            if self.process.progress.is_due(HEARTBEAT) {
                tracing::info!(
                    frame = frame.get(),
                    "frame {frame}: sample {done} of {total}; stored {}",
                    self.process.progress
                );
            }
        }
    }

    /// Delivers a frame once Blender has reported it and its further views as saved. It saves the
    /// other side files before these. Files that are not of a frame are ignored: a scene may write
    /// some of its own.
    fn saved(&mut self, path: &Path) {
        if self.launch.refused.is_some() {
            return;
        }
        let Some((frame, format)) = self.frame_saved_at(path) else { return };
        if !self.launch.frames.contains(frame) || self.ledger.is_stored(frame) {
            return;
        }
        self.launch.announced.insert(path.to_owned());
        let dirs = self.assignment.launch.saved_in();
        let first = self.frame_file(frame, format);
        let mut files: Vec<_> = self.outputs.views().map(|view| view.saved(dirs, frame)).collect();
        files.push(first.clone());
        if !files.iter().all(|file| self.launch.announced.contains(file)) {
            return;
        }
        self.launch.announced.remove(&first);
        let elapsed = self.launch.frame_saved(frame);
        self.ledger.record_saved(frame, elapsed.as_secs_f64());
        self.deliver(frame, format);
        if self.launch.stop_after_frame {
            self.stop_if_noticed();
        }
    }

    /// Notes that a side file is missing because Blender cannot save it.
    fn not_saved(&mut self, path: &Path) {
        let dirs = self.assignment.launch.saved_in();
        let mut outputs = self.outputs.files.iter();
        let frame = outputs.find_map(|output| output.frame_saved_at(dirs, path));
        if frame.is_some_and(|frame| self.launch.frames.contains(frame)) {
            self.launch.announced.insert(path.to_owned());
        }
    }

    /// The frame that a file belongs to, and the format of the frame.
    fn frame_saved_at(&self, path: &Path) -> Option<(FrameNumber, ImageFormat)> {
        let name = path.file_name()?.to_str()?;
        if let Some(file) = self.outputs.parse_saved_name(name)
            && path == self.frame_file(file.number, file.format)
        {
            return Some((file.number, file.format));
        }
        let dirs = self.assignment.launch.saved_in();
        let mut outputs = self.outputs.files.iter();
        let frame = outputs.find_map(|output| output.frame_saved_at(dirs, path))?;
        Some((frame, self.scene.as_ref()?.format()?))
    }

    /// Whether Blender still has to mix the scene's sound.
    fn is_mixing(&self) -> bool {
        let has_audio = self.scene.as_ref().is_some_and(|scene| scene.audio.is_some());
        has_audio && self.audio.is_wanted() && !self.audio.is_mixed()
    }

    /// Handles a Spot notice: finishes the frame in hand if there is time.
    fn spot_notice(&mut self) {
        let (frames, saved) = (&self.launch.frames, &self.launch.saved);
        let unsaved = frames.iter().filter(|frame| !saved.contains(frame)).collect();
        // What is simulated before a frame is lost anyway.
        let in_hand = self.launch.in_hand(&unsaved).filter(|_| !self.launch.is_simulating);
        let (Some(frame), Some(time)) = (in_hand, self.worker().shutdown.time_to_finish()) else {
            self.stop_if_noticed();
            return;
        };
        let elapsed = self.launch.frame_elapsed();
        let seconds = self.ledger.recent_seconds();
        let left = spot_decision::time_left(seconds, elapsed, self.process.progress.fraction());
        self.launch.stop_after_frame = spot_decision::is_finished(left, time);
        tracing::warn!(
            frame = frame.get(),
            "Spot notice: {}",
            spot_decision::describe(frame, left, time)
        );
        if !self.launch.stop_after_frame {
            self.stop_if_noticed();
        }
    }
}
