//! The start-up time.

use std::time::Instant;

use crate::bench::Bench;
use crate::finding::{Finding, Outcome, Target};
use crate::measuring::{Ended, Run, Step};
use crate::rounds::{Contender, in_turn, wall};
use crate::store::Store;
use crate::support::{program, worker};

/// The exit code if the scene does not exist.
const NOT_THERE: i32 = 66;

/// The repetitions of a program that takes a millisecond. Together they count as one run.
const TIMES: u32 = 100;

pub fn run(bench: &Bench, row: &'static str) -> Outcome {
    let mut outcome = first_request(bench, row);
    outcome.add(version(bench, row));
    outcome
}

/// Measures from before the process starts until its first request arrives.
fn first_request(bench: &Bench, row: &'static str) -> Outcome {
    let store = Store::start(None);
    let arrived = |step: Step| {
        let before = store.server.requests().len();
        let Ended { run, started, .. } = step.end();
        let first: Instant = store.server.requests()[before].started;
        Run { wall: first - started, ..run }
    };
    let ours = || {
        let worker = worker("render").s3(&store.server).args("-f 1");
        let scene = store.server.uri("missing.blend");
        let (command, folder) = worker.input(scene).output(store.server.uri("out")).into_command();
        arrived(Step::new(command).keeping(folder).ending_with(NOT_THERE))
    };
    let list = store.server.uri("");
    let aws = || {
        let mut command = bench.aws(&store).expect("the AWS CLI");
        command.args(["s3", "ls", &list]);
        arrived(Step::new(command))
    };
    let s5cmd = || arrived(Step::new(bench.s5cmd_lists(&store, "").expect("s5cmd")));

    let mut contenders = vec![Contender::new("first request: render-worker", ours)];
    if bench.peers.aws.is_some() {
        contenders.push(Contender::new("first request: AWS CLI", aws));
    }
    if bench.peers.s5cmd.is_some() {
        contenders.push(Contender::new("first request: s5cmd", s5cmd));
    }
    let series = in_turn(bench.settings.rounds, contenders);
    let (ours, others) = series.split_first().expect("ours");
    let what = ("first request: wall", "s");
    let mut outcome = Outcome::default();
    outcome.findings.push(Finding::below(row, what, (ours, wall), 0.03));
    for peer in others {
        let finding = Finding::compared(row, what, (ours, wall), (peer, wall), Target::None);
        outcome.findings.push(finding);
    }
    outcome.keep(row, series);
    outcome
}

/// Measures `--version`.
fn version(bench: &Bench, row: &'static str) -> Outcome {
    let measure = |program: &std::path::Path| {
        let once = |_| {
            let mut command = bench.program(program);
            command.arg("--version");
            Step::new(command).run()
        };
        let all = (0..TIMES).map(once).fold(Run::default(), Run::then);
        Run {
            wall: all.wall / TIMES,
            cpu: all.cpu / TIMES,
            own_cpu: all.own_cpu / TIMES,
            server_cpu: all.server_cpu / TIMES,
            ..all
        }
    };
    let ours = program();
    let mut contenders = vec![Contender::new("--version: render-worker", || measure(&ours))];
    if let Some(tini) = &bench.peers.tini {
        contenders.push(Contender::new("--version: tini", || measure(tini)));
    }
    let series = in_turn(bench.settings.rounds, contenders);
    let (ours, others) = series.split_first().expect("ours");
    let what = ("--version: wall", "s");
    let mut outcome = Outcome::default();
    outcome.findings.push(Finding::below(row, what, (ours, wall), 0.003));
    for peer in others {
        let finding = Finding::compared(row, what, (ours, wall), (peer, wall), Target::None);
        outcome.findings.push(finding);
    }
    outcome.keep(row, series);
    outcome
}
