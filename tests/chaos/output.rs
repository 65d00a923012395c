//! The output, and everything that was ever visible in it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep};
use std::time::Duration;

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent};
use tempfile::TempDir;

use crate::support::names;
use crate::support::s3_server::S3Server;

/// The output of jobs.
pub enum Output {
    S3(S3Server),
    Folder(TempDir),
}

impl Output {
    /// Returns the output location of a job.
    pub fn uri(&self, job: &str) -> String {
        match self {
            Self::S3(server) => server.uri(job),
            Self::Folder(folder) => folder.path().join(job).to_str().expect("UTF-8").to_owned(),
        }
    }

    /// Returns the number of stored frames of a job.
    pub fn stored(&self, job: &str) -> usize {
        match self {
            Self::S3(server) => server.keys(&format!("{job}/frames/")).len(),
            Self::Folder(folder) => visible(&folder.path().join(job).join("frames")).len(),
        }
    }

    /// Returns the stored frames of a job.
    pub fn frames(&self, job: &str) -> BTreeMap<String, Vec<u8>> {
        match self {
            Self::S3(server) => {
                let prefix = format!("{job}/frames/");
                let frame = |key: String| {
                    let bytes = server.get(&key).expect("an object that was listed");
                    (key[prefix.len()..].to_owned(), bytes)
                };
                server.keys(&prefix).into_iter().map(frame).collect()
            }
            Self::Folder(folder) => {
                let folder = folder.path().join(job).join("frames");
                let read =
                    |name: String| (name.clone(), fs::read(folder.join(name)).expect("a frame"));
                visible(&folder).into_iter().map(read).collect()
            }
        }
    }

    /// Starts to record everything that becomes visible among the frames of a job.
    pub fn observe(&self, job: &str) -> Observer<'_> {
        match self {
            Self::S3(server) => Observer::S3(server, format!("{job}/frames/")),
            Self::Folder(folder) => {
                Observer::Folder(Watch::begin(folder.path().join(job).join("frames")))
            }
        }
    }

    /// Returns the number of requests, and of those with an injected fault.
    pub fn requests(&self) -> (usize, usize) {
        match self {
            Self::S3(server) => (server.requests().len(), server.faults()),
            Self::Folder(_) => (0, 0),
        }
    }
}

/// Records everything that is ever visible among the frames of a job.
pub enum Observer<'a> {
    S3(&'a S3Server, String),
    Folder(Watch),
}

impl Observer<'_> {
    /// Returns all recorded names and contents in order.
    pub fn everything_visible(self) -> Vec<(String, Vec<u8>)> {
        match self {
            Self::S3(server, prefix) => {
                let history = server.history(&prefix).into_iter();
                history.map(|(key, bytes)| (key[prefix.len()..].to_owned(), bytes)).collect()
            }
            Self::Folder(watch) => watch.end(),
        }
    }
}

/// Watches a folder with `inotify(7)`, which misses no change.
pub struct Watch {
    stop: Arc<AtomicBool>,
    watching: JoinHandle<Vec<(String, Vec<u8>)>>,
}

impl Watch {
    fn begin(folder: PathBuf) -> Self {
        fs::create_dir_all(&folder).expect("a folder");
        let kernel =
            Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC).expect("inotify");
        let changes =
            AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MODIFY | AddWatchFlags::IN_MOVED_TO;
        kernel.add_watch(&folder, changes).expect("a watch");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let watching = std::thread::spawn(move || {
            let mut seen = Vec::new();
            loop {
                let last = stopped.load(Ordering::Acquire);
                for event in kernel.read_events().unwrap_or_default() {
                    seen.extend(look(&folder, &event));
                }
                if last {
                    return seen;
                }
                sleep(Duration::from_millis(1));
            }
        });
        Self { stop, watching }
    }

    fn end(self) -> Vec<(String, Vec<u8>)> {
        self.stop.store(true, Ordering::Release);
        self.watching.join().expect("no file is written under its final name")
    }
}

/// Returns the file that an event has made visible.
fn look(folder: &Path, event: &InotifyEvent) -> Option<(String, Vec<u8>)> {
    assert!(!event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW), "inotify has lost events");
    let name = event.name.as_ref()?.to_str().expect("UTF-8").to_owned();
    if name.starts_with('.') {
        return None;
    }
    // A frame that is written under its final name is visible before it is complete.
    let moved = event.mask.contains(AddWatchFlags::IN_MOVED_TO);
    assert!(moved, "{name} does not come from a rename: {:?}", event.mask);
    let bytes = fs::read(folder.join(&name)).expect("a visible frame");
    Some((name, bytes))
}

/// Returns the visible names of a folder.
fn visible(folder: &Path) -> Vec<String> {
    names(folder).into_iter().filter(|name| !name.starts_with('.')).collect()
}
