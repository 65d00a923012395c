//! What the stand-in noted while it rendered: which frames it began, and of which ones it
//! wrote the whole file.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

/// The file with the notes of all launches of one job.
pub struct Marks(PathBuf);

/// What it says, of all launches up to now.
#[derive(Clone, Default)]
pub struct Noted {
    pub launches: usize,
    /// How often each frame was begun.
    pub begun: BTreeMap<i32, usize>,
    /// How often the whole file of each frame was written.
    pub saved: BTreeMap<i32, usize>,
}

impl Marks {
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// The orders that make the stand-in leave marks, and take `pace` for a frame. A
    /// quarter of that time, half of the file is there.
    pub fn orders(&self, pace: Duration) -> Value {
        let mark = |at: &str, when: &str, text: &str| json!({"at": at, "when": when, "do": "append", "path": self.0, "text": text});
        let delay = |when: &str, share: f64| json!({"at": "every", "when": when, "do": "delay", "seconds": pace.as_secs_f64() * share});
        json!([
            mark("start", "before", "launched"),
            mark("every", "before", "begun {frame}"),
            delay("before", 0.75),
            delay("writing", 0.25),
            mark("every", "written", "saved {frame}"),
        ])
    }

    pub fn read(&self) -> Noted {
        let mut noted = Noted::default();
        for line in fs::read_to_string(&self.0).unwrap_or_default().lines() {
            let (what, frame) = line.split_once(' ').unwrap_or((line, ""));
            let count = match what {
                "launched" => &mut noted.launches,
                "begun" => noted.begun.entry(frame.parse().expect("a frame")).or_default(),
                "saved" => noted.saved.entry(frame.parse().expect("a frame")).or_default(),
                _ => panic!("no mark: {line:?}"),
            };
            *count += 1;
        }
        noted
    }
}

impl Noted {
    /// Adds what the log of an attempt tells of a Blender that leaves no marks. What it said
    /// last may not have reached the log.
    pub fn add_log(&mut self, log: &str) {
        let mut at_work = None;
        for line in log.lines() {
            let line: Value = serde_json::from_str(line).unwrap_or_default();
            let message = line["message"].as_str().unwrap_or_default();
            if message.starts_with("starting ") {
                self.launches += 1;
            }
            let number = |text: &str| {
                let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
                text[..end].parse::<i32>().ok()
            };
            if line["program"] != "blender" {
                continue;
            }
            let begun = message.strip_prefix("Fra:").and_then(number);
            if let Some(frame) = begun.filter(|_| begun != at_work) {
                at_work = begun;
                *self.begun.entry(frame).or_default() += 1;
            }
            let saved = message.strip_prefix("Saved: ").and_then(|path| path.rsplit_once('/'));
            if let Some(frame) = saved.and_then(|(_, name)| number(name)) {
                *self.saved.entry(frame).or_default() += 1;
            }
        }
    }

    /// How many files were written of frames of which there had been one already.
    pub fn twice(&self) -> usize {
        self.saved.values().map(|count| count - 1).sum()
    }

    pub fn total_saved(&self) -> usize {
        self.saved.values().sum()
    }

    pub fn total_begun(&self) -> usize {
        self.begun.values().sum()
    }
}
