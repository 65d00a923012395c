//! The report: a JSON record of what one attempt was asked to do, did and left undone.
//!
//! The worker writes it when the attempt begins, which proves that the output is writable
//! before anything is rendered, and again when it ends. A report whose status is still `running`
//! is that of an attempt that was killed.

mod action;
mod file_name;
mod parts;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::blender::{SceneInfo, UnusableFile};
use crate::error::Error;
use crate::error_chain::chain;
use crate::exit::Exit;
use crate::process::supervisor::memory;
use crate::process::supervisor::memory::MemoryWatch;
use crate::provenance::Provenance;
use crate::request::{Attempt, FrameSet, Location, REPORTS_DIR, RenderOverrides};
use crate::storage::{Storage, StorageError};
pub use action::Action;
pub use file_name::{action_of, batch_file_name};
use file_name::{file_name, timestamp};
pub use parts::{
    BakeReport, FrameReport, FrameState, LaunchReport, OutputFileReport, OutputReport,
    SimulationReport, VideoReport,
};

/// The version of the format, raised when a field changes its meaning.
pub const SCHEMA: u32 = 1;

/// The report of one attempt of `render`, `stitch` or `bake`. A field that is not required is absent while
/// its value is not known, and if there is nothing to say. Sets of frames have the syntax of
/// `--frames`: `1-10,15,20-40x2`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Report {
    /// The version of the format. It is raised when a field changes its meaning, but not when one
    /// is added.
    #[cfg_attr(test, schemars(extend("const" = SCHEMA)))]
    schema: u32,
    #[serde(flatten)]
    provenance: Provenance,
    /// The subcommand.
    pub action: Action,
    /// The id of the job on AWS Batch or Slurm; that of an array's child is `PARENT:INDEX` on AWS Batch,
    /// and `JOB_TASK` on Slurm.
    #[serde(skip_serializing_if = "Option::is_none")]
    job_id: Option<String>,
    /// The number of the attempt of the job, from 1, if the scheduler tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    /// The array index of the child, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    array_index: Option<u32>,
    /// The URI or path of the input.
    input: String,
    /// The URI or path of the output.
    output: String,
    /// When the attempt began, in UTC.
    #[cfg_attr(test, schemars(extend("format" = "date-time")))]
    started: String,
    /// When the attempt ended, in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(extend("format" = "date-time")))]
    finished: Option<String>,
    /// How far the attempt is.
    status: Status,
    /// The exit code of the attempt, once it has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<u8>,
    /// The error and its causes, if the attempt failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
    /// An excerpt of the output of the program that failed, in lines.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    said: Vec<String>,
    /// The requested frames, once they are known; empty if this array child has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    frames_asked: Option<String>,
    /// The settings of the scene that the attempt replaced; only of `render`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overrides: Option<RenderOverrides>,
    /// What was asked about the scene, as variables; only of `render`. `submit --missing` renders the
    /// missing frames with them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
    /// The scene as Blender describes it; only of `render`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scene: Option<SceneInfo>,
    /// The launches of Blender that have ended, in order; only of `render`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub launches: Vec<LaunchReport>,
    /// The causes for which `render` skips frames, because Blender keeps failing at them, by frame
    /// number.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub set_aside: BTreeMap<i32, String>,
    /// The peak memory in bytes of the largest process that the attempt started.
    #[serde(skip_serializing_if = "Option::is_none")]
    peak_memory_bytes: Option<u64>,
    /// The memory limit of the container in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    memory_limit_bytes: Option<u64>,
    /// The requested frames that are stored, by frame number; only of `render`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub frames: BTreeMap<i32, FrameReport>,
    /// What the scene makes besides its frames, for each File Output node and each further view;
    /// only of `render`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<OutputReport>,
    /// The folder of the previews that were stored, `previews/` below the output: a JPEG of each
    /// frame, named after it; only of `render`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previews: Option<String>,
    /// The stored contact sheet, as a path below the output: `previews/contact-sheet.jpg`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact_sheet: Option<String>,
    /// The stored video; only of `stitch`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub video: Option<VideoReport>,
    /// The files that the scene needs and that cannot be used; only of `bake`. Those of `render` are in
    /// `scene`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unusable_files: Vec<UnusableFile>,
    /// The stored scene; only of `bake`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baked: Option<BakeReport>,
    /// Whether the output is prepared, and has the report of an attempt that is running.
    #[serde(skip)]
    pub is_begun: bool,
    /// The local folders that this attempt has made, innermost first.
    #[serde(skip)]
    pub new_folders: Vec<PathBuf>,
    #[serde(skip)]
    folder: Location,
    #[serde(skip)]
    location: Location,
    #[serde(skip)]
    begun: Instant,
}

/// A size in bytes that no report exceeds: a frame takes about a hundred.
pub const LARGEST_REPORT: u64 = 32 * 1024 * 1024;

/// How far an attempt is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It runs, or was killed.
    Running,
    /// It did all that it was asked to do.
    Succeeded,
    /// It ended with an error.
    Failed,
}

impl Report {
    /// Creates the report of an attempt that begins now.
    pub fn begin(
        action: Action,
        attempt: &Attempt,
        provenance: &Provenance,
        input: &Location,
        output: &Location,
    ) -> Self {
        let started = SystemTime::now();
        let array_index = attempt.array.map(|array| array.index);
        let name = file_name(action, attempt, started, std::process::id());
        let folder = output.join(REPORTS_DIR);
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
            status: Status::Running,
            exit_code: None,
            cause: None,
            said: Vec::new(),
            frames_asked: None,
            overrides: None,
            settings: BTreeMap::new(),
            scene: None,
            launches: Vec::new(),
            set_aside: BTreeMap::new(),
            peak_memory_bytes: None,
            memory_limit_bytes: None,
            frames: BTreeMap::new(),
            outputs: Vec::new(),
            previews: None,
            contact_sheet: None,
            video: None,
            unusable_files: Vec::new(),
            baked: None,
            is_begun: false,
            new_folders: Vec::new(),
            location: folder.join(&name),
            folder,
            begun: Instant::now(),
        }
    }

    /// Records the requested frames.
    pub fn set_requested_frames(&mut self, frames: &FrameSet) {
        self.frames_asked = Some(frames.to_string());
    }

    /// Records the result of the attempt.
    pub fn finish(&mut self, result: Result<(), &Error>) {
        self.finished = Some(timestamp(SystemTime::now()));
        self.peak_memory_bytes = memory::peak();
        self.memory_limit_bytes = MemoryWatch::begin().limit();
        match result {
            Ok(()) => {
                self.status = Status::Succeeded;
                self.exit_code = Some(Exit::Success.code());
            }
            Err(error) => {
                self.status = Status::Failed;
                self.exit_code = Some(error.exit().code());
                self.cause = Some(chain(error));
                self.said = error.excerpt().to_vec();
            }
        }
    }

    /// Returns the peak memory of the largest process in bytes; `None` before
    /// [`finish`](Self::finish).
    pub fn peak_memory(&self) -> Option<u64> {
        self.peak_memory_bytes
    }

    /// Returns the time since the attempt began.
    pub fn age(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Returns the location of the report.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// Returns the folder of the report.
    pub fn folder(&self) -> Location {
        self.folder.clone()
    }

    /// Returns the file name without the extension, for related files in the same folder.
    pub fn stem(&self) -> String {
        let location = self.location.to_string();
        let name = location.rsplit('/').next().unwrap_or_default();
        name.trim_end_matches(".json").to_owned()
    }

    /// Stores the report in its present state.
    ///
    /// # Errors
    /// A [`StorageError`] if the output location cannot be written.
    pub async fn store(&self, storage: &Storage) -> Result<(), StorageError> {
        // Cannot fail: strings, numbers and maps with integer keys are valid JSON.
        let json = serde_json::to_vec_pretty(self).unwrap_or_default();
        storage.write(&self.location, Bytes::from(json)).await
    }
}
