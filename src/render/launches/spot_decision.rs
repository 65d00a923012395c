//! The instance goes: can the frame in hand still be finished?

use std::time::Duration;

use crate::request::FrameNumber;

/// How many of the last frames tell how long the next one takes. Animations change
/// slowly, and the first frame has the scene's loading in it.
const RECENT: usize = 3;

/// How much longer the frame in hand takes, as far as that can be told: from the seconds
/// of the frames before it, the last one first, or else from the `part` of it that was
/// done in the time that has `elapsed` since it began.
pub fn time_left(
    seen: impl Iterator<Item = f64>,
    elapsed: Duration,
    part: f64,
) -> Option<Duration> {
    let recent: Vec<f64> = seen.take(RECENT).collect();
    let whole = match u32::try_from(recent.len()) {
        Ok(count @ 1..) => recent.iter().sum::<f64>() / f64::from(count),
        _ if part > 0.0 => elapsed.as_secs_f64() / part,
        _ => return None,
    };
    Some(Duration::try_from_secs_f64(whole).ok()?.saturating_sub(elapsed))
}

/// In words, what is done about `frame`, which takes so much longer, while there is `time`.
pub fn describe(frame: FrameNumber, left: Option<Duration>, time: Duration) -> String {
    let there_are = format!("there are {} s", time.as_secs());
    match left {
        None => format!("finishing frame {frame} if that is soon ({there_are}), then stopping"),
        Some(left) if left > time => format!(
            "frame {frame} takes about {} s more and {there_are}: giving it up, stopping",
            left.as_secs()
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
    fn the_last_frames_tell_how_long_one_takes() {
        let left =
            |seen: &[f64], elapsed, part| time_left(seen.iter().copied(), seconds(elapsed), part);
        assert_eq!(left(&[10.0], 4.0, 0.0), Some(seconds(6.0)));
        assert_eq!(left(&[10.0, 11.0, 12.0, 90.0], 4.0, 0.9), Some(seconds(7.0)));
        // Longer than any before: due any moment.
        assert_eq!(left(&[10.0], 14.0, 0.0), Some(Duration::ZERO));
    }

    #[test]
    fn the_first_frame_tells_by_the_part_that_is_done() {
        let none = std::iter::empty::<f64>;
        assert_eq!(time_left(none(), seconds(30.0), 0.25), Some(seconds(90.0)));
        assert_eq!(time_left(none(), seconds(30.0), 0.0), None);
        // As good as never.
        assert_eq!(time_left(none(), seconds(30.0), 1e-300), None);
    }

    #[test]
    fn the_decision_is_put_into_words() {
        let frame = FrameNumber::new(7).unwrap();
        let says = |left: Option<f64>| describe(frame, left.map(seconds), seconds(93.7));
        assert_eq!(says(Some(12.3)), "finishing frame 7 (about 12 s more), then stopping");
        assert_eq!(
            says(Some(200.0)),
            "frame 7 takes about 200 s more and there are 93 s: giving it up, stopping"
        );
        assert_eq!(says(None), "finishing frame 7 if that is soon (there are 93 s), then stopping");
    }
}
