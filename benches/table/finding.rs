//! What a row found: figures, beside what, and which ratio was aimed at.

use crate::measuring::Run;
use crate::rounds::Series;
use crate::spread::Spread;

/// One line of the table.
pub struct Finding {
    pub row: &'static str,
    /// What was measured: "wall".
    pub what: String,
    pub unit: &'static str,
    pub ours: Spread,
    /// Who was measured beside it, and what came out.
    pub beside: Option<(String, Spread)>,
    /// Ours by theirs, round by round; or ours by the limit.
    pub ratio: Spread,
    pub target: Target,
}

/// What was aimed at.
#[derive(Clone, Copy)]
pub enum Target {
    /// At most this share of the other's.
    Ratio(f64),
    /// At most this, in the unit of the figures.
    Limit(f64),
    /// As much as the other, give or take this share of it.
    Same(f64),
    /// It is only told.
    None,
}

impl Finding {
    /// What lies between a contender and another one. `unit` is that of the figures.
    pub fn beside(
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
            beside: Some((theirs.name.clone(), theirs.spread(other))),
            ratio: Spread::of(pairs.map(|(ours, theirs)| ours / theirs)),
            target,
        }
    }

    /// What has to stay below a limit.
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
            beside: None,
            ratio: spread.times(1.0 / limit),
            target: Target::Limit(limit),
        }
    }

    /// How much of what was aimed at is used up: up to 1 it is reached.
    pub fn used(&self) -> Option<f64> {
        match self.target {
            Target::Ratio(target) => Some(self.ratio.median / target),
            Target::Limit(_) => Some(self.ratio.median),
            Target::Same(share) => Some((self.ratio.median - 1.0).abs() / share),
            Target::None => None,
        }
    }
}

/// What a row has to say.
#[derive(Default)]
pub struct Outcome {
    pub findings: Vec<Finding>,
    /// The runs behind them, with the name of the row.
    pub series: Vec<(&'static str, Series)>,
    /// What could not be run, and what else one has to know.
    pub notes: Vec<String>,
}

impl Outcome {
    /// Keeps the runs behind the findings.
    pub fn keep(&mut self, row: &'static str, series: Vec<Series>) {
        self.series.extend(series.into_iter().map(|series| (row, series)));
    }

    pub fn add(&mut self, other: Self) {
        self.findings.extend(other.findings);
        self.series.extend(other.series);
        self.notes.extend(other.notes);
    }
}
