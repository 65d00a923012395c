//! What the quality of the pictures and the time for them depend on.

use std::str::FromStr;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::request::limit::span::span;
use crate::request::{ValueError, whole_number};

/// Whether pictures are denoised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Denoise {
    /// As the scene is set.
    #[default]
    Scene,
    /// By Cycles, in every view layer.
    On,
    /// Neither by Cycles nor in the compositor.
    Off,
}

impl FromStr for Denoise {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "scene" => Ok(Self::Scene),
            "on" => Ok(Self::On),
            "off" => Ok(Self::Off),
            _ => Err(ValueError::new(text, "scene, on or off")),
        }
    }
}

/// The number of samples of a pixel, 1 to 2²⁴.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Samples(u32);

impl Samples {
    /// The limit of Cycles (`samples` in intern/cycles/blender/addon/properties.py in Blender).
    const MAX: u32 = 1 << 24;
}

impl FromStr for Samples {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        whole_number(text, 1, Self::MAX).map(Self)
    }
}

/// The longest time for the samples of one frame; zero for no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TimeLimit(
    /// In seconds.
    #[cfg_attr(test, schemars(with = "f64"))]
    Duration,
);

impl Serialize for TimeLimit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0.as_secs_f64())
    }
}

impl FromStr for TimeLimit {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const LONGEST: Duration = Duration::from_hours(24 * 366);

        if text == "off" {
            return Ok(Self(Duration::ZERO));
        }
        let limit = span(text).filter(|limit| !limit.is_zero() && *limit <= LONGEST);
        limit.map(Self).ok_or_else(|| {
            ValueError::new(text, "a time such as 90s or 10m, up to 366 days, or off")
        })
    }
}

/// The seed of the noise, 0 to 2³¹ - 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Seed(u32);

impl FromStr for Seed {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        whole_number(text, 0, i32::MAX.unsigned_abs()).map(Self)
    }
}

/// Blender's Simplify.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Simplify {
    /// Whether it is in force.
    enabled: bool,
    /// The highest level of subdivision in renders; absent for the scene's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_subdivision: Option<u32>,
}

impl FromStr for Simplify {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Source: simplify_subdivision_render in Blender's rna_scene.cc.
        const HIGHEST: u32 = 32_767;

        let (enabled, max_subdivision) = match text {
            "on" => (true, None),
            "off" => (false, None),
            level => {
                let level = whole_number(level, 0, HIGHEST).map_err(|_| {
                    ValueError::new(text, "on, off, or the highest level of subdivision, from 0")
                })?;
                (true, Some(level))
            }
        };
        Ok(Self { enabled, max_subdivision })
    }
}

/// A setting that is switched on or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum OnOff {
    /// It is in force.
    On,
    /// It is not.
    Off,
}

impl FromStr for OnOff {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "on" => Ok(Self::On),
            "off" => Ok(Self::Off),
            _ => Err(ValueError::new(text, "on or off")),
        }
    }
}

/// The number of threads that render, 1 to 1024.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Threads(u32);

impl FromStr for Threads {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Source: BLENDER_MAX_THREADS in Blender's BLI_threads.h.
        whole_number(text, 1, 1024).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_have_the_range_of_cycles() {
        assert_eq!("16777216".parse(), Ok(Samples(1 << 24)));
        for bad in ["", "0", "16777217", "-1", "1.5"] {
            assert!(bad.parse::<Samples>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_time_limit_is_a_time_or_off() {
        assert_eq!("1m".parse(), Ok(TimeLimit(Duration::from_mins(1))));
        assert_eq!("off".parse(), Ok(TimeLimit(Duration::ZERO)));
        for bad in ["", "0", "-1", "soon", "400d"] {
            assert!(bad.parse::<TimeLimit>().is_err(), "{bad}");
        }
    }

    #[test]
    fn simplify_is_a_switch_or_a_level() {
        let simplify = |enabled, max_subdivision| Ok(Simplify { enabled, max_subdivision });
        assert_eq!("on".parse(), simplify(true, None));
        assert_eq!("off".parse(), simplify(false, None));
        assert_eq!("0".parse(), simplify(true, Some(0)));
        for bad in ["", "-1", "true", "32768"] {
            assert!(bad.parse::<Simplify>().is_err(), "{bad}");
        }
    }

    #[test]
    fn seeds_and_threads_have_the_ranges_of_blender() {
        assert_eq!("0".parse(), Ok(Seed(0)));
        assert!("2147483648".parse::<Seed>().is_err());
        assert_eq!("1024".parse(), Ok(Threads(1024)));
        for bad in ["0", "1025", "auto"] {
            assert!(bad.parse::<Threads>().is_err(), "{bad}");
        }
        assert_eq!("on".parse(), Ok(OnOff::On));
        assert!("true".parse::<OnOff>().is_err());
    }
}
