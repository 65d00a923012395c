//! The output of `inspect`: the frame range of a scene and the array size that renders it, read from
//! the first bytes of the scene file; and what Blender has found in it, if it has opened it.

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;

use super::described::{Described, description_rows};
use super::output::{Table, json};
use crate::blender::{Compression, SceneDescription, SceneFile, SceneFileError};
use crate::error::Error;
use crate::project::SceneInput;
use crate::request::{
    BlenderVersion, FrameRange, FramesPerJob, InspectJob, LARGEST_ARRAY, Location, ProjectPath,
};
use crate::worker::Worker;
use crate::worker::scratch::Scratch;

/// How many bytes of a file are read first: enough for nearly all scenes. If they are not enough,
/// [`SceneFile::PREFIX_LENGTH`] bytes are read.
const START: u64 = 64 * 1024;

/// What is known about a scene file, as `job` wants it printed: its beginning, the frame range of its
/// active scene, and Blender's description, if there is one.
///
/// # Errors
/// [`Error::Internal`] if JSON cannot represent it.
pub fn inspected(
    job: &InspectJob,
    file: &SceneFile,
    range: FrameRange,
    description: Option<&SceneDescription>,
) -> Result<String, Error> {
    let per_job = job.frames_per_job.unwrap_or(FramesPerJob::ONE);
    if job.json {
        let blender = description.map(Described::new);
        return json(&Output { blender, ..Output::new(job, file, range, per_job) });
    }
    let mut lines = table(job, file, range.len(), per_job);
    if let Some(description) = description {
        description_rows(&mut lines, description);
    }
    Ok(lines.text())
}

/// Reads the beginning of a scene file, and the frame range of the scene that is rendered. `main` is the
/// file in an archive or a folder. An archive is unpacked for that.
///
/// # Errors
/// [`Error::Storage`] or [`Error::Project`] if the file cannot be read, [`Error::SceneFile`] if it is not a .blend file
/// or its list of scenes is damaged, [`Error::NoSceneRange`] if it has no frame range.
pub async fn scene_file(
    worker: &Worker,
    scene: &Location,
    main: Option<&ProjectPath>,
) -> Result<(SceneFile, FrameRange), Error> {
    let is_archive = SceneInput::is_archive(scene);
    let scratch = if is_archive { Some(Scratch::create(worker)?) } else { None };
    let unpacked = scratch.as_ref().map_or(Path::new(""), Scratch::path);
    // It is unpacked only once.
    let lengths = [START, SceneFile::PREFIX_LENGTH];
    let mut read = Ok(None);
    for length in lengths.into_iter().skip(usize::from(is_archive)) {
        let input = SceneInput::open(&worker.storage, scene, main, unpacked, length);
        let opened = worker.unless_stopped(input).await?.opened;
        read = SceneFile::from_start(&opened.start, opened.is_whole());
        if !matches!(read, Ok(None)) {
            // A whole file was checked against its checksum, but a part has none. A flipped bit
            // must not make a scene unusable or change the frame range.
            if !opened.is_whole() {
                worker.unless_stopped(worker.storage.confirm(&opened)).await?;
            }
            break;
        }
    }
    let read = read.and_then(|file| file.ok_or(SceneFileError::NotABlend));
    let file = match read {
        Ok(SceneFile { flaw: Some(flaw), .. }) => Err(SceneFileError::Damaged(flaw)),
        read => read,
    };
    let file = file.map_err(|source| Error::SceneFile { scene: scene.clone(), source })?;
    let range = file.range();
    let unknown = || Error::NoSceneRange { location: scene.clone(), flaw: None };
    Ok((file, range.ok_or_else(unknown)?))
}

/// The output of `inspect --json`: the scene file, its frame range and the size of the array job
/// that renders it. Frame numbers are between -1048574 and 1048574.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Output {
    /// The URI or path of the scene file.
    uri: String,
    /// The version of the Blender that saved it, such as `4.3`; null if the file does not say.
    blender_version: Option<String>,
    /// The version of the Blender that will render it; absent without `--blender-version`.
    #[serde(skip_serializing_if = "Option::is_none")]
    renderer_version: Option<String>,
    /// Whether the Blender that will render the scene is older than the one that saved it; absent
    /// unless both versions are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    renderer_is_older: Option<bool>,
    /// How the file is compressed.
    compression: Compression,
    /// The size of a pointer on the machine that saved it: 32 or 64 bits; null if the file does not
    /// say.
    pointer_bits: Option<u8>,
    /// The byte order of the machine that saved it; null if the file does not say.
    byte_order: Option<ByteOrder>,
    /// The active scene, and in files of Blender 2.4 and older also the scenes to render with it.
    scenes: Vec<Scene>,
    /// The first frame of the scene that is rendered.
    first_frame: i32,
    /// The last frame of the scene that is rendered.
    last_frame: i32,
    /// The number of frames from the first to the last.
    frames: u32,
    /// The number of frames that one child renders, 1 to 1048574: `--frames-per-job`, by default 1.
    frames_per_job: u32,
    /// The number of children that render all frames. AWS Batch accepts arrays of 2 to 10,000.
    array_size: u32,
    /// What Blender has found in the file; absent without `--deep`.
    #[serde(skip_serializing_if = "Option::is_none")]
    blender: Option<Described>,
}

/// A byte order.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
enum ByteOrder {
    /// The most significant byte comes first.
    Big,
    /// The least significant byte comes first.
    Little,
}

/// A scene in the file.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Scene {
    /// The name.
    name: String,
    /// The first frame.
    first_frame: i32,
    /// The last frame.
    last_frame: i32,
    /// The number of frames from the first to the last.
    frames: u32,
}

impl Output {
    fn new(job: &InspectJob, file: &SceneFile, range: FrameRange, per_job: FramesPerJob) -> Self {
        let scenes = file.scenes.iter().map(|scene| Scene {
            name: scene.name.clone(),
            first_frame: scene.range.first.get(),
            last_frame: scene.range.last.get(),
            frames: scene.range.len(),
        });
        Self {
            uri: job.scene.to_string(),
            blender_version: file.saved_by.map(|version| version.to_string()),
            renderer_version: job.renderer.map(|version| version.to_string()),
            renderer_is_older: is_older(job.renderer, file),
            compression: file.compression,
            pointer_bits: file.machine.map(|machine| machine.pointer_bits),
            byte_order: file
                .machine
                .map(|m| if m.big_endian { ByteOrder::Big } else { ByteOrder::Little }),
            scenes: scenes.collect(),
            first_frame: range.first.get(),
            last_frame: range.last.get(),
            frames: range.len(),
            frames_per_job: per_job.get(),
            array_size: per_job.jobs(range.len()),
            blender: None,
        }
    }
}

/// Whether the Blender that will render a scene is older than the one that saved it; `None` unless
/// both versions are known.
pub fn is_older(renderer: Option<BlenderVersion>, file: &SceneFile) -> Option<bool> {
    Some(renderer? < file.saved_by?)
}

/// The rows for people about the beginning of the file.
fn table(job: &InspectJob, file: &SceneFile, frames: u32, per_job: FramesPerJob) -> Table {
    let mut lines = Table::default();
    lines.row("file", &job.scene);
    if let Some((version, machine)) = file.saved_by.zip(file.machine) {
        lines.row("saved by", format!("Blender {version} ({machine}, {})", file.compression));
    }
    if let Some((renderer, older)) = job.renderer.zip(is_older(job.renderer, file)) {
        let verdict = if older {
            "; it is older than the Blender that saved the file: use a newer image"
        } else {
            ""
        };
        lines.row("rendered by", format!("Blender {renderer}{verdict}"));
    }
    for scene in &file.scenes {
        let (name, range) = (&scene.name, scene.range);
        lines.row("scene", format!("{name}: frames {range}, {} of them", range.len()));
    }
    let size = per_job.jobs(frames);
    let noun = if per_job == FramesPerJob::ONE { "frame" } else { "frames" };
    let mut array = format!("{size}, for {} {noun} a job (-f {})", per_job.get(), per_job.get());
    if size > LARGEST_ARRAY {
        let fits = FramesPerJob::fitting(frames).get();
        _ = write!(array, "; AWS Batch has arrays of up to {LARGEST_ARRAY}: -f {fits} fits");
    } else if size == 1 {
        array.push_str("; AWS Batch has no arrays of 1: submit a job without one");
    }
    lines.row("array size", array);
    lines
}
