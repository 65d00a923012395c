//! File names → image sequences: the number in each name, and the text around it.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::request::{ImageFormat, NamePattern};

/// The name of a numbered image: `0001.png`, `shot_0042.tif`, `img (1).jpg`, `0001_L.exr`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberedName {
    /// What the names of a sequence have in common.
    pub kind: Kind,
    /// The number.
    pub number: i64,
}

/// The text around the number, and the format that the extension indicates.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind {
    before: String,
    after: String,
    /// The format.
    pub format: ImageFormat,
}

impl Kind {
    /// The names of these images, with this extension: `shot_####.tif`.
    pub fn pattern(&self, extension: &str) -> String {
        format!("{}####{}.{extension}", self.before, self.after)
    }
}

impl NumberedName {
    /// Parses the name of an image of a sequence; `None` for other names.
    pub fn of(images: &NamePattern, name: &str) -> Option<Self> {
        let number = images.number(name)?;
        let (after, extension) = images.after.rsplit_once('.')?;
        let format = ImageFormat::from_extension(extension)?;
        let (before, after) = (images.before.clone(), after.to_owned());
        Some(Self { kind: Kind { before, after, format }, number })
    }

    /// Whether the number is at the end of the name.
    fn is_at_the_end(&self) -> bool {
        self.kind.after.is_empty()
    }
}

/// Reads the names of the images in a folder.
///
/// A number at the end is the number of the frame, and names that end in none are then not meant. If
/// no name ends in a number, it is the one that makes the longest sequence, or else the last one: in
/// `shot2_0001_4k.png` and `shot2_0002_4k.png` it is the second.
#[derive(Debug)]
pub struct NameReader {
    some_end_in_number: bool,
    /// How many names there are of each kind.
    sizes: BTreeMap<Kind, usize>,
}

impl NameReader {
    /// A reader for these names.
    pub fn of<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Self {
        let some_end_in_number =
            names.clone().flat_map(candidates).any(|name| name.is_at_the_end());
        let mut reader = Self { some_end_in_number, sizes: BTreeMap::new() };
        for name in names {
            for candidate in reader.candidates(name) {
                *reader.sizes.entry(candidate.kind).or_default() += 1;
            }
        }
        reader
    }

    /// Reads one of the names; `None` if it has no number.
    pub fn read(&self, name: &str) -> Option<NumberedName> {
        self.candidates(name).into_iter().max_by_key(|name| self.sizes.get(&name.kind).copied())
    }

    fn candidates(&self, name: &str) -> Vec<NumberedName> {
        let mut names = candidates(name);
        if self.some_end_in_number {
            names.retain(NumberedName::is_at_the_end);
        }
        names
    }
}

/// The ways to read a file name as a numbered one. The last is the preferred one.
fn candidates(name: &str) -> Vec<NumberedName> {
    let Some((stem, extension)) = name.rsplit_once('.') else { return Vec::new() };
    let Some(format) = ImageFormat::from_extension(extension) else { return Vec::new() };
    let mut runs = digit_runs(stem);
    if let Some(last) = runs.pop_if(|run| run.end == stem.len()) {
        runs = vec![last];
    }
    let parse = |run: Range<usize>| {
        // The run is within the stem, and digits are characters of one byte.
        let (before, digits, after) = (&stem[..run.start], &stem[run.clone()], &stem[run.end..]);
        // A minus is a sign only at the very beginning: shot-0001.png is frame 1.
        let (before, sign) = if before == "-" { ("", -1) } else { (before, 1) };
        let kind = Kind { before: before.to_owned(), after: after.to_owned(), format };
        Some(NumberedName { kind, number: digits.parse::<i64>().ok()? * sign })
    };
    runs.into_iter().filter_map(parse).collect()
}

/// Where the digits of a text are, in runs.
fn digit_runs(text: &str) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for (at, _) in text.bytes().enumerate().filter(|(_, byte)| byte.is_ascii_digit()) {
        match runs.last_mut() {
            Some(run) if run.end == at => run.end += 1,
            _ => runs.push(at..at + 1),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers of names, and whether all have the same kind.
    fn parsed(names: &[&str]) -> (Vec<Option<i64>>, bool) {
        let reader = NameReader::of(names.iter().copied());
        let all: Vec<_> = names.iter().map(|name| reader.read(name)).collect();
        let kinds: Vec<_> = all.iter().flatten().map(|name| &name.kind).collect();
        let same = kinds.windows(2).all(|pair| pair[0] == pair[1]);
        (all.iter().map(|name| name.as_ref().map(|name| name.number)).collect(), same)
    }

    #[test]
    fn the_number_can_be_anywhere_in_the_name() {
        for names in [
            ["0001.png", "0002.png"],
            ["-0001.png", "-0002.png"],
            ["shot-0001.png", "shot-0002.png"],
            ["a.b.1.jpeg", "a.b.2.jpg"],
            ["frame_0001_final.png", "frame_0002_final.png"],
            ["img (1).png", "img (2).png"],
            ["0001_L.png", "0002_L.png"],
            ["0001.rgb.png", "0002.rgb.png"],
            ["shot2_0001_4k.png", "shot2_0002_4k.png"],
            ["é1ü.PNG", "é2ü.png"],
        ] {
            let sign = if names[0].starts_with('-') { -1 } else { 1 };
            assert_eq!(parsed(&names), (vec![Some(sign), Some(2 * sign)], true), "{names:?}");
        }
    }

    #[test]
    fn a_number_at_the_end_is_that_of_the_frame() {
        // Two shots are two sequences, although their first numbers are consecutive.
        assert_eq!(parsed(&["shot1_0001.png", "shot2_0001.png"]), (vec![Some(1), Some(1)], false));
        assert_eq!(parsed(&["1700000000.jpg"]), (vec![Some(1_700_000_000)], true));
        assert_eq!(parsed(&["0001.png", "0001_L.png"]), (vec![Some(1), None], true));
    }

    #[test]
    fn other_names_have_no_number() {
        for name in ["", ".", ".png", "png", "0001", "0001.", "0001.mp4", "cover.png", "1.png.part"]
        {
            assert_eq!(NameReader::of([name].into_iter()).read(name), None, "{name}");
        }
        let long = "99999999999999999999.png";
        assert_eq!(NameReader::of([long].into_iter()).read(long), None);
    }
}
