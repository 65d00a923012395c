//! Another attempt at frames that are all stored: nothing is fetched, nothing is rendered.

use std::collections::BTreeMap;

use crate::bench::Bench;
use crate::finding::{Finding, Outcome, Target};
use crate::measuring::{Run, Step};
use crate::rounds::{Contender, in_turn, wall};
use crate::store::Store;
use crate::support::s3_server::{Operation, Request};
use crate::support::{scene, worker};

/// The number of frames, and the size of the scene in bytes. Only its beginning is needed.
const FRAMES: usize = 100;
const SCENE: usize = 32 << 20;

pub fn run(bench: &Bench, row: &'static str) -> Outcome {
    let store = Store::start(None);
    let mut content = std::fs::read(scene("tiny")).expect("a scene");
    // Blender ignores bytes after the file's end marker.
    content.resize(SCENE, b' ');
    store.server.put("scene.blend", &content);

    let attempt = || {
        let worker = worker("render").s3(&store.server).arg("-f").arg(FRAMES.to_string());
        let worker = worker.input(store.server.uri("scene.blend"));
        let (command, scratch) = worker.output(store.server.uri("out")).into_command();
        Step::new(command).keeping(scratch).run()
    };
    attempt();
    assert_eq!(store.server.keys("out/frames/").len(), FRAMES, "frames are stored");

    let ours = || {
        let before = store.server.requests().len();
        let run: Run = attempt();
        let requests = &store.server.requests()[before..];
        let stored = requests.iter().filter(|request| request.key.contains("/frames/"));
        let stored = stored.filter(|request| request.operation == Operation::PutObject).count();
        assert_eq!(stored, 0, "frames are rendered again");
        let fetched = scene_bytes(requests);
        assert!(fetched < SCENE as u64 / 8, "{fetched} bytes of the scene were fetched");
        run
    };
    let prefix = "out/frames/";
    let aws = || {
        let mut command = bench.aws(&store).expect("the AWS CLI");
        command.args(["s3", "ls", &store.server.uri(prefix)]);
        Step::new(command).run()
    };
    let s5cmd = || Step::new(bench.s5cmd_lists(&store, prefix).expect("s5cmd")).run();
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
        outcome.findings.push(Finding::compared(row, what, (ours, wall), (peer, wall), target));
    }
    outcome.keep(row, series);
    let before = store.server.requests().len();
    attempt();
    let requests = &store.server.requests()[before..];
    outcome.notes.push(format!("{row}: an attempt makes {}", counted(requests)));
    outcome
}

/// Returns how many bytes of the scene were sent.
fn scene_bytes(requests: &[Request]) -> u64 {
    let of_scene = |request: &&Request| request.key == "scene.blend";
    requests.iter().filter(of_scene).map(|request| request.bytes_out).sum()
}

/// Lists the requests by operation.
fn counted(requests: &[Request]) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for Request { operation, .. } in requests {
        let operation: &Operation = operation;
        *counts.entry(format!("{operation:?}")).or_default() += 1;
    }
    let counts: Vec<_> = counts.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    format!("{} requests: {}", requests.len(), counts.join(", "))
}
