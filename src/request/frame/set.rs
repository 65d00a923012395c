//! Frame numbers and sets of them: `1-10,15,20-40x2`.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The number of a frame, from [`FrameNumber::MIN`] to [`FrameNumber::MAX`].
///
/// Blender silently clamps numbers outside of this range (`MINAFRAME` and `MAXFRAME` in its
/// `DNA_scene_types.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FrameNumber(i32);

impl FrameNumber {
    /// Blender's `MINAFRAME`.
    pub const MIN: i32 = -1_048_574;
    /// Blender's `MAXFRAME`.
    pub const MAX: i32 = 1_048_574;

    /// The first frame of most animations.
    pub const ONE: Self = Self(1);

    /// `number` as a frame number; `None` if it is out of range.
    pub fn new(number: i64) -> Option<Self> {
        i32::try_from(number).ok().filter(|n| (Self::MIN..=Self::MAX).contains(n)).map(Self)
    }

    /// The number.
    pub fn get(self) -> i32 {
        self.0
    }
}

impl fmt::Display for FrameNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Consecutive frames, including both ends. Printed as `7` or `7-12`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameRange {
    /// The first frame of the range.
    pub first: FrameNumber,
    /// The last frame of the range, never before `first`.
    pub last: FrameNumber,
}

impl FrameRange {
    /// The number of frames, 1 or more.
    #[expect(clippy::len_without_is_empty, reason = "a range is never empty")]
    pub fn len(self) -> u32 {
        self.first.get().abs_diff(self.last.get()) + 1
    }

    /// Whether a frame is in the range.
    pub fn contains(self, frame: FrameNumber) -> bool {
        (self.first..=self.last).contains(&frame)
    }
}

impl fmt::Display for FrameRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}

/// A set of frames, in ascending order. It can be empty, as for a child past the end of the
/// animation.
///
/// Text form: terms `a`, `a-b` or `a-bxn` (every n-th frame from a to b), separated by commas.
/// Terms can overlap and come in any order. The text of a set parses as the same set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FrameSet(Vec<FrameNumber>);

impl From<FrameRange> for FrameSet {
    fn from(range: FrameRange) -> Self {
        Self::from_bounds(range.first, range.last)
    }
}

impl FrameSet {
    /// The frames from `first` to `last`, including both; empty if `last < first`.
    pub fn from_bounds(first: FrameNumber, last: FrameNumber) -> Self {
        Self((first.0..=last.0).map(FrameNumber).collect())
    }

    /// The frames that are not in `others`.
    #[must_use]
    pub fn without(&self, others: &Self) -> Self {
        self.iter().filter(|&frame| !others.contains(frame)).collect()
    }

    /// The frames in ascending order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = FrameNumber> + '_ {
        self.0.iter().copied()
    }

    /// The number of frames.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the set has no frames.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `frame` belongs to the set.
    pub fn contains(&self, frame: FrameNumber) -> bool {
        self.0.binary_search(&frame).is_ok()
    }

    /// The lowest frame.
    pub fn first(&self) -> Option<FrameNumber> {
        self.0.first().copied()
    }

    /// The highest frame.
    pub fn last(&self) -> Option<FrameNumber> {
        self.0.last().copied()
    }

    /// The set as the fewest possible ranges, in ascending order.
    pub fn ranges(&self) -> Vec<FrameRange> {
        let mut ranges: Vec<FrameRange> = Vec::new();
        for frame in self.iter() {
            match ranges.last_mut() {
                Some(range) if range.last.0 + 1 == frame.0 => range.last = frame,
                _ => ranges.push(FrameRange { first: frame, last: frame }),
            }
        }
        ranges
    }

    /// The set in fewer characters than its text has: `1,5,9,13` is `1-13x4`. It parses as the same set.
    pub fn compact(&self) -> String {
        let mut terms = Vec::new();
        let mut rest = self.0.as_slice();
        while let [first, others @ ..] = rest {
            let step = others.first().map_or(1, |second| second.0 - first.0);
            let is_next = |(place, frame): &(i32, &FrameNumber)| frame.0 == first.0 + place * step;
            let followers = (1..).zip(others).take_while(is_next).count();
            // Two frames are no shorter as a range, unless they are consecutive.
            let followers = if step > 1 && followers < 2 { 0 } else { followers };
            let (term, left) = others.split_at(followers);
            terms.push(match term.last() {
                None => first.to_string(),
                Some(last) if step == 1 => format!("{first}-{last}"),
                Some(last) => format!("{first}-{last}x{step}"),
            });
            rest = left;
        }
        terms.join(",")
    }

    /// The set with its noun, for messages: `frame 7`, `frames 7-9,12`.
    pub fn named(&self) -> String {
        if self.len() == 1 { format!("frame {self}") } else { format!("frames {self}") }
    }

    /// The next `count` frames after the first `skip` ones, or as many as there are.
    #[must_use]
    pub fn chunk(&self, skip: usize, count: usize) -> Self {
        Self(self.iter().skip(skip).take(count).collect())
    }

    /// Every `step`-th frame after the first `skip` ones. A `step` of 0 is 1.
    #[must_use]
    pub fn every(&self, step: usize, skip: usize) -> Self {
        Self(self.iter().skip(skip).step_by(step.max(1)).collect())
    }
}

/// Whether the terms of a frame set are written in ascending order, in which frames are always
/// rendered. Malformed terms are ignored.
pub fn is_ascending(text: &str) -> bool {
    let terms = text.split(',').filter_map(|term| parse_term(term.trim()).ok());
    terms.map(|(first, _, _)| first).is_sorted()
}

impl FromIterator<FrameNumber> for FrameSet {
    fn from_iter<I: IntoIterator<Item = FrameNumber>>(frames: I) -> Self {
        let mut frames: Vec<_> = frames.into_iter().collect();
        frames.sort_unstable();
        frames.dedup();
        Self(frames)
    }
}

impl fmt::Display for FrameSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, range) in self.ranges().iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            write!(f, "{range}")?;
        }
        Ok(())
    }
}

/// Why a text is not a frame set. Each variant holds the invalid term.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FrameSetError {
    /// A term that does not have the form `a`, `a-b` or `a-bxn`.
    #[error(
        "`{0}` is not a frame (7), a range (1-10) or a range with a step (1-99x2); separate them \
         with commas"
    )]
    Malformed(String),
    /// A frame number out of range.
    #[error(
        "`{0}` is outside of the frames that Blender supports, {min} to {max}",
        min = FrameNumber::MIN,
        max = FrameNumber::MAX
    )]
    OutOfRange(String),
    /// A range whose end comes before its beginning.
    #[error("`{0}` ends before it begins")]
    Backwards(String),
}

impl FromStr for FrameSet {
    type Err = FrameSetError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut frames = Vec::new();
        for term in text.split(',') {
            let (first, last, step) = parse_term(term.trim())?;
            frames.extend((first.0..=last.0).step_by(step).map(FrameNumber));
            // Bounds memory by the number of frames that Blender supports, however often a term
            // is repeated.
            if frames.len() > 2 * FrameNumber::MAX as usize {
                frames.sort_unstable();
                frames.dedup();
            }
        }
        Ok(frames.into_iter().collect())
    }
}

/// Parses `a`, `a-b` or `a-bxn` into the first frame, the last frame and the step.
fn parse_term(term: &str) -> Result<(FrameNumber, FrameNumber, usize), FrameSetError> {
    let malformed = || FrameSetError::Malformed(term.to_owned());
    let (range, step) = match term.split_once('x') {
        None => (term, 1),
        Some((range, step)) => (range, parse_step(step).ok_or_else(malformed)?),
    };
    // A minus at the very beginning is a sign. The next one is the separator.
    let separator = range.char_indices().skip(1).find(|&(_, c)| c == '-').map(|(at, _)| at);
    let (first, last) = match separator {
        Some(at) => (range.get(..at), range.get(at + 1..)),
        None if step == 1 && !term.contains('x') => (Some(range), Some(range)),
        None => return Err(malformed()),
    };
    let frame = |text: Option<&str>| {
        let number = text.and_then(parse_integer).ok_or_else(malformed)?;
        FrameNumber::new(number).ok_or_else(|| FrameSetError::OutOfRange(term.to_owned()))
    };
    let (first, last) = (frame(first)?, frame(last)?);
    if last < first {
        return Err(FrameSetError::Backwards(term.to_owned()));
    }
    Ok((first, last, step))
}

fn parse_step(text: &str) -> Option<usize> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|&step| digits && step > 0)
}

/// Parses an integer without a plus sign. A number too large for `i64` saturates, so that it
/// counts as out of range and not as malformed.
fn parse_integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(i64::MAX))
}

impl FromStr for FrameNumber {
    type Err = FrameSetError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number =
            parse_integer(text).ok_or_else(|| FrameSetError::Malformed(text.to_owned()))?;
        Self::new(number).ok_or_else(|| FrameSetError::OutOfRange(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn terms_in_ascending_order_are_recognised() {
        for ascending in ["", "7", "1,2", "1-10,5-20,20-40x2", "-3,-1-4"] {
            assert!(is_ascending(ascending), "{ascending}");
        }
        for not in ["9998-9999,1", "2,1", "1-3,-1"] {
            assert!(!is_ascending(not), "{not}");
        }
    }

    #[test]
    fn a_compact_text_is_the_same_set() {
        for (text, compact) in [
            ("", ""),
            ("7", "7"),
            ("1-2", "1-2"),
            ("1,3", "1,3"),
            ("1,3,5", "1-5x2"),
            ("-5,-1,3,7-9", "-5-7x4,8-9"),
            ("1-240x24,500", "1-217x24,500"),
            ("1-3,10,20,30,31", "1-3,10-30x10,31"),
        ] {
            let set: FrameSet = text.parse().unwrap_or_default();
            assert_eq!(set.compact(), compact, "{text}");
            assert_eq!(compact.parse::<FrameSet>().unwrap_or_default(), set, "{text}");
        }
    }

    fn numbers(text: &str) -> Vec<i32> {
        text.parse::<FrameSet>().unwrap().iter().map(FrameNumber::get).collect()
    }

    #[test]
    fn frame_sets_are_parsed() {
        let table: &[(&str, &[i32])] = &[
            ("7", &[7]),
            ("0", &[0]),
            ("-3", &[-3]),
            ("1-4", &[1, 2, 3, 4]),
            ("-2-1", &[-2, -1, 0, 1]),
            ("-5--3", &[-5, -4, -3]),
            ("1-10x3", &[1, 4, 7, 10]),
            ("1-9x3", &[1, 4, 7]),
            ("20-40x20,1-2", &[1, 2, 20, 40]),
            ("3,1-4,2", &[1, 2, 3, 4]),
            (" 1 , 3 ", &[1, 3]),
            ("5-5", &[5]),
        ];
        for (text, expected) in table {
            assert_eq!(numbers(text), *expected, "{text}");
        }
    }

    #[test]
    fn errors_name_the_invalid_term() {
        let malformed = |t: &str| FrameSetError::Malformed(t.to_owned());
        let table = [
            ("", malformed("")),
            ("1,,2", malformed("")),
            ("a", malformed("a")),
            ("1-", malformed("1-")),
            ("1..5", malformed("1..5")),
            ("+1", malformed("+1")),
            ("1-5x", malformed("1-5x")),
            ("1-5x0", malformed("1-5x0")),
            ("1-5x+2", malformed("1-5x+2")),
            ("5x2", malformed("5x2")),
            ("5x1", malformed("5x1")),
            ("1.5", malformed("1.5")),
            ("\u{661}", malformed("\u{661}")),
            ("9-1", FrameSetError::Backwards("9-1".into())),
            ("2000000", FrameSetError::OutOfRange("2000000".into())),
            ("1-99999999999999999999", FrameSetError::OutOfRange("1-99999999999999999999".into())),
        ];
        for (text, expected) in table {
            assert_eq!(text.parse::<FrameSet>(), Err(expected), "{text}");
        }
    }

    #[test]
    fn a_set_prints_as_the_fewest_ranges() {
        let set: FrameSet = "4,1-3,9,7--1".replace("7--1", "7").parse().unwrap();
        assert_eq!(set.to_string(), "1-4,7,9");
        assert_eq!(FrameSet::default().to_string(), "");
    }

    proptest! {
        #[test]
        fn printing_and_parsing_gives_the_same_set(
            frames in prop::collection::btree_set(-2000i64..2000, 1..200)
        ) {
            let set: FrameSet = frames.iter().filter_map(|&n| FrameNumber::new(n)).collect();
            prop_assert_eq!(set.to_string().parse::<FrameSet>().unwrap(), set);
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "[-0-9x, a]{0,24}") {
            let _ = text.parse::<FrameSet>();
        }
    }
}
