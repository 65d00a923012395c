//! How a process ended: the one thing about processes that the translators of
//! Blender's and FFmpeg's failures need to know.

use std::fmt;

/// How a process ended by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With this exit status.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl Ending {
    /// The signal that ended it, also where a wrapper script passed that on as an
    /// exit status of 128 + n.
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

/// Who killed a process that ended by SIGKILL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Killer {
    /// The kernel, for want of memory: it counted one.
    OutOfMemory {
        /// What the container may use, in bytes, where it is limited.
        limit: Option<u64>,
        /// The most that one of our processes held, in bytes.
        peak: Option<u64>,
    },
    /// Nobody knows. The kernel counted none, or does not tell.
    Unknown,
}

impl fmt::Display for Killer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (limit, peak) = match self {
            Self::Unknown => {
                return f.write_str(
                    "killed by SIGKILL; who did it is not known: the system counted no kill for \
                     lack of memory",
                );
            }
            Self::OutOfMemory { limit, peak } => (limit, peak),
        };
        f.write_str("killed, out of memory: ")?;
        match limit {
            Some(limit) => write!(f, "the limit of the container is {}", Size(*limit))?,
            None => f.write_str("the machine had no more")?,
        }
        peak.map_or(Ok(()), |peak| write!(f, ", the peak was {}", Size(peak)))
    }
}

/// A number of bytes for people: in MiB, or in bytes where that is little.
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
    fn what_is_known_of_a_kill_is_said() {
        let killer = Killer::OutOfMemory { limit: Some(512 << 20), peak: Some(509 << 20) };
        let words = "out of memory: the limit of the container is 512 MiB, the peak was 509 MiB";
        assert!(killer.to_string().contains(words), "{killer}");
        let killer = Killer::OutOfMemory { limit: None, peak: None };
        assert_eq!(killer.to_string(), "killed, out of memory: the machine had no more");
        assert!(Killer::Unknown.to_string().contains("not known"));
        assert_eq!(Size(1 << 19).to_string(), "524288 bytes");
    }
}
