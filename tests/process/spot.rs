//! Spot notices. The current frame is finished if there is time, no other one begins, saved frames
//! are stored, and the job ends with 143, for which Batch runs it again.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::agent::agent_at;
use crate::support::frames::{self, noise};
use crate::support::s3_server::{Fault, Operation, S3Server};
use crate::support::{LONG, Worker, names, ordered_scene, report, wait_until, worker};

/// The seconds from a notice to the end of the instance, longer than any wait of a test: a worker
/// that waits for the end fails the test.
pub const LONG_NOTICE: u64 = 590;

/// The request for a notice.
const NOTICE: &str = "get /latest/meta-data/spot/instance-action ";

/// A fake metadata service of an instance.
pub struct Instance {
    pub endpoint: String,
    /// The response to requests for a notice; 404 if `None`.
    response: Arc<Mutex<Option<String>>>,
    requests: Receiver<String>,
}

impl Instance {
    pub fn start() -> Self {
        Self::start_at("127.0.0.1:0")
    }

    fn start_at(address: &str) -> Self {
        let response: Arc<Mutex<Option<String>>> = Arc::default();
        let shared = Arc::clone(&response);
        // Version 2 of the service requires a token.
        let (address, requests) =
            agent_at(address, move |request| match request.split(' ').nth(1)? {
                "/latest/api/token" => Some("a token".to_owned()),
                "/latest/meta-data/spot/instance-action" => shared.lock().unwrap().clone(),
                _ => None,
            });
        Self { endpoint: format!("http://{address}"), response, requests }
    }

    fn set_response(&self, response: &str) {
        *self.response.lock().unwrap() = Some(response.to_owned());
    }

    /// Gives notice that the instance ends in so many seconds. Returns the time of the end.
    pub fn give_notice(&self, seconds: u64) -> String {
        let end = SystemTime::now() + Duration::from_secs(seconds);
        let end = humantime::format_rfc3339_seconds(end).to_string();
        self.set_response(&json!({"action": "terminate", "time": end}).to_string());
        end
    }

    /// Waits for the next request for a notice.
    fn wait_for_request(&self) -> String {
        loop {
            let head = self.requests.recv_timeout(LONG).expect("a request");
            if head.starts_with(NOTICE) {
                return head;
            }
        }
    }
}

/// Makes a worker use the metadata service at `endpoint`.
pub fn on(worker: Worker, endpoint: &str) -> Worker {
    worker
        .env("AWS_EC2_METADATA_DISABLED", "false")
        .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", endpoint)
}

/// A folder with a scene of frames 1 to 5 for the stand-in.
struct Stage(TempDir);

impl Stage {
    fn new(orders: impl FnOnce(&dyn Fn(&str) -> PathBuf) -> Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let orders = orders(&|name| folder.path().join(name));
        fs::write(folder.path().join("scene.blend"), ordered_scene(1, 5, &orders)).unwrap();
        Self(folder)
    }

    /// Creates a scene. The stand-in waits in frame 3 for the file `go`, in frame 4 for `never`.
    fn waiting_in_frame_3() -> Self {
        Self::new(|path| {
            json!([
                {"at": 3, "do": "touch", "path": path("in-frame-3")},
                {"at": 3, "do": "wait_for_file", "path": path("go")},
                {"at": 4, "do": "wait_for_file", "path": path("never")},
            ])
        })
    }

    /// Creates a scene. The stand-in waits in frame 1 for the file `go`, in frame 2 for `never`.
    /// It prints no progress.
    fn without_progress() -> Self {
        Self::new(|path| {
            let steps = json!([
                {"at": 1, "do": "touch", "path": path("in-frame-1")},
                {"at": 1, "do": "wait_for_file", "path": path("go")},
                {"at": 2, "do": "wait_for_file", "path": path("never")},
            ]);
            json!({"log": false, "steps": steps})
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn touch(&self, name: &str) {
        fs::write(self.path(name), "").unwrap();
    }

    fn render(&self) -> Worker {
        worker("render")
            .input(self.path("scene.blend"))
            .output(self.path("out"))
            .args("-f 5")
            .stand_in_blender()
    }

    fn frames(&self) -> Vec<String> {
        names(&self.path("out/frames"))
    }

    #[track_caller]
    fn assert_report(&self, exit_code: i32, cause: &[&str]) {
        let report = report(&self.path("out"), "render");
        assert_eq!(
            (&report["status"], &report["exit_code"]),
            (&json!("failed"), &json!(exit_code))
        );
        let found = report["cause"].as_str().unwrap();
        for text in cause {
            assert!(found.contains(text), "{text:?} is not in {found:?}");
        }
    }
}

#[test]
fn the_current_frame_is_finished_and_no_other_one_begins() {
    let (instance, stage) = (Instance::start(), Stage::waiting_in_frame_3());
    let running = on(stage.render(), &instance.endpoint).start();
    wait_until("Blender is in frame 3", || stage.path("in-frame-3").exists());
    let end = instance.give_notice(LONG_NOTICE);
    running.wait_for_log(&format!("Spot notice: EC2 reclaims the instance at {end} (in 5"));
    running.wait_for_log("Spot notice: finishing frame 3 (about ");
    stage.touch("go");
    let run = running.finish().exits(143);
    let left = "2 of 5 frames are left: 4-5; frames 1-3 are stored in ";
    let cause = format!("stopped by a Spot notice (EC2 reclaims the instance at {end}): {left}");
    assert!(run.final_error().contains(&cause), "{}", run.final_error());
    assert_eq!(stage.frames(), ["0001.png", "0002.png", "0003.png"]);
    stage.assert_report(143, &[&cause]);
}

#[test]
fn a_frame_that_cannot_be_finished_in_time_is_abandoned() {
    let instance = Instance::start();
    let stage = Stage::new(|path| {
        json!([
            // The estimate for frame 2. The worker reads the notice up to 5 seconds late, and then
            // the frame must still need time.
            {"at": 1, "do": "delay", "seconds": 12},
            {"at": 2, "do": "touch", "path": path("in-frame-2")},
            {"at": 2, "do": "wait_for_file", "path": path("never")},
        ])
    });
    let running = on(stage.render().args("--stop-grace 1h"), &instance.endpoint).start();
    wait_until("Blender is in frame 2", || stage.path("in-frame-2").exists());
    instance.give_notice(LONG_NOTICE);
    running.wait_for_log("s more, but only 0 s are left: giving it up");
    running.finish().exits(143).logs(&["4 of 5 frames are left: 2-5; frame 1 is stored"]);
    assert_eq!(stage.frames(), ["0001.png"]);
    stage.assert_report(143, &["a Spot notice"]);
}

#[test]
fn a_frame_without_progress_is_finished_if_it_ends_before_the_grace() {
    let (instance, stage) = (Instance::start(), Stage::without_progress());
    let running = on(stage.render(), &instance.endpoint).start();
    wait_until("Blender is in frame 1", || stage.path("in-frame-1").exists());
    instance.give_notice(LONG_NOTICE);
    running.wait_for_log("finishing frame 1 if it is done within ");
    stage.touch("go");
    running.finish().exits(143).logs(&["4 of 5 frames are left: 2-5; frame 1 is stored"]);
}

#[test]
fn a_frame_without_progress_is_abandoned_when_the_grace_begins() {
    let (instance, stage) = (Instance::start(), Stage::without_progress());
    let running = on(stage.render().args("--stop-grace 20s"), &instance.endpoint).start();
    wait_until("Blender is in frame 1", || stage.path("in-frame-1").exists());
    // The worker reads the notice up to 5 seconds late, and then waits for 6 to 11 seconds.
    instance.give_notice(31);
    running.wait_for_log("finishing frame 1 if it is done within ");
    running.finish().exits(143).logs(&["5 of 5 frames are left: 1-5; nothing is stored"]);
}

#[test]
fn sigterm_after_a_notice_abandons_the_current_frame() {
    let (instance, stage) = (Instance::start(), Stage::waiting_in_frame_3());
    let running = on(stage.render(), &instance.endpoint).start();
    wait_until("Blender is in frame 3", || stage.path("in-frame-3").exists());
    instance.give_notice(LONG_NOTICE);
    running.wait_for_log("finishing frame 3");
    running.signal(Signal::SIGTERM);
    running.finish().exits(143);
    assert_eq!(stage.frames(), ["0001.png", "0002.png"]);
    stage.assert_report(143, &["stopped by SIGTERM: 3 of 5 frames are left: 3-5"]);
}

#[test]
fn a_blender_that_crashes_after_a_notice_is_not_started_again() {
    let instance = Instance::start();
    let stage = Stage::new(|path| {
        let steps = json!([
            {"at": 3, "do": "touch", "path": path("in-frame-3")},
            {"at": 3, "do": "wait_for_file", "path": path("go")},
            {"at": 3, "do": "crash"},
        ]);
        json!({"steps": steps, "record": path("launches")})
    });
    let running = on(stage.render(), &instance.endpoint).start();
    wait_until("Blender is in frame 3", || stage.path("in-frame-3").exists());
    instance.give_notice(LONG_NOTICE);
    running.wait_for_log("finishing frame 3");
    stage.touch("go");
    running.finish().exits(143).logs(&["3 of 5 frames are left: 3-5"]);
    let launches = fs::read_to_string(stage.path("launches")).unwrap();
    assert_eq!(launches.lines().count(), 1);
}

#[test]
fn blender_is_not_started_after_a_notice() {
    let (instance, server) = (Instance::start(), S3Server::start());
    let folder = tempfile::tempdir().unwrap();
    let launches = folder.path().join("launches");
    server.put("scene.blend", &ordered_scene(1, 5, &json!({ "record": launches })));
    server.inject(Fault::on(Operation::GetObject).stall());
    instance.give_notice(LONG_NOTICE);
    let render = worker("render")
        .s3(&server)
        .input(server.uri("scene.blend"))
        .output(server.uri("out"))
        .args("-f 5")
        .stand_in_blender();
    let run = on(render, &instance.endpoint).run().exits(143);
    let run = run.logs(&["stopped by a Spot notice"]);
    assert!(!launches.exists(), "Blender was started:\n{}", run.text());
    assert_eq!(server.keys("out/reports/render-").len(), 1, "{}", run.text());
    assert!(instance.wait_for_request().contains("x-aws-ec2-metadata-token: a token"));
}

#[test]
fn a_video_is_finished_after_a_notice() {
    let (instance, folder) = (Instance::start(), tempfile::tempdir().unwrap());
    let frame = noise((320, 180), 1);
    fs::create_dir(folder.path().join("frames")).unwrap();
    for number in 1..=3 {
        fs::write(folder.path().join("frames").join(frames::name(number)), &frame).unwrap();
    }
    // The real FFmpeg encodes the video; then the stand-in waits for the file `go`.
    let programs = tempfile::tempdir().unwrap();
    let go = folder.path().join("go");
    let orders = json!({"output": "real", "stderr": "waiting\n", "wait_for_file": go});
    fs::write(programs.path().join("ffmpeg.orders"), orders.to_string()).unwrap();
    let stand_in = crate::support::fixture("stand-ins/ffmpeg");
    fs::copy(stand_in, programs.path().join("ffmpeg")).unwrap();
    let stitch = worker("stitch")
        .input(folder.path())
        .output(folder.path())
        .args("--fps 24")
        .arg("--ffmpeg")
        .arg(programs.path().join("ffmpeg"));
    let running = on(stitch, &instance.endpoint).start();
    running.wait_for_log("waiting");
    instance.give_notice(LONG_NOTICE);
    running.wait_for_log("Spot notice: EC2 reclaims the instance at");
    fs::write(go, "").unwrap();
    running.finish().exits(0);
    assert!(folder.path().join("output.mp4").exists());
}

#[test]
fn without_a_notice_the_metadata_service_is_polled_and_nothing_changes() {
    let stage = Stage::waiting_in_frame_3();
    stage.touch("never");
    let instance = Instance::start();
    let running = on(stage.render(), &instance.endpoint).start();
    for _ in 0..3 {
        instance.wait_for_request();
    }
    stage.touch("go");
    running.finish().exits(0).logs_no_warnings();
    assert_eq!(stage.frames().len(), 5);
}

#[test]
fn an_invalid_notice_is_logged_once_and_ignored() {
    let stage = Stage::waiting_in_frame_3();
    stage.touch("never");
    let instance = Instance::start();
    instance.set_response("<html>Please sign in</html>");
    let running = on(stage.render(), &instance.endpoint).start();
    for _ in 0..3 {
        instance.wait_for_request();
    }
    stage.touch("go");
    let run = running.finish().exits(0);
    let logged = run.text().matches("the metadata service sent an invalid Spot notice").count();
    assert_eq!(logged, 1, "{}", run.text());
}

#[test]
fn a_disabled_metadata_service_is_not_polled() {
    for disabled in ["true", "True"] {
        let (instance, stage) = (Instance::start(), Stage::new(|_| json!([])));
        instance.give_notice(1);
        let render = on(stage.render(), &instance.endpoint);
        render.env("AWS_EC2_METADATA_DISABLED", disabled).run().exits(0);
        assert_eq!(instance.requests.try_iter().count(), 0);
    }
}

/// Asserts that a render job succeeds without warnings.
#[track_caller]
fn assert_unaffected(endpoint: &str) {
    let stage = Stage::new(|_| json!([]));
    on(stage.render(), endpoint).run().exits(0).logs_no_warnings();
    assert_eq!(stage.frames().len(), 5);
}

#[test]
fn an_unreachable_metadata_service_is_no_error() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_unaffected(&format!("http://{closed}"));
    assert_unaffected("http://no-such-host.invalid");
    assert_unaffected("no URI");
    let stage = Stage::waiting_in_frame_3();
    stage.touch("never");
    let render = on(stage.render().args("--log-level debug"), &format!("http://{closed}"));
    let running = render.start();
    let line = running.wait_for_log("polling for a Spot notice every 15 s");
    assert!(line.contains("DEBUG"), "{line}");
    stage.touch("go");
    running.finish().exits(0);
}

#[test]
fn a_metadata_service_that_becomes_available_later_is_used() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let stage = Stage::waiting_in_frame_3();
    let worker = on(stage.render().args("--log-level debug"), &format!("http://{address}"));
    let running = worker.start();
    running.wait_for_log("polling for a Spot notice every");
    wait_until("Blender is in frame 3", || stage.path("in-frame-3").exists());
    let instance = Instance::start_at(&address);
    instance.give_notice(LONG_NOTICE);
    running.wait_for_log("Spot notice: EC2 reclaims the instance at");
    stage.touch("go");
    running.finish().exits(143);
    assert_eq!(stage.frames(), ["0001.png", "0002.png", "0003.png"]);
}

#[test]
fn a_metadata_service_that_never_responds_is_no_error() {
    // As with a hop limit of 1: the connection is established, and no response comes.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let (accepted, connections) = channel();
    std::thread::spawn(move || {
        let open: Vec<_> = silent.incoming().inspect(|_| _ = accepted.send(())).collect();
        drop(open);
    });
    assert_unaffected(&endpoint);
    connections.recv_timeout(LONG).expect("a connection to the service");
}
