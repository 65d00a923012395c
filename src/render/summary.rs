//! The last line of the log: how much of the scene the output has by now, and what comes next.

use super::Rendered;
use crate::error_chain::chain;
use crate::request::{FRAMES_DIR, FrameFile, FrameRange, RenderJob};
use crate::storage::Entry;
use crate::worker::Worker;

/// Logs how many of the scene's frames the output has, and the command that makes the video.
///
/// A child of an array job logs nothing: it knows only its own part.
pub async fn log(worker: &Worker, job: &RenderJob, rendered: &Rendered) {
    if worker.attempt.array.is_some() {
        return;
    }
    let folder = job.output.join(FRAMES_DIR);
    let listed = worker.storage.list(&folder);
    let entries = match worker.shutdown.run_until_stopped(listed).await {
        Ok(Ok(entries)) => entries,
        Ok(Err(error)) => {
            tracing::debug!("cannot count the frames in {folder}: {}", chain(&error));
            return;
        }
        Err(_) => return,
    };
    let output = job.output.to_string();
    let stitch = shell_words::join(["render-worker", "stitch", "-i", &output, "-o", &output]);
    let count = describe(&entries, rendered.scene_range);
    tracing::info!("{count} in {folder}; to make the video: {stitch}");
}

/// Formats how many frames of the scene are there: `10 of the scene's 199 frames are`.
fn describe(entries: &[Entry], scene: Option<FrameRange>) -> String {
    let numbers = entries.iter().filter_map(|entry| FrameFile::parse(&entry.name));
    let mut numbers: Vec<_> = numbers.map(|file| file.number).collect();
    // A frame can be there in several formats.
    numbers.sort_unstable();
    numbers.dedup();
    let are = |count: usize| if count == 1 { "frame is" } else { "frames are" };
    let Some(scene) = scene else {
        let there = numbers.len();
        return format!("{there} {}", are(there));
    };
    let there = numbers.iter().filter(|&&number| scene.contains(number)).count();
    let (all, others) = (scene.len() as usize, numbers.len() - there);
    let count = match (there, all) {
        (1, 1) => "the scene's only frame is".to_owned(),
        (there, all) if there == all => format!("all {all} frames of the scene are"),
        (there, all) => format!("{there} of the scene's {all} frames are"),
    };
    match others {
        0 => count,
        others => format!("{count}, and {others} outside of its range {scene},"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::request::FrameNumber;

    fn described(names: &[&str], scene: Option<(i64, i64)>) -> String {
        let modified = SystemTime::UNIX_EPOCH;
        let entry = |name: &&str| Entry { name: (*name).to_owned(), size: 1, modified };
        let entries: Vec<_> = names.iter().map(entry).collect();
        let number = |number| FrameNumber::new(number).unwrap();
        let scene =
            scene.map(|(first, last)| FrameRange { first: number(first), last: number(last) });
        describe(&entries, scene)
    }

    #[test]
    fn frames_are_counted_against_the_scene() {
        for (names, scene, expected) in [
            (&["0001.png"][..], None, "1 frame is"),
            (&["0001.png"], Some((1, 199)), "1 of the scene's 199 frames are"),
            (&["0001.png", "0001.exr"], Some((1, 2)), "1 of the scene's 2 frames are"),
            (&["0001.png", "0002.png"], Some((1, 2)), "all 2 frames of the scene are"),
            (&["0001.png"], Some((1, 1)), "the scene's only frame is"),
            (
                &["0002.png", "0007.png", "notes.txt"],
                Some((1, 4)),
                "1 of the scene's 4 frames are, and 1 outside of its range 1-4,",
            ),
        ] {
            assert_eq!(described(names, scene), expected, "{names:?}");
        }
    }
}
