//! The worker's storage compared with programs that copy objects.

use std::fs;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use crate::bench::Bench;
use crate::copiers::{Copier, Copy};
use crate::files::content;
use crate::finding::{Finding, Outcome, Target};
use crate::measuring::{Run, Step};
use crate::rounds::{Contender, Series, cpu, fastest, in_turn, own_peak, wall};
use crate::store::{Store, latency};

/// The key prefix of all objects.
const KEY: &str = "objects";

/// 2,000 objects of 300 kB, with latency if `round_trip` is given.
pub fn many(bench: &Bench, row: &'static str, round_trip: Option<Duration>) -> Outcome {
    let job = Job { bench, row, count: 2000, size: 300_000, round_trip };
    let mut outcome = Outcome::default();
    if bench.peers.s5cmd.is_none() {
        outcome.notes.push(format!("{row}: s5cmd is not installed, so there is no comparison"));
    }
    if let Some(round_trip) = round_trip {
        outcome.notes.push(format!("{row}: {}", latency(round_trip)));
    }
    let targets = match round_trip {
        None => [(0.6, Target::Ratio(0.35)), (0.9, Target::Ratio(0.7))],
        Some(_) => [(0.75, Target::None), (0.95, Target::None)],
    };
    let results = job.copy(|| std::iter::once(bench.transfers()).chain(bench.s5cmds()).collect());
    for ((direction, series), (wall_target, cpu_target)) in results.into_iter().zip(targets) {
        let (ours, others) = series.split_first().expect("ours");
        if let Some(peer) = fastest(others) {
            let target = Target::Ratio(wall_target);
            let what = format!("{direction}: wall");
            let finding = Finding::compared(row, (&what, "s"), (ours, wall), (peer, wall), target);
            outcome.findings.push(finding);
            let what = format!("{direction}: CPU");
            let finding =
                Finding::compared(row, (&what, "s"), (ours, cpu), (peer, cpu), cpu_target);
            outcome.findings.push(finding);
        }
        outcome.keep(row, series);
    }
    outcome
}

/// One object of 512 MiB.
pub fn large(bench: &Bench, row: &'static str) -> Outcome {
    let job = Job { bench, row, count: 1, size: 512 << 20, round_trip: None };
    let mut outcome = Outcome::default();
    let results = job.copy(|| {
        // With one object, the number of s5cmd's workers does not matter.
        let peers = bench.s5cmds().into_iter().take(1).chain(bench.rclone());
        std::iter::once(bench.transfers()).chain(peers).chain(bench.aws_copies()).collect()
    });
    for (direction, series) in results {
        let (ours, others) = series.split_first().expect("ours");
        if let Some(peer) = fastest(others) {
            let what = format!("{direction}: wall");
            let target = Target::Ratio(0.9);
            let finding = Finding::compared(row, (&what, "s"), (ours, wall), (peer, wall), target);
            outcome.findings.push(finding);
        }
        let what = format!("{direction}: peak memory");
        outcome.findings.push(Finding::below(row, (&what, "MiB"), (ours, own_peak), 64.0));
        outcome.keep(row, series);
    }
    outcome
}

/// Objects to copy.
struct Job<'a> {
    bench: &'a Bench,
    row: &'static str,
    count: usize,
    /// The size of each object in bytes.
    size: usize,
    round_trip: Option<Duration>,
}

impl Job<'_> {
    /// Runs all copiers in turn: up, then down.
    fn copy<'c>(&self, copiers: impl Fn() -> Vec<Copier<'c>>) -> [(&'static str, Vec<Series>); 2] {
        let sources = self.files();
        let contend = |direction, copy: &dyn Fn(&Copier) -> Run| {
            let contenders = copiers().into_iter().map(|copier| {
                let name = format!("{direction}: {}", copier.name);
                Contender::new(name, move || copy(&copier))
            });
            eprintln!("  {}, {direction}", self.row);
            (direction, in_turn(self.bench.settings.rounds, contenders.collect()))
        };
        let up = contend("up", &|copier| self.up(copier, sources.path()));
        let store = Store::start(self.round_trip);
        store.put_files(sources.path(), KEY);
        let down = contend("down", &|copier| self.down(copier, &store));
        [up, down]
    }

    /// Creates files of random bytes.
    fn files(&self) -> TempDir {
        let folder = self.bench.folder();
        let mut rng = fastrand::Rng::with_seed(1);
        let mut bytes = vec![0; self.size];
        for number in 1..=self.count {
            rng.fill(&mut bytes);
            fs::write(folder.path().join(format!("{number:04}.bin")), &bytes).expect("a file");
        }
        folder
    }

    /// Copies to an empty server.
    fn up(&self, copier: &Copier, sources: &Path) -> Run {
        let store = Store::start(self.round_trip);
        let run = Step::new((copier.command)(&store, Copy::Up(sources, KEY))).run();
        let stored = store.server.keys(&format!("{KEY}/")).len();
        assert_eq!(stored, self.count, "objects are stored by {}", copier.name);
        run
    }

    /// Copies to an empty folder.
    fn down(&self, copier: &Copier, store: &Store) -> Run {
        let folder = self.bench.folder();
        let run = Step::new((copier.command)(store, Copy::Down(KEY, folder.path()))).run();
        let expected = (self.count, (self.count * self.size) as u64);
        assert_eq!(content(folder.path()), expected, "files and bytes of {}", copier.name);
        run
    }
}
