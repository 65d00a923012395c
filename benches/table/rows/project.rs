//! Packing a project and fetching it, compared with programs that make a copy of its folder.
//!
//! The project has 2,000 files of 200 kB: a tenth of the bytes of a usual one, so that the server can
//! hold several copies in memory. There is no Blender, so `pack` takes every file of the folder, as the
//! others do.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::bench::Bench;
use crate::copiers::{Copier, Copy};
use crate::files::content;
use crate::finding::{Finding, Outcome, Target};
use crate::measuring::{Run, Step};
use crate::rounds::{Contender, Series, fastest, in_turn, own_peak, wall};
use crate::store::Store;
use crate::support::{program, scene};

/// The key prefix of the project, and of the copies.
const KEY: &str = "p";

/// The size of a file in bytes.
const SIZE: usize = 200_000;

/// The files of the whole project, besides its scene.
const FILES: usize = 2000;

/// The files that one shot needs, besides its scene.
const OF_A_SHOT: usize = 200;

/// The first packing, packing again with one file changed, and fetching.
pub fn run(bench: &Bench, row: &'static str) -> Outcome {
    let mut outcome = Outcome::default();
    for name in ["s5cmd", "AWS CLI"] {
        if bench.peers.missing().contains(&name) {
            outcome.notes.push(format!("{row}: {name} is not installed, so it is not compared"));
        }
    }
    outcome.notes.push(format!("{row}: {FILES} files of {SIZE} bytes"));
    first(bench, row, &mut outcome);
    again(bench, row, &mut outcome);
    fetch(bench, row, &mut outcome);
    outcome
}

/// The project, with so many files.
fn sources(bench: &Bench, files: usize) -> TempDir {
    let folder = bench.folder();
    fs::create_dir(folder.path().join("tex")).expect("a folder");
    fs::copy(scene("tiny"), folder.path().join("shot.blend")).expect("a scene");
    let mut rng = fastrand::Rng::with_seed(1);
    (0..files).for_each(|number| change(folder.path(), number, &mut rng));
    folder
}

/// Gives a file of the project another content.
fn change(folder: &Path, number: usize, rng: &mut fastrand::Rng) {
    let mut bytes = vec![0; SIZE];
    rng.fill(&mut bytes);
    fs::write(folder.join(format!("tex/{number:04}.bin")), bytes).expect("a file");
}

/// The command line that packs the project of a folder.
fn pack(bench: &Bench, store: &Store, folder: &Path, caches: &Path) -> Command {
    let mut command = bench.program(program());
    command.envs(store.env()).env("XDG_CACHE_HOME", caches).env("PATH", "/nowhere");
    command.arg("pack").arg("-i").arg(folder.join("shot.blend"));
    command.arg("-o").arg(store.server.uri(KEY));
    command
}

/// Compares the wall time with that of the fastest alternative, if there is one.
fn compare(
    row: &'static str,
    what: &str,
    ours: &Series,
    others: &[Series],
    target: f64,
) -> Option<Finding> {
    let target = Target::Ratio(target);
    fastest(others)
        .map(|peer| Finding::compared(row, (what, "s"), (ours, wall), (peer, wall), target))
}

fn first(bench: &Bench, row: &'static str, outcome: &mut Outcome) {
    let sources = sources(bench, FILES);
    let packing = || {
        let (store, caches) = (Store::start(None), bench.folder());
        let run = Step::new(pack(bench, &store, sources.path(), caches.path())).run();
        assert_eq!(store.server.keys(&format!("{KEY}/files/")).len(), FILES + 1, "contents");
        run
    };
    let syncing = |copier: &Copier| {
        let store = Store::start(None);
        let run = Step::new((copier.command)(&store, Copy::Up(sources.path(), KEY))).run();
        assert_eq!(store.server.keys(&format!("{KEY}/")).len(), FILES + 1, "{}", copier.name);
        run
    };
    let peers = bench.syncs();
    let mut contenders = vec![Contender::new("first: render-worker pack", packing)];
    contenders.extend(
        peers
            .iter()
            .map(|peer| Contender::new(format!("first: {}", peer.name), move || syncing(peer))),
    );
    let series = in_turn(bench.settings.few_rounds(), contenders);
    let (ours, others) = series.split_first().expect("ours");
    outcome.findings.extend(compare(row, "first packing: wall", ours, others, 0.9));
    outcome.findings.push(Finding::below(
        row,
        ("first packing: peak memory", "MiB"),
        (ours, own_peak),
        128.0,
    ));
    outcome.keep(row, series);
}

fn again(bench: &Bench, row: &'static str, outcome: &mut Outcome) {
    let sources = sources(bench, FILES);
    let caches = bench.folder();
    let mut rng = fastrand::Rng::with_seed(2);
    let mut changed = move |folder: &Path| change(folder, rng.usize(..FILES), &mut rng);
    let store = Store::start(None);
    // The second one learns the hashes of files that had just been written before the first.
    for _ in 0..2 {
        Step::new(pack(bench, &store, sources.path(), caches.path())).run();
    }
    let peers = bench.syncs();
    let stores: Vec<_> = peers.iter().map(|_| Store::start(None)).collect();
    for (peer, store) in peers.iter().zip(&stores) {
        Step::new((peer.command)(store, Copy::Up(sources.path(), KEY))).run();
    }
    let mut series =
        vec![Series { name: "again: render-worker pack".to_owned(), runs: Vec::new() }];
    series.extend(
        peers.iter().map(|peer| Series { name: format!("again: {}", peer.name), runs: Vec::new() }),
    );
    // In turn, after one change that all of them have to find. The first round is to warm up.
    for round in 0..=bench.settings.rounds {
        changed(sources.path());
        let ours = Step::new(pack(bench, &store, sources.path(), caches.path())).run();
        let theirs = peers.iter().zip(&stores).map(|(peer, store)| {
            Step::new((peer.command)(store, Copy::Up(sources.path(), KEY))).run()
        });
        let runs: Vec<Run> = std::iter::once(ours).chain(theirs).collect();
        for (series, run) in series.iter_mut().zip(runs) {
            eprintln!("  {}: {:.3} s", series.name, run.wall.as_secs_f64());
            if round > 0 {
                series.runs.push(run);
            }
        }
    }
    let (ours, others) = series.split_first().expect("ours");
    for (peer, target) in others.iter().zip(peers.iter().map(|peer| peer.name.as_str())) {
        let limit = if target.starts_with("AWS") { 0.25 } else { 0.5 };
        let what = format!("one file changed, beside {target}: wall");
        outcome.findings.extend(compare(row, &what, ours, std::slice::from_ref(peer), limit));
    }
    outcome.keep(row, series);
}

fn fetch(bench: &Bench, row: &'static str, outcome: &mut Outcome) {
    let sources = sources(bench, OF_A_SHOT);
    let (store, caches) = (Store::start(None), bench.folder());
    Step::new(pack(bench, &store, sources.path(), caches.path())).run();
    let expected = content(&sources.path().join("tex"));
    let fetching = |cache: Option<PathBuf>| {
        let folder = bench.folder();
        let mut command = bench.transfer();
        command.envs(store.env()).arg("project");
        command.arg(store.server.uri(&format!("{KEY}/shot.project.json"))).arg(folder.path());
        let run = Step::new({
            command.args(cache);
            command
        })
        .run();
        assert_eq!(content(&folder.path().join("project/tex")), expected, "files and bytes");
        run
    };
    // What others fetch by a list.
    let keys = store.server.keys(&format!("{KEY}/files/"));
    let listed: Vec<String> = keys.iter().map(|key| store.server.uri(key)).collect();
    let warm = caches.path().join("files");
    let mut contenders = vec![
        Contender::new("fetch: render-worker", || fetching(None)),
        Contender::new("fetch, warm cache: render-worker", || fetching(Some(warm.clone()))),
    ];
    for copier in bench.s5cmd_lists_of(&listed) {
        let (store, name) = (&store, format!("fetch: {}", copier.name));
        contenders.push(Contender::new(name, move || {
            let folder = bench.folder();
            let run = Step::new((copier.command)(store, Copy::Down(KEY, folder.path()))).run();
            assert_eq!(content(folder.path()).0, OF_A_SHOT + 1, "files of {}", copier.name);
            run
        }));
    }
    let series = in_turn(bench.settings.rounds, contenders);
    let [ours, warmed, others @ ..] = &series[..] else { panic!("two of ours") };
    outcome.findings.extend(compare(row, "fetch of a shot: wall", ours, others, 0.9));
    outcome.findings.push(Finding::below(
        row,
        ("fetch, warm cache: wall", "s"),
        (warmed, wall),
        0.2,
    ));
    outcome.keep(row, series);
}
