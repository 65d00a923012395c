//! Versions of Blender.

use std::fmt;
use std::str::FromStr;

use super::ValueError;

/// A version of Blender, without the patch level: files do not record it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BlenderVersion {
    /// The 4 in 4.3.
    pub major: u32,
    /// The 3 in 4.3.
    pub minor: u32,
}

impl BlenderVersion {
    /// The version with this number in file headers: 279, 304, 403, 502.
    pub fn from_header(number: u32) -> Self {
        // This holds for 2.7x and 2.8x, too: 279 is 2.79.
        Self { major: number / 100, minor: number % 100 }
    }

    /// The version with these digits in file headers: `279`, `0502`.
    pub fn from_digits(digits: &[u8]) -> Option<Self> {
        let number = str::from_utf8(digits).ok()?.parse().ok()?;
        Some(Self::from_header(number))
    }

    /// The version in a text that begins with it, as Blender prints it: `4.3.2`, `5.2.0 Beta`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split(|c: char| !c.is_ascii_digit());
        let mut next = || numbers.next()?.parse().ok();
        Some(Self { major: next()?, minor: next()? })
    }
}

impl fmt::Display for BlenderVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl FromStr for BlenderVersion {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let version = Self::parse(text).filter(|_| digits);
        version.ok_or_else(|| ValueError::new(text, "a version of Blender such as 5.2 or 5.2.3"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn release_numbers_are_parsed() {
        let version = |text: &str| text.parse::<BlenderVersion>().map(|it| it.to_string());
        assert_eq!(version("5.2"), Ok("5.2".to_owned()));
        assert_eq!(version("4.5.15"), Ok("4.5".to_owned()));
        for bad in ["", "5", "5.x", "latest", "v5.2", "5.2.0 Beta"] {
            assert!(version(bad).is_err(), "{bad}");
        }
    }
}
