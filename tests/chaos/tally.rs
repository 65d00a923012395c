//! The counts, as a table.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::time::Duration;

/// The counts of a scenario.
#[derive(Default)]
pub struct Tally {
    pub name: &'static str,
    pub jobs: usize,
    /// The requested frames of all jobs.
    pub frames: usize,
    pub kills: usize,
    pub attempts: usize,
    /// The attempts that ended with 75 by themselves.
    pub out_of_reach: usize,
    /// The frames that Blender has begun.
    pub begun: usize,
    /// The frames that Blender has written completely.
    pub rendered: usize,
    /// Those that it had written completely before.
    pub twice: usize,
    /// The maximum of these in one attempt.
    pub worst: usize,
    pub requests: usize,
    pub faults: usize,
    pub took: Duration,
    /// The phases of the worker when it was killed.
    pub phases: BTreeMap<Phase, usize>,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, kills, attempts, rendered, twice, frames, .. } = self;
        write!(
            f,
            "{name}: {attempts} attempts, {kills} killed, {rendered} renderings of {frames} frames, \
             {twice} twice"
        )
    }
}

/// A phase of the worker.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Phase {
    /// The worker has not started Blender.
    Preparing,
    /// Blender opens the scene.
    Opening,
    /// Blender renders, and frames are stored.
    Rendering,
    /// Every frame is stored.
    Done,
}

impl Phase {
    /// Determines the phase from the log. Before the attempt, `left` frames were missing.
    pub fn of(log: &str, left: usize) -> Self {
        if left == 0 || log.contains("frames are stored") {
            Self::Done
        } else if log.contains("Fra:") {
            Self::Rendering
        } else if log.contains("\"starting ") {
            Self::Opening
        } else {
            Self::Preparing
        }
    }
}

/// Formats the tallies as a table.
pub fn table(tallies: &[Tally]) -> String {
    let head = [
        "scenario",
        "jobs",
        "frames",
        "kills",
        "at start",
        "opening",
        "rendering",
        "done",
        "attempts",
        "75",
        "begun",
        "rendered",
        "twice",
        "worst",
        "requests",
        "faults",
        "seconds",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for tally in tallies {
        let phase = |phase| tally.phases.get(&phase).copied().unwrap_or(0);
        let numbers = [
            tally.jobs,
            tally.frames,
            tally.kills,
            phase(Phase::Preparing),
            phase(Phase::Opening),
            phase(Phase::Rendering),
            phase(Phase::Done),
            tally.attempts,
            tally.out_of_reach,
            tally.begun,
            tally.rendered,
            tally.twice,
            tally.worst,
            tally.requests,
            tally.faults,
        ];
        let mut row = vec![tally.name.to_owned()];
        row.extend(numbers.map(|number| number.to_string()));
        row.push(format!("{:.0}", tally.took.as_secs_f64()));
        rows.push(row);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: Vec<_> = (0..head.len()).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        for (cell, width) in row.iter().zip(&widths) {
            write!(text, "{cell:>width$}  ").expect("memory");
        }
        text.push('\n');
    }
    text
}
