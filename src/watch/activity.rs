//! Which attempts are at work, stuck or lost, and what they have done.
//!
//! The report of an attempt is written at its beginning and at its end. In between, the frames that are
//! stored since it began are those that it has rendered. An attempt that was killed never ends: it is
//! lost once another attempt does the same work.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::Serialize;

use super::attempt::Attempt;
use crate::worker::report::{Action, Status};

/// An attempt is stuck if it stores no frame for so many times the typical time of a frame…
const STUCK_AFTER: f32 = 3.0;

/// … but not before so many seconds: starting Blender and loading the scene take time as well.
const STUCK_AT_LEAST: f32 = 60.0;

/// How much earlier than its attempt a frame may seem to be stored, in milliseconds: S3 cuts times to
/// seconds, and clocks differ.
const SLACK: u64 = 1000;

/// How an attempt stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Activity {
    /// It runs.
    Running,
    /// It runs, but has stored no frame for three times the typical time. It may have been killed.
    Stuck,
    /// It never ended, and a later attempt does its work: it was killed.
    Lost,
    /// It did all that it was asked to do.
    Succeeded,
    /// It ended with an error.
    Failed,
}

impl Activity {
    /// Whether the attempt may still store frames.
    pub fn is_at_work(self) -> bool {
        matches!(self, Self::Running | Self::Stuck)
    }
}

/// An attempt, and what it has done by now.
#[derive(Clone, Debug, PartialEq)]
pub struct Work {
    /// The attempt.
    pub attempt: Arc<Attempt>,
    /// How it stands.
    pub activity: Activity,
    /// How many of the frames that it was asked for are stored: rendered by it, or there before.
    pub done: usize,
    /// When it has stored its last frame, in milliseconds since 1970, if that is known.
    pub last_frame: Option<u64>,
}

impl Work {
    /// Whether a frame that was asked for, and stored at this time, is from this attempt, as far as
    /// times tell.
    pub fn has_stored(&self, modified: u64) -> bool {
        modified + SLACK >= self.attempt.started
    }
}

/// How attempts, in the order in which they began, stand at the time `now`. `stored` has the times of the
/// stored frames by their number.
pub fn works(attempts: Vec<Arc<Attempt>>, stored: &BTreeMap<i32, u64>, now: u64) -> Vec<Work> {
    let lost = lost(&attempts);
    let work = |(attempt, is_lost): (Arc<Attempt>, bool)| {
        let activity = match attempt.status {
            Status::Running if is_lost => Activity::Lost,
            Status::Running => Activity::Running,
            Status::Succeeded => Activity::Succeeded,
            Status::Failed => Activity::Failed,
        };
        let mut work = Work { attempt, activity, done: 0, last_frame: None };
        count(&mut work, stored);
        work
    };
    let mut works: Vec<_> = attempts.into_iter().zip(lost).map(work).collect();
    let typical = typical(&works, stored);
    for work in &mut works {
        if work.activity == Activity::Running && work.attempt.action == Action::Render {
            let since = work.last_frame.unwrap_or(0).max(work.attempt.started);
            if is_stuck(now.saturating_sub(since), typical) {
                work.activity = Activity::Stuck;
            }
        }
    }
    works
}

/// Which attempts never ended although a later one of the same child began.
fn lost(attempts: &[Arc<Attempt>]) -> Vec<bool> {
    let mut latest = HashMap::new();
    for (place, attempt) in attempts.iter().enumerate() {
        latest.insert(child(attempt), place);
    }
    let is_lost = |(place, attempt): (usize, &Arc<Attempt>)| {
        attempt.status == Status::Running
            && latest.get(&child(attempt)).is_some_and(|latest| *latest > place)
    };
    attempts.iter().enumerate().map(is_lost).collect()
}

/// What attempts have in common that do the same work: the job on AWS Batch, or else the array index and
/// the frames.
#[derive(PartialEq, Eq, Hash)]
struct Child<'a> {
    action: &'static str,
    job: Option<&'a str>,
    index: Option<u32>,
    frames: Vec<(i32, i32)>,
}

fn child(attempt: &Attempt) -> Child<'_> {
    let Attempt { action, job, index, asked, .. } = attempt;
    let frames = || asked.iter().map(|range| (range.first.get(), range.last.get())).collect();
    let frames = if job.is_some() { Vec::new() } else { frames() };
    Child { action: action.name(), job: job.as_deref(), index: *index, frames }
}

/// Counts the frames of an attempt.
fn count(work: &mut Work, stored: &BTreeMap<i32, u64>) {
    let attempt = Arc::clone(&work.attempt);
    if attempt.action != Action::Render {
        return;
    }
    let times = attempt.asked().filter_map(|number| stored.get(&number).copied());
    if attempt.finished.is_some() {
        work.done = attempt.rendered.len() + attempt.kept;
        let own = attempt.rendered.iter().filter_map(|(number, _)| stored.get(number).copied());
        work.last_frame = own.filter(|time| attempt.finished.is_some_and(|end| *time <= end)).max();
        return;
    }
    // Frames that were there before are stored as well, and the attempt keeps those that fit.
    let own: Vec<_> = times.filter(|modified| work.has_stored(*modified)).collect();
    work.done = own.len();
    work.last_frame = own.into_iter().max();
}

/// The median of the seconds that frames took: as the reports say, or else by the times at which running
/// attempts have stored theirs.
fn typical(works: &[Work], stored: &BTreeMap<i32, u64>) -> Option<f32> {
    let reported = works.iter().flat_map(|work| &work.attempt.rendered);
    let mut seconds: Vec<f32> = reported.filter_map(|(_, seconds)| *seconds).collect();
    if seconds.is_empty() {
        for work in works.iter().filter(|work| work.activity == Activity::Running) {
            let times = work.attempt.asked().filter_map(|number| stored.get(&number).copied());
            let mut times: Vec<_> = times.filter(|time| work.has_stored(*time)).collect();
            times.sort_unstable();
            seconds.extend(times.windows(2).filter_map(|pair| match pair {
                [before, after] => Some(seconds_of(after - before)),
                _ => None,
            }));
        }
    }
    median(&mut seconds)
}

fn is_stuck(silent: u64, typical: Option<f32>) -> bool {
    typical.is_some_and(|typical| seconds_of(silent) > (typical * STUCK_AFTER).max(STUCK_AT_LEAST))
}

/// The middle of these values; `None` if there are none.
pub fn median(values: &mut [f32]) -> Option<f32> {
    values.sort_unstable_by(f32::total_cmp);
    values.get(values.len() / 2).copied()
}

/// Milliseconds as seconds.
#[expect(clippy::cast_precision_loss, reason = "nobody needs more digits")]
pub fn seconds_of(millis: u64) -> f32 {
    millis as f32 / 1000.0
}
