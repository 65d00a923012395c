//! What happened, in a table.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::time::Duration;

/// What happened in a scenario.
#[derive(Default)]
pub struct Tally {
    pub name: &'static str,
    pub jobs: usize,
    /// Frames asked for, in all jobs.
    pub frames: usize,
    pub kills: usize,
    pub attempts: usize,
    /// Attempts that ended with 75 by themselves.
    pub out_of_reach: usize,
    /// Frames that Blender began.
    pub begun: usize,
    /// Frames that Blender wrote whole.
    pub rendered: usize,
    /// Those of them that it had written whole before.
    pub twice: usize,
    /// The most of these in one attempt.
    pub worst: usize,
    pub requests: usize,
    pub faults: usize,
    pub took: Duration,
    /// What the worker was at when it was killed.
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

/// What the worker is at when it is killed.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Phase {
    /// Before it starts Blender.
    Preparing,
    /// Blender opens the scene.
    Opening,
    /// Frames are rendered and stored.
    Rendering,
    /// Every frame was stored before.
    Done,
}

impl Phase {
    /// From the log, and how many frames were left.
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

/// The tallies as a table.
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
