//! The sound beside a video.

use std::path::PathBuf;
use std::time::Duration;

/// The slowest tempo of FFmpeg's filter `atempo`.
const SLOWEST: f64 = 0.5;

/// A file with sound, and the part of it that a video plays.
#[derive(Clone, Debug, PartialEq)]
pub struct SoundTrack {
    /// The file, in any format that FFmpeg can decode.
    pub file: PathBuf,
    /// How much of its beginning is left out.
    pub skip: Duration,
    /// How many times as fast the rest is played, at the same pitch: 1 is as it is.
    pub tempo: f64,
    /// How long the video is silent before that.
    pub delay: Duration,
    /// How long the video is.
    pub length: Duration,
}

impl SoundTrack {
    /// The filters that move the sound, let it end where the video ends, and arrange its channels in
    /// the most similar one of `layouts`, such as `mono|stereo`, if there are any.
    pub(super) fn filters(&self, layouts: &str) -> String {
        // A recording can begin later than its file, or have holes. Without the silence that belongs
        // there, the filters and PCM would let what follows come too early.
        let mut filters = vec!["aresample=async=1:first_pts=0".to_owned()];
        if !self.skip.is_zero() {
            filters.push(format!("atrim=start={}us", self.skip.as_micros()));
            filters.push("asetpts=PTS-STARTPTS".to_owned());
        }
        let mut tempo = self.tempo;
        while tempo < SLOWEST {
            filters.push(format!("atempo={SLOWEST}"));
            tempo /= SLOWEST;
        }
        if (tempo - 1.0).abs() > 1e-9 {
            filters.push(format!("atempo={tempo}"));
        }
        if !self.delay.is_zero() {
            let micros = self.delay.as_micros();
            filters.push(format!("adelay={}.{:03}:all=1", micros / 1000, micros % 1000));
        }
        // FFmpeg ends an MXF where the shorter one of sound and video ends.
        filters.push("apad".to_owned());
        filters.push(format!("atrim=end={}us", self.length.as_micros()));
        if !layouts.is_empty() {
            filters.push(format!("aformat=channel_layouts={layouts}"));
        }
        filters.join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_is_moved_and_cut() {
        let filters = |skip, tempo, delay| {
            let sound = SoundTrack {
                file: "/s/a.flac".into(),
                skip: Duration::from_micros(skip),
                tempo,
                delay: Duration::from_micros(delay),
                length: Duration::from_millis(2500),
            };
            sound.filters("mono|stereo")
        };
        for (skip, tempo, delay, moved) in [
            (0, 1.0, 0, ""),
            (0, 1.0, 1_500_040, "adelay=1500.040:all=1,"),
            (500_000, 1.0, 0, "atrim=start=500000us,asetpts=PTS-STARTPTS,"),
            (0, 1.25, 0, "atempo=1.25,"),
            (0, 0.125, 0, "atempo=0.5,atempo=0.5,atempo=0.5,"),
        ] {
            let expected = format!(
                "aresample=async=1:first_pts=0,{moved}apad,atrim=end=2500000us,aformat=channel_layouts=mono|stereo"
            );
            assert_eq!(filters(skip, tempo, delay), expected);
        }
    }
}
