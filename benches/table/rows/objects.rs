//! The worker's storage beside programs that copy objects.

use std::fs;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use crate::bench::{Bench, content};
use crate::finding::{Finding, Outcome, Target};
use crate::measuring::{Run, Step};
use crate::peers::{Copier, Copy};
use crate::rounds::{Contender, Series, cpu, fastest, in_turn, own_peak, wall};
use crate::store::{Store, way};

/// Below which key everything lies.
const KEY: &str = "objects";

/// 2,000 objects of 300 kB, perhaps a long way off.
pub fn many(bench: &Bench, row: &'static str, round_trip: Option<Duration>) -> Outcome {
    let job = Job { bench, row, count: 2000, size: 300_000, round_trip };
    let mut outcome = Outcome::default();
    if bench.peers.s5cmd.is_none() {
        outcome.notes.push(format!("{row}: there is no s5cmd to compare with"));
    }
    if let Some(round_trip) = round_trip {
        outcome.notes.push(format!("{row}: {}", way(round_trip)));
    }
    let targets = match round_trip {
        None => [(0.6, Target::Ratio(0.35)), (0.9, Target::Ratio(0.7))],
        Some(_) => [(0.75, Target::None), (0.95, Target::None)],
    };
    let results = job.copy(|| std::iter::once(bench.transfers()).chain(bench.s5cmds()).collect());
    for ((way, series), (wall_target, cpu_target)) in results.into_iter().zip(targets) {
        let (ours, others) = series.split_first().expect("ours");
        if let Some(peer) = fastest(others) {
            let target = Target::Ratio(wall_target);
            let what = format!("{way}: wall");
            let finding = Finding::beside(row, (&what, "s"), (ours, wall), (peer, wall), target);
            outcome.findings.push(finding);
            let what = format!("{way}: CPU");
            let finding = Finding::beside(row, (&what, "s"), (ours, cpu), (peer, cpu), cpu_target);
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
        // It is one object: the number of s5cmd's workers does not matter.
        let peers = bench.s5cmds().into_iter().take(1).chain(bench.rclone());
        std::iter::once(bench.transfers()).chain(peers).chain(bench.aws_copies()).collect()
    });
    for (way, series) in results {
        let (ours, others) = series.split_first().expect("ours");
        if let Some(peer) = fastest(others) {
            let what = format!("{way}: wall");
            let target = Target::Ratio(0.9);
            let finding = Finding::beside(row, (&what, "s"), (ours, wall), (peer, wall), target);
            outcome.findings.push(finding);
        }
        let what = format!("{way}: peak memory");
        outcome.findings.push(Finding::below(row, (&what, "MiB"), (ours, own_peak), 64.0));
        outcome.keep(row, series);
    }
    outcome
}

/// What is copied.
struct Job<'a> {
    bench: &'a Bench,
    row: &'static str,
    count: usize,
    /// Of each object, in bytes.
    size: usize,
    round_trip: Option<Duration>,
}

impl Job<'_> {
    /// Everybody copies up in turn, then down.
    fn copy<'c>(&self, copiers: impl Fn() -> Vec<Copier<'c>>) -> [(&'static str, Vec<Series>); 2] {
        let sources = self.files();
        let contend = |way, copy: &dyn Fn(&Copier) -> Run| {
            let contenders = copiers().into_iter().map(|copier| {
                let name = format!("{way}: {}", copier.name);
                Contender::new(name, move || copy(&copier))
            });
            eprintln!("  {}, {way}", self.row);
            (way, in_turn(self.bench.settings.rounds, contenders.collect()))
        };
        let up = contend("up", &|copier| self.up(copier, sources.path()));
        let store = Store::start(self.round_trip);
        store.put_files(sources.path(), KEY);
        let down = contend("down", &|copier| self.down(copier, &store));
        [up, down]
    }

    /// Files of random bytes.
    fn files(&self) -> TempDir {
        let folder = self.bench.folder();
        let mut dice = fastrand::Rng::with_seed(1);
        let mut bytes = vec![0; self.size];
        for number in 1..=self.count {
            dice.fill(&mut bytes);
            fs::write(folder.path().join(format!("{number:04}.bin")), &bytes).expect("a file");
        }
        folder
    }

    /// To an empty server.
    fn up(&self, copier: &Copier, sources: &Path) -> Run {
        let store = Store::start(self.round_trip);
        let run = Step::new((copier.command)(&store, Copy::Up(sources, KEY))).run();
        let stored = store.server.keys(&format!("{KEY}/")).len();
        assert_eq!(stored, self.count, "objects are stored by {}", copier.name);
        run
    }

    /// To an empty folder.
    fn down(&self, copier: &Copier, store: &Store) -> Run {
        let folder = self.bench.folder();
        let run = Step::new((copier.command)(store, Copy::Down(KEY, folder.path()))).run();
        let expected = (self.count, (self.count * self.size) as u64);
        assert_eq!(content(folder.path()), expected, "files and bytes of {}", copier.name);
        run
    }
}
