//! The Spot notice: what is in hand is finished if there is time, nothing more is begun,
//! what is saved is stored, and the job ends 143, which Batch runs again.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::agent::agent_at;
use crate::support::frames::{self, noise};
use crate::support::s3_server::{Fault, Operation, S3Server};
use crate::support::{LONG, Worker, names, ordered_scene, report, wait_until, worker};

/// What ends at once, on a machine that has other things to do.
const SOON: Duration = Duration::from_secs(10);

const NOTICE: &str = "get /latest/meta-data/spot/instance-action ";

/// The metadata service of an instance.
struct Instance {
    endpoint: String,
    /// What it answers when it is asked for a notice; 404 as long as that is nothing.
    answer: Arc<Mutex<Option<String>>>,
    asked: Receiver<String>,
}

impl Instance {
    fn start() -> Self {
        Self::start_at("127.0.0.1:0")
    }

    fn start_at(address: &str) -> Self {
        let answer: Arc<Mutex<Option<String>>> = Arc::default();
        let said = Arc::clone(&answer);
        // The second version of the service answers those alone who have a token.
        let (address, asked) =
            agent_at(address, move |request| match request.split(' ').nth(1)? {
                "/latest/api/token" => Some("a token".to_owned()),
                "/latest/meta-data/spot/instance-action" => said.lock().unwrap().clone(),
                _ => None,
            });
        Self { endpoint: format!("http://{address}"), answer, asked }
    }

    fn says(&self, answer: &str) {
        *self.answer.lock().unwrap() = Some(answer.to_owned());
    }

    /// Gives notice that it goes in so many seconds, and says when that is.
    fn goes_in(&self, seconds: u64) -> String {
        let goes = SystemTime::now() + Duration::from_secs(seconds);
        let goes = humantime::format_rfc3339_seconds(goes).to_string();
        self.says(&json!({"action": "terminate", "time": goes}).to_string());
        goes
    }

    /// Waits until it has been asked for a notice once more.
    fn is_asked(&self) -> String {
        loop {
            let head = self.asked.recv_timeout(LONG).expect("a question");
            if head.starts_with(NOTICE) {
                return head;
            }
        }
    }
}

/// Lets the program ask the instance at `endpoint`.
fn on(worker: Worker, endpoint: &str) -> Worker {
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

    /// Frame 3 waits until it is told to go on, frame 4 for ever.
    fn waiting_in_frame_3() -> Self {
        Self::new(|path| {
            json!([
                {"at": 3, "do": "touch", "path": path("in-frame-3")},
                {"at": 3, "do": "wait_for_file", "path": path("go")},
                {"at": 4, "do": "wait_for_file", "path": path("never")},
            ])
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
    fn reports(&self, exit_code: i32, cause: &[&str]) {
        let report = report(&self.path("out"), "render");
        assert_eq!(
            (&report["status"], &report["exit_code"]),
            (&json!("failed"), &json!(exit_code))
        );
        let said = report["cause"].as_str().unwrap();
        for words in cause {
            assert!(said.contains(words), "{words:?} is not in {said:?}");
        }
    }
}

#[test]
fn the_frame_in_hand_is_finished_and_no_more_is_begun() {
    let (instance, stage) = (Instance::start(), Stage::waiting_in_frame_3());
    let running = on(stage.render(), &instance.endpoint).start();
    wait_until("Blender is in frame 3", || stage.path("in-frame-3").exists());
    let goes = instance.goes_in(120);
    running.wait_for_log(&format!("Spot notice: the instance goes at {goes} (in 1"));
    running.wait_for_log("Spot notice: finishing frame 3 (about ");
    stage.touch("go");
    let told = Instant::now();
    let run = running.finish().exits(143);
    assert!(told.elapsed() < SOON, "{:?}\n{}", told.elapsed(), run.text());
    let left = "2 of 5 frames are left: 4-5; frames 1-3 are stored in ";
    let by = format!("stopped by a Spot notice (the instance goes at {goes}): {left}");
    assert!(run.last_words().contains(&by), "{}", run.last_words());
    assert_eq!(stage.frames(), ["0001.png", "0002.png", "0003.png"]);
    stage.reports(143, &[&by]);
}

#[test]
fn a_frame_that_takes_longer_than_there_is_time_is_given_up() {
    let instance = Instance::start();
    let stage = Stage::new(|path| {
        json!([
            // More than twice the 5 seconds that pass at most until the notice is heard of.
            {"at": 1, "do": "delay", "seconds": 12},
            {"at": 2, "do": "touch", "path": path("in-frame-2")},
            {"at": 2, "do": "wait_for_file", "path": path("never")},
        ])
    });
    let running = on(stage.render().args("--stop-grace 1h"), &instance.endpoint).start();
    wait_until("Blender is in frame 2", || stage.path("in-frame-2").exists());
    instance.goes_in(60);
    running.wait_for_log("s more and there are 0 s: giving it up");
    let told = Instant::now();
    let run = running.finish().exits(143).says(&["4 of 5 frames are left: 2-5; frame 1 is stored"]);
    assert!(told.elapsed() < SOON, "{:?}\n{}", told.elapsed(), run.text());
    assert_eq!(stage.frames(), ["0001.png"]);
    stage.reports(143, &["a Spot notice"]);
}

#[test]
fn a_frame_that_tells_nothing_is_waited_for_until_the_grace_begins() {
    let instance = Instance::start();
    let stage = Stage::new(|path| {
        let steps = json!([
            {"at": 1, "do": "touch", "path": path("in-frame-1")},
            {"at": 1, "do": "wait_for_file", "path": path("never")},
        ]);
        json!({"log": false, "steps": steps})
    });
    let running = on(stage.render().args("--stop-grace 20s"), &instance.endpoint).start();
    wait_until("Blender is in frame 1", || stage.path("in-frame-1").exists());
    // Asked for every 5 seconds: there are 5 to 10 left then.
    instance.goes_in(31);
    running.wait_for_log("finishing frame 1 if that is soon (there are ");
    let told = Instant::now();
    let run = running.finish().exits(143).says(&["5 of 5 frames are left: 1-5; nothing is stored"]);
    let took = told.elapsed();
    assert!(took > Duration::from_secs(4), "it was not waited for: {took:?}\n{}", run.text());
    assert!(took < Duration::from_secs(11) + SOON, "{took:?}\n{}", run.text());
}

#[test]
fn sigterm_after_a_notice_gives_up_the_frame_in_hand() {
    let (instance, stage) = (Instance::start(), Stage::waiting_in_frame_3());
    let running = on(stage.render(), &instance.endpoint).start();
    wait_until("Blender is in frame 3", || stage.path("in-frame-3").exists());
    instance.goes_in(120);
    running.wait_for_log("finishing frame 3");
    running.signal(Signal::SIGTERM);
    let told = Instant::now();
    let run = running.finish().exits(143);
    assert!(told.elapsed() < SOON, "{:?}\n{}", told.elapsed(), run.text());
    assert_eq!(stage.frames(), ["0001.png", "0002.png"]);
    stage.reports(143, &["stopped by SIGTERM: 3 of 5 frames are left: 3-5"]);
}

#[test]
fn a_blender_that_crashes_after_a_notice_is_another_attempts_affair() {
    let instance = Instance::start();
    let stage = Stage::new(|path| {
        json!([
            {"at": 3, "do": "touch", "path": path("in-frame-3")},
            {"at": 3, "do": "wait_for_file", "path": path("go")},
            {"at": 3, "do": "crash"},
        ])
    });
    let running = on(stage.render(), &instance.endpoint).start();
    wait_until("Blender is in frame 3", || stage.path("in-frame-3").exists());
    instance.goes_in(120);
    running.wait_for_log("finishing frame 3");
    stage.touch("go");
    running.finish().exits(143).says(&["3 of 5 frames are left: 3-5"]);
}

#[test]
fn on_an_instance_that_goes_nothing_is_begun() {
    let (instance, server) = (Instance::start(), S3Server::start());
    server.put("scene.blend", &ordered_scene(1, 5, &json!([])));
    server.inject(Fault::on(Operation::GetObject).stall());
    instance.goes_in(120);
    let render = worker("render")
        .s3(&server)
        .input(server.uri("scene.blend"))
        .output(server.uri("out"))
        .args("-f 5")
        .stand_in_blender();
    let run = on(render, &instance.endpoint).run().exits(143);
    let run = run.says(&["stopped by a Spot notice"]).never_says(&["starting "]);
    assert!(run.took < SOON, "{:?}\n{}", run.took, run.text());
    assert_eq!(server.keys("out/reports/render-").len(), 1, "{}", run.text());
    assert!(instance.is_asked().contains("x-aws-ec2-metadata-token: a token"));
}

#[test]
fn a_video_that_can_still_be_made_is_made() {
    let (instance, folder) = (Instance::start(), tempfile::tempdir().unwrap());
    let frame = noise((320, 180), 1);
    fs::create_dir(folder.path().join("frames")).unwrap();
    for number in 1..=3 {
        fs::write(folder.path().join("frames").join(frames::name(number)), &frame).unwrap();
    }
    // The real FFmpeg, which then waits to be let go.
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
    instance.goes_in(120);
    running.wait_for_log("Spot notice: the instance goes at");
    fs::write(go, "").unwrap();
    running.finish().exits(0);
    assert!(folder.path().join("output.mp4").exists());
}

#[test]
fn without_a_notice_nothing_changes_and_the_instance_is_asked_every_five_seconds() {
    let stage = Stage::waiting_in_frame_3();
    stage.touch("never");
    let instance = Instance::start();
    let running = on(stage.render(), &instance.endpoint).start();
    // The first pause is shorter, so that containers do not ask in step.
    instance.is_asked();
    instance.is_asked();
    let first = Instant::now();
    instance.is_asked();
    let pause = first.elapsed();
    assert!((4..7).contains(&pause.as_secs()), "{pause:?}");
    stage.touch("go");
    running.finish().exits(0).never_says(&["Spot", "metadata"]);
}

#[test]
fn an_answer_that_is_no_notice_is_told_once_and_changes_nothing() {
    let stage = Stage::waiting_in_frame_3();
    stage.touch("never");
    let instance = Instance::start();
    instance.says("<html>Please sign in</html>");
    let running = on(stage.render(), &instance.endpoint).start();
    for _ in 0..3 {
        instance.is_asked();
    }
    stage.touch("go");
    let run = running.finish().exits(0);
    let told = run.text().matches("the metadata service gives no usable Spot notice").count();
    assert_eq!(told, 1, "{}", run.text());
}

#[test]
fn whoever_may_not_be_asked_is_not_asked() {
    for disabled in ["true", "True"] {
        let (instance, stage) = (Instance::start(), Stage::new(|_| json!([])));
        instance.goes_in(1);
        let render = on(stage.render(), &instance.endpoint);
        render.env("AWS_EC2_METADATA_DISABLED", disabled).run().exits(0);
        assert_eq!(instance.asked.try_iter().count(), 0);
    }
}

/// The end of a run must not wait for a metadata service, and neither must its beginning.
#[track_caller]
fn renders_undisturbed(endpoint: &str) {
    let stage = Stage::new(|_| json!([]));
    let run = on(stage.render(), endpoint).run().exits(0);
    assert!(!run.text().contains("WARN"), "{}", run.text());
    assert_eq!(stage.frames().len(), 5);
}

#[test]
fn a_service_that_cannot_be_reached_is_no_fault() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    renders_undisturbed(&format!("http://{nobody}"));
    renders_undisturbed("http://no-such-host.invalid");
    renders_undisturbed("no URI");
    let stage = Stage::waiting_in_frame_3();
    stage.touch("never");
    let render = on(stage.render().args("--log-level debug"), &format!("http://{nobody}"));
    let running = render.start();
    let line = running.wait_for_log("asking for a Spot notice every 15 s");
    assert!(line.contains("DEBUG"), "{line}");
    stage.touch("go");
    running.finish().exits(0);
}

#[test]
fn a_service_that_comes_late_is_heard() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let stage = Stage::waiting_in_frame_3();
    let worker = on(stage.render().args("--log-level debug"), &format!("http://{address}"));
    let running = worker.start();
    running.wait_for_log("asking for a Spot notice every");
    wait_until("Blender is in frame 3", || stage.path("in-frame-3").exists());
    let instance = Instance::start_at(&address);
    instance.goes_in(100);
    running.wait_for_log("Spot notice: the instance goes at");
    stage.touch("go");
    running.finish().exits(143);
    assert_eq!(stage.frames(), ["0001.png", "0002.png", "0003.png"]);
}

#[test]
fn a_service_whose_answers_get_lost_delays_nothing() {
    // As with a hop limit of 1: the connection stands, and nothing comes back.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let asked = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&asked);
    std::thread::spawn(move || {
        let streams: Vec<_> =
            silent.incoming().inspect(|_| seen.store(true, Ordering::SeqCst)).collect();
        drop(streams);
    });
    let fastest = |endpoint: Option<&str>| {
        let took = (0..3).map(|_| {
            let stage = Stage::new(|_| json!([]));
            let run = match endpoint {
                Some(endpoint) => on(stage.render(), endpoint).run(),
                None => stage.render().run(),
            };
            run.exits(0).never_says(&["WARN"]).took
        });
        took.min().unwrap()
    };
    let (took, undisturbed) = (fastest(Some(&endpoint)), fastest(None));
    assert!(asked.load(Ordering::SeqCst), "it was not asked");
    assert!(took < undisturbed + Duration::from_millis(900), "{took:?}, not {undisturbed:?}");
}
