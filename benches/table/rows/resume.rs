//! Another attempt at frames that are all there: nothing is fetched, nothing is rendered.

use std::collections::BTreeMap;

use serde_json::json;

use crate::bench::Bench;
use crate::finding::{Finding, Outcome, Target};
use crate::measuring::{Run, Step};
use crate::rounds::{Contender, in_turn, wall};
use crate::store::Store;
use crate::support::s3_server::{Operation, Request};
use crate::support::{fixture, ordered_scene, worker};

/// The frames, and the size of the scene in bytes, of which only the beginning is wanted.
const FRAMES: i32 = 100;
const SCENE: usize = 32 << 20;

pub fn run(bench: &Bench, row: &'static str) -> Outcome {
    let (store, folder) = (Store::start(None), bench.folder());
    let record = folder.path().join("launches");
    let mut scene = ordered_scene(1, FRAMES, &json!({ "record": record }));
    scene.resize(SCENE, b' ');
    store.server.put("scene.blend", &scene);
    let times_launched = || std::fs::read_to_string(&record).unwrap_or_default().lines().count();

    let attempt = || {
        let worker = worker("render").s3(&store.server).arg("-f").arg(FRAMES.to_string());
        let worker = worker.arg("--blender").arg(fixture("stand-ins/blender"));
        // The stand-in notes its launches outside of every sandbox.
        let worker = worker.env("SANDBOX", "off").input(store.server.uri("scene.blend"));
        let (command, scratch) = worker.output(store.server.uri("out")).into_command();
        Step::new(command).keeping(scratch).run()
    };
    attempt();
    let frames = store.server.keys("out/frames/").len();
    assert_eq!((frames, times_launched()), (100, 1), "frames that are stored, launches of Blender");

    let ours = || {
        let before = store.server.requests().len();
        let run: Run = attempt();
        assert_eq!(times_launched(), 1, "Blender was launched again");
        let fetched = scene_bytes(&store.server.requests()[before..]);
        assert!(fetched < SCENE as u64 / 8, "{fetched} bytes of the scene were fetched");
        run
    };
    let prefix = "out/frames/";
    let aws = || {
        let mut command = bench.aws(&store).expect("it is there");
        command.args(["s3", "ls", &store.server.uri(prefix)]);
        Step::new(command).run()
    };
    let s5cmd = || Step::new(bench.s5cmd_lists(&store, prefix).expect("it is there")).run();
    let mut contenders = vec![Contender::new("render-worker", ours)];
    if bench.peers.s5cmd.is_some() {
        contenders.push(Contender::new("s5cmd ls", s5cmd));
    }
    if bench.peers.aws.is_some() {
        contenders.push(Contender::new("aws s3 ls", aws));
    }
    let series = in_turn(bench.settings.rounds, contenders);

    let (ours, others) = series.split_first().expect("ours");
    let mut outcome = Outcome::default();
    outcome.findings.push(Finding::below(row, ("wall", "s"), (ours, wall), 0.3));
    for peer in others {
        let (what, target) = (("wall", "s"), Target::None);
        outcome.findings.push(Finding::beside(row, what, (ours, wall), (peer, wall), target));
    }
    outcome.keep(row, series);
    let before = store.server.requests().len();
    attempt();
    let requests = &store.server.requests()[before..];
    outcome.notes.push(format!("{row}: an attempt makes {}", counted(requests)));
    outcome
}

/// How many bytes of the scene were sent.
fn scene_bytes(requests: &[Request]) -> u64 {
    let of_scene = |request: &&Request| request.key == "scene.blend";
    requests.iter().filter(of_scene).map(|request| request.bytes_out).sum()
}

/// How many requests of which kind.
fn counted(requests: &[Request]) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for Request { operation, .. } in requests {
        let operation: &Operation = operation;
        *counts.entry(format!("{operation:?}")).or_default() += 1;
    }
    let counts: Vec<_> = counts.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    format!("{} requests: {}", requests.len(), counts.join(", "))
}
