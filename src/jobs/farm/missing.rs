//! The frames that an output does not have yet.

use crate::error::Error;
use crate::request::{AnimationFrames, FRAMES_DIR, FrameFile, FrameSet, Location, NamedFrames};
use crate::worker::Worker;

/// Those of `frames` that are not in the output. Only the names of files count: the children compare
/// what is there with the scene.
///
/// # Errors
/// [`Error::Storage`] if the output cannot be listed; [`Error::Interrupted`] if the worker is stopped.
pub async fn missing(
    worker: &Worker,
    output: &Location,
    frames: &AnimationFrames,
) -> Result<FrameSet, Error> {
    let folder = output.join(FRAMES_DIR);
    let listed = worker.unless_stopped(worker.storage.list(&folder)).await?;
    let files = listed.iter().filter(|entry| entry.size > 0);
    let there: FrameSet =
        files.filter_map(|entry| FrameFile::parse(&entry.name)).map(|file| file.number).collect();
    Ok(frames.set().without(&there))
}

/// Frames as a request names them.
pub fn named(frames: FrameSet) -> AnimationFrames {
    let text = frames.compact();
    AnimationFrames::Exactly(NamedFrames { frames, text })
}
