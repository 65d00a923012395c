//! What follows from files that the pictures need and Blender cannot use: a warning for each, or the
//! end of the job.

use super::launch::StopReason;
use super::rendering::Rendering;
use crate::blender::{Cause, FileProblem, MOST_NAMED, SceneInfo, UnusableFile};
use crate::render::file_check::{self, FileCheck};
use crate::request::MissingFiles;

/// Waits for the result of a check, which is then taken; forever if none is under way. Cancel safe.
pub(super) async fn checked(check: &mut Option<FileCheck>) -> Vec<UnusableFile> {
    let Some(under_way) = check else { return std::future::pending().await };
    let damaged = under_way.done().await;
    *check = None;
    damaged
}

impl Rendering<'_> {
    /// Handles the files that the setup script has found to be unusable. The result is the cause of
    /// a refusal, unless the job accepts them.
    pub fn check_files(&self, scene: &mut SceneInfo) -> Option<Cause> {
        for file in &mut scene.unusable_files {
            file_check::explain(file, &self.job().scene);
        }
        if let Some(before) = &self.scene {
            // An earlier launch has named them.
            let is_damaged = |it: &&UnusableFile| it.problem == FileProblem::Damaged;
            scene.unusable_files.extend(before.unusable_files.iter().filter(is_damaged).cloned());
        } else {
            self.log_files(&scene.unusable_files);
        }
        self.refusal_of(&scene.unusable_files)
    }

    /// Handles the result of looking into the other files: the damaged ones. The result is a reason
    /// to stop Blender, unless the job accepts them.
    pub fn files_are_checked(&mut self, damaged: Vec<UnusableFile>) -> Option<StopReason> {
        self.log_files(&damaged);
        let refusal = self.refusal_of(&damaged);
        if let Some(scene) = &mut self.scene {
            scene.unusable_files.extend(damaged);
        }
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

    fn refusal_of(&self, files: &[UnusableFile]) -> Option<Cause> {
        let is_refused = !files.is_empty() && self.job().missing_files == MissingFiles::Fail;
        is_refused.then(|| Cause::UnusableFiles(files.to_vec()))
    }

    /// Logs a line for each file.
    fn log_files(&self, files: &[UnusableFile]) {
        let accepts = self.job().missing_files == MissingFiles::Warn;
        let log = |line: &dyn std::fmt::Display| {
            if accepts {
                tracing::warn!("rendering without {line}");
            } else {
                tracing::error!("{line}");
            }
        };
        for file in files.iter().take(MOST_NAMED) {
            log(file);
        }
        match files.len().saturating_sub(MOST_NAMED) {
            0 => {}
            more => log(&format_args!("{more} more files, which the report names")),
        }
    }
}
