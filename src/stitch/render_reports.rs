//! What the reports of `render` tell of the frames beside them.

use std::path::Path;

use futures_util::{StreamExt as _, stream};
use serde::Deserialize;

use crate::blender::SceneInfo;
use crate::error_chain::chain;
use crate::request::{Location, REPORTS_DIR};
use crate::storage::{Failure, Storage, StorageError};
use crate::worker::report::{Action, LARGEST_REPORT};

/// What `render` left in an output beside the frames.
#[derive(Debug, Default)]
pub struct Rendered {
    /// The scene that the frames were rendered from, as far as that is known.
    pub scene: Option<SceneInfo>,
    /// Whether there are reports of it.
    pub has_reports: bool,
}

impl Rendered {
    /// Looks for what `render` wrote last that knows the scene: a report, or a
    /// [`SceneDescription`](crate::render::reuse::external::SceneDescription). One whose content makes no sense is
    /// passed over.
    ///
    /// # Errors
    /// If the reports cannot be listed, or one cannot be read: it may be the one that counts.
    pub async fn find(storage: &Storage, output: &Location) -> Result<Self, StorageError> {
        /// Reports that are opened at once. Most know the scene; those of children past the
        /// end of the animation do not, and can be the latest ones.
        const AT_ONCE: usize = 8;

        let folder = output.join(REPORTS_DIR);
        let mut reports = storage.list(&folder).await?;
        reports.retain(|entry| {
            let kind = entry.name.split_once('-').map(|(kind, _)| kind);
            // Crash files lie beside them.
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
            .buffered(AT_ONCE);
        while let Some((name, content)) = scenes.next().await {
            let scene = match content {
                Ok(content) => scene_of(content.as_deref()),
                // It was there a moment ago.
                Err(error) if matches!(error.failure(), Failure::Missing(_)) => Err(chain(&error)),
                Err(error) => return Err(error),
            };
            match scene {
                Ok(None) => {}
                Ok(scene) => return Ok(Self { scene, has_reports }),
                Err(why) => tracing::warn!("passing over the report {name}: {why}"),
            }
        }
        Ok(Self { scene: None, has_reports })
    }
}

/// The scene that a report tells of, if it does; it has no content if it is too large.
fn scene_of(report: Option<&[u8]>) -> Result<Option<SceneInfo>, String> {
    #[derive(Deserialize)]
    struct Excerpt {
        scene: Option<SceneInfo>,
    }

    let Some(report) = report else { return Err("it is larger than any report".to_owned()) };
    let excerpt: Excerpt = serde_json::from_slice(report).map_err(|error| error.to_string())?;
    let Some(scene) = excerpt.scene else { return Ok(None) };
    if scene.frame_rate().is_none() {
        let (fps, base) = (scene.fps, scene.fps_base);
        return Err(format!("a scene of {fps} frames in {base} seconds is none"));
    }
    Ok(Some(scene))
}
