//! Fingerprints: hashes, stored with a file, of everything that the file was made from.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// A hash of everything that a file was made from. Storage keeps it but does not interpret it.
/// `Display` and `FromStr` use 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl From<[u8; 32]> for Fingerprint {
    fn from(hash: [u8; 32]) -> Self {
        Self(hash)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The error for a text that is not a fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a fingerprint")]
pub struct InvalidFingerprint;

impl FromStr for Fingerprint {
    type Err = InvalidFingerprint;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|n| u8::try_from(n).ok());
        let bytes: Option<Vec<u8>> =
            pairs.iter().map(|&[high, low]| Some(digit(high)? * 16 + digit(low)?)).collect();
        let bytes = bytes.filter(|_| rest.is_empty()).and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or(InvalidFingerprint)
    }
}

/// Identifies the content of a file by its size and one or more checksums, each with a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ContentId {
    size: u64,
    checksums: BTreeMap<String, String>,
}

impl ContentId {
    /// The ID of a content of `size` bytes, as yet without checksums.
    pub(crate) fn new(size: u64) -> Self {
        Self { size, checksums: BTreeMap::new() }
    }

    /// Adds a checksum. Neither its name nor its text may contain spaces.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, checksum: impl fmt::Display) -> Self {
        self.checksums.insert(name.to_owned(), checksum.to_string());
        self
    }

    /// The size in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// The checksum of this name, if known.
    pub(crate) fn checksum(&self, name: &str) -> Option<&str> {
        self.checksums.get(name).map(String::as_str)
    }
}

/// A fingerprint as it is stored: bound to the content of its file, so that it is not taken for
/// that of a later file in the same place. Its text is `FINGERPRINT SIZE NAME=CHECKSUM…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BoundFingerprint {
    pub(crate) fingerprint: Fingerprint,
    pub(crate) content: ContentId,
}

impl fmt::Display for BoundFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ContentId { size, checksums } = &self.content;
        write!(f, "{} {size}", self.fingerprint)?;
        checksums.iter().try_for_each(|(name, checksum)| write!(f, " {name}={checksum}"))
    }
}

impl FromStr for BoundFingerprint {
    type Err = InvalidFingerprint;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut words = text.split(' ');
        let fingerprint = words.next().unwrap_or_default().parse()?;
        let size = words.next().and_then(|size| size.parse().ok()).ok_or(InvalidFingerprint)?;
        let mut content = ContentId::new(size);
        for word in words {
            let (name, checksum) = word.split_once('=').ok_or(InvalidFingerprint)?;
            content = content.with(name, checksum);
        }
        // Without a checksum it cannot be matched with a file.
        if content.checksums.is_empty() {
            return Err(InvalidFingerprint);
        }
        Ok(Self { fingerprint, content })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_displayed_fingerprint_can_be_parsed() {
        let hash = std::array::from_fn(|at| u8::try_from(at * 7 % 256).unwrap());
        let fingerprint = Fingerprint::from(hash);
        assert_eq!(fingerprint.to_string().len(), 64);
        assert_eq!(fingerprint.to_string().parse(), Ok(fingerprint));
    }

    #[test]
    fn a_stored_fingerprint_names_the_content_of_its_file() {
        let content = ContentId::new(7).with("crc32", "y/Q5Jg==").with("etag", "0f-2");
        let bound = BoundFingerprint { fingerprint: Fingerprint::from([15; 32]), content };
        let text = bound.to_string();
        assert_eq!(text, format!("{} 7 crc32=y/Q5Jg== etag=0f-2", "0f".repeat(32)));
        assert_eq!(text.parse(), Ok(bound));
        for bad in ["", "7", "7 ", "-7 a=b", "7 a", "7  a=b"] {
            let text = format!("{} {bad}", "0f".repeat(32));
            assert_eq!(text.parse::<BoundFingerprint>(), Err(InvalidFingerprint), "{bad}");
        }
        let unbound = "0f".repeat(32).parse::<BoundFingerprint>();
        assert!(unbound.is_err(), "the format of an older version");
    }

    #[test]
    fn other_texts_are_not_fingerprints() {
        let good = "0f".repeat(32);
        assert!(good.parse::<Fingerprint>().is_ok());
        for bad in
            ["", "0", &good[1..], &format!("{good}0"), &format!("{good}00"), &"0g".repeat(32)]
        {
            assert_eq!(bad.parse::<Fingerprint>(), Err(InvalidFingerprint), "{bad}");
        }
    }
}
