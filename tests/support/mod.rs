//! The foundation of the tests: starting the program, reading its log, scenes, servers.
#![allow(dead_code, reason = "each test binary uses a part of this")]

pub mod agent;
pub mod archive;
pub mod batch_server;
pub mod blender;
pub mod documents;
pub mod engine;
pub mod frames;
pub mod machine;
pub mod place;
pub mod s3_server;
pub mod schema;
pub mod server;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, Once};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::signal::{SigHandler, Signal, kill, signal};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

use batch_server::BatchServer;
use s3_server::S3Server;

/// The limit for every wait: longer than any event takes, even on a busy machine.
pub const LONG: Duration = Duration::from_mins(2);

/// Returns the path of the program under test.
pub fn program() -> PathBuf {
    std::env::var_os("RENDER_WORKER_BIN")
        .map_or_else(|| env!("CARGO_BIN_EXE_render-worker").into(), PathBuf::from)
}

/// Returns the path of a file below `fixtures/`.
pub fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(path)
}

/// Returns the path of a real scene: `tiny` is `fixtures/scenes/tiny.blend`.
pub fn scene(name: &str) -> PathBuf {
    fixture("scenes").join(name).with_extension("blend")
}

/// A command line of the program. Its environment has only `PATH`, a `TMPDIR` of its own, and
/// the setting that disables the EC2 metadata service; the log is JSON.
pub struct Worker {
    command: Command,
    scratch: TempDir,
}

/// Resets SIGHUP and SIGINT to their default. Children inherit ignored signals, and `nohup` and
/// background jobs (`cargo test &`) ignore these two.
fn reset_signals() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for which in [Signal::SIGHUP, Signal::SIGINT] {
            #[expect(unsafe_code, reason = "the one way to change a disposition")]
            // SAFETY: SIG_DFL installs no handler.
            let result = unsafe { signal(which, SigHandler::SigDfl) };
            result.expect("a signal that can be handled");
        }
    });
}

/// Starts a command line with a subcommand.
pub fn worker(action: &str) -> Worker {
    let scratch = tempfile::tempdir().expect("a folder for temporary files");
    reset_signals();
    let mut command = Command::new(program());
    command
        .arg(action)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("TMPDIR", scratch.path())
        // The tests may run on an EC2 instance.
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .stdin(Stdio::null());
    if action == "render" && !blender::can_denoise() {
        // Denoising is on in the scenes, as it is by default in Blender.
        command.env("DENOISE", "off");
    }
    Worker { command, scratch }
}

impl Worker {
    /// Wraps a command that runs the program in its own way, such as `docker run`, and passes on
    /// its output and its exit code.
    pub fn from_command(mut command: Command) -> Self {
        command.stdin(Stdio::null());
        Self { command, scratch: tempfile::tempdir().expect("a folder for temporary files") }
    }

    /// Adds an argument.
    pub fn arg(mut self, arg: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    /// Adds arguments, split at spaces.
    pub fn args(mut self, args: &str) -> Self {
        self.command.args(args.split_whitespace());
        self
    }

    /// Sets `-i`.
    pub fn input(self, uri: impl AsRef<std::ffi::OsStr>) -> Self {
        self.arg("-i").arg(uri)
    }

    /// Sets `-o`.
    pub fn output(self, uri: impl AsRef<std::ffi::OsStr>) -> Self {
        self.arg("-o").arg(uri)
    }

    /// Sets a variable.
    pub fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Uses `server` as S3. The limit of three attempts per request lets tests of failures end
    /// soon.
    pub fn s3(mut self, server: &S3Server) -> Self {
        self.command.env("AWS_MAX_ATTEMPTS", "3").envs(server.env());
        self
    }

    /// Uses `server` as AWS Batch.
    pub fn batch(mut self, server: &BatchServer) -> Self {
        self.command.envs(server.env());
        self
    }

    /// Uses the stand-in for Blender, which takes its orders from the scene file. The sandbox is
    /// off because the stand-in writes files of the test, and previews are because tests count
    /// requests and files.
    pub fn stand_in_blender(self) -> Self {
        let off = self.env("SANDBOX", "off").env("NO_PREVIEWS", "true");
        off.arg("--blender").arg(fixture("stand-ins/blender"))
    }

    /// Changes the command.
    pub fn with(mut self, change: impl FnOnce(&mut Command)) -> Self {
        change(&mut self.command);
        self
    }

    /// Puts another program in front of the command line, such as `prlimit`.
    pub fn wrapped_in<I: IntoIterator<Item: AsRef<std::ffi::OsStr>>>(mut self, words: I) -> Self {
        let mut words = words.into_iter();
        let mut command = Command::new(words.next().expect("a program"));
        command.args(words).arg(self.command.get_program()).args(self.command.get_args());
        command.env_clear().stdin(Stdio::null());
        command.envs(self.command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        self.command = command;
        self
    }

    /// Starts the program as PID 1 of a PID namespace, as a container engine does. It sees only
    /// its own processes, and the kernel kills them all when PID 1 ends.
    pub fn in_pid_namespace(self) -> Self {
        let user: &[&str] = if is_root() { &[] } else { &["-r"] };
        let unshare = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];
        self.wrapped_in(unshare.iter().chain(user))
    }

    /// Returns the `TMPDIR` of the program.
    pub fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    /// Returns the command, and the folder for temporary files, which must outlive it. For tests
    /// that cannot use [`Worker::start`].
    pub fn into_command(self) -> (Command, TempDir) {
        (self.command, self.scratch)
    }

    /// Runs the program to its end on a terminal. Returns the bytes that the terminal received.
    #[track_caller]
    pub fn run_on_a_terminal(self, exit_code: i32) -> String {
        self.run_watched_on_a_terminal(exit_code, &[])
    }

    /// Runs the program to its end on a terminal. For each pair in `marks`, creates the file as
    /// soon as the terminal has received the text.
    #[track_caller]
    pub fn run_watched_on_a_terminal(self, exit_code: i32, marks: &[(&str, PathBuf)]) -> String {
        let words = std::iter::once(self.command.get_program()).chain(self.command.get_args());
        let line = shell_words::join(words.map(|word| word.to_str().expect("UTF-8")));
        let variables = self.command.get_envs().filter_map(|(name, value)| Some((name, value?)));
        let mut script = Command::new("script")
            .args(["-qec", &line, "/dev/null"])
            .env_clear()
            .envs(variables)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("script runs");
        let mut terminal = script.stdout.take().expect("standard output");
        let (mut received, mut buffer) = (Vec::new(), [0; 4096]);
        while let Ok(length @ 1..) = terminal.read(&mut buffer) {
            received.extend_from_slice(&buffer[..length]);
            let so_far = String::from_utf8_lossy(&received);
            for (_, file) in marks.iter().filter(|(text, _)| so_far.contains(text)) {
                fs::write(file, "").expect("a writable folder");
            }
        }
        let status = script.wait().expect("script ends");
        let text = String::from_utf8(received).expect("UTF-8");
        assert_eq!(status.code(), Some(exit_code), "{text}");
        text
    }

    /// Runs the program to its end.
    pub fn run(self) -> Run {
        self.start().finish()
    }

    /// Starts the program.
    pub fn start(mut self) -> Running {
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.command.spawn().expect("the program starts");
        let mut stdout = child.stdout.take().expect("standard output");
        let stderr = child.stderr.take().expect("standard error");
        let log: Arc<(Mutex<Log>, Condvar)> = Arc::default();
        let shared = Arc::clone(&log);
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(stderr).split(b'\n') {
                let line = String::from_utf8(line.expect("a readable pipe")).expect("UTF-8");
                shared.0.lock().expect("no panic").lines.push(line);
                shared.1.notify_all();
            }
            shared.0.lock().expect("no panic").ended = true;
            shared.1.notify_all();
        });
        let printer = std::thread::spawn(move || {
            let mut text = String::new();
            stdout.read_to_string(&mut text).expect("UTF-8");
            text
        });
        Running { child, log, reader, printer, scratch: self.scratch }
    }
}

#[derive(Default)]
struct Log {
    lines: Vec<String>,
    ended: bool,
}

/// The program, running.
pub struct Running {
    child: Child,
    log: Arc<(Mutex<Log>, Condvar)>,
    reader: JoinHandle<()>,
    printer: JoinHandle<String>,
    scratch: TempDir,
}

impl Running {
    /// Returns the process id.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().try_into().expect("a process id"))
    }

    /// Returns the `TMPDIR` of the program.
    pub fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    /// Waits for a log line that contains `text`, and returns it.
    pub fn wait_for_log(&self, text: &str) -> String {
        let deadline = Instant::now() + LONG;
        let (log, news) = &*self.log;
        let mut log = log.lock().expect("no panic");
        loop {
            if let Some(line) = log.lines.iter().find(|line| line.contains(text)) {
                return line.clone();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !log.ended && !left.is_zero(),
                "{text:?} was never logged:\n{}",
                log.lines.join("\n")
            );
            log = news.wait_timeout(log, left).expect("no panic").0;
        }
    }

    /// Sends a signal to the program.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("the program is running");
    }

    /// Waits for the end of the program. Panics if it leaves temporary files, or runs longer than
    /// [`LONG`].
    pub fn finish(self) -> Run {
        self.finish_within(LONG)
    }

    /// Waits for the end of the program for up to `limit`.
    pub fn finish_within(mut self, limit: Duration) -> Run {
        let deadline = Instant::now() + limit;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child of ours") {
                break status;
            }
            if Instant::now() > deadline {
                drop(self.child.kill());
                let log = self.log.0.lock().expect("no panic").lines.join("\n");
                panic!("the program did not end:\n{log}");
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        self.reader.join().expect("the log is read");
        let stdout = self.printer.join().expect("the output is read");
        let lines = std::mem::take(&mut self.log.0.lock().expect("no panic").lines);
        let exit = status.code().unwrap_or_else(|| -status.signal().expect("code or signal"));
        let run = Run { exit, stdout, lines };
        if status.signal().is_none() {
            let left = names(self.scratch.path());
            assert!(left.is_empty(), "temporary files are left: {left:?}\n{}", run.text());
        }
        run
    }
}

/// The result of a run of the program.
pub struct Run {
    /// The exit code; the negative signal number if a signal killed the program.
    pub exit: i32,
    /// The standard output.
    pub stdout: String,
    /// The log, line by line.
    pub lines: Vec<String>,
}

impl Run {
    /// Asserts the exit code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.exit, code, "wrong exit code; the log:\n{}", self.text());
        self
    }

    /// Asserts that the log contains each of these texts.
    #[track_caller]
    pub fn logs(self, texts: &[&str]) -> Self {
        for text in texts {
            let logged = self.messages().iter().any(|message| message.contains(text));
            assert!(logged, "{text:?} was never logged; the log:\n{}", self.text());
        }
        self
    }

    /// Asserts that the log contains none of these texts. Prefer a fact: words change.
    #[track_caller]
    pub fn never_logs(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(!self.text().contains(text), "{text:?} was logged; the log:\n{}", self.text());
        }
        self
    }

    /// Returns the messages of the level WARN.
    #[track_caller]
    pub fn warnings(&self) -> Vec<String> {
        self.at_level("WARN")
    }

    /// Asserts that no line of the log is a warning or an error.
    #[track_caller]
    pub fn logs_no_warnings(self) -> Self {
        self.logs_only_warnings(&[])
    }

    /// Asserts that the log has one warning for each of these texts, which contains it, no other
    /// warning, and no error.
    #[track_caller]
    pub fn logs_only_warnings(self, expected: &[&str]) -> Self {
        /// Blender 4.5 says so now and then when one of its threads looks at a rigid body that
        /// another has not evaluated yet. The pictures are the same.
        const RACE: &str = "no vertices to define Convex Hull";
        let is_ours = |message: &String| !message.contains(RACE);
        let found: Vec<_> = self.at_level("WARN").into_iter().filter(is_ours).collect();
        let errors: Vec<_> = self.at_level("ERROR").into_iter().filter(is_ours).collect();
        let as_expected = errors.is_empty()
            && found.len() == expected.len()
            && found.iter().zip(expected).all(|(message, text)| message.contains(text));
        assert!(as_expected, "{found:#?} {errors:#?}; the log:\n{}", self.text());
        self
    }

    fn at_level(&self, level: &str) -> Vec<String> {
        let lines = self.json().into_iter().filter(|line| line["level"] == level);
        lines.map(|line| line["message"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Returns the log as written.
    pub fn text(&self) -> String {
        self.lines.join("\n")
    }

    /// Returns the lines of a JSON log.
    #[track_caller]
    pub fn json(&self) -> Vec<Value> {
        let parse = |line: &String| {
            serde_json::from_str(line)
                .unwrap_or_else(|_| panic!("not JSON: {line:?}\n{}", self.text()))
        };
        self.lines.iter().map(parse).collect()
    }

    /// Returns the messages of a JSON log; of a usage error in plain text, its lines.
    #[track_caller]
    pub fn messages(&self) -> Vec<String> {
        if self.is_usage_error() {
            return self.lines.clone();
        }
        let message = |line: &Value| line["message"].as_str().unwrap_or_default().to_owned();
        self.json().iter().map(message).collect()
    }

    /// Returns whether the program has printed a usage error in plain text.
    pub fn is_usage_error(&self) -> bool {
        self.exit == 2 && self.lines.first().is_some_and(|line| line.starts_with("error: "))
    }

    /// Returns the message of the last error, the one with the exit code; empty if there is none.
    #[track_caller]
    pub fn final_error(&self) -> String {
        if self.is_usage_error() {
            return self.text();
        }
        let errors = self.json();
        let last =
            errors.iter().rfind(|line| line["level"] == "ERROR" && line["exit_code"].is_u64());
        last.and_then(|line| line["message"].as_str()).unwrap_or_default().to_owned()
    }
}

/// Returns whether the tests run as root.
pub fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// Polls until `holds` returns true: for events that cannot be waited for otherwise.
#[track_caller]
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONG;
    while !holds() {
        assert!(Instant::now() < deadline, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Returns the names in a folder, sorted; none if it does not exist. Leaves out the folder in
/// which the program keeps fingerprints.
pub fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let name = |entry: fs::DirEntry| entry.file_name().into_string().expect("UTF-8");
    let mut names: Vec<_> = entries.map(|entry| name(entry.expect("a readable folder"))).collect();
    names.retain(|name| name != ".fingerprints");
    names.sort();
    names
}

/// Returns the only report of `action` (`render` or `stitch`) in an output folder. Asserts that it
/// follows its schema.
#[track_caller]
pub fn report(output: &Path, action: &str) -> Value {
    let folder = output.join("reports");
    let mut reports = names(&folder);
    reports.retain(|name| {
        name.starts_with(action) && Path::new(name).extension() == Some("json".as_ref())
    });
    assert_eq!(reports.len(), 1, "{reports:?}");
    schema::parse("report", fs::read(folder.join(&reports[0])).expect("a report"))
}

/// Creates a scene file for the stand-in for Blender, with the frame range `first` to `last` and
/// orders (see `fixtures/README.md`).
pub fn ordered_scene(first: i32, last: i32, orders: &Value) -> Vec<u8> {
    let mut bytes = b"BLENDER-v304REND".to_vec();
    bytes.extend(72i32.to_le_bytes());
    bytes.extend([0; 12]);
    bytes.extend(1i32.to_le_bytes());
    bytes.extend(first.to_le_bytes());
    bytes.extend(last.to_le_bytes());
    bytes.extend([0; 64]);
    bytes.extend(format!("\nORDERS {orders}\n").into_bytes());
    bytes
}

/// Creates a scene file of the documents, for the stand-in for Blender: frames 1 to `last`, saved by
/// Blender 3.0, and complete enough for `inspect`.
pub fn documented_scene(last: i32) -> Vec<u8> {
    let mut scene = ordered_scene(1, last, &serde_json::json!({}));
    scene[9..12].copy_from_slice(b"300");
    scene[44..49].copy_from_slice(b"Scene");
    // The block that ends every file.
    scene.splice(108..108, b"ENDB".iter().copied().chain([0; 20]));
    scene
}

/// Decodes an image or a video with FFmpeg, and returns a hash of the pixels of each frame.
pub fn pixel_hashes(file: &Path) -> Vec<String> {
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(file)
        .args(["-f", "framemd5", "-"])
        .output()
        .expect("FFmpeg runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let hash = |line: &str| line.rsplit(',').next().expect("a column").trim().to_owned();
    text.lines().filter(|line| !line.starts_with('#')).map(hash).collect()
}

/// Returns `FFprobe`'s description of a video. Its frames are decoded and counted.
pub fn probe(video: &Path) -> Value {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-count_frames", "-show_streams", "-show_format", "-of", "json"])
        .arg(video)
        .output()
        .expect("FFprobe runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}
