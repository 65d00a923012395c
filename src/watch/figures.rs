//! What follows from the state of all frames: rate, time left, slow frames, failures by cause.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::activity::{Activity, Work, median, seconds_of};
use super::frame::{Frame, Standing};
use crate::request::{FrameNumber, FrameSet};
use crate::worker::report::Action;

/// Frames that were stored within so many milliseconds count for the rate.
const RECENTLY: u64 = 10 * 60 * 1000;

/// How many of the slowest frames are named.
const SLOWEST: usize = 10;

/// The most groups of failures that are told.
const MAX_GROUPS: usize = 50;

/// What follows from the state of all frames.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// How many frames are stored.
    pub stored: usize,
    /// How many frames were asked for, or are stored; `None` if no report tells what was asked for.
    pub total: Option<usize>,
    /// How many frames are not stored, but an attempt that was asked for them runs.
    pub pending: usize,
    /// How many frames could not be rendered.
    pub failed: usize,
    /// How many other frames are missing: no attempt that was asked for them runs.
    pub missing: usize,
    /// The frames a minute that were stored during the last ten minutes, if any attempt is at work.
    pub rate: Option<f32>,
    /// The seconds until the pending frames are stored, at this rate.
    pub left: Option<u64>,
    /// The median of the seconds that stored frames took.
    pub median: Option<f32>,
    /// The numbers of the slowest frames, the slowest one first.
    pub slowest: Vec<i32>,
    /// How many attempts run.
    pub running: usize,
    /// How many of those are stuck.
    pub stuck: usize,
    /// When the last frame was stored, in milliseconds since 1970.
    pub last_frame: Option<u64>,
    /// The failures, in groups of the same cause; the largest group first.
    pub failures: Vec<FailureGroup>,
}

/// Failures with the same cause but for numbers in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailureGroup {
    /// The cause of the first of them.
    pub cause: String,
    /// The exit codes of the attempts that failed with it.
    pub exit_codes: Vec<u8>,
    /// How many attempts failed with it.
    pub attempts: usize,
    /// The frames that are not stored because of it.
    pub frames: FrameSet,
}

impl Figures {
    /// The figures of these frames and attempts at the time `now`.
    pub fn of(frames: &[Frame], works: &[Work], now: u64) -> Self {
        let count = |is: fn(&Standing) -> bool| frames.iter().filter(|it| is(&it.standing)).count();
        let stored = count(|standing| *standing == Standing::Stored);
        let pending = count(|standing| *standing == Standing::Pending);
        let renders = || works.iter().filter(|work| work.attempt.action == Action::Render);
        let at_work = || works.iter().filter(|work| work.activity.is_at_work());
        let mut seconds: Vec<_> = frames.iter().filter_map(|frame| frame.seconds).collect();
        let rate = rate(frames, works, now);
        Self {
            stored,
            total: renders().next().is_some().then_some(frames.len()),
            pending,
            failed: count(|standing| matches!(standing, Standing::Failed(_))),
            missing: count(|standing| *standing == Standing::Missing),
            rate,
            left: rate.filter(|_| pending > 0).map(|rate| left(pending, rate)),
            median: median(&mut seconds),
            slowest: slowest(frames),
            running: at_work().count(),
            stuck: at_work().filter(|work| work.activity == Activity::Stuck).count(),
            last_frame: times(frames).max(),
            failures: failures(frames, works),
        }
    }
}

fn times(frames: &[Frame]) -> impl Iterator<Item = u64> + '_ {
    frames.iter().filter_map(|frame| frame.file.as_ref()).map(|file| file.modified)
}

/// The frames a minute that were stored recently.
fn rate(frames: &[Frame], works: &[Work], now: u64) -> Option<f32> {
    let recent = now.saturating_sub(RECENTLY);
    let stored: Vec<_> = times(frames).filter(|time| (recent..=now).contains(time)).collect();
    let first = stored.iter().copied().min()?;
    let renders = works.iter().filter(|work| work.attempt.action == Action::Render);
    let began = renders.clone().filter(|work| work.activity.is_at_work());
    let began = began.map(|work| work.attempt.started).min();
    let (count, since) = match began {
        Some(began) => {
            let since = began.max(recent);
            (stored.iter().filter(|time| **time >= since).count(), since)
        }
        // Nothing is at work, or nobody tells. Then the first frame only begins the time.
        None if renders.count() > 0 => return None,
        None => (stored.len() - 1, first),
    };
    let minutes = seconds_of(now.saturating_sub(since)) / 60.0;
    #[expect(clippy::cast_precision_loss, reason = "a number of frames")]
    let rate = count as f32 / minutes;
    (count > 0 && rate.is_finite()).then_some(rate)
}

/// The seconds that so many frames take, at so many a minute.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the rate is positive, and the cast saturates"
)]
fn left(frames: usize, rate: f32) -> u64 {
    (frames as f32 / rate * 60.0).ceil() as u64
}

fn slowest(frames: &[Frame]) -> Vec<i32> {
    let timed = frames.iter().filter_map(|frame| Some((frame.seconds?, frame.number)));
    let mut timed: Vec<_> = timed.collect();
    timed.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    timed.into_iter().take(SLOWEST).map(|(_, number)| number).collect()
}

/// The failures of attempts and of frames, in groups of the same cause.
fn failures(frames: &[Frame], works: &[Work]) -> Vec<FailureGroup> {
    let mut groups = Groups::default();
    for work in works.iter().filter(|work| work.activity == Activity::Failed) {
        let attempt = &work.attempt;
        let group = groups.of(attempt.cause.as_deref().unwrap_or_default());
        group.attempts += 1;
        if let Some(code) = attempt.exit_code.filter(|code| !group.exit_codes.contains(code)) {
            group.exit_codes.push(code);
        }
    }
    let mut numbers = HashMap::<String, Vec<FrameNumber>>::new();
    for frame in frames {
        let Standing::Failed(cause) = &frame.standing else { continue };
        groups.of(cause);
        let number = FrameNumber::new(frame.number.into());
        numbers.entry(without_numbers(cause)).or_default().extend(number);
    }
    let mut all = groups.all;
    for group in &mut all {
        let failed = numbers.remove(&without_numbers(&group.cause));
        group.frames = failed.unwrap_or_default().into_iter().collect();
    }
    all.sort_by_key(|group| Reverse((group.frames.len(), group.attempts)));
    all.truncate(MAX_GROUPS);
    all
}

/// Groups by cause, in the order in which the causes came.
#[derive(Default)]
struct Groups {
    all: Vec<FailureGroup>,
    places: HashMap<String, usize>,
}

impl Groups {
    fn of(&mut self, cause: &str) -> &mut FailureGroup {
        let new = self.all.len();
        let place = *self.places.entry(without_numbers(cause)).or_insert(new);
        if place == new {
            self.all.push(FailureGroup {
                cause: cause.to_owned(),
                exit_codes: Vec::new(),
                attempts: 0,
                frames: FrameSet::default(),
            });
        }
        #[expect(clippy::indexing_slicing, reason = "it was there, or has just been added")]
        &mut self.all[place]
    }
}

/// A cause with a `#` in place of each number, so that the same failure of other frames is the same.
fn without_numbers(cause: &str) -> String {
    let mut text = String::with_capacity(cause.len());
    for c in cause.chars() {
        if !c.is_ascii_digit() {
            text.push(c);
        } else if !text.ends_with('#') {
            text.push('#');
        }
    }
    text
}
