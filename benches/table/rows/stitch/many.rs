//! Memory and scratch space of many frames, compared with those of few.

use super::footage::SMALL;
use super::videos::with_worker;
use crate::bench::Bench;
use crate::finding::{Finding, Outcome, Target};
use crate::rounds::{Contender, in_turn, own_peak, scratch};
use crate::store::Store;

const MANY: usize = 10_000;
const FEW: usize = 500;

/// How many different frames there are.
const DIFFERENT: usize = 100;

pub fn run(bench: &Bench, row: &'static str) -> Outcome {
    let folder = SMALL.make(bench, DIFFERENT);
    let store = Store::start(None);
    store.put_files(&folder.path().join("frames"), "made");
    let frames: Vec<_> =
        store.server.keys("made/").iter().map(|key| store.server.get(key)).collect();
    for (name, count) in [("many", MANY), ("few", FEW)] {
        for (number, bytes) in (1..=count).zip(frames.iter().cycle()) {
            let key = format!("{name}/frames/{number:05}.png");
            store.server.put(&key, bytes.as_ref().expect("a frame"));
        }
    }
    let stitch = |name: &str, count| {
        let (input, output) = (store.server.uri(name), store.server.uri("out"));
        with_worker(Some(&store), &input, &output, count).0
    };
    let contenders = vec![
        Contender::new("10,000 frames", || stitch("many", MANY)),
        Contender::new("500 frames", || stitch("few", FEW)),
    ];
    let series = in_turn(bench.settings.few_rounds(), contenders);
    let [many, few] = &series[..] else { panic!("two contenders") };
    let mut outcome = Outcome::default();
    let mut add = |finding| outcome.findings.push(finding);
    let (what, target) = (("own peak memory", "MiB"), Target::Same(0.1));
    add(Finding::compared(row, what, (many, own_peak), (few, own_peak), target));
    add(Finding::below(row, ("scratch space", "MiB"), (many, scratch), 64.0));
    let what = ("scratch space of 500", "MiB");
    add(Finding::below(row, what, (few, scratch), 64.0));
    outcome.keep(row, series);
    outcome
}
