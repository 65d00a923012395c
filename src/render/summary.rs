//! The last line of the log: how much of the scene the output has by now, and what comes next.

use super::Rendered;
use super::reuse::plan::Found;
use crate::error_chain::chain;
use crate::request::{FRAMES_DIR, FrameRange, FrameSet, OUTPUTS_DIR, RenderJob};
use crate::worker::Worker;

/// Logs how many of the scene's frames the output has, and the command that makes the video.
///
/// A child of an array job logs nothing: it knows only its own part.
pub async fn log(worker: &Worker, job: &RenderJob, rendered: &Rendered) {
    if worker.attempt.array.is_some() {
        return;
    }
    let folder = job.output.join(FRAMES_DIR);
    let scene = rendered.scene_range;
    let others = match scene.map(|scene| FrameSet::from(scene).without(&rendered.frames)) {
        // A job that looks for no frames may not be permitted to.
        Some(others) if !others.is_empty() && job.resume => {
            let listed = Found::look_up(&worker.storage, &job.output, &others);
            match worker.shutdown.run_until_stopped(listed).await {
                Ok(Ok(found)) => found.frames(),
                Ok(Err(error)) => {
                    tracing::debug!("cannot count the frames in {folder}: {}", chain(&error));
                    return;
                }
                Err(_) => return,
            }
        }
        _ => FrameSet::default(),
    };
    let output = job.output.to_string();
    let stitch = shell_words::join(["render-worker", "stitch", "-i", &output, "-o", &output]);
    let count = describe(&rendered.frames, &others, scene);
    let outputs = job.output.join(OUTPUTS_DIR);
    let more = if rendered.has_outputs {
        format!(", and what the scene makes besides them in {outputs}")
    } else {
        String::new()
    };
    tracing::info!("{count} in {folder}{more}; to make the video: {stitch}");
}

/// Formats how many frames of the scene are there: `10 of the scene's 199 frames are`. `others` are
/// frames of the scene that an earlier job rendered.
fn describe(rendered: &FrameSet, others: &FrameSet, scene: Option<FrameRange>) -> String {
    let Some(scene) = scene else {
        return match rendered.len() {
            1 => "1 frame is".to_owned(),
            count => format!("{count} frames are"),
        };
    };
    let outside = rendered.iter().filter(|&frame| !scene.contains(frame)).count();
    let there = rendered.len() - outside + others.len();
    let count = match (there, scene.len() as usize) {
        (1, 1) => "the scene's only frame is".to_owned(),
        (there, all) if there == all => format!("all {all} frames of the scene are"),
        (1, all) => format!("1 of the scene's {all} frames is"),
        (there, all) => format!("{there} of the scene's {all} frames are"),
    };
    match outside {
        0 => count,
        outside => format!("{count}, and {outside} outside of its range {scene},"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_counted_against_the_scene() {
        let range = |text: &str| text.parse::<FrameSet>().unwrap().ranges()[0];
        for (rendered, others, scene, expected) in [
            ("1", "", "", "1 frame is"),
            ("1-3", "", "", "3 frames are"),
            ("1", "", "1-199", "1 of the scene's 199 frames is"),
            ("2", "1,7", "1-9", "3 of the scene's 9 frames are"),
            ("1", "2", "1-2", "all 2 frames of the scene are"),
            ("1", "", "1", "the scene's only frame is"),
            ("4-6", "1", "1-4", "2 of the scene's 4 frames are, and 2 outside of its range 1-4,"),
        ] {
            let set = |text: &str| text.parse().unwrap_or_default();
            let scene = (!scene.is_empty()).then(|| range(scene));
            assert_eq!(describe(&set(rendered), &set(others), scene), expected);
        }
    }
}
