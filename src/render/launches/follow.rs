//! Follows a running Blender: turns its output into progress, delivers the frames that it saves,
//! and stops it, for example when it stalls or the disk is full.

use std::path::Path;
use std::time::Duration;

use tokio::time::sleep_until;

use super::disk::space_for_frames;
use super::launch::StopReason;
use super::needed_files::checked;
use super::rendering::Rendering;
use super::spot_decision;
use crate::blender::{
    Answer, Cause, Event, MissingFeature, Progress, SceneDescription, SceneInfo, SceneOutputs,
    not_saved,
};
use crate::process::shutdown::Stage;
use crate::process::supervisor::watchdog::Watchdog;
use crate::process::supervisor::{self, End, Running};
use crate::render::description_file;
use crate::render::file_check::FileCheck;
use crate::request::{
    BlenderVersion, Engine, Feature, FrameNumber, FrameSelection, FrameSet, ImageFormat,
    OUTPUTS_DIR, Unbaked,
};
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
                    stage = reached;
                    worker.stop_child(child, stage);
                    if stage == Stage::Noticed {
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
            Event::Other => {
                self.log.pass(|| tracing::info!(program = self.process.program, "{line}"));
            }
        }
        None
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

    /// Reads the setup script's description of the scene once it is there. The result is the reason
    /// to stop Blender, if there is one.
    fn look_for_description(&mut self) -> Option<StopReason> {
        if self.launch.described {
            return None;
        }
        let description = description_file::read(self.assignment.launch.description_dir)?;
        self.launch.described = true;
        match description {
            Ok(Answer::Described(description)) => self.scene_is_open(*description),
            Ok(Answer::Refused { refused }) => Some(self.refuse(Cause::Refused(refused))),
            Err(why) => {
                tracing::warn!(
                    "cannot read Blender's description of the scene, so frames are stored without \
                     a fingerprint, and the next attempt will render them again: {why}"
                );
                None
            }
        }
    }

    /// Handles the description of the scene. The result is a reason to stop Blender if it cannot
    /// render the scene, or the frames do not fit on the scratch disk.
    fn scene_is_open(&mut self, description: SceneDescription) -> Option<StopReason> {
        let SceneDescription { mut scene, external, needed, outputs, cut_off, contents: _ } =
            description;
        self.launch.tail.mark_scene_open();
        let lacking = self.check_features(&mut scene);
        scene.warnings.extend(frame_step_warning(&scene, &self.job().frames));
        let is_news = self.scene.is_none() && self.process.is_first();
        self.tell_of_simulations(&mut scene, is_news);
        for warning in scene.warnings.iter().filter(|_| is_news) {
            tracing::warn!("{warning}");
        }
        if self.process.is_first() || !scene.devices.is_empty() {
            tracing::info!(
                "Blender {}, {}{}, {}x{}, frames in {}",
                scene.blender,
                scene.engine,
                on_devices(&scene.devices),
                scene.width,
                scene.height,
                scene.format().map_or_else(|| scene.extension.clone(), |f| f.to_string()),
            );
        }
        if let Some(name) = scene.output_name.as_ref().filter(|_| is_news) {
            tracing::info!(
                "the scene names its frames {name}; they are stored as 0001{ext} and so on",
                ext = scene.extension
            );
        }
        if let Some(view) = &mut scene.view {
            let view = self.view_lut.accept(self.assignment.launch.description_dir, view);
            self.delivery.set_view(view.unwrap_or_default());
        }
        let space_needed = space_for_frames(&scene, &outputs);
        if is_news {
            announce(&outputs);
        }
        let refusal = self.refusal(&mut scene, lacking, cut_off);
        if refusal.is_none() {
            let check = FileCheck::start(needed);
            self.delivery.hold_until(&check, self.job().missing_files);
            self.fingerprints.scene_described(&scene, external, &outputs, check.clone());
            self.file_check = Some(check);
        }
        self.outputs = outputs;
        self.scene = Some(scene);
        if let Some(cause) = refusal {
            return Some(self.refuse(cause));
        }
        // The space was measured before Blender started: by now it may have written frames.
        let space = self.launch.space.take();
        space
            .filter(|space| !space.holds(space_needed))
            .map(|space| StopReason::DiskTooSmall(space, space_needed))
    }

    /// Adds a missing engine to the features that `scene` lacks, and a warning for each feature
    /// that the job allows to be missing. The result is the other missing features.
    fn check_features(&self, scene: &mut SceneInfo) -> Vec<MissingFeature> {
        let job = self.job();
        if job.overrides.engine == Engine::Scene
            && let Some(engine) = self.launch.tail.missing_engine(&scene.name)
        {
            scene.lacks_engine(engine);
        }
        let lacking = scene.not_allowed(&job.allow_missing);
        for lack in scene.lacking.iter().filter(|lack| !lacking.contains(lack)) {
            scene.warnings.push(format!(
                "rendering without {}, which is needed by {} (--allow-missing)",
                lack.feature,
                lack.needed_by.join(", ")
            ));
        }
        lacking
    }

    /// Records that Blender must not render the scene.
    fn refuse(&mut self, cause: Cause) -> StopReason {
        self.launch.refused = Some(cause.clone());
        StopReason::Refused(cause)
    }

    /// Adds a warning about simulations that are left out, or says that they are simulated.
    fn tell_of_simulations(&self, scene: &mut SceneInfo, is_news: bool) {
        if scene.simulations.is_empty() {
            return;
        }
        let names: Vec<_> = scene.simulations.iter().map(|it| it.name.as_str()).collect();
        let names = names.join(", ");
        match self.job().unbaked {
            Unbaked::Allow => scene.warnings.push(format!(
                "--allow-unbaked (ALLOW_UNBAKED): rendering without simulating what is not baked, so \
                 the pictures may differ from those on a desktop: {names}"
            )),
            Unbaked::Refuse | Unbaked::Simulate if is_news => {
                tracing::info!("not baked, so simulated before they are rendered: {names}");
            }
            Unbaked::Refuse | Unbaked::Simulate => {}
        }
    }

    /// Why the job does not accept the pictures of a scene, given the features that it may not lack
    /// and the simulations that its frames cut off.
    fn refusal(
        &self,
        scene: &mut SceneInfo,
        lacking: Vec<MissingFeature>,
        cut_off: Vec<String>,
    ) -> Option<Cause> {
        let unusable = self.check_files(scene);
        if !lacking.is_empty() {
            return Some(self.cause_of_refusal(lacking, &scene.blender));
        }
        let differing = || {
            let is_refused = self.job().strict && !scene.differences.is_empty();
            is_refused.then(|| Cause::Differing(scene.differences.clone()))
        };
        let cut_off = (!cut_off.is_empty()).then_some(Cause::CutOff(cut_off));
        unusable.or(cut_off).or_else(differing)
    }

    fn cause_of_refusal(&self, lacking: Vec<MissingFeature>, running: &str) -> Cause {
        if lacking.iter().any(|lack| lack.feature == Feature::NewerBlender) {
            let running = BlenderVersion::parse(running);
            return Cause::NewerFile { saved_by: self.assignment.header.saved_by, running };
        }
        Cause::Lacking { lacking, running: running.to_owned() }
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
        self.launch.stop_after_frame = left.is_none_or(|left| left <= time);
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

/// A warning that frames are rendered which the scene's own step leaves out, unless they were chosen
/// one by one.
fn frame_step_warning(scene: &SceneInfo, frames: &FrameSelection) -> Option<String> {
    let by_range = match frames {
        FrameSelection::Animation(_) | FrameSelection::Slice { .. } => true,
        FrameSelection::Exactly(_) | FrameSelection::PartOf { .. } => false,
    };
    let step = scene.frame_step;
    let range = scene.range().filter(|_| by_range && step > 1)?;
    Some(format!(
        "the scene's frame step is {step}, and every frame is rendered: --frames {range}x{step} \
         (FRAMES) renders only the scene's own"
    ))
}

/// Logs what the scene makes besides its frames.
fn announce(outputs: &SceneOutputs) {
    /// How many files are listed.
    const MOST_LISTED: usize = 20;

    let files = outputs.files.iter().take(MOST_LISTED);
    let files = files.map(|output| format!("{OUTPUTS_DIR}/{}/{}", output.folder, output.pattern()));
    let mut files: Vec<_> = files.collect();
    if files.is_empty() {
        return;
    }
    let more = outputs.files.len() - files.len();
    if more > 0 {
        files.push(format!("and {more} more"));
    }
    tracing::info!(
        "the scene makes more than its frames (File Output nodes, further views): {}",
        files.join(", ")
    );
}

/// The devices as the log names them, after the engine.
fn on_devices(devices: &[String]) -> String {
    if devices.is_empty() { String::new() } else { format!(" on {}", devices.join(" and ")) }
}
