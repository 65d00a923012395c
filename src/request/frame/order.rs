//! The order in which the frames of a job are rendered.

use std::str::FromStr;

use super::set::{FrameNumber, FrameSet};
use crate::request::value::ValueError;

/// The order in which Blender renders the frames of a job. The pictures are the same in each: only
/// which of them are there first differs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FrameOrder {
    /// In ascending order.
    #[default]
    Sequential,
    /// The first, the last and the middle one, then the others in ascending order.
    FirstLastMiddle,
    /// Every tenth one from the first on, then the others in ascending order.
    EveryTenth,
}

impl FrameOrder {
    /// All orders.
    pub const ALL: [Self; 3] = [Self::Sequential, Self::FirstLastMiddle, Self::EveryTenth];

    /// The distance of frames that [`FrameOrder::EveryTenth`] renders first.
    const STEP: usize = 10;

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sequential => "sequential",
            Self::FirstLastMiddle => "first-last-middle",
            Self::EveryTenth => "every-10th",
        }
    }

    /// The frames in this order, each of them once.
    pub fn arrange(self, frames: &FrameSet) -> Vec<FrameNumber> {
        let count = frames.len();
        let leading: Vec<_> = match self {
            Self::Sequential => Vec::new(),
            Self::FirstLastMiddle => {
                let middle = frames.iter().nth(count.saturating_sub(1) / 2);
                let mut leading: Vec<_> =
                    [frames.first(), frames.last(), middle].into_iter().flatten().collect();
                // Of one or two frames, some are the same.
                if count < 3 {
                    leading.truncate(count);
                }
                leading
            }
            Self::EveryTenth => frames.iter().step_by(Self::STEP).collect(),
        };
        let first: FrameSet = leading.iter().copied().collect();
        let others = frames.iter().filter(|&frame| !first.contains(frame));
        leading.iter().copied().chain(others).collect()
    }
}

impl FromStr for FrameOrder {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let order = Self::ALL.into_iter().find(|order| order.name() == text);
        order.ok_or_else(|| ValueError::new(text, &Self::ALL.map(Self::name).join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn arranged(order: FrameOrder, frames: &str) -> Vec<i32> {
        let frames = frames.parse().unwrap_or_default();
        order.arrange(&frames).into_iter().map(FrameNumber::get).collect()
    }

    #[test]
    fn an_order_says_which_frames_come_first() {
        use FrameOrder::{EveryTenth, FirstLastMiddle, Sequential};

        let table: &[(FrameOrder, &str, &[i32])] = &[
            (Sequential, "1-4,9", &[1, 2, 3, 4, 9]),
            (FirstLastMiddle, "", &[]),
            (FirstLastMiddle, "5", &[5]),
            (FirstLastMiddle, "5,7", &[5, 7]),
            (FirstLastMiddle, "1-3", &[1, 3, 2]),
            (FirstLastMiddle, "1-12", &[1, 12, 6, 2, 3, 4, 5, 7, 8, 9, 10, 11]),
            (FirstLastMiddle, "-5--1,100", &[-5, 100, -3, -4, -2, -1]),
            (EveryTenth, "", &[]),
            (EveryTenth, "1-10", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
            (EveryTenth, "1-12", &[1, 11, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12]),
        ];
        for (order, frames, expected) in table {
            assert_eq!(arranged(*order, frames), *expected, "{order:?} {frames}");
        }
        assert!(arranged(EveryTenth, "1-42").starts_with(&[1, 11, 21, 31, 41, 2]));
    }

    #[test]
    fn orders_are_parsed_by_name() {
        for order in FrameOrder::ALL {
            assert_eq!(order.name().parse(), Ok(order));
        }
        let error = "random".parse::<FrameOrder>().unwrap_err().to_string();
        assert!(error.contains("first-last-middle"), "{error}");
    }

    proptest! {
        #[test]
        fn every_order_has_each_frame_once(
            frames in prop::collection::btree_set(-100i64..100, 0..60)
        ) {
            let set: FrameSet = frames.iter().filter_map(|&n| FrameNumber::new(n)).collect();
            for order in FrameOrder::ALL {
                let arranged = order.arrange(&set);
                prop_assert_eq!(arranged.len(), set.len());
                prop_assert_eq!(arranged.into_iter().collect::<FrameSet>(), set.clone());
            }
        }
    }
}
