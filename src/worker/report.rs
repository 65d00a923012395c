//! The report: what one attempt was asked, did and left undone, for machines.
//!
//! Written when the attempt begins, which proves that the output can be written
//! before anything is rendered, and again when it ends. A report that still says
//! `running` was left by an attempt that was killed.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use serde::Serialize;

use crate::blender::SceneInfo;
use crate::error::Error;
use crate::error_chain::chain;
use crate::exit::Exit;
use crate::process::supervisor::memory;
use crate::process::supervisor::memory::MemoryWatch;
use crate::provenance::Provenance;
use crate::request::{Attempt, FrameSet, Location, REPORTS_DIR};
use crate::storage::{Storage, StorageError};

/// The version of this layout. Raised when a field changes its meaning.
const SCHEMA: u32 = 1;

/// The report of one attempt.
#[derive(Debug, Serialize)]
pub struct Report {
    schema: u32,
    #[serde(flatten)]
    provenance: Provenance,
    /// What the attempt does.
    pub action: Action,
    #[serde(skip_serializing_if = "Option::is_none")]
    job_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    array_index: Option<u32>,
    input: String,
    output: String,
    started: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished: Option<String>,
    /// `running`, `succeeded` or `failed`.
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    said: Vec<String>,
    /// The frames that were asked for, as `--frames` takes them, once that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    frames_asked: Option<String>,
    /// The scene as Blender saw it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scene: Option<SceneInfo>,
    /// The launches of Blender, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub launches: Vec<LaunchReport>,
    /// The frames of `render` that were given up, by number, and why.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub set_aside: BTreeMap<i32, String>,
    /// The most memory that any one process held that this attempt started.
    #[serde(skip_serializing_if = "Option::is_none")]
    peak_memory_bytes: Option<u64>,
    /// The most memory that the container may use.
    #[serde(skip_serializing_if = "Option::is_none")]
    memory_limit_bytes: Option<u64>,
    /// The frames of `render` that are stored, by number.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub frames: BTreeMap<i32, FrameReport>,
    /// The video of `stitch`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub video: Option<VideoReport>,
    #[serde(skip)]
    location: Location,
    #[serde(skip)]
    begun: Instant,
}

/// Larger than any report, in bytes: a frame takes a hundred.
pub const LARGEST_REPORT: u64 = 32 * 1024 * 1024;

/// What the attempt does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Rendering.
    Render,
    /// Stitching.
    Stitch,
}

impl Action {
    /// As it is typed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Render => "render",
            Self::Stitch => "stitch",
        }
    }
}

/// How a frame came to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FrameState {
    /// This attempt rendered and stored it.
    Rendered,
    /// It was there, made from the same.
    AlreadyThere,
}

/// A frame that is stored.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FrameReport {
    /// How it came there.
    pub state: FrameState,
    /// Its file name in `frames/`.
    pub file: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// How long Blender took for it, from the frame before (or its own start) on; `None`
    /// if it was there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
}

/// One launch of Blender, from its start until what it had saved was stored.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LaunchReport {
    /// The frames it was started for, as `--frames` takes them.
    pub frames: String,
    /// How long it took.
    pub seconds: f64,
    /// How it ended: its exit status or signal, or why it was stopped.
    pub ended: String,
    /// If it failed: the frame that was in hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frame_in_hand: Option<i32>,
    /// If it failed and was not the end of the attempt: why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// The file that Blender wrote of its crash, beside the report.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crash_file: Option<String>,
}

/// The video that was made and stored.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VideoReport {
    /// Its file name.
    pub file: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// How many frames it holds: counted in the file.
    pub frames: u64,
    /// Frames a second.
    pub fps: String,
    /// Its codec, as FFmpeg calls it.
    pub codec: String,
    /// Its width in pixels.
    pub width: u32,
    /// Its height in pixels.
    pub height: u32,
    /// The version of FFmpeg.
    pub ffmpeg: String,
}

impl Report {
    /// The report of an attempt that begins now.
    pub fn begin(
        action: Action,
        attempt: &Attempt,
        provenance: &Provenance,
        input: &Location,
        output: &Location,
    ) -> Self {
        let started = SystemTime::now();
        let array_index = attempt.array.map(|array| array.index);
        let name = name(action, attempt, started, std::process::id());
        Self {
            schema: SCHEMA,
            provenance: provenance.clone(),
            action,
            job_id: attempt.job_id.clone(),
            attempt: attempt.number,
            array_index,
            input: input.to_string(),
            output: output.to_string(),
            started: timestamp(started),
            finished: None,
            status: "running",
            exit_code: None,
            cause: None,
            said: Vec::new(),
            frames_asked: None,
            scene: None,
            launches: Vec::new(),
            set_aside: BTreeMap::new(),
            peak_memory_bytes: None,
            memory_limit_bytes: None,
            frames: BTreeMap::new(),
            video: None,
            location: output.join(REPORTS_DIR).join(&name),
            begun: Instant::now(),
        }
    }

    /// Notes which frames are asked for.
    pub fn asked(&mut self, frames: &FrameSet) {
        self.frames_asked = Some(frames.to_string());
    }

    /// Notes how the attempt ends.
    pub fn finish(&mut self, result: Result<(), &Error>) {
        self.finished = Some(timestamp(SystemTime::now()));
        self.peak_memory_bytes = memory::peak();
        self.memory_limit_bytes = MemoryWatch::begin().limit();
        match result {
            Ok(()) => {
                self.status = "succeeded";
                self.exit_code = Some(Exit::Success.code());
            }
            Err(error) => {
                self.status = "failed";
                self.exit_code = Some(error.exit().code());
                self.cause = Some(chain(error));
                self.said = error.said().to_vec();
            }
        }
    }

    /// The most memory that any one process held, as soon as the attempt has ended.
    pub fn peak_memory(&self) -> Option<u64> {
        self.peak_memory_bytes
    }

    /// How long ago the attempt began.
    pub fn age(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Where the report lies.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// Its file name without the extension, for what lies beside it.
    pub fn stem(&self) -> String {
        let location = self.location.to_string();
        let name = location.rsplit('/').next().unwrap_or_default();
        name.trim_end_matches(".json").to_owned()
    }

    /// Stores the report as it is now.
    ///
    /// # Errors
    /// If the output location cannot be written.
    pub async fn store(&self, storage: &Storage) -> Result<(), StorageError> {
        // Strings, numbers and maps with integer keys: nothing that JSON cannot hold.
        let json = serde_json::to_vec_pretty(self).unwrap_or_default();
        storage.write(&self.location, Bytes::from(json)).await
    }
}

/// One name an attempt; unique also where Batch gives us nothing to tell attempts by.
fn name(action: Action, attempt: &Attempt, started: SystemTime, process: u32) -> String {
    if let Some(job) = &attempt.job_id {
        return of_attempt(action, job, attempt.number.unwrap_or(1));
    }
    let action = action.name();
    let stamp = timestamp(started).replace([':', '-', '.'], "");
    let index = attempt.array.map(|array| format!("index-{}-", array.index)).unwrap_or_default();
    format!("{action}-{index}{stamp}-{process}.json")
}

/// The name of the report of an attempt, of 1, at a job of AWS Batch.
pub fn of_attempt(action: Action, job: &str, number: u32) -> String {
    // `parent:index` in the child of an array.
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let job: String = job.chars().map(plain).take(128).collect();
    format!("{}-{job}-attempt-{number}.json", action.name())
}

fn timestamp(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::ArrayPosition;

    #[test]
    fn every_attempt_has_a_name_of_its_own() {
        let attempt = |job: Option<&str>, number, index: Option<u32>| Attempt {
            job_id: job.map(str::to_owned),
            number,
            array: index.map(|index| ArrayPosition { index, size: None }),
        };
        let at = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
        let name = |attempt| name(Action::Render, &attempt, at, 17);
        assert_eq!(
            name(attempt(Some("0a1b-2c:7"), Some(2), Some(7))),
            "render-0a1b-2c-7-attempt-2.json"
        );
        assert_eq!(
            name(attempt(None, None, Some(3))),
            "render-index-3-20231114T221320123Z-17.json"
        );
        assert_eq!(name(attempt(None, None, None)), "render-20231114T221320123Z-17.json");
        assert_eq!(name(attempt(Some("../../x"), None, None)), "render-------x-attempt-1.json");
    }
}
