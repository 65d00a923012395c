//! The server of the web page, and a client that sends any bytes to it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use serde_json::Value;
use tempfile::TempDir;

use super::{LONG, Run, Running, Worker, wait_until, worker};

/// A server that runs, and its folder. It ends with the test.
pub struct Server {
    /// `None` once it was stopped.
    running: Option<Running>,
    /// The link in its log.
    pub link: String,
    folder: PathBuf,
    own: Option<TempDir>,
    /// The token that requests are sent with.
    token: Option<String>,
}

impl Server {
    /// A server that the caller has started, in a container for example. It is reached at
    /// `authority`, with the token in its link.
    pub fn at(authority: &str, logged: &str, folder: &Path) -> Self {
        let link = logged_link(logged);
        let (_, token) = link.split_once("?token=").expect("a token");
        Self {
            running: None,
            link: format!("http://{authority}/"),
            folder: folder.to_owned(),
            own: None,
            token: Some(token.to_owned()),
        }
    }

    /// Starts a server with a folder of its own, on loopback.
    pub fn start() -> Self {
        let own = tempfile::tempdir().expect("a folder");
        let folder = own.path().join("data");
        let mut server = Self::start_with(&folder, |worker| worker);
        server.own = Some(own);
        server
    }

    /// Starts a server with this folder, and changes its command line before that.
    pub fn start_with(folder: &Path, change: impl FnOnce(Worker) -> Worker) -> Self {
        let worker = worker("serve").env("LISTEN", "127.0.0.1:0").arg("--data").arg(folder);
        let running = change(worker).start();
        let link = logged_link(&running.wait_for_log(LINK));
        Self { running: Some(running), link, folder: folder.to_owned(), own: None, token: None }
    }

    /// The folder of its data.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder of a video.
    pub fn video(&self, id: &str) -> PathBuf {
        self.folder.join("videos").join(id)
    }

    /// The program.
    pub fn running(&self) -> &Running {
        self.running.as_ref().expect("it was not stopped")
    }

    /// The host and port that it listens on.
    pub fn authority(&self) -> &str {
        let rest = self.link.strip_prefix("http://").expect("a link");
        rest.split('/').next().expect("a host")
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.authority().parse().expect("an address")
    }

    /// Ends it as `docker stop` does.
    pub fn stop(self) -> Run {
        self.stop_by(Signal::SIGTERM)
    }

    /// Ends it with a signal.
    pub fn stop_by(mut self, signal: Signal) -> Run {
        self.running().signal(signal);
        self.finish()
    }

    /// Waits for its end.
    pub fn finish(&mut self) -> Run {
        self.running.take().expect("it was not stopped").finish()
    }

    /// Sends a request with its usual headers.
    pub fn send(&self, method: &str, path: &str, body: &[u8]) -> Answer {
        let bearer = self.token.as_ref().map(|token| format!("Bearer {token}"));
        let token = bearer.as_ref().map(|bearer| ("Authorization", bearer.as_str()));
        let headers: Vec<_> = [("Host", self.authority())].into_iter().chain(token).collect();
        self.send_with(method, path, &headers, body)
    }

    /// Sends a request with these headers and the length of the body.
    pub fn send_with(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let headers: Vec<_> =
            headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nConnection: close\r\n{}Content-Length: {}\r\n\r\n",
            headers.concat(),
            body.len()
        );
        self.exchange(&[head.as_bytes(), body].concat())
    }

    /// Sends these bytes and reads the answer to its end.
    pub fn exchange(&self, bytes: &[u8]) -> Answer {
        let mut stream = self.connect();
        // The server may answer and close before it has read everything.
        drop(stream.write_all(bytes));
        Answer::read(stream)
    }

    /// Opens a connection.
    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address()).expect("a server");
        stream.set_read_timeout(Some(LONG)).expect("a time-out");
        stream
    }

    /// Sends a request that succeeds, and parses its answer.
    #[track_caller]
    pub fn json(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let answer = self.send(method, path, &body);
        assert!((200..300).contains(&answer.status), "{method} {path}: {answer:?}");
        answer.json()
    }

    /// Creates a video, and returns its id.
    pub fn create(&self, name: &str) -> String {
        let video = self.json("POST", "/api/videos", &serde_json::json!({ "name": name }));
        video["id"].as_str().expect("an id").to_owned()
    }

    /// Uploads a picture.
    #[track_caller]
    pub fn upload(&self, id: &str, name: &str, content: &[u8]) {
        let answer = self.send("PUT", &format!("/api/videos/{id}/pictures/{name}"), content);
        assert_eq!(answer.status, 201, "{answer:?}");
    }

    /// A video as the page sees it.
    pub fn show(&self, id: &str) -> Value {
        self.json("GET", &format!("/api/videos/{id}"), &Value::Null)
    }

    /// The names of the pictures of a video, in order.
    pub fn order(&self, id: &str) -> Vec<String> {
        let pictures = self.show(id)["pictures"].as_array().expect("a list").clone();
        pictures.iter().map(|it| it["name"].as_str().expect("a name").to_owned()).collect()
    }

    /// Makes a video, and returns how this has ended.
    pub fn make(&self, id: &str) -> Value {
        self.json("POST", &format!("/api/videos/{id}/make"), &Value::Null);
        self.ended(id)
    }

    /// Waits until a video is no longer being made.
    pub fn ended(&self, id: &str) -> Value {
        let mut making = Value::Null;
        wait_until("the end of a video", || {
            making = self.show(id)["making"].clone();
            making["state"] != "waiting" && making["state"] != "running"
        });
        making
    }

    /// Creates a render, and returns its id.
    pub fn create_render(&self, name: &str) -> String {
        let render = self.json("POST", "/api/renders", &serde_json::json!({ "name": name }));
        render["id"].as_str().expect("an id").to_owned()
    }

    /// The folder of a render.
    pub fn render_folder(&self, id: &str) -> PathBuf {
        self.folder.join("renders").join(id)
    }

    /// Uploads a file of a scene.
    #[track_caller]
    pub fn upload_scene(&self, id: &str, path: &str, content: &[u8]) {
        let answer = self.send("PUT", &format!("/api/renders/{id}/scene/{path}"), content);
        assert_eq!(answer.status, 201, "{answer:?}");
    }

    /// A render as the page sees it.
    pub fn show_render(&self, id: &str) -> Value {
        self.json("GET", &format!("/api/renders/{id}"), &Value::Null)
    }

    /// Changes the settings of a render.
    pub fn set_render(&self, id: &str, settings: &Value) {
        let change = serde_json::json!({ "settings": settings });
        self.json("PATCH", &format!("/api/renders/{id}"), &change);
    }

    /// Lets Blender open the scene of a render, and returns what it has found.
    pub fn inspect(&self, id: &str) -> Value {
        self.json("POST", &format!("/api/renders/{id}/inspect"), &Value::Null);
        let mut inspection = Value::Null;
        wait_until("the scene is opened", || {
            inspection = self.show_render(id)["inspection"].clone();
            inspection["state"] != "running"
        });
        inspection
    }

    /// Starts a render.
    pub fn start_render(&self, id: &str, request: &Value) {
        self.json("POST", &format!("/api/renders/{id}/start"), request);
    }

    /// Renders, and returns how this has ended.
    pub fn render(&self, id: &str) -> Value {
        self.start_render(id, &Value::Null);
        self.render_ended(id)
    }

    /// Waits until a render is no longer going on.
    pub fn render_ended(&self, id: &str) -> Value {
        let mut making = Value::Null;
        wait_until("the end of a render", || {
            making = self.show_render(id)["making"].clone();
            making["state"] != "waiting" && making["state"] != "running"
        });
        making
    }

    /// Stores the finished video in a file.
    pub fn download(&self, id: &str, file: &Path) {
        let answer = self.send("GET", &format!("/api/videos/{id}/video"), b"");
        assert_eq!(answer.status, 200);
        fs::write(file, answer.body).expect("a writable folder");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let Some(running) = self.running.take() else { return };
        // It may have ended already.
        _ = kill(running.pid(), Signal::SIGTERM);
        if !std::thread::panicking() {
            running.finish();
        }
    }
}

/// The beginning of the log line that has the link to the page.
pub const LINK: &str = "the page is at ";

/// The link in that line.
fn logged_link(line: &str) -> String {
    let line: Value = serde_json::from_str(line).expect("JSON");
    let message = line["message"].as_str().expect("a message");
    message.strip_prefix(LINK).expect("a link").to_owned()
}

/// An answer.
pub struct Answer {
    /// The status; 0 if the server has closed the connection without one.
    pub status: u16,
    /// The lines of its head, in lower case but for their values.
    pub head: String,
    /// The body.
    pub body: Vec<u8>,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}", self.status, self.head, String::from_utf8_lossy(&self.body))
    }
}

impl Answer {
    /// Reads an answer up to the end of the connection.
    pub fn read(mut stream: TcpStream) -> Self {
        let mut bytes = Vec::new();
        // A connection that is reset has sent what it has sent.
        drop(stream.read_to_end(&mut bytes));
        let end =
            bytes.windows(4).position(|it| it == b"\r\n\r\n").map_or(bytes.len(), |at| at + 4);
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let status = head.split(' ').nth(1).and_then(|it| it.parse().ok()).unwrap_or(0);
        let mut body = bytes[end..].to_vec();
        if head.to_lowercase().contains("transfer-encoding: chunked") {
            body = unchunked(&body);
        }
        Self { status, head, body }
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    /// The body as JSON; null if it is empty.
    #[track_caller]
    pub fn json(&self) -> Value {
        if self.body.is_empty() {
            return Value::Null;
        }
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// The text of a problem.
    #[track_caller]
    pub fn error(&self) -> String {
        self.json()["error"].as_str().unwrap_or_default().to_owned()
    }
}

fn unchunked(mut body: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(end) = body.windows(2).position(|it| it == b"\r\n") {
        let digits = std::str::from_utf8(&body[..end]).expect("a number");
        let length = usize::from_str_radix(digits, 16).expect("a number");
        if length == 0 {
            break;
        }
        whole.extend_from_slice(&body[end + 2..end + 2 + length]);
        body = &body[end + 2 + length + 2..];
    }
    whole
}

/// Writes pictures of this size, each of another colour, with FFmpeg: `NAME01.jpg` and so on.
pub fn write_pictures(folder: &Path, name: &str, count: u32, size: &str) {
    fs::create_dir_all(folder).expect("a writable folder");
    let source = format!("testsrc2=size={size}:rate=1:duration={count}");
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", &source, "-q:v", "3"])
        .arg(folder.join(format!("{name}%02d.jpg")))
        .status();
    assert!(status.expect("FFmpeg runs").success());
}
