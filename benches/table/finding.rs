//! The result of a row: figures, their comparison and their targets.

use crate::measuring::Run;
use crate::rounds::Series;
use crate::spread::Spread;

/// One line of the table.
pub struct Finding {
    pub row: &'static str,
    /// The measured quantity, such as "wall".
    pub what: String,
    pub unit: &'static str,
    pub ours: Spread,
    /// The alternative's name and figure.
    pub alternative: Option<(String, Spread)>,
    /// The worker's figure divided by the alternative's in the same round, or by the limit.
    pub ratio: Spread,
    pub target: Target,
}

/// The target of a figure.
#[derive(Clone, Copy)]
pub enum Target {
    /// At most this fraction of the alternative's figure.
    Ratio(f64),
    /// At most this, in the unit of the figure.
    Limit(f64),
    /// The alternative's figure, plus or minus this fraction of it.
    Same(f64),
    /// No target: the figure is only shown.
    None,
}

impl Finding {
    /// Compares two contenders. `unit` is the unit of both figures.
    pub fn compared(
        row: &'static str,
        (what, unit): (&str, &'static str),
        (ours, figure): (&Series, fn(&Run) -> f64),
        (theirs, other): (&Series, fn(&Run) -> f64),
        target: Target,
    ) -> Self {
        let pairs = ours.of(figure).zip(theirs.of(other));
        Self {
            row,
            what: what.to_owned(),
            unit,
            ours: ours.spread(figure),
            alternative: Some((theirs.name.clone(), theirs.spread(other))),
            ratio: Spread::of(pairs.map(|(ours, theirs)| ours / theirs)),
            target,
        }
    }

    /// Compares a contender with a limit.
    pub fn below(
        row: &'static str,
        (what, unit): (&str, &'static str),
        (ours, figure): (&Series, fn(&Run) -> f64),
        limit: f64,
    ) -> Self {
        let spread = ours.spread(figure);
        Self {
            row,
            what: what.to_owned(),
            unit,
            ours: spread,
            alternative: None,
            ratio: spread.times(1.0 / limit),
            target: Target::Limit(limit),
        }
    }

    /// Returns how much of the target is used up: the target is met up to 1. `None` without one.
    pub fn used(&self) -> Option<f64> {
        match self.target {
            Target::Ratio(target) => Some(self.ratio.median / target),
            Target::Limit(_) => Some(self.ratio.median),
            Target::Same(share) => Some((self.ratio.median - 1.0).abs() / share),
            Target::None => None,
        }
    }
}

/// Everything that a row contributes to the report.
#[derive(Default)]
pub struct Outcome {
    pub findings: Vec<Finding>,
    /// The runs behind them, with the name of the row.
    pub series: Vec<(&'static str, Series)>,
    /// Programs that could not be run, and other remarks.
    pub notes: Vec<String>,
}

impl Outcome {
    /// Adds the runs behind the findings.
    pub fn keep(&mut self, row: &'static str, series: Vec<Series>) {
        self.series.extend(series.into_iter().map(|series| (row, series)));
    }

    pub fn add(&mut self, other: Self) {
        self.findings.extend(other.findings);
        self.series.extend(other.series);
        self.notes.extend(other.notes);
    }
}
