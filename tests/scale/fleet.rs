//! The workers of one array job.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use render_worker::hex::hex;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::settings::Settings;
use crate::support::s3_server::{Request, S3Server};
use crate::support::{frames, ordered_scene, worker};

/// The size of the scene file in bytes: larger than the first request for it, so that the rest
/// needs another one.
const SCENE_BYTES: usize = 1536 * 1024;

/// How many files the project has besides the scene. A request fetches each.
pub const PROJECT_FILES: usize = 5;

/// A command that stops itself, and becomes the program in its arguments when continued.
const GATE: [&str; 4] = ["sh", "-c", r#"kill -STOP $$; exec "$@""#, "gate"];

/// The name of the log in a worker's folder for temporary files.
const LOG: &str = "log";

/// The children of an array job, and the bucket that they work on.
pub struct Fleet {
    settings: Settings,
    server: S3Server,
    /// The key of what the workers render.
    input: &'static str,
}

/// When the workers make their first request.
#[derive(Clone, Copy)]
pub enum Start {
    /// At the same moment.
    Together,
    /// With the default jitter of an array of this size.
    Spread { array: usize },
}

/// A request with its worker and its arrival time.
pub struct Arrival {
    pub request: Request,
    /// The index of the worker.
    pub worker: usize,
    /// The time since the workers were started.
    pub after: Duration,
}

impl Fleet {
    /// Workers that render a scene file.
    pub fn new(settings: &Settings) -> Self {
        let fleet = Self { settings: *settings, server: S3Server::start(), input: "scene.blend" };
        fleet.server.put(fleet.input, &fleet.scene());
        fleet
    }

    /// Workers that render a project: a scene file and [`PROJECT_FILES`] others.
    pub fn of_project(settings: &Settings) -> Self {
        let input = "p/scene.project.json";
        let fleet = Self { settings: *settings, server: S3Server::start(), input };
        let others =
            (0..PROJECT_FILES).map(|number| (format!("tex/{number}.png"), vec![0; number + 1]));
        let files = others.chain([("scene.blend".to_owned(), fleet.scene())]);
        let files: Vec<_> = files
            .map(|(path, content)| {
                let hash = hex(&Sha256::digest(&content));
                fleet.server.put(&format!("p/files/{hash}"), &content);
                json!({"path": path, "size": content.len(), "sha256": hash})
            })
            .collect();
        let manifest = json!({"schema": 1, "main": "scene.blend", "files": files});
        fleet.server.put(input, manifest.to_string().as_bytes());
        fleet
    }

    fn scene(&self) -> Vec<u8> {
        let settings = &self.settings;
        let delay = json!([
            {"at": "every", "do": "delay", "seconds": settings.frame_time.as_secs_f64()}
        ]);
        let last = settings.workers * settings.frames;
        let mut scene = ordered_scene(1, last.try_into().expect("not so many frames"), &delay);
        scene.resize(SCENE_BYTES, 0);
        scene
    }

    /// Starts all workers at the same moment, and waits for the last one. Returns their requests in
    /// order of arrival.
    pub fn run(&self, start: Start) -> Vec<Arrival> {
        let before = self.server.requests().len();
        let workers: Vec<_> =
            (0..self.settings.workers).map(|index| self.start_at_gate(index, start)).collect();
        for (child, _) in &workers {
            let stopped = waitpid(id(child), Some(WaitPidFlag::WUNTRACED)).expect("a child");
            assert!(matches!(stopped, WaitStatus::Stopped(..)), "{stopped:?}");
        }
        let began = Instant::now();
        for (child, _) in &workers {
            kill(id(child), Signal::SIGCONT).expect("a stopped child");
        }
        for (mut child, folder) in workers {
            let status = child.wait().expect("a child of ours");
            let log = || fs::read_to_string(folder.path().join(LOG)).expect("a log");
            assert!(status.success(), "{status}:\n{}", log());
        }
        println!("  done after {:.1} s", began.elapsed().as_secs_f64());
        let requests = self.server.requests().into_iter().skip(before);
        let arrival = |request: Request| {
            let (worker, after) = (worker_of(&request), request.started - began);
            Arrival { request, worker, after }
        };
        requests.map(arrival).collect()
    }

    fn start_at_gate(&self, index: usize, start: Start) -> (Child, TempDir) {
        let worker = worker("render")
            .s3(&self.server)
            .input(self.server.uri(self.input))
            .output(self.server.uri("out"))
            .arg("-f")
            .arg(self.settings.frames.to_string())
            .stand_in_blender()
            // The system's Python: a wrapper on PATH may cost more than all the rest.
            .env("PATH", "/usr/bin:/bin")
            .env("AWS_BATCH_JOB_ID", format!("0a1b2c3d-feed:{index}"))
            .env("AWS_BATCH_JOB_ARRAY_INDEX", index.to_string())
            // The SDK sends it in the User-Agent header.
            .env("AWS_SDK_UA_APP_ID", index.to_string());
        let worker = match start {
            Start::Together => worker.env("START_JITTER", "off"),
            Start::Spread { array } => worker.env("AWS_BATCH_JOB_ARRAY_SIZE", array.to_string()),
        };
        // Otherwise each worker would look through the processes of all workers.
        let (mut command, folder) = worker.in_pid_namespace().wrapped_in(GATE).into_command();
        let log = File::create(folder.path().join(LOG)).expect("a file for the log");
        let child = command.stdout(Stdio::null()).stderr(log).spawn().expect("a shell");
        (child, folder)
    }

    /// Asserts that exactly the frames of all workers are stored.
    pub fn check_frames(&self) {
        let last = i32::try_from(self.settings.workers * self.settings.frames)
            .expect("not so many frames");
        let wanted: BTreeSet<_> =
            (1..=last).map(|frame| format!("out/frames/{}", frames::name(frame))).collect();
        let there: BTreeSet<_> = self.server.keys("out/frames/").into_iter().collect();
        assert_eq!(there, wanted);
    }
}

fn id(child: &Child) -> Pid {
    Pid::from_raw(child.id().try_into().expect("a process id"))
}

/// Returns the worker of a request, from the application name in `User-Agent`.
fn worker_of(request: &Request) -> usize {
    let agent = request.header("user-agent").unwrap_or_default();
    let mut words = agent.split(' ').filter_map(|word| word.strip_prefix("app/"));
    let index = words.next().and_then(|index| index.parse().ok());
    index.unwrap_or_else(|| panic!("a request without a worker: {agent:?}"))
}
