//! The external files of a scene: textures, linked libraries and caches.
//!
//! Only Blender can list them, so the worker keeps the list with the output, in one small file for
//! each [`RenderInputs`]. A later attempt reads the list, and compares the state of the files with
//! the file system, without starting Blender.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::external_state::ExternalState;
use super::inputs::RenderInputs;
use crate::blender::{ExternalFile, SceneInfo, SceneOutputs};
use crate::request::{Location, REPORTS_DIR};
use crate::storage::{Failure, Storage, StorageError};

/// The version of [`StoredDescription`]'s layout.
const SCHEMA: u32 = 2;

/// The largest description that is read, in bytes. The setup script's answer, which it is made
/// from, is limited to the same size.
const MAX_BYTES: u64 = 32 * 1024 * 1024;

/// Blender's description of the scene, kept with the output for attempts that do not start Blender.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredDescription {
    schema: u32,
    /// The scene.
    pub scene: SceneInfo,
    /// The external files that it needs.
    pub external: BTreeSet<ExternalFile>,
    /// What it makes besides its frames.
    #[serde(default)]
    pub outputs: SceneOutputs,
}

impl StoredDescription {
    /// A description in the current layout.
    pub fn new(
        scene: &SceneInfo,
        external: BTreeSet<ExternalFile>,
        outputs: &SceneOutputs,
    ) -> Self {
        Self { schema: SCHEMA, scene: scene.clone(), external, outputs: outputs.clone() }
    }

    /// The location of the description: among the reports, where `stitch` looks for scenes.
    fn location(output: &Location, inputs: &RenderInputs) -> Location {
        output.join(REPORTS_DIR).join(&format!("scene-{}.json", inputs.name()))
    }

    /// Loads the description for `inputs`; `None` if there is none in the current layout.
    ///
    /// # Errors
    /// If storage fails, except with [`Failure::Missing`].
    pub async fn load(
        storage: &Storage,
        output: &Location,
        inputs: &RenderInputs,
    ) -> Result<Option<Self>, StorageError> {
        match storage.read_up_to(&Self::location(output, inputs), MAX_BYTES).await {
            Ok(json) => {
                let found: Option<Self> = json.and_then(|json| serde_json::from_slice(&json).ok());
                Ok(found.filter(|found| found.schema == SCHEMA))
            }
            Err(error) if matches!(error.failure(), Failure::Missing(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Stores the description for `inputs`.
    ///
    /// # Errors
    /// If it cannot be written.
    pub async fn store(
        &self,
        storage: &Storage,
        output: &Location,
        inputs: &RenderInputs,
    ) -> Result<(), StorageError> {
        // Strings, numbers and lists always serialise.
        let json = serde_json::to_vec_pretty(self).unwrap_or_default();
        storage.write(&Self::location(output, inputs), Bytes::from(json)).await
    }

    /// Reads the state of the external files. `scene_dir` is the folder of the scene file; `None`
    /// for a scene from S3, which has no files beside it.
    ///
    /// # Errors
    /// If the folders contain too many files.
    pub async fn state(&self, scene_dir: Option<&Path>) -> Result<ExternalState, io::Error> {
        let (files, scene_dir) = (self.external.clone(), scene_dir.map(Path::to_owned));
        let read = move || {
            let mut state = ExternalState::default();
            files.iter().try_for_each(|file| state.add(file, scene_dir.as_deref())).map(|()| state)
        };
        tokio::task::spawn_blocking(read).await.map_err(io::Error::other)?
    }
}
