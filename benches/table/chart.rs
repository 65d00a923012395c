//! The results as a picture: one bar for each target. A bar that ends at the line or before it
//! has met its target.

use std::fmt::Write as _;

use crate::figures::{aim, figure};
use crate::finding::{Finding, Target};

const ROW: f64 = 24.0;
const TOP: f64 = 56.0;
/// The x coordinate at which bars begin, and that of the target.
const BARS: (f64, f64) = (300.0, 620.0);
/// The greatest length of a bar, in targets.
const MOST: f64 = 1.5;
const WIDTH: f64 = 1160.0;

const MET: &str = "#3f8f5f";
const MISSED: &str = "#c8553d";

/// Draws the findings that have a target.
pub fn svg(findings: &[Finding]) -> String {
    let bars: Vec<_> =
        findings.iter().filter_map(|finding| Some((finding, finding.used()?))).collect();
    let count = u32::try_from(bars.len()).expect("some rows");
    let height = TOP + ROW * f64::from(count) + 16.0;
    let target = BARS.1;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         width=\"{WIDTH}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"16\" y=\"24\" font-size=\"16\" font-weight=\"bold\">render-worker and its \
         alternatives</text>\n\
         <text x=\"{target}\" y=\"44\" text-anchor=\"middle\" fill=\"#555\">target</text>\n"
    );
    for (line, (finding, used)) in (0u32..).zip(&bars) {
        let y = TOP + ROW * f64::from(line);
        let length = used.min(MOST) * (BARS.1 - BARS.0);
        let colour = if *used <= 1.0 { MET } else { MISSED };
        let label = escape(&format!("{}: {}", finding.row, finding.what));
        // The arrow marks a bar that is cut off.
        let more = if *used > MOST { "→ " } else { "" };
        let caption = escape(&format!("{more}{}", caption(finding)));
        let (middle, bar) = (y + 16.0, BARS.0);
        let after = (bar + length).max(target) + 10.0;
        write!(
            text,
            "<text x=\"{}\" y=\"{middle}\" text-anchor=\"end\">{label}</text>\n\
             <rect x=\"{bar}\" y=\"{}\" width=\"{length:.1}\" height=\"{}\" fill=\"{colour}\"/>\n\
             <text x=\"{after:.1}\" y=\"{middle}\" fill=\"#333\">{caption}</text>\n",
            bar - 10.0,
            y + 4.0,
            ROW - 8.0
        )
        .expect("memory");
    }
    write!(
        text,
        "<line x1=\"{target}\" y1=\"{}\" x2=\"{target}\" y2=\"{}\" stroke=\"#222\" \
         stroke-width=\"1.5\"/>\n</svg>\n",
        TOP - 6.0,
        height - 12.0
    )
    .expect("memory");
    text
}

/// The text beside a bar: the figure and its target.
fn caption(finding: &Finding) -> String {
    let Finding { unit, ours, alternative, ratio, target, .. } = finding;
    let value = match target {
        Target::Limit(_) => figure(ours.median, unit),
        _ if ratio.median < 0.1 => format!("{:.3}", ratio.median),
        _ => format!("{:.2}", ratio.median),
    };
    let whose = alternative.as_ref().map_or(String::new(), |(name, _)| format!(" of {name}"));
    format!("{value}{whose} ({})", aim(*target, unit))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
