//! Decides after a Spot notice whether there is time to finish the frame in hand.

use std::time::Duration;

use crate::request::FrameNumber;

/// How many of the last frames are used for the estimate. Animations change slowly, and the first
/// frame includes the time to load the scene.
const RECENT: usize = 3;

/// Estimates how much longer the frame in hand will take; `None` if there is nothing to go by.
///
/// `seconds` are those of the frames before, the last one first. Without any, the estimate is based
/// on `part`: the fraction of the frame, from 0 to 1, that was done in the `elapsed` time.
pub fn time_left(
    seconds: impl Iterator<Item = f64>,
    elapsed: Duration,
    part: f64,
) -> Option<Duration> {
    let recent: Vec<f64> = seconds.take(RECENT).collect();
    let whole = match u32::try_from(recent.len()) {
        Ok(count @ 1..) => recent.iter().sum::<f64>() / f64::from(count),
        _ if part > 0.0 => elapsed.as_secs_f64() / part,
        _ => return None,
    };
    Some(Duration::try_from_secs_f64(whole).ok()?.saturating_sub(elapsed))
}

/// Whether a frame that needs `left` is to be finished in this `time`. One that may end at any moment is,
/// unless there is no time at all.
pub fn is_finished(left: Option<Duration>, time: Duration) -> bool {
    !time.is_zero() && left.is_none_or(|left| left <= time)
}

/// Describes the decision for the log: `frame` needs `left`, and there is `time`.
pub fn describe(frame: FrameNumber, left: Option<Duration>, time: Duration) -> String {
    match left {
        _ if !is_finished(left, time) => format!(
            "frame {frame} needs {} more, but only {} s are left: giving it up, stopping",
            left.map_or_else(
                || "an unknown time".to_owned(),
                |left| format!("about {} s", left.as_secs())
            ),
            time.as_secs()
        ),
        None => format!(
            "finishing frame {frame} if it is done within {} s, then stopping",
            time.as_secs()
        ),
        Some(left) => {
            format!("finishing frame {frame} (about {} s more), then stopping", left.as_secs())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn the_estimate_is_the_mean_of_the_last_frames() {
        let left =
            |seen: &[f64], elapsed, part| time_left(seen.iter().copied(), seconds(elapsed), part);
        assert_eq!(left(&[10.0], 4.0, 0.0), Some(seconds(6.0)));
        assert_eq!(left(&[10.0, 11.0, 12.0, 90.0], 4.0, 0.9), Some(seconds(7.0)));
        // It already took longer than expected: it should end at any moment.
        assert_eq!(left(&[10.0], 14.0, 0.0), Some(Duration::ZERO));
    }

    #[test]
    fn without_earlier_frames_the_estimate_is_based_on_the_part_done() {
        let none = std::iter::empty::<f64>;
        assert_eq!(time_left(none(), seconds(30.0), 0.25), Some(seconds(90.0)));
        assert_eq!(time_left(none(), seconds(30.0), 0.0), None);
        // Too long for a `Duration`.
        assert_eq!(time_left(none(), seconds(30.0), 1e-300), None);
    }

    #[test]
    fn the_decision_is_described() {
        let frame = FrameNumber::new(7).unwrap();
        let description = |left: Option<f64>| describe(frame, left.map(seconds), seconds(93.7));
        assert_eq!(description(Some(12.3)), "finishing frame 7 (about 12 s more), then stopping");
        assert_eq!(
            description(Some(200.0)),
            "frame 7 needs about 200 s more, but only 93 s are left: giving it up, stopping"
        );
        assert_eq!(description(None), "finishing frame 7 if it is done within 93 s, then stopping");
        for (left, needs) in [(Some(Duration::ZERO), "about 0 s"), (None, "an unknown time")] {
            assert_eq!(
                describe(frame, left, Duration::ZERO),
                format!(
                    "frame 7 needs {needs} more, but only 0 s are left: giving it up, stopping"
                )
            );
        }
    }
}
