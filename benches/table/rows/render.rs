//! A render from and to S3, compared with Blender alone, which is the lower bound, and with the
//! steps of a script: fetch the scene, render all frames, store all frames.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::bench::Bench;
use crate::files::content;
use crate::finding::{Finding, Outcome, Target};
use crate::measuring::Step;
use crate::rounds::{Contender, cpu, in_turn, own_cpu, own_peak, wall};
use crate::store::{Store, latency};
use crate::support::worker;

const FRAMES: usize = 10;

pub fn run(bench: &Bench, row: &'static str, round_trip: Option<Duration>) -> Outcome {
    let folder = bench.folder();
    let scene = scene(bench, folder.path());
    let bytes = std::fs::read(&scene).expect("a scene");
    // A server for each run, so that no frame is already stored.
    let store = || {
        let store = Store::start(round_trip);
        store.server.put("scene.blend", &bytes);
        store
    };
    let bare = || {
        let folder = bench.folder();
        let run = Step::new(blender(bench, &scene, folder.path())).run();
        assert_eq!(content(&folder.path().join("frames")).0, FRAMES, "frames are rendered");
        run
    };
    let ours = || {
        let store = store();
        let (mut command, scratch) = worker("render")
            .input(store.server.uri("scene.blend"))
            .output(store.server.uri("out"))
            .arg("-f")
            .arg(FRAMES.to_string())
            .into_command();
        command.envs(store.env());
        let run = Step::new(command).keeping(scratch).run();
        assert_eq!(stored(&store), FRAMES, "frames are stored");
        run
    };
    let steps = || {
        let (store, folder) = (store(), bench.folder());
        let copy = |arguments: &[&str], from: &str, to: &str| {
            let mut command = bench.aws(&store).expect("the AWS CLI");
            command.args(["s3", "cp", "--only-show-errors"]).args(arguments).args([from, to]);
            Step::new(command).run()
        };
        let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
        let fetch = copy(&[], &store.server.uri("scene.blend"), &path("scene.blend"));
        let render = Step::new(blender(bench, path("scene.blend").as_ref(), folder.path())).run();
        let frames = store.server.uri("out/frames/");
        let run = fetch.then(render).then(copy(&["--recursive"], &path("frames"), &frames));
        assert_eq!(stored(&store), FRAMES, "frames are stored");
        run
    };
    let mut contenders =
        vec![Contender::new("render-worker", ours), Contender::new("bare Blender", bare)];
    if bench.peers.aws.is_some() {
        contenders.push(Contender::new("AWS CLI, Blender, AWS CLI", steps));
    }
    let series = in_turn(bench.settings.rounds, contenders);

    let (ours, others) = series.split_first().expect("ours");
    let blender = others.first().expect("Blender");
    let far = round_trip.is_some();
    let target = Target::Ratio(if far { 1.06 } else { 1.03 });
    let mut outcome = Outcome::default();
    let mut add = |finding| outcome.findings.push(finding);
    add(Finding::compared(row, ("wall", "s"), (ours, wall), (blender, wall), target));
    for steps in &others[1..] {
        let (what, target) = (("wall", "s"), Target::None);
        add(Finding::compared(row, what, (ours, wall), (steps, wall), target));
        add(Finding::compared(
            row,
            ("wall of the steps", "s"),
            (steps, wall),
            (blender, wall),
            target,
        ));
    }
    let target = Target::Ratio(0.01);
    add(Finding::compared(row, ("own CPU", "s"), (ours, own_cpu), (blender, cpu), target));
    add(Finding::below(row, ("own peak memory", "MiB"), (ours, own_peak), 32.0));
    outcome.notes.extend(round_trip.map(|round_trip| format!("{row}: {}", latency(round_trip))));
    let settings = &bench.settings;
    outcome.notes.push(format!(
        "{row}: {} at {} %, {} samples",
        settings.scene.file_name().unwrap_or_default().to_string_lossy(),
        settings.percent,
        settings.samples
    ));
    outcome.keep(row, series);
    outcome
}

/// Saves a copy of the scene with the resolution and samples of the settings.
fn scene(bench: &Bench, folder: &Path) -> PathBuf {
    let settings = &bench.settings;
    let copy = folder.join("scene.blend");
    let script = format!(
        "import bpy; scene = bpy.context.scene; scene.render.resolution_percentage = {}; \
         scene.cycles.samples = {}; bpy.ops.wm.save_as_mainfile(filepath='{}', copy=True)",
        settings.percent,
        settings.samples,
        copy.display()
    );
    let mut command = bench.program("blender");
    command.args(["-b", "--factory-startup"]).arg(&settings.scene);
    Step::new({
        command.args(["--python-exit-code", "1", "--python-expr", &script]);
        command
    })
    .run();
    copy
}

/// Blender alone, with the command line of a typical script.
fn blender(bench: &Bench, scene: &Path, output: &Path) -> Command {
    let mut command = bench.program("blender");
    command.arg("-b").arg(scene).args(["-E", "CYCLES", "-o"]).arg(output.join("frames/"));
    command.args(["-s", "1", "-e", &FRAMES.to_string(), "-a"]);
    command
}

fn stored(store: &Store) -> usize {
    store.server.keys("out/frames/").len()
}
