//! Contenders in turn: A B C, A B C, … Other load on the machine then affects all of them alike,
//! and ratios are taken within a round.

use std::time::Duration;

use crate::measuring::Run;
use crate::spread::Spread;

/// A program that is measured in turn with others.
pub struct Contender<'a> {
    name: String,
    run: Box<dyn FnMut() -> Run + 'a>,
}

impl<'a> Contender<'a> {
    /// Creates a contender. Every call of `run` must start from the same state.
    pub fn new(name: impl Into<String>, run: impl FnMut() -> Run + 'a) -> Self {
        Self { name: name.into(), run: Box::new(run) }
    }
}

/// The runs of one contender, round by round.
pub struct Series {
    pub name: String,
    pub runs: Vec<Run>,
}

impl Series {
    /// Returns one figure of each run.
    pub fn of(&self, figure: fn(&Run) -> f64) -> impl Iterator<Item = f64> {
        self.runs.iter().map(figure)
    }

    pub fn spread(&self, figure: fn(&Run) -> f64) -> Spread {
        Spread::of(self.of(figure))
    }
}

/// Runs all contenders once to warm up, then `rounds` times.
pub fn in_turn(rounds: usize, mut contenders: Vec<Contender>) -> Vec<Series> {
    let names = contenders.iter().map(|contender| contender.name.clone());
    let mut series: Vec<_> = names.map(|name| Series { name, runs: Vec::new() }).collect();
    for round in 0..=rounds {
        for (contender, series) in contenders.iter_mut().zip(&mut series) {
            let run = (contender.run)();
            eprintln!("  {}: {:.3} s", contender.name, run.wall.as_secs_f64());
            if round > 0 {
                series.runs.push(run);
            }
        }
    }
    series
}

/// Returns the series with the smallest median wall time.
pub fn fastest(series: &[Series]) -> Option<&Series> {
    series.iter().min_by(|a, b| a.spread(wall).median.total_cmp(&b.spread(wall).median))
}

pub fn wall(run: &Run) -> f64 {
    run.wall.as_secs_f64()
}

pub fn cpu(run: &Run) -> f64 {
    run.cpu.as_secs_f64()
}

pub fn own_cpu(run: &Run) -> f64 {
    run.own_cpu.as_secs_f64()
}

/// Peak memory in MiB.
pub fn own_peak(run: &Run) -> f64 {
    mebibytes(run.own_peak)
}

/// Peak scratch space in MiB.
pub fn scratch(run: &Run) -> f64 {
    mebibytes(run.scratch)
}

/// The number of processors that the server kept busy.
pub fn server(run: &Run) -> f64 {
    run.server_cpu.as_secs_f64() / run.wall.max(Duration::from_micros(1)).as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "a figure to be read")]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
