//! How a process ended, for the modules that explain failures of Blender and FFmpeg.

use std::fmt;

/// The exit status or signal that ended a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It exited with this status.
    Code(i32),
    /// This signal terminated it.
    Signal(i32),
}

impl Ending {
    /// Returns the signal that ended the process, even if a wrapper script reports it as exit
    /// status 128 + n.
    pub fn signal(self) -> Option<i32> {
        match self {
            Self::Signal(signal) => Some(signal),
            Self::Code(code @ 129..=159) => Some(code - 128),
            Self::Code(_) => None,
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit status {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}

/// The origin of a SIGKILL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Killer {
    /// The kernel's OOM killer, whose counter increased.
    OutOfMemory {
        /// The memory limit of the container in bytes, if there is one.
        limit: Option<u64>,
        /// The peak memory of the largest child process in bytes.
        peak: Option<u64>,
    },
    /// Unknown: the OOM counter did not increase, or cannot be read.
    Unknown,
}

impl fmt::Display for Killer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (limit, peak) = match self {
            Self::Unknown => {
                return f.write_str(
                    "killed by SIGKILL for an unknown reason: the system counted no kill for lack \
                     of memory",
                );
            }
            Self::OutOfMemory { limit, peak } => (limit, peak),
        };
        f.write_str("killed, out of memory: ")?;
        match limit {
            Some(limit) => write!(f, "the limit of the container is {}", Size(*limit))?,
            None => f.write_str("the machine has no memory left")?,
        }
        peak.map_or(Ok(()), |peak| write!(f, ", the peak was {}", Size(peak)))
    }
}

/// A number of bytes, shown in MiB, or in bytes below 1 MiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MIB: u64 = 1024 * 1024;
        match self.0 {
            bytes if bytes < MIB => write!(f, "{bytes} bytes"),
            bytes => write!(f, "{} MiB", bytes / MIB),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kills_are_described() {
        let killer = Killer::OutOfMemory { limit: Some(512 << 20), peak: Some(509 << 20) };
        let text = "out of memory: the limit of the container is 512 MiB, the peak was 509 MiB";
        assert!(killer.to_string().contains(text), "{killer}");
        let killer = Killer::OutOfMemory { limit: None, peak: None };
        assert_eq!(killer.to_string(), "killed, out of memory: the machine has no memory left");
        assert!(Killer::Unknown.to_string().contains("unknown reason"));
        assert_eq!(Size(1 << 19).to_string(), "524288 bytes");
    }
}
