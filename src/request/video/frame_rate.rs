//! Frame rates.

use std::fmt;
use std::str::FromStr;

use crate::request::value::ValueError;

/// A frame rate in frames per second, as a fraction in lowest terms. It lies between 1/1000 and
/// 1000, which is what containers can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameRate {
    numerator: u32,
    denominator: u32,
}

impl FrameRate {
    /// FFmpeg's default for numbered images: 25 frames per second.
    pub const FALLBACK: Self = Self { numerator: 25, denominator: 1 };

    /// The rate of any folder of pictures, which are looked at one by one.
    pub const SLIDES: Self = Self { numerator: 5, denominator: 1 };

    /// The fraction `numerator/denominator`; `None` if it is out of range.
    pub fn new(numerator: u64, denominator: u64) -> Option<Self> {
        let within = |one: u64, other: u64| one <= other.saturating_mul(1000);
        if denominator == 0 || !within(numerator, denominator) || !within(denominator, numerator) {
            return None;
        }
        let divisor = gcd(numerator, denominator);
        Some(Self {
            numerator: u32::try_from(numerator / divisor).ok()?,
            denominator: u32::try_from(denominator / divisor).ok()?,
        })
    }

    /// The rate of a scene with `fps` frames in `fps_base` seconds; `None` if it is out of range.
    /// Blender stores `fps_base` as a 32-bit float, which is 1.001 for NTSC rates.
    pub fn from_scene(fps: u32, fps_base: f64) -> Option<Self> {
        const MICRO: f64 = 1e6;
        if !(fps_base > 0.0 && fps_base < 1e6) {
            return None;
        }
        // The float is exact to six decimals: 1.001 arrives as 1.00100004673.
        let digits = (fps_base * MICRO).round();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "checked above: positive and below 1e12"
        )]
        let base = digits as u64;
        Self::new(u64::from(fps) * 1_000_000, base)
    }

    /// The number of frames in a second.
    pub fn per_second(self) -> f64 {
        f64::from(self.numerator) / f64::from(self.denominator)
    }

    /// The number of frames in [`FrameRate::denominator`] seconds.
    pub fn numerator(self) -> u32 {
        self.numerator
    }

    /// The number of seconds that [`FrameRate::numerator`] frames take.
    pub fn denominator(self) -> u32 {
        self.denominator
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Prints the rate in FFmpeg's syntax: `24` or `24000/1001`.
impl fmt::Display for FrameRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.denominator {
            1 => write!(f, "{}", self.numerator),
            denominator => write!(f, "{}/{denominator}", self.numerator),
        }
    }
}

impl FromStr for FrameRate {
    type Err = ValueError;

    /// Parses `24`, `30000/1001` or `23.976`, which stands for the NTSC rate 24000/1001.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rate = match text.split_once('/') {
            Some((n, d)) => digits(n).zip(digits(d)).and_then(|(n, d)| Self::new(n, d)),
            None => parse_decimal(text),
        };
        rate.ok_or_else(|| {
            ValueError::new(
                text,
                "frames per second such as 24, 23.976 or 30000/1001, from 0.001 to 1000",
            )
        })
    }
}

/// Parses 1 to 12 plain digits.
fn digits(text: &str) -> Option<u64> {
    let plain = (1..=12).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

/// Parses `24` or `23.976`.
fn parse_decimal(text: &str) -> Option<FrameRate> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let whole = digits(whole)?;
    if fraction.is_empty() {
        return if text.contains('.') { None } else { FrameRate::new(whole, 1) };
    }
    let places = u32::try_from(fraction.len()).ok().filter(|&n| n <= 6)?;
    let scale = 10u64.pow(places);
    let numerator = whole.checked_mul(scale)?.checked_add(digits(fraction)?)?;
    // Numbers such as 23.976 stand for n*1000/1001, rounded or truncated.
    let ntsc = (whole + 1).checked_mul(1000)?;
    let difference = (numerator.checked_mul(1001)?).abs_diff(ntsc.checked_mul(scale)?);
    if places >= 2 && difference < 1001 {
        return FrameRate::new(ntsc, 1001);
    }
    FrameRate::new(numerator, scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frame_rates_are_exact_fractions() {
        let table = [
            ("24", "24"),
            ("25", "25"),
            ("23.976", "24000/1001"),
            ("23.98", "24000/1001"),
            ("29.97", "30000/1001"),
            ("59.94", "60000/1001"),
            ("119.88", "120000/1001"),
            ("12.5", "25/2"),
            ("29.5", "59/2"),
            ("30000/1001", "30000/1001"),
            ("48/2", "24"),
            ("0.5", "1/2"),
            ("1000", "1000"),
            ("1/1000", "1/1000"),
        ];
        for (text, expected) in table {
            let rate: FrameRate = text.parse().unwrap();
            assert_eq!(rate.to_string(), expected, "{text}");
        }
        for bad in [
            "",
            "0",
            "-1",
            "24.",
            ".5",
            "24/0",
            "1001",
            "1000.001",
            "1/1001",
            "24,5",
            "1e2",
            "inf",
            "1/2/3",
            "9999999999999999",
        ] {
            assert!(bad.parse::<FrameRate>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_scenes_frame_rate_is_recovered_from_its_float() {
        let rate =
            |fps, base: f32| FrameRate::from_scene(fps, f64::from(base)).unwrap().to_string();
        assert_eq!(rate(24, 1.0), "24");
        assert_eq!(rate(24, 1.001), "24000/1001");
        assert_eq!(rate(30, 1.001), "30000/1001");
        assert_eq!(rate(25, 2.0), "25/2");
        assert_eq!(FrameRate::from_scene(24, 0.0), None);
        assert_eq!(FrameRate::from_scene(24, f64::NAN), None);
        assert_eq!(FrameRate::from_scene(1, 999_999.0), None);
        assert_eq!(FrameRate::from_scene(24, 1e-9), None);
    }
}
