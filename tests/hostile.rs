//! A stranger's scene, scripts allowed, in a real Blender (`fixtures/scenes/hostile.py`). It tries
//! what its author could gain from: credentials, other files, other processes, our log, our disk.
//! Each attempt is denied or harmless, and the frames come out right all the same.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::init::as_pid_1;
use crate::support::place::mounted;
use crate::support::{Run, Worker, is_root, names, pixel_hashes, scene, worker};

/// Everything that is there to be attacked.
struct Target {
    folder: TempDir,
    credentials: TcpListener,
    metadata: TcpListener,
    // Something listens, so that a connection is refused by the sandbox alone.
    socket: UnixListener,
    abstract_socket: UnixListener,
    shared: Vec<Shared>,
}

/// What all processes of the user share, as another of them made it. Removed when dropped.
struct Shared {
    kind: char,
    id: String,
}

impl Shared {
    /// A segment of memory (`M`), a queue (`Q`) or a semaphore (`S`) of System V.
    fn new(kind: char) -> Self {
        let size: &[&str] = match kind {
            'M' => &["4096"],
            'S' => &["1"],
            _ => &[],
        };
        let output = Command::new("ipcmk").arg(format!("-{kind}")).args(size).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        Self { kind, id: text.trim().rsplit(' ').next().unwrap().to_owned() }
    }

    fn id(&self) -> u32 {
        self.id.parse().unwrap()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let kind = self.kind.to_ascii_lowercase();
        drop(Command::new("ipcrm").arg(format!("-{kind}")).arg(&self.id).status());
    }
}

const SECRET: &str = "what only its owner should read";

impl Target {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in
            ["job", "scratch/render-worker-other/frames", "out", "home/.aws", "cwd", "elsewhere"]
        {
            fs::create_dir_all(path(name)).unwrap();
        }
        for name in ["victim", "scratch/beside", "scratch/render-worker-other/scene.blend"] {
            fs::write(path(name), SECRET).unwrap();
        }
        for name in ["home/.aws/credentials", "job/.hidden"] {
            fs::write(path(name), SECRET).unwrap();
        }
        fs::set_permissions(path("victim"), Permissions::from_mode(0o600)).unwrap();
        fs::copy(scene("hostile"), path("job/scene.blend")).unwrap();
        let abstract_name = path("daemon").to_str().unwrap().trim_start_matches('/').to_owned();
        let abstract_address = SocketAddr::from_abstract_name(&abstract_name).unwrap();
        let target = Self {
            credentials: TcpListener::bind("127.0.0.1:0").unwrap(),
            metadata: TcpListener::bind("127.0.0.1:0").unwrap(),
            socket: UnixListener::bind(path("daemon.sock")).unwrap(),
            abstract_socket: UnixListener::bind_addr(&abstract_address).unwrap(),
            shared: ['M', 'Q', 'S'].map(Shared::new).into(),
            folder,
        };
        target.attacked(&json!({
            "credentials": ["127.0.0.1", target.credentials.local_addr().unwrap().port()],
            "metadata": ["169.254.169.254", 80],
            "metadata_stand_in": ["127.0.0.1", target.metadata.local_addr().unwrap().port()],
            "socket": target.path("daemon.sock"),
            "abstract_socket": abstract_name,
            "beside_scratch": target.path("scratch/beside"),
            "other_job": target.path("scratch/render-worker-other/scene.blend"),
            "hidden": target.path("job/.hidden"),
            "home": target.path("home"),
            "elsewhere": target.path("elsewhere"),
            "output": target.path("out"),
            "victim": target.path("victim"),
            "secret": target.path("victim"),
            "file_descriptor": 9,
            "folder_descriptor": 8,
            "in_folder": "victim",
            "shared_memory": target.shared[0].id(),
            "message_queue": target.shared[1].id(),
            "semaphore": target.shared[2].id(),
            "daemon": 3,
            "fill": 8 << 20,
        }));
        target
    }

    /// What the scene is to attack.
    fn attacked(&self, targets: &Value) {
        fs::write(self.path("job/hostile.json"), targets.to_string()).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn worker(&self) -> Worker {
        let port = self.credentials.local_addr().unwrap().port();
        worker("render")
            .input(self.path("job/scene.blend"))
            .output(self.path("out"))
            .args("-f 3 --enable-autoexec --scratch-dir")
            .arg(self.path("scratch"))
            .env("HOME", self.path("home"))
            .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", SECRET)
            .env("AWS_SESSION_TOKEN", SECRET)
            .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("http://127.0.0.1:{port}/"))
            .env("AWS_CONTAINER_AUTHORIZATION_TOKEN", SECRET)
            .env("ECS_CONTAINER_METADATA_URI_V4", "http://169.254.170.2/v4/task")
            .env("GITHUB_TOKEN", SECRET)
    }

    /// Runs it with a file and a folder open, and with capabilities to hand on where there are
    /// any.
    fn run(&self, worker: Worker) -> Run {
        let powers: &[&str] = if is_root() {
            &["setpriv", "--inh-caps=+net_raw,+chown", "--ambient-caps=+net_raw,+chown"]
        } else {
            &["env"]
        };
        let open = ["sh", "-c", "exec 9<../victim 8<..; exec \"$@\"", "sh"];
        let worker = worker.behind([powers, &open[..]].concat());
        worker.with(|command| _ = command.current_dir(self.path("cwd"))).run()
    }

    /// Whether somebody has connected to one of the listeners.
    fn was_reached(&self) -> bool {
        self.credentials.set_nonblocking(true).unwrap();
        self.metadata.set_nonblocking(true).unwrap();
        self.socket.set_nonblocking(true).unwrap();
        self.abstract_socket.set_nonblocking(true).unwrap();
        self.credentials.accept().is_ok()
            || self.metadata.accept().is_ok()
            || self.socket.accept().is_ok()
            || self.abstract_socket.accept().is_ok()
    }

    /// Nothing was changed, and nothing added but the frames and the report.
    #[track_caller]
    fn is_unharmed(&self) {
        let victim = self.path("victim");
        assert_eq!(fs::read_to_string(&victim).unwrap(), SECRET);
        let metadata = fs::metadata(&victim).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
        assert!(metadata.modified().unwrap().elapsed().unwrap() < Duration::from_hours(1));
        assert_eq!(names(&self.path("cwd")), [""; 0]);
        assert_eq!(names(&self.path("home")), [".aws"]);
        assert_eq!(names(&self.path("job")), [".hidden", "hostile.json", "scene.blend"]);
        assert_eq!(names(&self.path("scratch")), ["beside", "render-worker-other"]);
        assert_eq!(names(&self.path("elsewhere")), [""; 0]);
    }

    #[track_caller]
    fn frames_are_right(&self) {
        let honest = tempfile::tempdir().unwrap();
        worker("render").input(scene("tiny")).output(honest.path()).args("-f 3").run().exits(0);
        let (ours, honest) = (self.path("out/frames"), honest.path().join("frames"));
        assert_eq!(names(&ours), ["0001.png", "0002.png", "0003.png"]);
        for name in names(&ours) {
            let file = ours.join(&name);
            assert!(fs::symlink_metadata(&file).unwrap().is_file(), "{name}");
            assert_eq!(pixel_hashes(&file), pixel_hashes(&honest.join(&name)), "{name}");
        }
    }
}

/// What each attempt came to, in the first launch of Blender.
#[track_caller]
fn attempts(run: &Run) -> BTreeMap<String, String> {
    let messages = run.messages();
    assert!(messages.iter().any(|line| line == "hostile: that is all"), "{}", run.text());
    let first = messages.iter().take_while(|line| *line != "hostile: that is all");
    let results = first.filter_map(|line| line.strip_prefix("hostile: ")?.split_once(": "));
    results.map(|(name, result)| (name.to_owned(), result.to_owned())).collect()
}

/// These succeed, and do no harm: see each test.
const HARMLESS: [&str; 3] = ["daemon", "filling the disk", "lies and escapes"];

#[track_caller]
fn is_gone(pid: &str) {
    let pid = Pid::from_raw(pid.parse().unwrap());
    assert_eq!(kill(pid, None), Err(Errno::ESRCH), "{pid} is still there");
}

#[test]
fn a_hostile_scene_gets_nothing_and_its_frames_come_out_right() {
    let target = Target::new();
    let run = target.run(target.worker().args("--sandbox require")).exits(0);
    let attempts = attempts(&run);
    assert_eq!(attempts.len(), 58, "{attempts:#?}");
    for (name, result) in &attempts {
        let expected = if HARMLESS.contains(&name.as_str()) { "done: " } else { "denied: " };
        assert!(result.starts_with(expected), "{name}: {result}");
    }
    assert!(!target.was_reached());
    is_gone(&attempts["daemon"]["done: ".len()..]);
    assert!(!run.text().contains(SECRET), "{}", run.text());
    // Escapes arrive as what they are: letters behind a mark.
    let shown = run.messages().into_iter().find(|line| line.contains("hostile escapes"));
    assert_eq!(
        shown.as_deref(),
        Some("\u{fffd}[2J\u{fffd}]0;hostile\u{fffd}\u{fffd}31m\u{fffd}hostile escapes\u{fffd}")
    );
    target.is_unharmed();
    assert_eq!(names(&target.path("out")), ["frames", "reports"]);
    target.frames_are_right();
}

#[test]
fn nor_does_it_where_the_worker_is_behind_pid_1() {
    let target = Target::new();
    let run = target.run(target.worker().args("--sandbox require").behind(as_pid_1())).exits(0);
    for (name, result) in attempts(&run) {
        let harmless = HARMLESS.contains(&name.as_str());
        assert!(harmless || result.starts_with("denied: "), "{name}: {result}");
    }
    assert!(!target.was_reached());
    target.is_unharmed();
    target.frames_are_right();
}

#[test]
fn without_a_sandbox_it_gets_out_but_neither_to_credentials_nor_into_the_worker() {
    let target = Target::new();
    // Root in a container may not look into processes. Where root may, nothing helps.
    let without: &[&str] = if is_root() {
        &["setpriv", "--bounding-set=-sys_ptrace,-sys_admin,-perfmon"]
    } else {
        &["env"]
    };
    // How it ends is not the point: it has put a link in the place of a frame.
    let run = target.run(target.worker().args("--sandbox off").behind(without));
    let attempts = attempts(&run);
    // What makes this a test: these attempts are real.
    for name in [
        "credential endpoint",
        "stand-in of the metadata service",
        "socket of a daemon",
        "abstract socket of a daemon",
        "datagram",
        "netlink",
        "file beside scratch",
        "scratch of another job",
        "hidden file beside the scene",
        "home of the user",
        "writing to the home of the user",
        "writing elsewhere",
        "writing to the output",
        "writing beside the scene",
        "writing to scratch",
        "opening a file of another to all",
        "emptying a file of another",
        "symbolic link for a frame",
        "signal to the worker",
        "limits of the worker",
        "times of a file of another",
        "lease on the scene",
        "shared memory of another",
        "message queue of another",
        "semaphore of another",
        "POSIX message queue",
        "signal to the worker's guard",
        "signals of a descriptor to the worker",
        "niceness of the worker",
        "affinity of the worker",
        "scheduler of the worker",
        "outliving the worker",
        "server of its own",
    ] {
        assert!(attempts[name].starts_with("done: "), "{name}: {}", attempts[name]);
    }
    assert!(target.was_reached());
    for name in [
        "own environment",
        "environment of the worker",
        "memory of the worker",
        "memory of the worker by process_vm_readv",
        "tracing the worker",
        "descriptors of the worker",
        "files through the worker",
        "inherited file",
        "inherited folder",
    ] {
        assert!(attempts[name].starts_with("denied: "), "{name}: {}", attempts[name]);
    }
    if is_root() {
        let handed_on = &attempts["capabilities to hand on"];
        assert!(handed_on.starts_with("done: "), "{handed_on}");
    }
    is_gone(&attempts["daemon"]["done: ".len()..]);
}

#[test]
fn a_scene_that_shouts_is_heard_but_not_repeated() {
    let target = Target::new();
    target.attacked(&json!({ "shout": 64 }));
    let run = target.run(target.worker()).exits(0);
    // 64 MiB are 524,288 lines.
    let shouts = run.messages().iter().filter(|line| line.starts_with("hostile shouts")).count();
    assert!((1000..20_000).contains(&shouts), "{shouts}");
    let run = run.says(&["lines so far are left out"]);
    assert!(run.text().len() < 8 << 20);
    target.frames_are_right();
}

#[test]
fn a_disk_that_it_fills_is_a_full_disk_and_nothing_worse() {
    let target = Target::new();
    let scratch = target.path("scratch");
    let full = |keep: bool| {
        target.attacked(&json!({ "fill": 64 << 20, "keep_it_full": keep }));
        target.run(target.worker().with(mounted("size=4m", &scratch)))
    };
    full(false).exits(0).says(&["hostile: filling the disk: done: "]);
    target.frames_are_right();
    fs::remove_dir_all(target.path("out")).unwrap();
    let run = full(true).exits(74);
    let last = run.last_words();
    assert!(last.contains("full") && last.contains("what to do: "), "{last}");
    assert_eq!(names(&target.path("out/frames")), [""; 0]);
}
