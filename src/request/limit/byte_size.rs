//! Sizes as people write them.

use std::fmt;
use std::str::FromStr;

use crate::request::ValueError;

/// A number of bytes: `512MiB`, `1.5 GB`, `4096`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(u64);

impl ByteSize {
    /// So many GiB.
    pub const fn gib(number: u64) -> Self {
        Self(number * 1024 * 1024 * 1024)
    }

    /// So many MiB.
    pub const fn mib(number: u64) -> Self {
        Self(number * 1024 * 1024)
    }

    /// In bytes.
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
        // Some(0) that was not written as one: less than a byte is no size.
        let parsed = text.parse::<bytesize::ByteSize>().ok().map(|size| size.as_u64());
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
    fn sizes_are_numbers_with_a_unit_or_without() {
        for (text, bytes, said) in [
            ("0", 0, "0 B"),
            ("4096", 4096, "4.0 KiB"),
            ("512MiB", 512 << 20, "512.0 MiB"),
            ("2GiB", 2 << 30, "2.0 GiB"),
            ("1.5 GiB", 3 << 29, "1.5 GiB"),
            ("1kB", 1000, "1000 B"),
            ("1GB", 1_000_000_000, "953.7 MiB"),
        ] {
            let size: ByteSize = text.parse().unwrap();
            assert_eq!((size.bytes(), size.to_string().as_str()), (bytes, said), "{text}");
        }
        assert_eq!(ByteSize::gib(1).to_string(), "1.0 GiB");
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for bad in ["", "-1", "much", "1 apple", "MiB", "0.1", "1GiBGiB", "inf", "1e3"] {
            let refused = bad.parse::<ByteSize>().map(ByteSize::bytes);
            assert!(refused.is_err(), "{bad}: {refused:?}");
        }
    }
}
