//! The sound of a video.

use std::str::FromStr;

use crate::request::Location;
use crate::request::value::ValueError;

/// The sound of a video.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Sound {
    /// That of the scene, if `render` left it with the frames.
    #[default]
    Scene,
    /// A file that FFmpeg can decode.
    File {
        /// The file.
        file: Location,
        /// When it begins.
        offset: SoundOffset,
    },
    /// None.
    Silence,
}

/// When a sound begins, relative to the video: later, or before it if negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SoundOffset {
    /// In microseconds.
    micros: i64,
}

impl SoundOffset {
    /// A day. Videos are shorter.
    const LARGEST_SECONDS: f64 = 86_400.0;

    /// The offset in seconds, rounded to microseconds; the nearest limit if it is beyond a day.
    pub fn from_seconds(seconds: f64) -> Self {
        let seconds = seconds.clamp(-Self::LARGEST_SECONDS, Self::LARGEST_SECONDS);
        #[expect(clippy::cast_possible_truncation, reason = "a day in microseconds fits")]
        let micros = (seconds * 1e6).round() as i64;
        Self { micros }
    }

    /// The offset in microseconds.
    pub fn micros(self) -> i64 {
        self.micros
    }
}

impl FromStr for SoundOffset {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let seconds = text.strip_suffix('s').unwrap_or(text);
        // Rust parses exponents and `inf`, too.
        let plain = seconds.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'-'));
        let number = seconds.parse::<f64>().ok();
        let number = number.filter(|number| plain && number.abs() <= Self::LARGEST_SECONDS);
        number.map(Self::from_seconds).ok_or_else(|| {
            ValueError::new(text, "seconds such as 1.5, or -1.5 to leave out the beginning")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_is_in_seconds() {
        let micros = |text: &str| text.parse().map(SoundOffset::micros);
        assert_eq!(micros("1.5"), Ok(1_500_000));
        assert_eq!(micros("1.5s"), Ok(1_500_000));
        assert_eq!(micros("-0.04"), Ok(-40_000));
        for bad in ["", "s", "1.5ss", "1m", "inf", "nan", "1e3", "86401", "1,5"] {
            assert!(micros(bad).is_err(), "{bad}");
        }
    }
}
