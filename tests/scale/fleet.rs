//! The workers of one array job, all at once.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use serde_json::json;
use tempfile::TempDir;

use crate::settings::Settings;
use crate::support::s3_server::{Request, S3Server};
use crate::support::{frames, ordered_scene, worker};

/// More than is read of a scene file before it is known to be needed, so that fetching the
/// rest of it is a request of its own.
const SCENE_BYTES: usize = 1536 * 1024;

/// Waits to be continued, and becomes the program that is named then.
const GATE: [&str; 4] = ["sh", "-c", r#"kill -STOP $$; exec "$@""#, "gate"];

/// The name of the log in a worker's folder for temporary files.
const LOG: &str = "log";

/// The children of an array job, and the bucket that they work on.
pub struct Fleet {
    settings: Settings,
    server: S3Server,
}

/// When the workers turn to storage.
#[derive(Clone, Copy)]
pub enum Start {
    /// In the same moment.
    Together,
    /// As children of an array of that size do by themselves.
    Spread { array: usize },
}

/// A request, and who made it when.
pub struct Asked {
    pub request: Request,
    /// The index of the worker.
    pub by: usize,
    /// Since the workers were let go.
    pub after: Duration,
}

impl Fleet {
    pub fn new(settings: &Settings) -> Self {
        let server = S3Server::start();
        let delay = json!([
            {"at": "every", "do": "delay", "seconds": settings.pace.as_secs_f64()}
        ]);
        let last = settings.workers * settings.frames;
        let mut scene = ordered_scene(1, last.try_into().expect("not so many frames"), &delay);
        scene.resize(SCENE_BYTES, 0);
        server.put("scene.blend", &scene);
        Self { settings: *settings, server }
    }

    /// Starts every worker in the same moment, and waits for the last one. Gives what they
    /// asked for, in the order in which it arrived.
    pub fn run(&self, start: Start) -> Vec<Asked> {
        let before = self.server.requests().len();
        let workers: Vec<_> =
            (0..self.settings.workers).map(|index| self.start_at_gate(index, start)).collect();
        for (child, _) in &workers {
            let stopped = waitpid(id(child), Some(WaitPidFlag::WUNTRACED)).expect("a child");
            assert!(matches!(stopped, WaitStatus::Stopped(..)), "{stopped:?}");
        }
        let began = Instant::now();
        for (child, _) in &workers {
            kill(id(child), Signal::SIGCONT).expect("a child that waits");
        }
        for (mut child, folder) in workers {
            let status = child.wait().expect("a child of ours");
            let log = || fs::read_to_string(folder.path().join(LOG)).expect("a log");
            assert!(status.success(), "{status}:\n{}", log());
        }
        println!("  done after {:.1} s", began.elapsed().as_secs_f64());
        let requests = self.server.requests().into_iter().skip(before);
        let asked = |request: Request| {
            let (by, after) = (author(&request), request.started - began);
            Asked { request, by, after }
        };
        requests.map(asked).collect()
    }

    fn start_at_gate(&self, index: usize, start: Start) -> (Child, TempDir) {
        let worker = worker("render")
            .s3(&self.server)
            .input(self.server.uri("scene.blend"))
            .output(self.server.uri("out"))
            .arg("-f")
            .arg(self.settings.frames.to_string())
            .stand_in_blender()
            // Python itself, not a wrapper that costs more than all the rest.
            .env("PATH", "/usr/bin:/bin")
            .env("AWS_BATCH_JOB_ID", format!("0a1b2c3d-feed:{index}"))
            .env("AWS_BATCH_JOB_ARRAY_INDEX", index.to_string())
            // The SDK puts it into each request.
            .env("AWS_SDK_UA_APP_ID", index.to_string());
        let worker = match start {
            Start::Together => worker.env("START_JITTER", "off"),
            Start::Spread { array } => worker.env("AWS_BATCH_JOB_ARRAY_SIZE", array.to_string()),
        };
        // Elsewhere each would look through the processes of all.
        let (mut command, folder) = worker.in_pid_namespace().behind(GATE).into_command();
        let log = File::create(folder.path().join(LOG)).expect("a file for the log");
        let child = command.stdout(Stdio::null()).stderr(log).spawn().expect("a shell");
        (child, folder)
    }

    /// Every frame must be there, and nothing else among them.
    pub fn check_frames(&self) {
        let last = i32::try_from(self.settings.workers * self.settings.frames).expect("few frames");
        let wanted: BTreeSet<_> =
            (1..=last).map(|frame| format!("out/frames/{}", frames::name(frame))).collect();
        let there: BTreeSet<_> = self.server.keys("out/frames/").into_iter().collect();
        assert_eq!(there, wanted);
    }
}

fn id(child: &Child) -> Pid {
    Pid::from_raw(child.id().try_into().expect("a process id"))
}

/// The worker that made a request, by the application's name in `User-Agent`.
fn author(request: &Request) -> usize {
    let agent = request.header("user-agent").unwrap_or_default();
    let mut words = agent.split(' ').filter_map(|word| word.strip_prefix("app/"));
    let index = words.next().and_then(|index| index.parse().ok());
    index.unwrap_or_else(|| panic!("whose request is that? {agent:?}"))
}
