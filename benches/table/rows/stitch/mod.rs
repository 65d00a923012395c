//! A video from frames in a folder or on S3, compared with FFmpeg alone, which decodes local files
//! with its own decoders, and with the steps of a script: fetch the frames, encode, store the video.
//! Another row compares memory and scratch space of many frames with those of few.

mod footage; // the frames
mod many; // memory and scratch space
mod quality; // how much of the frames a video keeps
mod videos; // the worker, and FFmpeg alone

use std::cell::Cell;
use std::path::PathBuf;

use crate::bench::Bench;
use crate::finding::{Finding, Outcome, Target};
use crate::measuring::{Run, Step};
use crate::rounds::{Contender, Series, cpu, in_turn, wall};
use crate::spread::Spread;
use crate::store::Store;
pub use footage::{DEEP, DETAILED, Footage, LINEAR, PLAIN};
pub use many::run as many;
use videos::{with_ffmpeg, with_worker};

const FRAMES: usize = 300;

/// Frames in a folder. The worker also makes previews of them.
pub fn from_folder(bench: &Bench, row: &'static str, footage: &Footage) -> Outcome {
    let folder = footage.make(bench, FRAMES);
    let input = folder.path().to_str().expect("UTF-8");
    // A folder for each run, so that no preview is there already.
    let stitch = || {
        let made = bench.folder();
        let output = made.path().to_str().expect("UTF-8");
        let result = with_worker(None, input, output, FRAMES);
        (result, made)
    };
    let ((_, log), made) = stitch();
    let video = made.path().join("output.mp4");
    let theirs: PathBuf = folder.path().join("ffmpeg.mp4");
    let bare = || Step::new(with_ffmpeg(bench, &log, footage, folder.path(), &theirs)).run();
    let contenders =
        vec![Contender::new("render-worker", || stitch().0.0), Contender::new("bare FFmpeg", bare)];
    let series = in_turn(bench.settings.rounds, contenders);
    let [worker, ffmpeg] = &series[..] else { panic!("two contenders") };

    let mut outcome = Outcome::default();
    outcome.findings.push(against(row, worker, ffmpeg, 0.90));
    let used = (worker, cpu as fn(&Run) -> f64);
    outcome.findings.push(Finding::compared(row, ("CPU", "s"), used, (ffmpeg, cpu), Target::None));
    let [ours, theirs] = [&video, &theirs].map(|video| {
        let loss = quality::loss(bench, footage, folder.path(), video);
        Spread::of([1000.0 * loss])
    });
    outcome.findings.push(Finding {
        row,
        what: "1 − SSIM".to_owned(),
        unit: "‰",
        ours,
        alternative: Some((ffmpeg.name.clone(), theirs)),
        ratio: ours.times(1.0 / theirs.median),
        target: Target::Ratio(1.0),
    });
    outcome.notes.push(format!("{row}: {FRAMES} frames of {}", footage.name));
    outcome.keep(row, series);
    outcome
}

/// The same from S3 and to S3.
pub fn from_s3(bench: &Bench, row: &'static str, footage: &Footage) -> Outcome {
    let folder = footage.make(bench, FRAMES);
    let store = Store::start(None);
    store.put_files(&folder.path().join("frames"), "in/frames");
    let runs = Cell::new(0);
    let stitch = || {
        // A prefix for each run, so that no preview is there already.
        runs.set(runs.get() + 1);
        let key = format!("out-{}", runs.get());
        let (input, output) = (store.server.uri("in"), store.server.uri(&key));
        let result = with_worker(Some(&store), &input, &output, FRAMES);
        assert_eq!(store.server.keys(&format!("{key}/output.mp4")).len(), 1, "a video is stored");
        result
    };
    let (_, log) = stitch();
    let video = folder.path().join("ffmpeg.mp4");
    let bare = || Step::new(with_ffmpeg(bench, &log, footage, folder.path(), &video)).run();
    let mut contenders =
        vec![Contender::new("render-worker", || stitch().0), Contender::new("bare FFmpeg", bare)];
    if bench.peers.aws.is_some() {
        let steps = || steps(bench, &store, footage);
        contenders.push(Contender::new("AWS CLI, FFmpeg, AWS CLI", steps));
    }
    let series = in_turn(bench.settings.few_rounds(), contenders);

    let (worker, others) = series.split_first().expect("ours");
    let ffmpeg = others.first().expect("FFmpeg");
    let mut outcome = Outcome::default();
    let mut add = |finding| outcome.findings.push(finding);
    add(against(row, worker, ffmpeg, 0.95));
    for steps in &others[1..] {
        let (what, target) = (("wall", "s"), Target::None);
        add(Finding::compared(row, what, (worker, wall), (steps, wall), target));
        let what = ("wall of the steps", "s");
        add(Finding::compared(row, what, (steps, wall), (ffmpeg, wall), target));
    }
    outcome.keep(row, series);
    outcome
}

fn against(row: &'static str, worker: &Series, ffmpeg: &Series, target: f64) -> Finding {
    let target = Target::Ratio(target);
    Finding::compared(row, ("wall", "s"), (worker, wall), (ffmpeg, wall), target)
}

/// A script with the AWS CLI and FFmpeg.
fn steps(bench: &Bench, store: &Store, footage: &Footage) -> Run {
    let folder = bench.folder();
    let copy = |arguments: &[&str], from: &str, to: &str| {
        let mut command = bench.aws(store).expect("the AWS CLI");
        command.args(["s3", "cp", "--only-show-errors"]).args(arguments).args([from, to]);
        Step::new(command).run()
    };
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let fetch = copy(&["--recursive"], &store.server.uri("in/frames/"), &path("frames"));
    let mut command = bench.program("ffmpeg");
    command.args(["-nostdin", "-y", "-i", &path(&footage.pattern()), &path("output.mp4")]);
    let encode = Step::new(command).run();
    fetch.then(encode).then(copy(&[], &path("output.mp4"), &store.server.uri("out/steps.mp4")))
}
