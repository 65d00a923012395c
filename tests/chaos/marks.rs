//! The stand-in's record: which frames it has begun, and which files it has written completely.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

/// The file with the marks of all launches of one job.
pub struct Marks(PathBuf);

/// The counts of all launches so far.
#[derive(Clone, Default)]
pub struct Record {
    pub launches: usize,
    /// How often Blender has begun each frame.
    pub begun: BTreeMap<i32, usize>,
    /// How often Blender has written each frame completely.
    pub saved: BTreeMap<i32, usize>,
}

impl Marks {
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Returns orders that make the stand-in write marks, and take `time` per frame. During the last
    /// quarter of that time, half of the file is written.
    pub fn orders(&self, time: Duration) -> Value {
        let mark = |at: &str, when: &str, text: &str| {
            json!({
                "at": at, "when": when, "do": "append", "path": self.0, "text": text,
            })
        };
        let delay = |when: &str, share: f64| {
            json!({
                "at": "every", "when": when, "do": "delay", "seconds": time.as_secs_f64() * share,
            })
        };
        json!([
            mark("start", "before", "launched"),
            mark("every", "before", "begun {frame}"),
            delay("before", 0.75),
            delay("writing", 0.25),
            mark("every", "written", "saved {frame}"),
        ])
    }

    pub fn read(&self) -> Record {
        let mut record = Record::default();
        for line in fs::read_to_string(&self.0).unwrap_or_default().lines() {
            let (what, frame) = line.split_once(' ').unwrap_or((line, ""));
            let count = match what {
                "launched" => &mut record.launches,
                "begun" => record.begun.entry(frame.parse().expect("a frame")).or_default(),
                "saved" => record.saved.entry(frame.parse().expect("a frame")).or_default(),
                _ => panic!("not a mark: {line:?}"),
            };
            *count += 1;
        }
        record
    }
}

impl Record {
    /// Adds the frames in the log of an attempt with the real Blender, which writes no marks.
    /// Blender's last lines may be missing in the log.
    pub fn add_log(&mut self, log: &str) {
        let mut current = None;
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
            if let Some(frame) = begun.filter(|_| begun != current) {
                current = begun;
                *self.begun.entry(frame).or_default() += 1;
            }
            let saved = message.strip_prefix("Saved: ").and_then(|path| path.rsplit_once('/'));
            if let Some(frame) = saved.and_then(|(_, name)| number(name)) {
                *self.saved.entry(frame).or_default() += 1;
            }
        }
    }

    /// Returns the number of frames written although they had been written before.
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
