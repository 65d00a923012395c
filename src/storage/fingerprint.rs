//! What travels with a stored file and tells what it was made from.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// A hash of everything that a file was made from. Storage keeps it and compares
/// nothing.
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

/// A text that is no fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoFingerprint;

impl FromStr for Fingerprint {
    type Err = NoFingerprint;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|n| u8::try_from(n).ok());
        let bytes: Option<Vec<u8>> =
            pairs.iter().map(|&[high, low]| Some(digit(high)? * 16 + digit(low)?)).collect();
        let bytes = bytes.filter(|_| rest.is_empty()).and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or(NoFingerprint)
    }
}

/// What the content of a file is known by: its size, and what it adds up to in one or more
/// ways, each with its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Content {
    size: u64,
    sums: BTreeMap<String, String>,
}

impl Content {
    /// Of so many bytes.
    pub(crate) fn new(size: u64) -> Self {
        Self { size, sums: BTreeMap::new() }
    }

    /// It adds up to `sum`, in the way of this name. Neither has spaces.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, sum: impl fmt::Display) -> Self {
        self.sums.insert(name.to_owned(), sum.to_string());
        self
    }

    /// In bytes.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// What it adds up to in the way of this name, if that is known.
    pub(crate) fn sum(&self, name: &str) -> Option<&str> {
        self.sums.get(name).map(String::as_str)
    }
}

/// A fingerprint as it is stored: with the content of the file that it belongs to, lest it be
/// taken for that of another file in the same place. Its text is `FINGERPRINT SIZE NAME=SUM…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bound {
    /// What the file was made from.
    pub(crate) fingerprint: Fingerprint,
    /// What the file is.
    pub(crate) content: Content,
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Content { size, sums } = &self.content;
        write!(f, "{} {size}", self.fingerprint)?;
        sums.iter().try_for_each(|(name, sum)| write!(f, " {name}={sum}"))
    }
}

impl FromStr for Bound {
    type Err = NoFingerprint;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut words = text.split(' ');
        let fingerprint = words.next().unwrap_or_default().parse()?;
        let size = words.next().and_then(|size| size.parse().ok()).ok_or(NoFingerprint)?;
        let mut content = Content::new(size);
        for word in words {
            let (name, sum) = word.split_once('=').ok_or(NoFingerprint)?;
            content = content.with(name, sum);
        }
        // Without a sum it is of no file.
        if content.sums.is_empty() { Err(NoFingerprint) } else { Ok(Self { fingerprint, content }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_read() {
        let hash = std::array::from_fn(|at| u8::try_from(at * 7 % 256).unwrap());
        let fingerprint = Fingerprint::from(hash);
        assert_eq!(fingerprint.to_string().len(), 64);
        assert_eq!(fingerprint.to_string().parse(), Ok(fingerprint));
    }

    #[test]
    fn what_is_stored_names_the_content() {
        let content = Content::new(7).with("crc32", "y/Q5Jg==").with("etag", "0f-2");
        let bound = Bound { fingerprint: Fingerprint::from([15; 32]), content };
        let text = bound.to_string();
        assert_eq!(text, format!("{} 7 crc32=y/Q5Jg== etag=0f-2", "0f".repeat(32)));
        assert_eq!(text.parse(), Ok(bound));
        for bad in ["", "7", "7 ", "-7 a=b", "7 a", "7  a=b"] {
            let text = format!("{} {bad}", "0f".repeat(32));
            assert_eq!(text.parse::<Bound>(), Err(NoFingerprint), "{bad}");
        }
        assert!("0f".repeat(32).parse::<Bound>().is_err(), "of an older version");
    }

    #[test]
    fn other_texts_are_none() {
        let good = "0f".repeat(32);
        assert!(good.parse::<Fingerprint>().is_ok());
        for bad in
            ["", "0", &good[1..], &format!("{good}0"), &format!("{good}00"), &"0g".repeat(32)]
        {
            assert_eq!(bad.parse::<Fingerprint>(), Err(NoFingerprint), "{bad}");
        }
    }
}
