//! The devices of a machine, and how many processes share them.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use super::value::{ValueError, whole_number};

/// The devices that Cycles renders on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub enum CyclesDevice {
    /// All GPUs of the best type that there is.
    Auto {
        /// Whether the CPU renders as well, or alone if there is no GPU.
        with_cpu: bool,
    },
    /// The devices of a type, in the syntax of Blender's `--cycles-device`: `CUDA`, `OPTIX+CPU`, ….
    Named(String),
}

impl CyclesDevice {
    /// What Blender's `--cycles-device` expects; `None` if the setup script chooses the devices.
    pub fn for_blender(&self) -> Option<&str> {
        match self {
            Self::Auto { .. } => None,
            Self::Named(name) => Some(name),
        }
    }
}

impl fmt::Display for CyclesDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto { with_cpu: false } => "auto",
            Self::Auto { with_cpu: true } => "auto+CPU",
            Self::Named(name) => name,
        })
    }
}

impl From<CyclesDevice> for String {
    fn from(device: CyclesDevice) -> Self {
        device.to_string()
    }
}

impl FromStr for CyclesDevice {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Source: intern/cycles/blender/addon/engine.py in Blender.
        let known = ["CPU", "CUDA", "OPTIX", "HIP", "ONEAPI", "METAL"];
        let (device, with_cpu) = match text.strip_suffix("+CPU") {
            Some(device) => (device, true),
            None => (text, false),
        };
        match device {
            "auto" => Ok(Self::Auto { with_cpu }),
            _ if known.contains(&device) && text != "CPU+CPU" => Ok(Self::Named(text.to_owned())),
            _ => Err(ValueError::new(
                text,
                "auto, CPU, CUDA, OPTIX, HIP, ONEAPI or METAL, with +CPU appended to use both",
            )),
        }
    }
}

/// How many Blenders render at the same time, each with a part of the frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Processes {
    /// This many. They share all devices.
    Number(ProcessCount),
    /// One for each group of this many GPUs.
    ForGpus(ProcessCount),
}

impl Default for Processes {
    fn default() -> Self {
        Self::Number(ProcessCount(1))
    }
}

/// A number of processes, or of the GPUs of a process, 1 to 255.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessCount(u8);

impl ProcessCount {
    /// The number.
    pub fn get(self) -> usize {
        usize::from(self.0)
    }
}

impl FromStr for ProcessCount {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = whole_number(text, 1, u8::MAX.into())?;
        Ok(Self(u8::try_from(number).unwrap_or(u8::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_are_counted_from_one() {
        assert_eq!("16".parse().map(ProcessCount::get), Ok(16));
        for bad in ["", "0", "256", "-1", "auto"] {
            assert!(bad.parse::<ProcessCount>().is_err(), "{bad}");
        }
    }

    #[test]
    fn only_devices_of_cycles_are_accepted() {
        for good in ["CPU", "CUDA", "OPTIX+CPU", "auto", "auto+CPU"] {
            let device: CyclesDevice = good.parse().unwrap();
            assert_eq!(device.to_string(), good);
            assert_eq!(device.for_blender().is_none(), good.starts_with("auto"), "{good}");
        }
        for bad in ["", "cuda", "CUDA+OPTIX", "CPU+CPU", "+CPU", "GPU", "Auto", "auto+CUDA"] {
            assert!(bad.parse::<CyclesDevice>().is_err(), "{bad}");
        }
    }
}
