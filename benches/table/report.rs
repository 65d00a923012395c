//! The results as a table: printed, and written to files together with the chart.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::chart;
use crate::figures::{aim, figure};
use crate::finding::{Finding, Outcome, Target};
use crate::rounds::{cpu, own_cpu, own_peak, scratch, server, wall};
use crate::spread::Spread;

/// Everything that is reported.
pub struct Report {
    pub outcome: Outcome,
    pub machine: Vec<String>,
}

impl Report {
    /// Writes `NAME.md` and `NAME.svg`.
    pub fn write(&self, name: &str) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/results");
        fs::create_dir_all(&folder).expect("a folder for the results");
        let picture = format!("{name}.svg");
        let text = format!("{}\n![Each figure with its target]({picture})\n", self.markdown());
        let chart = chart::svg(&self.outcome.findings);
        for (file, content) in [(format!("{name}.md"), text), (picture, chart)] {
            let file = folder.join(file);
            fs::write(&file, content).expect("a file with the results");
            eprintln!("written: {}", file.display());
        }
    }

    /// Formats tables and notes as Markdown.
    pub fn markdown(&self) -> String {
        let mut text = format!(
            "# render-worker and its alternatives\n\n\
             Medians (minimum–maximum) of runs in turn; ratios are taken round by round. Written \
             by `make bench`; `benches/table/measuring.rs` defines each figure.\n\n{}\n",
            list(&self.machine)
        );
        text += &table(
            &["row", "what", "render-worker", "compared with", "took", "ratio", "target", ""],
            &self.outcome.findings.iter().map(line).collect::<Vec<_>>(),
        );
        text += "\n## The runs\n\nCPU is of a process and its children, own CPU and peak memory \
                 are of the process alone. Server: the processors that the S3 server and the \
                 proxy kept busy on the same machine.\n\n";
        let runs = self.outcome.series.iter().map(|(row, series)| {
            let seconds = |figure| spread(series.spread(figure), "s");
            let mebibytes = |figure| spread(series.spread(figure), "MiB");
            vec![
                (*row).to_owned(),
                series.name.clone(),
                seconds(wall),
                seconds(cpu),
                seconds(own_cpu),
                mebibytes(own_peak),
                mebibytes(scratch),
                format!("{:.2}", series.spread(server).median),
            ]
        });
        let head =
            ["row", "program", "wall", "CPU", "own CPU", "own peak", "scratch space", "server"];
        text += &table(&head, &runs.collect::<Vec<_>>());
        if !self.outcome.notes.is_empty() {
            write!(text, "\n## Notes\n\n{}", list(&self.outcome.notes)).expect("memory");
        }
        text
    }
}

fn line(finding: &Finding) -> Vec<String> {
    let Finding { row, what, unit, ours, alternative, ratio, target, .. } = finding;
    let (name, theirs) = match alternative {
        Some((name, theirs)) => (name.as_str(), spread(*theirs, unit)),
        None => ("", String::new()),
    };
    let verdict = match finding.used() {
        Some(used) if used <= 1.0 => "met",
        Some(_) => "**missed**",
        None => "",
    };
    let ratio = match target {
        Target::Limit(_) => String::new(),
        _ => range(*ratio, |ratio| format!("{ratio:.3}")),
    };
    vec![
        (*row).to_owned(),
        what.clone(),
        spread(*ours, unit),
        name.to_owned(),
        theirs,
        ratio,
        aim(*target, unit),
        verdict.to_owned(),
    ]
}

fn spread(spread: Spread, unit: &str) -> String {
    range(spread, |value| figure(value, unit))
}

fn range(Spread { median, least, most }: Spread, text: impl Fn(f64) -> String) -> String {
    let all = [median, least, most].map(text);
    if all[1] == all[2] { all[0].clone() } else { format!("{} ({}–{})", all[0], all[1], all[2]) }
}

fn list(lines: &[String]) -> String {
    lines.iter().fold(String::new(), |text, line| text + "- " + line + "\n")
}

/// Formats a Markdown table whose source is aligned as well.
fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let head: Vec<_> = head.iter().map(|&cell| cell.to_owned()).collect();
    let width = |column: usize| {
        let cells = std::iter::once(&head).chain(rows).map(|row| row[column].chars().count());
        cells.max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..head.len()).map(width).collect();
    let ruler = widths.iter().map(|width| "-".repeat(*width)).collect();
    let mut text = String::new();
    for row in [&head, &ruler].into_iter().chain(rows) {
        for (cell, width) in row.iter().zip(&widths) {
            write!(text, "| {cell:<width$} ").expect("memory");
        }
        text += "|\n";
    }
    text
}
