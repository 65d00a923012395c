//! Finds the sound of a video.

use std::path::PathBuf;
use std::time::Duration;

use super::plan::Plan;
use super::render_reports::RenderedAudio;
use crate::error::Error;
use crate::error_chain::chain;
use crate::ffmpeg::SoundTrack;
use crate::request::{FrameNumber, FrameRate, Location, Sound, StitchJob};
use crate::storage::{Failure, StorageError};
use crate::worker::Worker;
use crate::worker::scratch::Scratch;

/// The name of a copy of a sound file, in scratch.
const COPY: &str = "sound";

/// The sound of a video; `None` for a video without sound. A file on S3 is copied to `scratch`.
///
/// # Errors
/// [`Error::Storage`] if the file cannot be read. A video whose scene has sound that is not there
/// is silent, with a warning.
pub async fn find(
    worker: &Worker,
    job: &StitchJob,
    plan: &Plan,
    scratch: &Scratch,
) -> Result<Option<SoundTrack>, Error> {
    let length = time_of(plan.frames.len() as u64, plan.fps);
    match &job.video.sound {
        Sound::Silence => Ok(None),
        Sound::File { file, offset } => {
            let (micros, before) = (offset.micros(), Duration::ZERO);
            let amount = Duration::from_micros(micros.unsigned_abs());
            let (skip, delay) = if micros < 0 { (amount, before) } else { (before, amount) };
            let file = fetch(worker, file, scratch).await?;
            Ok(Some(SoundTrack { file, skip, tempo: 1.0, delay, length }))
        }
        Sound::Scene => {
            let Some(audio) = plan.reports.audio(&plan.rendered) else { return Ok(None) };
            let Some(first) = first_frame(plan) else {
                tracing::warn!(
                    "the video is silent: the scene's sound fits only to consecutive frames of the \
                     scene"
                );
                return Ok(None);
            };
            let file = match fetch(worker, &audio.location, scratch).await {
                Err(error) if matches!(error.failure(), Failure::Missing(_)) => {
                    tracing::warn!(
                        "the video is silent: the scene has sound, but {}; it is stored by the \
                         first child of an array job, or by a render job of its own",
                        chain(&error)
                    );
                    return Ok(None);
                }
                file => file?,
            };
            tracing::info!("the sound is that of the scene (--no-audio, NO_AUDIO: none)");
            let RenderedAudio { first_frame, fps, .. } = audio;
            let later = i64::from(first.get()) - i64::from(first_frame);
            let frames = later.unsigned_abs();
            Ok(Some(SoundTrack {
                file,
                skip: if later > 0 { time_of(frames, fps) } else { Duration::ZERO },
                tempo: plan.fps.per_second() / fps.per_second(),
                delay: if later < 0 { time_of(frames, plan.fps) } else { Duration::ZERO },
                length,
            }))
        }
    }
}

/// The first frame of the video, if its frames are consecutive ones of the scene.
fn first_frame(plan: &Plan) -> Option<FrameNumber> {
    let first = plan.frames.first()?;
    let last = plan.frames.last()?;
    let range = u64::try_from(i64::from(last.get()) - i64::from(first.get()) + 1).ok()?;
    let consecutive = range == plan.frames.len() as u64;
    (plan.sequence.is_numbered && consecutive).then_some(first)
}

async fn fetch(
    worker: &Worker,
    file: &Location,
    scratch: &Scratch,
) -> Result<PathBuf, StorageError> {
    let opened = worker.storage.open(file).await?;
    worker.storage.localise(&opened, &scratch.path().join(COPY)).await
}

/// How long so many frames take.
fn time_of(frames: u64, fps: FrameRate) -> Duration {
    let micros = u128::from(frames) * 1_000_000 * u128::from(fps.denominator());
    let micros = micros / u128::from(fps.numerator());
    Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_last_as_long_as_their_rate_says() {
        let time = |frames, fps: &str| time_of(frames, fps.parse().unwrap());
        assert_eq!(time(48, "24"), Duration::from_secs(2));
        assert_eq!(time(24_000, "24000/1001"), Duration::from_secs(1001));
        assert_eq!(time(0, "24"), Duration::ZERO);
    }
}
