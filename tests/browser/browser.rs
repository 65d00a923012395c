//! A Chromium and its driver, which end with the test.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use fantoccini::elements::Element;
use fantoccini::{Client, ClientBuilder, Locator};
use futures_util::FutureExt as _;
use hyper_util::client::legacy::connect::HttpConnector;
use render_worker::hex::hex;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::support::LONG;

/// A browser window.
pub struct Browser {
    client: Client,
    driver: Child,
    port: u16,
    _profile: TempDir,
}

/// How the browser is set.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    pub width: u32,
    pub height: u32,
    pub dark: bool,
}

pub const DESKTOP: Window = Window { width: 1440, height: 900, dark: false };

impl Browser {
    /// Opens a window.
    pub async fn open(window: Window) -> Self {
        // The port that it chooses may be taken by the time it listens.
        let (driver, port) = (0..10).find_map(|_| start_driver()).expect("a driver that listens");
        let profile = tempfile::tempdir().expect("a folder");
        let Window { width, height, dark } = window;
        let mut args = vec![
            "--headless=new".to_owned(),
            // Containers allow no sandbox to Chromium, and their /dev/shm is small.
            "--no-sandbox".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--hide-scrollbars".to_owned(),
            format!("--window-size={width},{height}"),
            format!("--user-data-dir={}", profile.path().display()),
        ];
        // 0 is dark, 1 is light.
        args.push(format!("--blink-settings=preferredColorScheme={}", u8::from(!dark)));
        // The smallest window of Chromium is wider than a phone.
        let screen = json!({"width": width, "height": height, "pixelRatio": 1.0, "touch": false});
        let capabilities = json!({
            "goog:chromeOptions": {"args": args, "mobileEmulation": {"deviceMetrics": screen}},
        });
        let Value::Object(capabilities) = capabilities else { unreachable!() };
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .expect("a session");
        Self { client, driver, port, _profile: profile }
    }

    pub async fn goto(&self, url: &str) {
        self.client.goto(url).await.expect("the page opens");
    }

    /// Waits for an element, and returns it.
    pub async fn find(&self, selector: &str) -> Element {
        self.until(&format!("return document.querySelector({})", json!(selector))).await;
        self.client.find(Locator::Css(selector)).await.expect("it is there")
    }

    pub async fn click(&self, selector: &str) {
        self.find(selector)
            .await
            .click()
            .await
            .unwrap_or_else(|error| panic!("{selector}: {error}"));
    }

    /// Runs a function's body in the page, and returns its result.
    pub async fn run(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap_or_else(|e| panic!("{script}: {e}"))
    }

    /// Runs a function's body in the page until its result is true, and returns that.
    pub async fn until(&self, script: &str) -> Value {
        let deadline = Instant::now() + LONG;
        loop {
            let result = self.run(script).await;
            let is_true = !matches!(result, Value::Null | Value::Bool(false)) && result != json!(0);
            if is_true && result != json!("") {
                return result;
            }
            if Instant::now() > deadline {
                let page = self.run("return document.body.innerText").await;
                panic!("never true: {script}\n{page}");
            }
            sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// Chooses files in the file input behind a button of this text.
    pub async fn choose(&self, label: &str, files: &[PathBuf]) {
        let input = self.find(&format!("input[type=file][aria-label='{label}']")).await;
        let paths: Vec<_> = files.iter().map(|file| file.to_str().expect("UTF-8")).collect();
        input.send_keys(&paths.join("\n")).await.expect("files are chosen");
    }

    /// Drops files and folders on an element, as a file manager does: with the protocol of Chromium's
    /// own tools, because a script cannot make a folder.
    pub async fn drop_paths(&self, selector: &str, paths: &[PathBuf]) {
        let script = format!(
            "const box = document.querySelector({}).getBoundingClientRect();
             return [box.left + box.width / 2, box.top + box.height / 2]",
            json!(selector)
        );
        let point = self.run(&script).await;
        for kind in ["dragEnter", "dragOver", "drop"] {
            let data = json!({"items": [], "files": paths, "dragOperationsMask": 1});
            let event = json!({"type": kind, "x": point[0], "y": point[1], "data": data});
            self.devtools("Input.dispatchDragEvent", &event).await;
        }
    }

    /// Sends a command of the protocol of `DevTools`.
    async fn devtools(&self, command: &str, parameters: &Value) {
        let session = self.client.session_id().await.expect("a session").expect("its id");
        let body = json!({"cmd": command, "params": parameters}).to_string();
        let request = format!(
            "POST /session/{session}/goog/cdp/execute HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\
             Connection: close\r\nContent-Length: {}\r\n\r\n{body}",
            self.port,
            body.len()
        );
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("the driver listens");
        stream.write_all(request.as_bytes()).expect("the driver reads");
        // The driver keeps the connection, whatever it says.
        let mut answer = BufReader::new(stream).lines().map_while(Result::ok);
        let status = answer.next().expect("an answer");
        assert!(status.contains(" 200 "), "{command}: {status}");
    }

    /// Drops files on an element, with a script.
    pub async fn drop(&self, selector: &str, files: &[PathBuf]) {
        let files: Vec<_> = files
            .iter()
            .map(|file| {
                let bytes = fs::read(file).expect("a file");
                json!([file.file_name().unwrap().to_str(), hex(&bytes)])
            })
            .collect();
        let script = "
            const [selector, files] = arguments;
            const transfer = new DataTransfer();
            for (const [name, text] of files) {
                const bytes = Uint8Array.from(text.match(/../g) ?? [], (digits) => parseInt(digits, 16));
                transfer.items.add(new File([bytes], name));
            }
            const target = document.querySelector(selector);
            for (const kind of ['dragenter', 'dragover', 'drop']) {
                target.dispatchEvent(new DragEvent(kind, {
                    bubbles: true, cancelable: true, dataTransfer: transfer,
                }));
            }";
        let arguments = vec![json!(selector), json!(files)];
        self.client.execute(script, arguments).await.expect("files are dropped");
    }

    /// Presses keys, such as `\u{e017}` for Delete, by the codes of `WebDriver`.
    pub async fn press(&self, keys: &[&str]) {
        use fantoccini::actions::{InputSource as _, KeyAction, KeyActions};
        let mut actions = KeyActions::new("keys".to_owned());
        let codes: Vec<_> = keys.iter().map(|key| key.chars().next().unwrap()).collect();
        for &value in &codes {
            actions = actions.then(KeyAction::Down { value });
        }
        for &value in codes.iter().rev() {
            actions = actions.then(KeyAction::Up { value });
        }
        self.client.perform_actions(actions).await.expect("keys are pressed");
    }

    /// Drags the middle of one element to a point right of the middle of another one.
    pub async fn drag(&self, from: &str, to: &str, beyond: f64) {
        use fantoccini::actions::{
            InputSource as _, MOUSE_BUTTON_LEFT, MouseActions, PointerAction,
        };
        let centre = |selector: String| async move {
            let script = format!(
                "const box = document.querySelector({}).getBoundingClientRect();
                 return [box.left + box.width / 2, box.top + box.height / 2]",
                json!(selector)
            );
            let point = self.run(&script).await;
            (point[0].as_f64().unwrap(), point[1].as_f64().unwrap())
        };
        let (from, to) = (centre(from.to_owned()).await, centre(to.to_owned()).await);
        let go = |(x, y): (f64, f64)| PointerAction::MoveTo { duration: None, x, y };
        let actions = MouseActions::new("mouse".to_owned())
            .then(go(from))
            .then(PointerAction::Down { button: MOUSE_BUTTON_LEFT })
            .then(go((from.0 + 20.0, from.1)))
            .then(go((to.0 + beyond, to.1)))
            .then(PointerAction::Up { button: MOUSE_BUTTON_LEFT });
        self.client.perform_actions(actions).await.expect("the mouse moves");
    }

    /// Writes a picture of the page to `target/browser/NAME.png`.
    pub async fn picture(&self, name: &str) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/browser");
        fs::create_dir_all(&folder).expect("a writable folder");
        let png = self.client.screenshot().await.expect("a picture");
        fs::write(folder.join(name).with_extension("png"), png).expect("a writable folder");
    }

    /// The names of the tiles that exist, in their order.
    pub async fn tiles(&self) -> Vec<String> {
        let names = self
            .run(
                "return [...document.querySelectorAll('.tile')]
                    .sort((a, b) => a.ariaPosInSet - b.ariaPosInSet)
                    .map((tile) => tile.dataset.name)",
            )
            .await;
        names.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
    }

    /// Closes the window.
    pub async fn close(self) {
        self.client.clone().close().await.expect("the window closes");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The browser was closed before.
        drop(self.driver.kill());
        drop(self.driver.wait());
    }
}

/// Starts a driver. `None` if it has ended again.
fn start_driver() -> Option<(Child, u16)> {
    let mut driver = Command::new("chromedriver")
        .arg("--port=0")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("chromedriver, from .ci/tools-browser");
    let output = BufReader::new(driver.stdout.as_mut().expect("standard output"));
    let port = output.lines().map_while(Result::ok).find_map(|line| {
        let (_, port) = line.split_once("started successfully on port ")?;
        port.trim_end_matches('.').parse().ok()
    });
    if port.is_none() {
        drop(driver.wait());
    }
    Some((driver, port?))
}

/// Runs a test with a browser, which is closed however the test ends.
pub fn with_browser(window: Window, test: impl AsyncFnOnce(&Browser)) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let browser = Browser::open(window).await;
        let result = AssertUnwindSafe(test(&browser)).catch_unwind().await;
        browser.close().await;
        if let Err(panic) = result {
            resume_unwind(panic);
        }
    });
}
