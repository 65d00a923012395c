//! Finds the sound of a video.

use std::time::Duration;

use super::plan::Plan;
use crate::error::Error;
use crate::ffmpeg::SoundTrack;
use crate::request::{FrameRate, Sound, StitchJob};
use crate::worker::Worker;
use crate::worker::scratch::Scratch;

/// The name of a copy of a sound file, in scratch.
const COPY: &str = "sound";

/// The sound of a video; `None` for a video without sound. A file on S3 is copied to
/// `scratch`.
///
/// # Errors
/// [`Error::Storage`] if the file cannot be read.
pub async fn find(
    worker: &Worker,
    job: &StitchJob,
    plan: &Plan,
    scratch: &Scratch,
) -> Result<Option<SoundTrack>, Error> {
    let (file, offset) = match &job.video.sound {
        Sound::Silence | Sound::Scene => return Ok(None),
        Sound::File { file, offset } => (file.clone(), *offset),
    };
    let opened = worker.storage.open(&file).await?;
    let file = worker.storage.localise(&opened, &scratch.path().join(COPY)).await?;
    Ok(Some(SoundTrack { file, offset, duration: duration(plan.frames.len(), plan.fps) }))
}

/// The duration of so many frames.
fn duration(frames: usize, fps: FrameRate) -> Duration {
    let micros = frames as u128 * 1_000_000 * u128::from(fps.denominator());
    let micros = micros / u128::from(fps.numerator());
    Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_last_as_long_as_their_rate_says() {
        let duration = |frames, fps: &str| duration(frames, fps.parse().unwrap());
        assert_eq!(duration(48, "24"), Duration::from_secs(2));
        assert_eq!(duration(24_000, "24000/1001"), Duration::from_secs(1001));
        assert_eq!(duration(0, "24"), Duration::ZERO);
    }
}
