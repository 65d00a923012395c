//! The names of the images of one sequence, in a folder that has several.

use std::fmt;

use crate::request::{ImageFormat, Location};

/// A file name with `#` in place of the number: `beauty_####.exr`. As in Blender, the number can
/// have more digits than that, and the last of several runs of `#` stands for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamePattern {
    /// What comes before the number.
    pub before: String,
    digits: usize,
    /// What follows it, with the extension.
    pub after: String,
}

impl NamePattern {
    /// Parses a file name; `None` if it has no `#`, or if it is not that of an image: a folder may be
    /// called `take #2`.
    pub fn parse(name: &str) -> Option<Self> {
        let (start, after) = name.rsplit_once('#')?;
        let (_, extension) = after.rsplit_once('.')?;
        ImageFormat::from_extension(extension)?;
        let before = start.trim_end_matches('#');
        let digits = start.len() - before.len() + 1;
        Some(Self { before: before.to_owned(), digits, after: after.to_owned() })
    }

    /// Splits a location that ends in a pattern into the folder and the pattern. Others remain as
    /// they are.
    pub fn split(location: Location) -> (Location, Option<Self>) {
        let split = location.split();
        match split.and_then(|(folder, name)| Some((folder, Self::parse(name)?))) {
            Some((folder, pattern)) => (folder, Some(pattern)),
            None => (location, None),
        }
    }

    /// The number in the name of an image; `None` if it is not one of the sequence.
    pub fn number(&self, name: &str) -> Option<i64> {
        let number = name.strip_prefix(self.before.as_str())?.strip_suffix(self.after.as_str())?;
        let digits = number.strip_prefix('-').unwrap_or(number);
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        number.parse().ok().filter(|_| is_number)
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.before, "#".repeat(self.digits), self.after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hashes_stand_for_the_number() {
        let pattern = NamePattern::parse("a#_##.png").unwrap();
        assert_eq!((pattern.before.as_str(), pattern.after.as_str()), ("a#_", ".png"));
        assert_eq!(pattern.to_string(), "a#_##.png");
        assert_eq!(NamePattern::parse("0001.png"), None);
        let pattern = NamePattern::parse("pass1####_L.exr").unwrap();
        for (name, number) in [
            ("pass10001_L.exr", Some(1)),
            ("pass112345_L.exr", Some(12_345)),
            ("pass1-0007_L.exr", Some(-7)),
            ("pass1_L.exr", None),
            ("pass1x_L.exr", None),
            ("pass1+1_L.exr", None),
            ("pass20001_L.exr", None),
            ("pass10001_R.exr", None),
        ] {
            assert_eq!(pattern.number(name), number, "{name}");
        }
    }

    #[test]
    fn a_location_can_end_in_a_pattern() {
        let split = |text: &str| {
            let (folder, pattern) = NamePattern::split(text.parse().unwrap());
            (folder.to_string(), pattern.map(|pattern| pattern.to_string()))
        };
        let pattern = Some("a_####.png".to_owned());
        assert_eq!(
            split("s3://bucket/out/a_####.png"),
            ("s3://bucket/out".into(), pattern.clone())
        );
        assert_eq!(split("/out/a_####.png"), ("/out".into(), pattern.clone()));
        assert_eq!(split("a_####.png"), (".".into(), pattern));
        for folder in ["s3://bucket/out", "/out", "/take #2/out", "/out/take #2", "/shot.v#2"] {
            assert_eq!(split(folder), (folder.to_owned(), None));
        }
    }
}
