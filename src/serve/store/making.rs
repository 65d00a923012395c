//! How far the work on a video or render has come. After a restart, its log says so.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::video::links::{FOLDER as LINKS, real_names};
use crate::exit::Exit;

/// The name of the log of the last run, in JSON lines.
pub const LOG: &str = "log.jsonl";

/// The folder of a scene and its files, in that of a render.
pub const SCENE: &str = "scene";

/// What comes before the folder of the pictures in a message about them.
const IN_FOLDER: &str = "cannot make a video of the frames in ";

/// How far the work on a video or render has come.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum Making {
    /// Nobody has asked for it.
    None,
    /// Others are made first.
    Waiting {
        /// How many others.
        ahead: usize,
    },
    /// It is being made.
    Running {
        /// What is done at present.
        step: Step,
        /// The frames that are finished, with parts of frames.
        done: f64,
        /// All frames; 0 while they are not counted.
        total: u64,
        /// The seconds left, if they are known.
        left: Option<u64>,
    },
    /// It is made.
    Done {
        /// What the log warns of.
        warnings: Vec<String>,
    },
    /// It cannot be made.
    Failed(Failure),
    /// It was stopped.
    Stopped,
}

/// A step of the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// What comes before the first frame.
    Preparing,
    /// Frames are rendered.
    Rendering,
    /// The video is made of the frames.
    Encoding,
}

/// Why it cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// What happened.
    pub error: String,
    /// What to do.
    pub advice: Option<String>,
    /// The picture that it is about.
    pub picture: Option<String>,
}

impl Making {
    /// The beginning of the work.
    pub const BEGUN: Self =
        Self::Running { step: Step::Preparing, done: 0.0, total: 0, left: None };

    /// The progress that a line of the log tells.
    pub fn progress(line: &str) -> Option<Self> {
        /// What `worker::progress` logs for programs.
        #[derive(Deserialize)]
        struct Progress {
            step: Step,
            done: f64,
            total: u64,
            left: Option<u64>,
        }
        let Progress { step, done, total, left } = serde_json::from_str(line).ok()?;
        Some(Self::Running { step, done, total, left })
    }

    /// Whether it will change by itself.
    pub fn is_pending(&self) -> bool {
        matches!(self, Self::Waiting { .. } | Self::Running { .. })
    }

    /// What the log in the folder of a video says.
    pub fn of_log(folder: &Path) -> Self {
        let Ok(log) = File::open(folder.join(LOG)) else { return Self::None };
        let mut outcome = Outcome::of(folder);
        for line in BufReader::new(log).lines() {
            // What cannot be read tells nothing.
            let Ok(line) = line else { break };
            outcome.read(&line);
        }
        outcome.making()
    }
}

/// What the lines of a log say about the end of a run.
#[derive(Debug)]
pub struct Outcome {
    /// The folders of the item, which are left out of messages: the user does not know them.
    folders: [String; 2],
    warnings: Vec<String>,
    /// The message and the exit code of the last error.
    error: Option<(String, u64)>,
    stored: bool,
}

impl Outcome {
    /// The most warnings that are shown.
    const MAX_WARNINGS: usize = 20;

    /// That of a run for the item in this folder.
    pub fn of(folder: &Path) -> Self {
        let folder = folder.display();
        Self {
            folders: [format!("{folder}/{SCENE}/"), format!("{folder}/")],
            warnings: Vec::new(),
            error: None,
            stored: false,
        }
    }

    /// Takes a line of the log.
    pub fn read(&mut self, line: &str) {
        let Ok(line) = serde_json::from_str::<Value>(line) else { return };
        let text = |field: &str| line.get(field).and_then(Value::as_str).unwrap_or_default();
        let [scene, own] = &self.folders;
        let message = text("message").replace(scene, "").replace(own, "");
        match text("level") {
            "WARN" if self.warnings.len() < Self::MAX_WARNINGS => {
                self.warnings.push(shown(&message).0);
            }
            "ERROR" => {
                if let Some(code) = line.get("exit_code").and_then(Value::as_u64) {
                    self.error = Some((message, code));
                }
            }
            // The line about the video, not that about the sound.
            "INFO" if message.starts_with("stored ") && line.get("frames").is_some() => {
                self.stored = true;
            }
            _ => {}
        }
    }

    /// The state after the run.
    pub fn making(self) -> Making {
        let told_to_stop = [Exit::Terminated, Exit::Keyboard].map(|exit| u64::from(exit.code()));
        match self.error {
            Some((_, code)) if told_to_stop.contains(&code) => Making::Stopped,
            Some((message, _)) => Making::Failed(failure(&message)),
            None if self.stored => Making::Done { warnings: self.warnings },
            // The server was killed meanwhile.
            None => Making::Stopped,
        }
    }
}

/// The parts of the last line of a log that has failed.
fn failure(message: &str) -> Failure {
    let (error, advice) = match message.rsplit_once("; what to do: ") {
        Some((error, advice)) => {
            let advice = advice.rsplit_once(" (exit code ").map_or(advice, |(text, _)| text);
            (error, Some(sentence(advice)))
        }
        None => (message, None),
    };
    let (error, picture) = shown(error);
    Failure { error, advice, picture }
}

/// A message with the names that the user knows, and the first of them. The folder, which the user
/// does not know, is left out.
fn shown(message: &str) -> (String, Option<String>) {
    let (text, names) = real_names(message);
    let text = match text.split_once(IN_FOLDER).and_then(|(_, rest)| rest.split_once(": ")) {
        Some((folder, rest)) if Path::new(folder).ends_with(LINKS) => rest,
        _ => &text,
    };
    (sentence(text), names.into_iter().next())
}

/// A text that begins with an upper-case letter, unless it begins with the name of a file.
fn sentence(text: &str) -> String {
    let word = text.split(' ').next().unwrap_or_default();
    match text.chars().next() {
        Some(first) if word.bytes().all(|b| b.is_ascii_lowercase()) => {
            first.to_uppercase().chain(text.chars().skip(1)).collect()
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a log of these levels, messages and exit codes means.
    fn of(lines: &[(&str, &str, Option<u64>)]) -> Making {
        let mut outcome = Outcome::of(Path::new("/d/renders/1"));
        for (level, message, code) in lines {
            let mut line =
                serde_json::json!({"level": level, "message": message, "exit_code": code});
            if message.ends_with(" frames") {
                line["frames"] = 3.into();
            }
            outcome.read(&line.to_string());
        }
        outcome.making()
    }

    #[test]
    fn the_log_says_how_a_run_has_ended() {
        let stored = ("INFO", "stored /d/next/a.mp4: 3 frames", None);
        assert_eq!(of(&[stored]), Making::Done { warnings: vec![] });
        let warned = of(&[("WARN", "the pictures differ", None), stored]);
        assert_eq!(warned, Making::Done { warnings: vec!["The pictures differ".to_owned()] });
        assert_eq!(of(&[("ERROR", "stopped by SIGTERM", Some(143))]), Making::Stopped);
        assert_eq!(of(&[("INFO", "starting", None)]), Making::Stopped);
        let message = "cannot make a video of the frames in /d/videos/1/ordered: frame 2: \
                       000001\u{b7}b 1.png ends after 9 bytes; what to do: repair it (exit code 65)";
        let failure = Failure {
            error: "Frame 2: b 1.png ends after 9 bytes".to_owned(),
            advice: Some("Repair it".to_owned()),
            picture: Some("b 1.png".to_owned()),
        };
        assert_eq!(of(&[("ERROR", message, Some(65))]), Making::Failed(failure));
        let message = "/d/renders/1/scene/a.blend: no camera; what to do: add one (exit code 65)";
        let failure = Failure {
            error: "a.blend: no camera".to_owned(),
            advice: Some("Add one".to_owned()),
            picture: None,
        };
        assert_eq!(of(&[("ERROR", message, Some(65))]), Making::Failed(failure));
        let plain = Failure { error: "--fps: no".to_owned(), advice: None, picture: None };
        assert_eq!(of(&[("ERROR", "--fps: no", Some(2))]), Making::Failed(plain));
    }
}
