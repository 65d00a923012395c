//! The sound beside a video.

use std::cmp::Ordering;
use std::path::PathBuf;
use std::time::Duration;

use crate::request::SoundOffset;

/// A file with sound, and the part of it that a video plays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SoundTrack {
    /// The file, in any format that FFmpeg can decode.
    pub file: PathBuf,
    /// When the sound begins, relative to the first frame.
    pub offset: SoundOffset,
    /// How long the video is.
    pub duration: Duration,
}

impl SoundTrack {
    /// The filters that move the sound and cut it where the video ends.
    pub(super) fn filters(&self) -> String {
        let micros = self.offset.micros();
        let amount = micros.unsigned_abs();
        let moved = match micros.cmp(&0) {
            Ordering::Less => format!("atrim=start={amount}us,asetpts=PTS-STARTPTS,"),
            Ordering::Equal => String::new(),
            Ordering::Greater => format!("adelay={}.{:03}:all=1,", amount / 1000, amount % 1000),
        };
        format!("{moved}atrim=end={}us", self.duration.as_micros())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_is_moved_and_cut() {
        let filters = |seconds| {
            let sound = SoundTrack {
                file: "/s/a.flac".into(),
                offset: SoundOffset::from_seconds(seconds),
                duration: Duration::from_millis(2500),
            };
            sound.filters()
        };
        assert_eq!(filters(0.0), "atrim=end=2500000us");
        assert_eq!(filters(1.5), "adelay=1500.000:all=1,atrim=end=2500000us");
        assert_eq!(filters(0.000_04), "adelay=0.040:all=1,atrim=end=2500000us");
        assert_eq!(filters(-0.5), "atrim=start=500000us,asetpts=PTS-STARTPTS,atrim=end=2500000us");
    }
}
