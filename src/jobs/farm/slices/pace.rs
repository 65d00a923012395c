//! How long frames take, as the reports of an output tell.

use std::collections::BTreeMap;

use crate::watch::activity::{median, seconds_of};
use crate::watch::attempt::Attempt;
use crate::worker::report::Action;

/// How long frames take, and how long a child takes besides.
#[derive(Clone, Debug, PartialEq)]
pub struct Pace {
    /// The seconds in which a child renders nothing: it fetches the scene, starts Blender and loads the
    /// scene, and stores the last frame. The start of the instance and of the container come before.
    pub startup: f32,
    /// The seconds of the frames that were rendered, by number; never empty.
    known: BTreeMap<i32, f32>,
}

/// What one attempt tells.
struct Measured {
    startup: f32,
    frames: Vec<(i32, f32)>,
}

impl Pace {
    /// The pace of these attempts, in the order in which they began; `None` if none of them has rendered
    /// a frame and ended.
    pub fn of<'a>(attempts: impl IntoIterator<Item = &'a Attempt>) -> Option<Self> {
        let (mut startups, mut known) = (Vec::new(), BTreeMap::new());
        for measured in attempts.into_iter().filter_map(measured) {
            startups.push(measured.startup);
            // A later attempt knows better.
            known.extend(measured.frames);
        }
        Some(Self { startup: median(&mut startups)?, known })
    }

    /// The pace that frames of these seconds show.
    #[cfg(test)]
    pub fn known(startup: f32, known: BTreeMap<i32, f32>) -> Self {
        Self { startup, known }
    }

    /// The number of frames whose seconds are known.
    pub fn measured(&self) -> usize {
        self.known.len()
    }

    /// The expected seconds of a frame: of one that is not known, those between the frames around it.
    pub fn seconds(&self, frame: i32) -> f32 {
        let before = self.known.range(..=frame).next_back();
        let after = self.known.range(frame..).next();
        match (before, after) {
            (Some((first, low)), Some((last, high))) if first < last => {
                #[expect(clippy::cast_precision_loss, reason = "frame numbers are small")]
                let part = (frame - first) as f32 / (last - first) as f32;
                low + (high - low) * part
            }
            (Some((_, seconds)), _) | (None, Some((_, seconds))) => *seconds,
            (None, None) => 0.0,
        }
    }
}

/// What an attempt tells that has ended and rendered frames.
fn measured(attempt: &Attempt) -> Option<Measured> {
    let finished = attempt.finished.filter(|_| attempt.action == Action::Render)?;
    let duration = seconds_of(finished.saturating_sub(attempt.started));
    let timed = attempt.rendered.iter();
    let mut frames: Vec<_> =
        timed.filter_map(|(number, seconds)| Some((*number, (*seconds)?))).collect();
    // The seconds of the first frame begin with Blender's start. Every order begins with the lowest one.
    if let [(_, first), (_, second), ..] = frames.as_mut_slice() {
        *first = first.min(*second);
    }
    let rendering: f32 = frames.iter().map(|(_, seconds)| seconds).sum();
    // Several Blenders render at the same time.
    if rendering > duration {
        for (_, seconds) in &mut frames {
            *seconds *= duration / rendering;
        }
    }
    let startup = (duration - rendering).max(0.0);
    (!frames.is_empty()).then_some(Measured { startup, frames })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn attempt(seconds: u32, frames: &[(i32, f32)]) -> Attempt {
        let frames: serde_json::Map<_, _> = frames
            .iter()
            .map(|(number, seconds)| {
                let frame =
                    json!({"state": "rendered", "file": "a.png", "bytes": 1, "seconds": seconds});
                (number.to_string(), frame)
            })
            .collect();
        let report = json!({
            "schema": 1, "version": "0.1.0", "action": "render", "status": "succeeded",
            "started": "2026-11-29T10:00:00.000Z", "frames": frames,
            "finished": format!("2026-11-29T10:{:02}:{:02}.000Z", seconds / 60, seconds % 60),
        });
        Attempt::parse("render-a.json", report.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn the_start_of_blender_is_no_part_of_a_frame() {
        let pace = Pace::of(&[attempt(50, &[(1, 22.0), (11, 10.0), (21, 12.0)])]).unwrap();
        assert_eq!(pace, Pace { startup: 18.0, known: [(1, 10.0), (11, 10.0), (21, 12.0)].into() });
        assert!((pace.seconds(16) - 11.0).abs() < 1e-4);
        assert!((pace.seconds(-5) - 10.0).abs() < 1e-4);
        assert!((pace.seconds(99) - 12.0).abs() < 1e-4);
        assert_eq!(pace.measured(), 3);
    }

    #[test]
    fn several_blenders_share_the_time_of_an_attempt() {
        let pace = Pace::of(&[attempt(30, &[(1, 20.0), (2, 20.0), (3, 20.0)])]).unwrap();
        assert!((pace.seconds(2) - 10.0).abs() < 1e-4 && pace.startup == 0.0, "{pace:?}");
    }

    #[test]
    fn later_attempts_know_better_and_the_typical_start_counts() {
        let attempts = [
            attempt(12, &[(1, 10.0)]),
            attempt(30, &[(1, 20.0), (2, 20.0)]),
            attempt(15, &[(2, 5.0)]),
            attempt(99, &[]),
        ];
        let pace = Pace::of(&attempts).unwrap();
        assert_eq!(pace.known, [(1, 15.0), (2, 5.0)].into());
        assert!((pace.startup - 2.0).abs() < 1e-4, "{pace:?}");
        assert_eq!(Pace::of(&[attempt(99, &[])]), None);
    }
}
