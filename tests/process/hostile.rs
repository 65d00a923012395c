//! A malicious scene with scripts enabled, in the real Blender (`fixtures/scenes/hostile.py`). It
//! attacks credentials, files, other processes, the log and the disk. Every attempt is denied or
//! harmless, and the frames are still right.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::PathBuf;
use std::process::Command;
use std::time::SystemTime;

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::init::as_pid_1;
use crate::support::place::mounted;
use crate::support::{Run, Worker, is_root, names, pixel_hashes, scene, worker};

/// Everything that the scene attacks.
struct Target {
    folder: TempDir,
    credentials: TcpListener,
    metadata: TcpListener,
    // With a listener, only the sandbox can refuse a connection.
    socket: UnixListener,
    abstract_socket: UnixListener,
    /// When the victim's file was modified.
    modified: SystemTime,
    shared: Vec<Shared>,
}

/// A System V IPC object of another process of the same user. Dropping it removes the object.
struct Shared {
    kind: char,
    id: String,
}

impl Shared {
    /// Creates shared memory (`M`), a message queue (`Q`) or a semaphore (`S`).
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
            modified: fs::metadata(path("victim")).unwrap().modified().unwrap(),
            shared: ['M', 'Q', 'S'].map(Shared::new).into(),
            folder,
        };
        target.set_targets(&json!({
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

    /// Tells the scene what to attack.
    fn set_targets(&self, targets: &Value) {
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

    /// Runs the worker with an open file, an open folder and, as root, inheritable capabilities.
    fn run(&self, worker: Worker) -> Run {
        let capabilities: &[&str] = if is_root() {
            &["setpriv", "--inh-caps=+net_raw,+chown", "--ambient-caps=+net_raw,+chown"]
        } else {
            &["env"]
        };
        let open = ["sh", "-c", "exec 9<../victim 8<..; exec \"$@\"", "sh"];
        let worker = worker.wrapped_in([capabilities, &open[..]].concat());
        worker.with(|command| _ = command.current_dir(self.path("cwd"))).run()
    }

    /// Returns whether one of the listeners has a connection.
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

    /// Asserts that nothing was changed, and only frames and the report were added.
    #[track_caller]
    fn assert_unharmed(&self) {
        let victim = self.path("victim");
        assert_eq!(fs::read_to_string(&victim).unwrap(), SECRET);
        let metadata = fs::metadata(&victim).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
        assert_eq!(metadata.modified().unwrap(), self.modified);
        assert_eq!(names(&self.path("cwd")), [""; 0]);
        assert_eq!(names(&self.path("home")), [".aws"]);
        assert_eq!(names(&self.path("job")), [".hidden", "hostile.json", "scene.blend"]);
        assert_eq!(names(&self.path("scratch")), ["beside", "render-worker-other"]);
        assert_eq!(names(&self.path("elsewhere")), [""; 0]);
    }

    /// Asserts that the frames are those of the scene without the attack.
    #[track_caller]
    fn assert_right_frames(&self) {
        let reference = tempfile::tempdir().unwrap();
        worker("render").input(scene("tiny")).output(reference.path()).args("-f 3").run().exits(0);
        let (frames, reference) = (self.path("out/frames"), reference.path().join("frames"));
        assert_eq!(names(&frames), ["0001.png", "0002.png", "0003.png"]);
        for name in names(&frames) {
            let file = frames.join(&name);
            assert!(fs::symlink_metadata(&file).unwrap().is_file(), "{name}");
            assert_eq!(pixel_hashes(&file), pixel_hashes(&reference.join(&name)), "{name}");
        }
    }
}

/// Returns the result of each attempt in the first launch of Blender.
#[track_caller]
fn attempts(run: &Run) -> BTreeMap<String, String> {
    let messages = run.messages();
    assert!(messages.iter().any(|line| line == "hostile: that is all"), "{}", run.text());
    let first = messages.iter().take_while(|line| *line != "hostile: that is all");
    let results = first.filter_map(|line| line.strip_prefix("hostile: ")?.split_once(": "));
    results.map(|(name, result)| (name.to_owned(), result.to_owned())).collect()
}

/// The attempts that succeed and are harmless, as each test shows.
const HARMLESS: [&str; 3] = ["daemon", "filling the disk", "lies and escapes"];

#[track_caller]
fn assert_ended(pid: &str) {
    let pid = Pid::from_raw(pid.parse().unwrap());
    assert_eq!(kill(pid, None), Err(Errno::ESRCH), "{pid} is still running");
}

#[test]
fn every_attempt_of_a_malicious_scene_is_denied_or_harmless() {
    let target = Target::new();
    let run = target.run(target.worker().args("--sandbox require")).exits(0);
    let attempts = attempts(&run);
    assert_eq!(attempts.len(), 58, "{attempts:#?}");
    for (name, result) in &attempts {
        let expected = if HARMLESS.contains(&name.as_str()) { "done: " } else { "denied: " };
        assert!(result.starts_with(expected), "{name}: {result}");
    }
    assert!(!target.was_reached());
    assert_ended(&attempts["daemon"]["done: ".len()..]);
    assert!(!run.text().contains(SECRET), "{}", run.text());
    // The log shows escape sequences with a replacement character.
    let logged = run.messages().into_iter().find(|line| line.contains("hostile escapes"));
    assert_eq!(
        logged.as_deref(),
        Some("\u{fffd}[2J\u{fffd}]0;hostile\u{fffd}\u{fffd}31m\u{fffd}hostile escapes\u{fffd}")
    );
    target.assert_unharmed();
    assert_eq!(names(&target.path("out")), ["frames", "previews", "reports"]);
    target.assert_right_frames();
}

#[test]
fn the_same_holds_for_a_worker_whose_guard_is_pid_1() {
    let target = Target::new();
    let run = target.run(target.worker().args("--sandbox require").wrapped_in(as_pid_1())).exits(0);
    for (name, result) in attempts(&run) {
        let harmless = HARMLESS.contains(&name.as_str());
        assert!(harmless || result.starts_with("denied: "), "{name}: {result}");
    }
    assert!(!target.was_reached());
    target.assert_unharmed();
    target.assert_right_frames();
}

#[test]
fn without_a_sandbox_the_scene_still_reaches_neither_credentials_nor_the_worker() {
    let target = Target::new();
    // Container engines remove these capabilities from root. With them, nothing is protected.
    let without: &[&str] = if is_root() {
        &["setpriv", "--bounding-set=-sys_ptrace,-sys_admin,-perfmon"]
    } else {
        &["env"]
    };
    // The exit code does not matter: the scene has replaced a frame by a link.
    let run = target.run(target.worker().args("--sandbox off").wrapped_in(without));
    let attempts = attempts(&run);
    // These attempts succeed, which proves that the sandbox is what denies them.
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
    assert_ended(&attempts["daemon"]["done: ".len()..]);
}

#[test]
fn the_log_of_a_scene_that_prints_without_end_is_bounded() {
    let target = Target::new();
    target.set_targets(&json!({ "shout": 64 }));
    let run = target.run(target.worker()).exits(0);
    // The scene prints 64 MiB in 524,288 lines.
    let logged = run.messages().iter().filter(|line| line.starts_with("hostile shouts")).count();
    assert!((1000..20_000).contains(&logged), "{logged}");
    let run = run.logs(&["lines omitted so far"]);
    assert!(run.text().len() < 8 << 20);
    target.assert_right_frames();
}

#[test]
fn a_scene_that_fills_the_scratch_disk_ends_the_job_like_any_full_disk() {
    let target = Target::new();
    let scratch = target.path("scratch");
    let full = |keep: bool| {
        target.set_targets(&json!({ "fill": 64 << 20, "keep_it_full": keep }));
        target.run(target.worker().wrapped_in(mounted("size=4m", &scratch)))
    };
    full(false).exits(0).logs(&["hostile: filling the disk: done: "]);
    target.assert_right_frames();
    fs::remove_dir_all(target.path("out")).unwrap();
    let run = full(true).exits(74);
    let error = run.final_error();
    assert!(error.contains("full") && error.contains("what to do: "), "{error}");
    assert_eq!(names(&target.path("out/frames")), [""; 0]);
}
