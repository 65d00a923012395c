//! Finds out what a video is made of, before a frame is decoded.

use std::sync::Arc;
use std::time::SystemTime;

use super::frames::maker::{FrameMaker, Stamp};
use super::frames::prefetch::Prefetch;
use super::render_reports::RenderReports;
use super::sequence::{Sequence, SlotFile, needs_scene_range};
use crate::blender::SceneInfo;
use crate::error::Error;
use crate::error_chain::chain;
use crate::image::View;
use crate::request::{
    FRAMES_DIR, FrameRange, FrameRate, FrameSet, Location, PictureOrder, REPORTS_DIR,
    SequenceSelection, StitchJob, VideoSize, ViewTransform,
};
use crate::storage::{Entry, StorageError};
use crate::worker::Worker;

/// What a video is made of.
#[derive(Debug)]
pub struct Plan {
    /// The folder of the frames.
    pub folder: Location,
    /// The frames, in order.
    pub sequence: Arc<Sequence>,
    /// The numbers of the frames.
    pub frames: FrameSet,
    /// The frame rate of the video.
    pub fps: FrameRate,
    /// The size of the video; `None` for that of the pictures, which must have the same one.
    pub size: Option<VideoSize>,
    /// What `render` reports about the frames.
    pub reports: RenderReports,
    /// The output of `render` that has these reports, or else the input.
    pub rendered: Location,
    /// How linear pictures are shown.
    pub view: View,
}

impl Plan {
    /// Finds the frames of `job`, and what `render` reports about them.
    ///
    /// # Errors
    /// The errors of [`Sequence::arrange`]; [`Error::Storage`] if frames or reports cannot be read;
    /// [`Error::NoFrameRate`] or [`Error::ViewLut`] if a report has not what the video needs.
    pub async fn make(worker: &Worker, job: &StitchJob) -> Result<Self, Error> {
        let (frames, reports) = tokio::join!(find_frames(worker, job), read_reports(worker, job));
        // If both fail, the error about the frames is the more useful one.
        let ((folder, entries), (rendered, reports)) = (frames?, reports?);
        let range = reports.scene.as_ref().and_then(SceneInfo::range);
        let slides = is_slide_show(job, &folder);
        let takes_all = slides && job.frames == SequenceSelection::EVERYTHING;
        let order = if takes_all { PictureOrder::Name } else { PictureOrder::Number };
        let order = job.order.unwrap_or(order);
        let sequence = Sequence::arrange(&folder, entries, job, order, range)?;
        let fps = frame_rate(job, &reports, &sequence, slides)?;
        let size = job.video.look.size.or(slides.then_some(VideoSize::First));
        let frames = sequence.slots.iter().map(|slot| slot.number).collect();
        let view = view_of(worker, job, &rendered, &reports).await?;
        let sequence = Arc::new(sequence);
        Ok(Self { folder, sequence, frames, fps, size, reports, rendered, view })
    }

    /// The scene's own range, if the frames have its numbers.
    pub fn range(&self) -> Option<FrameRange> {
        let range = self.reports.scene.as_ref().and_then(SceneInfo::range);
        range.filter(|_| self.sequence.is_numbered)
    }

    /// Starts to fetch the frames.
    pub fn prefetch(&self, worker: &Worker, job: &StitchJob) -> Prefetch {
        let (storage, folder) = (worker.storage.clone(), self.folder.clone());
        Prefetch::start(storage, folder, Arc::clone(&self.sequence), job.max_prefetch)
    }

    /// What makes the frames of the video, without previews.
    pub fn maker(&self, job: &StitchJob) -> FrameMaker {
        let look = &job.video.look;
        let scene = self.reports.scene.as_ref();
        FrameMaker {
            layer: look.layer.clone(),
            view: self.view.clone(),
            stamp: look.burn_in.clone().map(|burn_in| Stamp {
                burn_in,
                fps: self.fps,
                scene: scene.map_or_else(String::new, |scene| scene.name.clone()),
                date: today(),
            }),
            previews: None,
        }
    }
}

/// The folder that holds the frames, and its entries: `frames/` below the input, or else the input
/// itself.
async fn find_frames(worker: &Worker, job: &StitchJob) -> Result<(Location, Vec<Entry>), Error> {
    worker.storage.ensure_folder(&job.input).await?;
    if let Some(images) = &job.images {
        let mut entries = worker.storage.list(&job.input).await?;
        entries.retain(|entry| images.number(&entry.name).is_some());
        return Ok((job.input.clone(), entries));
    }
    let frames = job.input.join(FRAMES_DIR);
    let entries = worker.storage.list(&frames).await?;
    if entries.is_empty() {
        // If this folder is empty, too, the error names it: it is the one that the user gave.
        let mut entries = worker.storage.list(&job.input).await?;
        if job.input == job.output {
            // A GIF that was made before.
            entries.retain(|entry| entry.name != job.video.name.as_str());
        }
        return Ok((job.input.clone(), entries));
    }
    if job.is_any_folder {
        let beside = worker.storage.list(&job.input).await?;
        let pictures = beside.into_iter().filter_map(SlotFile::new).count();
        if pictures > 0 {
            let are = if pictures == 1 { "picture is" } else { "pictures are" };
            tracing::warn!(
                "{pictures} {are} beside the folder {FRAMES_DIR}, and not part of the video: it is made \
                 of that folder, as for an output of render; give another folder to show them"
            );
        }
    }
    Ok((frames, entries))
}

/// Reads the reports beside the frames, or else those of the scene that made the images besides its
/// frames. The result is the output with the reports. A job that can do without them gets a warning
/// if they cannot be read.
async fn read_reports(
    worker: &Worker,
    job: &StitchJob,
) -> Result<(Location, RenderReports), Error> {
    let find = async {
        let beside = RenderReports::find(&worker.storage, &job.input).await?;
        if !beside.has_reports
            && let Some(output) = job.output_of_scene()
        {
            let above = RenderReports::find(&worker.storage, &output).await?;
            if above.has_reports {
                return Ok::<_, StorageError>((output, above));
            }
        }
        Ok((job.input.clone(), beside))
    };
    let reports = find.await;
    let optional = job.video.fps.is_some() && !needs_scene_range(&job.frames);
    match reports {
        Err(error) if optional => {
            tracing::warn!(
                "cannot read the reports of render, so the scene's view transform and sound are \
                 not known: {}",
                chain(&error)
            );
            Ok((job.input.clone(), RenderReports::default()))
        }
        reports => Ok(reports?),
    }
}

/// Whether the pictures are those of any folder: of any names and sizes, and to be looked at one by
/// one. The folder of an output of `render` holds an animation instead, however it was given.
fn is_slide_show(job: &StitchJob, folder: &Location) -> bool {
    job.is_any_folder && *folder == job.input
}

/// The frame rate of the video: that of the job, or else that of the scene. If neither is known,
/// slides get a default, and so do other images from elsewhere, with a warning. For frames of
/// `render`, it is an error: their reports should contain it.
fn frame_rate(
    job: &StitchJob,
    reports: &RenderReports,
    sequence: &Sequence,
    slides: bool,
) -> Result<FrameRate, Error> {
    let scene = reports.scene.as_ref();
    let known = job.video.fps.or_else(|| scene.and_then(SceneInfo::frame_rate));
    if let Some(fps) = known {
        return Ok(fps);
    }
    if reports.has_reports && sequence.is_named_by_blender() {
        return Err(Error::NoFrameRate { reports: job.input.join(REPORTS_DIR) });
    }
    if slides {
        tracing::info!("showing {} pictures a second (--fps, FPS)", FrameRate::SLIDES);
        return Ok(FrameRate::SLIDES);
    }
    let fps = FrameRate::FALLBACK;
    tracing::warn!(
        "no report of render contains the scene's frame rate: taking {fps} frames a second \
         (--fps, FPS)"
    );
    Ok(fps)
}

/// How linear pictures are shown.
///
/// # Errors
/// [`Error::Storage`] or [`Error::ViewLut`] if the scene's own view cannot be read.
async fn view_of(
    worker: &Worker,
    job: &StitchJob,
    rendered: &Location,
    reports: &RenderReports,
) -> Result<View, Error> {
    Ok(match job.video.look.view {
        ViewTransform::Scene => reports.view(&worker.storage, rendered).await?.unwrap_or_default(),
        ViewTransform::Standard => View::Srgb,
        ViewTransform::None => View::Data,
    })
}

/// Today's date in UTC: `2026-11-29`.
fn today() -> String {
    let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    now.split('T').next().unwrap_or_default().to_owned()
}
