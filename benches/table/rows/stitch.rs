//! A video from frames on S3, compared with FFmpeg alone, which is the lower bound, and with the
//! steps of a script: fetch the frames, encode, store the video. A second row compares memory and
//! scratch space of many frames with those of few.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::bench::Bench;
use crate::finding::{Finding, Outcome, Target};
use crate::measuring::{Ended, Run, Step};
use crate::rounds::{Contender, in_turn, own_peak, scratch, wall};
use crate::store::Store;
use crate::support::worker;

const FPS: &str = "24";

pub fn run(bench: &Bench, row: &'static str) -> Outcome {
    let folder = frames(bench, 300, "mandelbrot=size=1280x720:rate=24");
    let store = Store::start(None);
    store.put_files(&folder.path().join("frames"), "in/frames");
    let (_, log) = stitch(&store, "in", 300);

    let ours = || stitch(&store, "in", 300).0;
    let bare = || Step::new(encode(bench, &log, folder.path())).run();
    let steps = || {
        let folder = bench.folder();
        let copy = |arguments: &[&str], from: &str, to: &str| {
            let mut command = bench.aws(&store).expect("the AWS CLI");
            command.args(["s3", "cp", "--only-show-errors"]).args(arguments).args([from, to]);
            Step::new(command).run()
        };
        let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
        let fetch = copy(&["--recursive"], &store.server.uri("in/frames/"), &path("frames"));
        let mut command = bench.program("ffmpeg");
        command.args(["-nostdin", "-y", "-i", &path("frames/%04d.png"), &path("output.mp4")]);
        let encode = Step::new(command).run();
        fetch.then(encode).then(copy(&[], &path("output.mp4"), &store.server.uri("out/steps.mp4")))
    };
    let mut contenders =
        vec![Contender::new("render-worker", ours), Contender::new("bare FFmpeg", bare)];
    if bench.peers.aws.is_some() {
        contenders.push(Contender::new("AWS CLI, FFmpeg, AWS CLI", steps));
    }
    let series = in_turn(bench.settings.few_rounds(), contenders);

    let (ours, others) = series.split_first().expect("ours");
    let ffmpeg = others.first().expect("FFmpeg");
    let mut outcome = Outcome::default();
    let mut add = |finding| outcome.findings.push(finding);
    add(Finding::compared(row, ("wall", "s"), (ours, wall), (ffmpeg, wall), Target::Ratio(1.0)));
    for steps in &others[1..] {
        let (what, target) = (("wall", "s"), Target::None);
        add(Finding::compared(row, what, (ours, wall), (steps, wall), target));
        let what = ("wall of the steps", "s");
        add(Finding::compared(row, what, (steps, wall), (ffmpeg, wall), target));
    }
    outcome.keep(row, series);
    outcome
}

pub fn many(bench: &Bench, row: &'static str) -> Outcome {
    const MANY: usize = 10_000;
    const FEW: usize = 500;
    let store = Store::start(None);
    let folder = frames(bench, MANY, "testsrc2=size=320x180:rate=24");
    store.put_files(&folder.path().join("frames"), "many/frames");
    for key in store.server.keys("many/frames/").into_iter().take(FEW) {
        let bytes = store.server.get(&key).expect("a frame");
        store.server.put(&key.replacen("many", "few", 1), &bytes);
    }
    let contenders = vec![
        Contender::new("10,000 frames", || stitch(&store, "many", MANY).0),
        Contender::new("500 frames", || stitch(&store, "few", FEW).0),
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

/// Creates frames from one of FFmpeg's test sources: `frames/0001.png` and so on.
fn frames(bench: &Bench, count: usize, source: &str) -> TempDir {
    let folder = bench.folder();
    std::fs::create_dir(folder.path().join("frames")).expect("a folder");
    let mut command = bench.program("ffmpeg");
    command
        .args(["-nostdin", "-v", "error", "-f", "lavfi", "-i", source])
        .args(["-frames:v", &count.to_string(), "-pix_fmt", "rgb24"])
        .arg(folder.path().join("frames/%04d.png"));
    Step::new(command).run();
    folder
}

/// Makes a video of the frames below a key. Returns the figures and the worker's log.
fn stitch(store: &Store, key: &str, count: usize) -> (Run, String) {
    let (mut command, folder) = worker("stitch")
        .input(store.server.uri(key))
        .output(store.server.uri("out"))
        .args("--log-format json --fps")
        .arg(FPS)
        .arg("-t")
        .arg(count.to_string())
        .into_command();
    command.envs(store.env());
    let scratch = folder.path().to_owned();
    let Ended { run, output, .. } = Step::new(command).watching(&scratch).keeping(folder).end();
    assert_eq!(store.server.keys("out/output.mp4").len(), 1, "a video is stored");
    (run, output)
}

/// FFmpeg alone, from the files of a folder: the command line in the worker's log, with another
/// input and another output.
fn encode(bench: &Bench, log: &str, folder: &Path) -> Command {
    let line = log.lines().find(|line| line.contains("pipe:0")).expect("FFmpeg is started");
    let line: Value = serde_json::from_str(line).expect("JSON");
    let line = line["message"].as_str().and_then(|message| message.strip_prefix("starting "));
    let words = shell_words::split(line.expect("a command line")).expect("a command line");
    let place = |option: &str| words.iter().position(|word| word == option).expect("an option");
    let (format, input) = (place("-f"), place("-i") + 1);
    let mut command = bench.program(&words[0]);
    command
        .args(&words[1..format])
        .args(["-nostdin", "-framerate", FPS, "-start_number", "1", "-i"])
        .arg(folder.join("frames/%04d.png"))
        .args(&words[input + 1..words.len() - 1])
        .arg(folder.join("output.mp4"));
    command
}
