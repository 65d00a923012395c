//! Figures and targets as text.

use crate::finding::Target;

/// Formats a target.
pub fn aim(target: Target, unit: &str) -> String {
    match target {
        Target::Ratio(ratio) => format!("≤ {ratio:.2}"),
        Target::Limit(limit) => format!("< {}", figure(limit, unit)),
        Target::Same(share) => format!("± {:.0} %", share * 100.0),
        Target::None => String::new(),
    }
}

/// Formats a figure with its unit, to about three digits.
pub fn figure(value: f64, unit: &str) -> String {
    match unit {
        "s" if value < 0.1 => format!("{:.1} ms", value * 1000.0),
        "s" => format!("{value:.2} s"),
        _ => format!("{value:.1} {unit}"),
    }
}
