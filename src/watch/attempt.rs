//! One attempt, as its report tells it.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde::Deserialize;

use super::time::millis;
use crate::printable::printable;
use crate::request::{FrameRange, FrameSet};
use crate::worker::report::{Action, FrameState, SCHEMA, Status};

/// The most frames that a report may ask for. No animation has more, and no foreign file may fill the
/// memory.
const MAX_FRAMES: usize = 200_000;

/// The most characters that are kept of a cause, and of a line that a program has said.
const MAX_CAUSE: usize = 1000;
const MAX_LINE: usize = 300;

/// The most lines that are kept of what a program has said.
const MAX_LINES: usize = 8;

/// What one attempt was asked to do, and has done, as its report tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// The name of the report in `reports/`.
    pub report: String,
    /// The subcommand.
    pub action: Action,
    /// The id of the job on AWS Batch.
    pub job: Option<String>,
    /// The number of the attempt of this job, from 1.
    pub number: Option<u32>,
    /// The index of the array's child, from 0.
    pub index: Option<u32>,
    /// When it began, in milliseconds since 1970.
    pub started: u64,
    /// When it ended, in milliseconds since 1970.
    pub finished: Option<u64>,
    /// How far it was when the report was written.
    pub status: Status,
    /// The exit code.
    pub exit_code: Option<u8>,
    /// The error and its causes.
    pub cause: Option<String>,
    /// The last lines of the program that failed.
    pub said: Vec<String>,
    /// The frames that it was asked for.
    pub asked: Vec<FrameRange>,
    /// The frames that it has rendered, with their seconds.
    pub rendered: Vec<(i32, Option<f32>)>,
    /// How many frames were there before.
    pub kept: usize,
    /// The frames that it could not render, with the causes.
    pub failed: BTreeMap<i32, String>,
    /// The peak memory of its largest process in bytes.
    pub peak_memory: Option<u64>,
    /// The memory limit of its container in bytes.
    pub memory_limit: Option<u64>,
    /// The file of the video that it has made.
    pub video: Option<String>,
    /// The size of the pictures in pixels.
    pub size: Option<(u32, u32)>,
}

/// The part of a report that is looked at.
#[derive(Deserialize)]
struct Excerpt {
    schema: u32,
    action: Action,
    job_id: Option<String>,
    attempt: Option<u32>,
    array_index: Option<u32>,
    started: String,
    finished: Option<String>,
    status: Status,
    exit_code: Option<u8>,
    cause: Option<String>,
    #[serde(default)]
    said: Vec<String>,
    frames_asked: Option<String>,
    scene: Option<Scene>,
    #[serde(default)]
    launches: Vec<Launch>,
    #[serde(default)]
    set_aside: BTreeMap<i32, String>,
    peak_memory_bytes: Option<u64>,
    memory_limit_bytes: Option<u64>,
    #[serde(default)]
    frames: BTreeMap<i32, Frame>,
    video: Option<Video>,
}

#[derive(Deserialize)]
struct Scene {
    width: u32,
    height: u32,
}

#[derive(Deserialize)]
struct Launch {
    frame_in_hand: Option<i32>,
    cause: Option<String>,
}

#[derive(Deserialize)]
struct Frame {
    state: FrameState,
    seconds: Option<f32>,
}

#[derive(Deserialize)]
struct Video {
    file: String,
}

impl Attempt {
    /// The attempt of a report of this name and content.
    ///
    /// # Errors
    /// Why this is no report.
    pub fn parse(report: &str, content: &[u8]) -> Result<Self, String> {
        let excerpt: Excerpt =
            serde_json::from_slice(content).map_err(|error| error.to_string())?;
        if excerpt.schema != SCHEMA {
            return Err(format!("it has version {} of the format", excerpt.schema));
        }
        let started = time(&excerpt.started)?;
        let finished = excerpt.finished.as_deref().map(time).transpose()?;
        let asked = match &excerpt.frames_asked {
            // An array child past the end of the animation.
            Some(text) if text.is_empty() => FrameSet::default(),
            Some(text) => text.parse().map_err(|_| "its frames are no frames".to_owned())?,
            None => FrameSet::default(),
        };
        if asked.len() > MAX_FRAMES || excerpt.frames.len() > MAX_FRAMES {
            return Err("it has too many frames".to_owned());
        }
        let rendered = excerpt.frames.iter();
        let rendered = rendered.filter(|(_, frame)| frame.state == FrameState::Rendered);
        let rendered: Vec<_> = rendered
            .map(|(number, frame)| (*number, frame.seconds.filter(|it| is_time(*it))))
            .collect();
        let failed = failed(&excerpt);
        Ok(Self {
            report: report.to_owned(),
            action: excerpt.action,
            job: excerpt.job_id.map(|id| shown(&id, 140)),
            number: excerpt.attempt,
            index: excerpt.array_index,
            started,
            finished,
            status: excerpt.status,
            exit_code: excerpt.exit_code,
            cause: excerpt.cause.map(|cause| shown(&cause, MAX_CAUSE)),
            said: last_lines(&excerpt.said),
            asked: asked.ranges(),
            kept: excerpt.frames.len() - rendered.len(),
            rendered,
            failed,
            peak_memory: excerpt.peak_memory_bytes,
            memory_limit: excerpt.memory_limit_bytes,
            video: excerpt.video.map(|video| video.file),
            size: excerpt.scene.map(|scene| (scene.width, scene.height)),
        })
    }

    /// The frames that it was asked for, in ascending order.
    pub fn asked(&self) -> impl Iterator<Item = i32> + '_ {
        self.asked.iter().flat_map(|range| range.first.get()..=range.last.get())
    }

    /// How many frames it was asked for.
    pub fn asked_count(&self) -> usize {
        self.asked.iter().map(|range| range.len() as usize).sum()
    }
}

/// The frames that an attempt could not render: those that it has given up, and the one that Blender
/// was at when the attempt failed.
fn failed(report: &Excerpt) -> BTreeMap<i32, String> {
    let mut failed: BTreeMap<_, _> = report
        .set_aside
        .iter()
        .take(MAX_FRAMES)
        .map(|(number, cause)| (*number, shown(cause, MAX_CAUSE)))
        .collect();
    let last = report.launches.last().and_then(|launch| launch.frame_in_hand);
    if let Some(number) = last.filter(|number| !report.frames.contains_key(number))
        && report.status == Status::Failed
    {
        let launch = report.launches.last().and_then(|launch| launch.cause.as_ref());
        let cause = launch.or(report.cause.as_ref()).map_or_else(String::new, Clone::clone);
        failed.entry(number).or_insert_with(|| shown(&cause, MAX_CAUSE));
    }
    failed
}

/// A text that can be shown, of so many characters at most.
fn shown(text: &str, most: usize) -> String {
    let short: String = text.chars().take(most).collect();
    let cut = if short.len() < text.len() { "…" } else { "" };
    format!("{}{cut}", printable(&short))
}

fn last_lines(said: &[String]) -> Vec<String> {
    let first = said.len().saturating_sub(MAX_LINES);
    said.iter().skip(first).map(|line| shown(line, MAX_LINE)).collect()
}

fn is_time(seconds: f32) -> bool {
    seconds.is_finite() && seconds >= 0.0
}

fn time(text: &str) -> Result<u64, String> {
    let time: SystemTime = humantime::parse_rfc3339(text).map_err(|error| error.to_string())?;
    Ok(millis(time))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn parse(report: &Value) -> Result<Attempt, String> {
        Attempt::parse("render-a.json", report.to_string().as_bytes())
    }

    fn report() -> Value {
        json!({
            "schema": 1, "version": "0.1.0", "action": "render", "job_id": "0a:3", "attempt": 2,
            "array_index": 3, "started": "2026-11-29T10:00:00.000Z",
            "finished": "2026-11-29T10:10:00.500Z", "status": "failed", "exit_code": 70,
            "cause": "Blender failed", "said": ["a", "b\u{1b}[31m"], "frames_asked": "1-4,8",
            "set_aside": {"4": "Blender crashed at frame 4"},
            "launches": [{"frames": "1-4", "seconds": 1.0, "ended": "SIGSEGV", "frame_in_hand": 8}],
            "peak_memory_bytes": 5, "frames": {
                "1": {"state": "already_there", "file": "0001.png", "bytes": 1},
                "2": {"state": "rendered", "file": "0002.png", "bytes": 1, "seconds": 1.5},
            },
        })
    }

    #[test]
    fn a_report_tells_what_its_attempt_has_done() {
        let attempt = parse(&report()).unwrap();
        assert_eq!(attempt.asked().collect::<Vec<_>>(), [1, 2, 3, 4, 8]);
        assert_eq!((attempt.asked_count(), attempt.kept), (5, 1));
        assert_eq!(attempt.rendered, [(2, Some(1.5))]);
        assert_eq!(attempt.finished.unwrap() - attempt.started, 600_500);
        assert_eq!(attempt.status, Status::Failed);
        let failed: Vec<_> = attempt.failed.iter().map(|(n, cause)| (*n, cause.as_str())).collect();
        assert_eq!(failed, [(4, "Blender crashed at frame 4"), (8, "Blender failed")]);
        assert!(!attempt.said[1].contains('\u{1b}'), "{:?}", attempt.said);
    }

    #[test]
    fn what_is_no_report_is_refused() {
        let with = |field: &str, value: Value| {
            let mut report = report();
            report[field] = value;
            parse(&report)
        };
        parse(&json!({})).unwrap_err();
        Attempt::parse("a", b"{\"schema\": 1").unwrap_err();
        Attempt::parse("a", &[0xff; 100]).unwrap_err();
        with("schema", json!(2)).unwrap_err();
        with("action", json!("dance")).unwrap_err();
        with("started", json!("yesterday")).unwrap_err();
        with("frames_asked", json!("all")).unwrap_err();
        with("frames_asked", json!("-1048574-1048574")).unwrap_err();
        with("frames", json!([1])).unwrap_err();
        // What is not known, or makes no sense, does no harm.
        assert_eq!(with("frames_asked", json!("")).unwrap().asked_count(), 0);
        let odd = json!({"2": {"state": "rendered", "seconds": -1.0}});
        assert_eq!(with("frames", odd).unwrap().rendered, [(2, None)]);
        assert_eq!(
            with("cause", json!("x".repeat(5000))).unwrap().cause.unwrap().chars().count(),
            1001
        );
    }
}
