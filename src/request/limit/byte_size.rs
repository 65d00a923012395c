//! Sizes in bytes, with units.

use std::fmt;
use std::str::FromStr;

use crate::request::ValueError;

/// A number of bytes: `512MiB`, `1.5 GB`, `4096`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(u64);

impl ByteSize {
    /// A size in GiB.
    pub const fn gib(number: u64) -> Self {
        Self(number * 1024 * 1024 * 1024)
    }

    /// A size in MiB.
    pub const fn mib(number: u64) -> Self {
        Self(number * 1024 * 1024)
    }

    /// The size in bytes.
    pub fn bytes(self) -> u64 {
        self.0
    }
}

impl From<u64> for ByteSize {
    fn from(bytes: u64) -> Self {
        Self(bytes)
    }
}

impl FromStr for ByteSize {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wanted = "a size such as 512MiB, 2GiB or a number of bytes";
        let parsed = text.parse::<bytesize::ByteSize>().ok().map(|size| size.as_u64());
        // `0.1` parses as 0 bytes, too, and is refused.
        let zero = text.chars().all(|c| !c.is_ascii_digit() || c == '0');
        parsed
            .filter(|&bytes| bytes > 0 || zero)
            .map(Self)
            .ok_or_else(|| ValueError::new(text, wanted))
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        bytesize::ByteSize::b(self.0).display().iec().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_parsed_with_and_without_units() {
        for (text, bytes, printed) in [
            ("0", 0, "0 B"),
            ("4096", 4096, "4.0 KiB"),
            ("512MiB", 512 << 20, "512.0 MiB"),
            ("2GiB", 2 << 30, "2.0 GiB"),
            ("1.5 GiB", 3 << 29, "1.5 GiB"),
            ("1kB", 1000, "1000 B"),
            ("1GB", 1_000_000_000, "953.7 MiB"),
        ] {
            let size: ByteSize = text.parse().unwrap();
            assert_eq!((size.bytes(), size.to_string().as_str()), (bytes, printed), "{text}");
        }
        assert_eq!(ByteSize::gib(1).to_string(), "1.0 GiB");
    }

    #[test]
    fn other_texts_are_refused() {
        for bad in ["", "-1", "much", "1 apple", "MiB", "0.1", "1GiBGiB", "inf", "1e3"] {
            let refused = bad.parse::<ByteSize>().map(ByteSize::bytes);
            assert!(refused.is_err(), "{bad}: {refused:?}");
        }
    }
}
