//! Finds the scene of frames in the reports that `render` stored beside them.

use std::path::Path;
use std::sync::Arc;

use futures_util::{StreamExt as _, stream};
use serde::Deserialize;

use crate::blender::{SceneAudio, SceneInfo};
use crate::error::Error;
use crate::error_chain::chain;
use crate::image::{Lut, View};
use crate::request::{FrameRate, Location, REPORTS_DIR};
use crate::storage::{Failure, Storage, StorageError};
use crate::worker::report::{Action, LARGEST_REPORT};

/// A size in bytes that no LUT exceeds: its samples take less than 2 MiB.
const LARGEST_LUT: u64 = 4 * 1024 * 1024;

/// The relevant content of the reports of `render`.
#[derive(Debug, Default)]
pub struct RenderReports {
    /// The scene that the frames were rendered from, if a report contains it.
    pub scene: Option<SceneInfo>,
    /// Whether there are any reports.
    pub has_reports: bool,
}

/// The sound of the scene that the frames were rendered from.
#[derive(Clone, Debug)]
pub struct RenderedAudio {
    /// The file.
    pub location: Location,
    /// The frame that begins when the sound begins.
    pub first_frame: i32,
    /// The frame rate of the scene, by which the sound fits the frames.
    pub fps: FrameRate,
}

impl RenderReports {
    /// Reads the latest report that contains the scene. The scene descriptions of
    /// `render::reuse::external` count as reports, too. Reports that make no sense are skipped.
    ///
    /// # Errors
    /// If the reports cannot be listed, or one of them cannot be read: it may be the one that
    /// contains the scene.
    pub async fn find(storage: &Storage, output: &Location) -> Result<Self, StorageError> {
        /// How many reports are read concurrently. Most contain the scene, but not those of array
        /// children past the end of the animation, which can be the latest ones.
        const CONCURRENT_READS: usize = 8;

        let folder = output.join(REPORTS_DIR);
        let mut reports = storage.list(&folder).await?;
        reports.retain(|entry| {
            let kind = entry.name.split_once('-').map(|(kind, _)| kind);
            // The folder contains crash files as well.
            (kind == Some(Action::Render.name()) || kind == Some("scene"))
                && Path::new(&entry.name).extension() == Some("json".as_ref())
        });
        reports.sort_by_key(|entry| std::cmp::Reverse(entry.modified));
        let has_reports = !reports.is_empty();
        let mut scenes = stream::iter(reports)
            .map(|entry| async {
                let content = storage.read_up_to(&folder.join(&entry.name), LARGEST_REPORT).await;
                (entry.name, content)
            })
            .buffered(CONCURRENT_READS);
        while let Some((name, content)) = scenes.next().await {
            let scene = match content {
                Ok(content) => scene_of(content.as_deref()),
                // The report was deleted since it was listed.
                Err(error) if matches!(error.failure(), Failure::Missing(_)) => Err(chain(&error)),
                Err(error) => return Err(error),
            };
            match scene {
                Ok(None) => {}
                Ok(scene) => return Ok(Self { scene, has_reports }),
                Err(why) => tracing::warn!("skipping the report {name}: {why}"),
            }
        }
        Ok(Self { scene: None, has_reports })
    }

    /// The scene's sound; `None` if nothing plays, or no report contains the scene. Blender may have
    /// failed to mix it: then the file is missing.
    pub fn audio(&self, output: &Location) -> Option<RenderedAudio> {
        let scene = self.scene.as_ref()?;
        let audio = scene.audio.as_ref()?;
        Some(RenderedAudio {
            location: output.join(SceneAudio::FILE),
            first_frame: audio.first_frame,
            fps: scene.frame_rate()?,
        })
    }

    /// How Blender shows the frames; `None` if they need no view, or it is not known.
    ///
    /// # Errors
    /// - [`Error::Storage`] if the LUT that the reports name cannot be read.
    /// - [`Error::ViewLut`] if it is damaged.
    pub async fn view(&self, storage: &Storage, output: &Location) -> Result<Option<View>, Error> {
        let Some(view) = self.scene.as_ref().and_then(|scene| scene.view.as_ref()) else {
            return Ok(None);
        };
        let Some(name) = view.lut.as_deref().filter(|name| !name.contains('/')) else {
            tracing::warn!("the view transform of the scene, {}, is not stored", view.transform);
            return Ok(None);
        };
        let location = output.join(REPORTS_DIR).join(name);
        let lut = match storage.read_up_to(&location, LARGEST_LUT).await? {
            Some(png) => Lut::parse(&png),
            None => Err("it is too large for a LUT".to_owned()),
        };
        match lut {
            Ok(lut) => Ok(Some(View::Lut(Arc::new(lut)))),
            Err(why) => Err(Error::ViewLut { lut: location, why }),
        }
    }
}

/// The scene in the content of a report, if it has one. The content is `None` if it is too large.
fn scene_of(report: Option<&[u8]>) -> Result<Option<SceneInfo>, String> {
    #[derive(Deserialize)]
    struct Excerpt {
        scene: Option<SceneInfo>,
    }

    let Some(report) = report else { return Err("it is too large for a report".to_owned()) };
    let excerpt: Excerpt = serde_json::from_slice(report).map_err(|error| error.to_string())?;
    let Some(scene) = excerpt.scene else { return Ok(None) };
    if scene.frame_rate().is_none() {
        let (fps, base) = (scene.fps, scene.fps_base);
        return Err(format!("its frame rate, {fps}/{base}, is out of range"));
    }
    Ok(Some(scene))
}
