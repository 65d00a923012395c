//! The scenarios.

use std::time::Duration;

use fastrand::Rng;
use nix::sys::signal::Signal;
use serde_json::json;

use crate::expected::ExpectedFrames;
use crate::job::{Renderer, large};
use crate::killing::{Campaign, Timing, logs};
use crate::output::Output;
use crate::projects;
use crate::settings::Settings;
use crate::support::s3_server::S3Server;
use crate::tally::Tally;

/// A scenario.
pub struct Scenario {
    pub name: &'static str,
    pub about: &'static str,
    pub run: fn(&Settings, u64) -> Tally,
}

/// All scenarios, in the order in which they run.
pub const SCENARIOS: [Scenario; 10] = [
    Scenario {
        name: "sigkill",
        about: "jobs killed by SIGKILL; some S3 requests fail",
        run: |settings, seed| {
            let tally = killed(
                "sigkill",
                &on_s3(settings.faults, seed),
                settings,
                seed,
                &[Signal::SIGKILL],
            );
            at_most_one_twice_a_kill(tally)
        },
    },
    Scenario {
        name: "sigterm",
        about: "jobs stopped by SIGTERM; some S3 requests fail",
        run: |settings, seed| {
            let tally = killed(
                "sigterm",
                &on_s3(settings.faults, seed),
                settings,
                seed,
                &[Signal::SIGTERM],
            );
            assert_eq!(tally.twice, 0, "saved frames are rendered again");
            tally
        },
    },
    Scenario {
        name: "folder",
        about: "jobs killed by SIGKILL; the output is a local folder",
        run: |settings, seed| {
            let folder = Output::Folder(tempfile::tempdir().expect("a folder"));
            at_most_one_twice_a_kill(killed("folder", &folder, settings, seed, &[Signal::SIGKILL]))
        },
    },
    Scenario {
        name: "packing",
        about: "projects packed while SIGKILL ends it; some S3 requests fail",
        run: projects::packing,
    },
    Scenario {
        name: "fetching",
        about: "two workers that share a cache, one of them killed by SIGKILL while they fetch",
        run: projects::fetching,
    },
    Scenario {
        name: "faults-10",
        about: "no kills; 10 % of all S3 requests fail",
        run: |settings, seed| undisturbed("faults-10", 10, settings, seed),
    },
    Scenario {
        name: "faults-30",
        about: "no kills; 30 % of all S3 requests fail",
        run: |settings, seed| undisturbed("faults-30", 30, settings, seed),
    },
    Scenario {
        name: "faults-50",
        about: "no kills; 50 % of all S3 requests fail",
        run: |settings, seed| undisturbed("faults-50", 50, settings, seed),
    },
    Scenario {
        name: "slow",
        about: "no kills; large frames over a slow network",
        run: |settings, _| slow(settings.speed),
    },
    Scenario {
        name: "blender",
        about: "the real Blender; SIGKILL and SIGTERM in turn",
        run: real_blender,
    },
];

/// The stand-in's time per frame, longer than the time to store one.
const FRAME_TIME: Duration = Duration::from_millis(40);

fn on_s3(percent: u8, seed: u64) -> Output {
    let server = S3Server::start();
    server.fault_rate(seed, percent);
    Output::S3(server)
}

/// Runs jobs until there are enough kills.
fn killed(
    name: &'static str,
    output: &Output,
    settings: &Settings,
    seed: u64,
    signals: &'static [Signal],
) -> Tally {
    let renderer = Renderer::StandIn(FRAME_TIME);
    let expected = ExpectedFrames::of_the_stand_in(settings.frames, &json!([]));
    let mut campaign = Campaign {
        name,
        output,
        expected: &expected,
        renderer,
        frames: settings.frames,
        signals,
        rng: Rng::with_seed(seed),
        timing: Timing::measure(output, renderer),
    };
    let mut tally = begin(name);
    while tally.kills < settings.kills {
        campaign.run(tally.jobs + 1, settings.kills, &mut tally);
    }
    end(tally, output)
}

/// Runs one job without kills on storage with faults.
fn undisturbed(name: &'static str, percent: u8, settings: &Settings, seed: u64) -> Tally {
    let output = on_s3(percent, seed);
    let expected = ExpectedFrames::of_the_stand_in(settings.frames, &json!([]));
    let mut campaign = Campaign {
        name,
        output: &output,
        expected: &expected,
        renderer: Renderer::StandIn(Duration::from_millis(5)),
        frames: settings.frames,
        signals: &[],
        rng: Rng::with_seed(seed),
        timing: Timing { start: Duration::ZERO, frame: Duration::ZERO },
    };
    let mut tally = begin(name);
    campaign.run(1, 0, &mut tally);
    end(tally, &output)
}

/// Runs one job of large frames, each of which takes minutes to store.
fn slow(speed: u32) -> Tally {
    const FRAMES: i32 = 2;

    let server = S3Server::start();
    server.throttle(speed);
    let output = Output::S3(server);
    let expected = ExpectedFrames::of_the_stand_in(FRAMES, &large());
    let mut campaign = Campaign {
        name: "slow",
        output: &output,
        expected: &expected,
        renderer: Renderer::LargeStandIn(Duration::from_millis(5)),
        frames: FRAMES,
        signals: &[],
        rng: Rng::with_seed(0),
        timing: Timing { start: Duration::ZERO, frame: Duration::ZERO },
    };
    let mut tally = begin("slow");
    campaign.run(1, 0, &mut tally);
    assert_eq!(
        (tally.attempts, tally.begun),
        (1, tally.frames),
        "slow storage is mistaken for failing storage"
    );
    end(tally, &output)
}

fn real_blender(settings: &Settings, seed: u64) -> Tally {
    /// The scene and the number of its frames.
    const SCENE: (&str, i32) = ("tiny", 12);
    /// The kills of each job.
    const KILLS: usize = 4;

    let output = on_s3(settings.faults, seed);
    let renderer = Renderer::Blender(SCENE.0);
    let expected = ExpectedFrames::of_blender(SCENE.0, SCENE.1);
    let mut campaign = Campaign {
        name: "blender",
        output: &output,
        expected: &expected,
        renderer,
        frames: SCENE.1,
        signals: &[Signal::SIGKILL, Signal::SIGTERM],
        rng: Rng::with_seed(seed),
        timing: Timing::measure(&output, renderer),
    };
    let mut tally = begin("blender");
    for round in 1..=settings.rounds {
        campaign.run(round, KILLS * round, &mut tally);
    }
    at_most_one_twice_a_kill(end(tally, &output))
}

fn begin(name: &'static str) -> Tally {
    // Remove the logs of an earlier run.
    drop(std::fs::remove_dir_all(logs(name)));
    Tally { name, ..Tally::default() }
}

fn end(mut tally: Tally, output: &Output) -> Tally {
    (tally.requests, tally.faults) = output.requests();
    tally
}

fn at_most_one_twice_a_kill(tally: Tally) -> Tally {
    let Tally { twice, kills, .. } = tally;
    assert!(twice <= kills, "{twice} frames were rendered twice in {kills} kills");
    tally
}
