//! What is written into the pictures of a video.

use std::fmt;
use std::str::FromStr;

use crate::request::value::ValueError;

/// What is written into each picture of a video, and in which corner: `frame,timecode@top-right`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BurnIn {
    /// What is written, in this order: at least one item, and none twice.
    pub items: Vec<BurnInItem>,
    /// The corner.
    pub corner: Corner,
}

/// Something that is written into a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BurnInItem {
    /// The number of the frame.
    Frame,
    /// The timecode of the frame.
    Timecode,
    /// The name of the scene.
    Scene,
    /// The date of the day.
    Date,
}

impl BurnInItem {
    const ALL: [Self; 4] = [Self::Frame, Self::Timecode, Self::Scene, Self::Date];

    fn name(self) -> &'static str {
        match self {
            Self::Frame => "frame",
            Self::Timecode => "timecode",
            Self::Scene => "scene",
            Self::Date => "date",
        }
    }
}

/// A corner of a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Corner {
    /// At the top, on the left.
    TopLeft,
    /// At the top, on the right.
    TopRight,
    /// At the bottom, on the left.
    #[default]
    BottomLeft,
    /// At the bottom, on the right.
    BottomRight,
}

impl Corner {
    const ALL: [Self; 4] = [Self::TopLeft, Self::TopRight, Self::BottomLeft, Self::BottomRight];

    fn name(self) -> &'static str {
        match self {
            Self::TopLeft => "top-left",
            Self::TopRight => "top-right",
            Self::BottomLeft => "bottom-left",
            Self::BottomRight => "bottom-right",
        }
    }

    /// Whether it is at the top.
    pub fn is_top(self) -> bool {
        matches!(self, Self::TopLeft | Self::TopRight)
    }

    /// Whether it is on the left.
    pub fn is_left(self) -> bool {
        matches!(self, Self::TopLeft | Self::BottomLeft)
    }
}

/// Prints the syntax of [`FromStr`], with the corner.
impl fmt::Display for BurnIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let items: Vec<_> = self.items.iter().map(|item| item.name()).collect();
        write!(f, "{}@{}", items.join(","), self.corner.name())
    }
}

impl FromStr for BurnIn {
    type Err = ValueError;

    /// Parses `ITEM,…` or `ITEM,…@CORNER`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wanted = || {
            ValueError::new(
                text,
                "frame, timecode, scene or date, or several separated by commas, and optionally \
                 @top-left, @top-right, @bottom-left or @bottom-right",
            )
        };
        let (items, corner) = match text.split_once('@') {
            Some((items, name)) => {
                let corner = Corner::ALL.into_iter().find(|corner| corner.name() == name);
                (items, corner.ok_or_else(wanted)?)
            }
            None => (text, Corner::default()),
        };
        let mut burn_in = Self { items: Vec::new(), corner };
        for name in items.split(',') {
            let item = BurnInItem::ALL.into_iter().find(|item| item.name() == name);
            let is_new = |item: &BurnInItem| !burn_in.items.contains(item);
            let item = item.filter(is_new).ok_or_else(wanted)?;
            burn_in.items.push(item);
        }
        Ok(burn_in)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_and_corners_are_parsed_in_the_order_in_which_they_are_written() {
        use BurnInItem::{Date, Frame, Scene, Timecode};
        use Corner::{BottomLeft, BottomRight, TopLeft, TopRight};
        let table: &[(&str, &[BurnInItem], Corner)] = &[
            ("frame", &[Frame], BottomLeft),
            ("timecode,frame", &[Timecode, Frame], BottomLeft),
            ("frame,timecode@top-right", &[Frame, Timecode], TopRight),
            ("scene@top-left", &[Scene], TopLeft),
            (
                "frame,timecode,scene,date@bottom-right",
                &[Frame, Timecode, Scene, Date],
                BottomRight,
            ),
        ];
        for &(text, items, corner) in table {
            let expected = BurnIn { items: items.to_vec(), corner };
            assert_eq!(text.parse(), Ok(expected.clone()), "{text}");
            assert_eq!(expected.to_string().parse(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for bad in [
            "",
            "@top-left",
            "frame@",
            "frame@middle",
            "frame@top-left@top-left",
            "frame,",
            ",frame",
            "frame,frame",
            "frame, date",
            "Frame",
            "frames",
            "true",
        ] {
            assert!(bad.parse::<BurnIn>().is_err(), "{bad}");
        }
    }
}
