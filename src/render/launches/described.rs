//! What follows from the description of the scene: warnings, checks of the files that the pictures
//! need, and the end of a job that does not accept these pictures.

use std::collections::BTreeSet;
use std::path::Path;

use super::disk::space_for_frames;
use super::launch::StopReason;
use super::rendering::Rendering;
use crate::blender::{
    Answer, Cause, ExternalFile, MOST_NAMED, Maker, MappedPath, MissingFeature, SceneDescription,
    SceneInfo, SceneOutputs, UnusableFile,
};
use crate::printable::printable;
use crate::render::description_file;
use crate::request::{BlenderVersion, Engine, Feature, FrameSelection, OUTPUTS_DIR, Unbaked};
use crate::worker::file_check::{self, FileCheck};

impl Rendering<'_> {
    /// Reads the setup script's description of the scene once it is there. The result is the reason
    /// to stop Blender, if there is one.
    pub fn look_for_description(&mut self) -> Option<StopReason> {
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
        let SceneDescription { mut scene, external, needed, outputs, cut_off, contents: _, mapped } =
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
        if is_news {
            log_mapped(&mapped);
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
            let external = external.map(|files| self.outside_of_project(files));
            self.fingerprints.scene_described(&scene, external, &outputs, check.clone());
            self.file_check = Some(check);
        }
        self.outputs = outputs;
        if let Some(earlier) = self.scene.take() {
            scene.add_from(earlier);
        }
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

    /// The external files that are not in the project of the scene. The contents of those in it are a
    /// part of the scene's identity.
    fn outside_of_project(&self, mut files: BTreeSet<ExternalFile>) -> BTreeSet<ExternalFile> {
        if let Some(project) = self.assignment.launch.project {
            // The scene file is in the project, and so is what lies beside it.
            files.retain(|file| {
                !file.name().starts_with("//")
                    && !Path::new(file.name()).starts_with(&project.folder)
            });
        }
        files
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

    /// Handles the files that the setup script has found to be unusable. The result is the cause of
    /// a refusal, unless the job accepts them.
    fn check_files(&self, scene: &mut SceneInfo) -> Option<Cause> {
        for file in &mut scene.unusable_files {
            let project = self.assignment.launch.project.map(|project| project.folder.as_path());
            file_check::explain(file, &self.job().scene, project);
        }
        // An earlier launch may have named some.
        let known = self.scene.as_ref().map_or(&[][..], |before| &before.unusable_files);
        let is_new = |file: &&UnusableFile| !known.iter().any(|other| other.is_same_as(file));
        let new: Vec<_> = scene.unusable_files.iter().filter(is_new).cloned().collect();
        self.log_files(&new);
        file_check::refusal(&scene.unusable_files, self.job().missing_files)
    }

    /// Handles the result of looking into the other files: the damaged ones. The result is a reason
    /// to stop Blender, unless the job accepts them.
    pub fn files_are_checked(&mut self, damaged: Vec<UnusableFile>) -> Option<StopReason> {
        let refusal = file_check::refusal(&damaged, self.job().missing_files);
        let new = self.scene.as_mut().map(|scene| scene.add_unusable(damaged));
        self.log_files(&new.unwrap_or_default());
        self.launch.refused.clone_from(&refusal);
        refusal.map(StopReason::Refused)
    }

    /// Waits for the check of the files, now that Blender has ended.
    pub async fn settle_file_check(&mut self) {
        if self.file_check.is_some() {
            let shutdown = &self.assignment.worker.shutdown;
            let damaged = tokio::select! {
                damaged = checked(&mut self.file_check) => damaged,
                () = shutdown.no_time_to_store() => Vec::new(),
            };
            self.files_are_checked(damaged);
        }
    }

    fn log_files(&self, files: &[UnusableFile]) {
        file_check::log(files, self.job().missing_files, "rendering");
    }
}

/// Waits for the result of a check, which is then taken; forever if none is under way. Cancel safe.
pub(super) async fn checked(check: &mut Option<FileCheck>) -> Vec<UnusableFile> {
    let Some(under_way) = check else { return std::future::pending().await };
    let damaged = under_way.done().await;
    *check = None;
    damaged
}

/// A warning that frames are rendered which the scene's own step leaves out, unless they were chosen
/// one by one.
fn frame_step_warning(scene: &SceneInfo, frames: &FrameSelection) -> Option<String> {
    let step = scene.frame_step;
    let range = scene.range().filter(|_| frames.is_by_range() && step > 1)?;
    Some(format!(
        "the scene's frame step is {step}, and every frame is rendered: --frames {range}x{step} \
         (FRAMES) renders only the scene's own"
    ))
}

/// Logs what the scene makes besides its frames, and warns that it is not where the scene says.
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
    let files = files.join(", ");
    let from_nodes = outputs.files.iter().any(|file| matches!(file.maker, Maker::Node { .. }));
    if from_nodes {
        tracing::warn!(
            "what the File Output nodes save is stored in the output, not in the folders that the \
             scene names: {files}"
        );
    } else {
        tracing::info!("the scene makes more than its frames: {files}");
    }
}

/// Logs which paths in the scene were led to files of its project.
fn log_mapped(mapped: &[MappedPath]) {
    for MappedPath { from, to } in mapped.iter().take(MOST_NAMED) {
        tracing::info!("{} is {} of the project", printable(from), printable(to));
    }
    if let Some(more @ 1..) = mapped.len().checked_sub(MOST_NAMED) {
        tracing::info!("{more} more paths lead to files of the project");
    }
}

/// The devices as the log names them, after the engine.
fn on_devices(devices: &[String]) -> String {
    if devices.is_empty() { String::new() } else { format!(" on {}", devices.join(" and ")) }
}
