//! Files outside of the scene file that go into its pictures: which they are, and in
//! which state.
//!
//! Only Blender can say which they are, so their list is kept with the output, in one
//! small file for each inputs. Their state is that of the file system: it can be had
//! without Blender.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::external_state::ExternalState;
use super::inputs::RenderInputs;
use crate::blender::{ExternalFile, SceneInfo};
use crate::request::{Location, REPORTS_DIR};
use crate::storage::{Failure, Storage, StorageError};

/// The version of [`SceneDescription`]'s layout.
const SCHEMA: u32 = 2;

/// More than is ever kept, in bytes: an answer of the setup script is smaller.
const MOST_BYTES: u64 = 32 * 1024 * 1024;

/// What Blender said of the scene, kept for attempts that do not start it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SceneDescription {
    schema: u32,
    /// The scene.
    pub scene: SceneInfo,
    /// The files that it needs.
    pub external: BTreeSet<ExternalFile>,
}

impl SceneDescription {
    /// What Blender said.
    pub fn new(scene: &SceneInfo, external: BTreeSet<ExternalFile>) -> Self {
        Self { schema: SCHEMA, scene: scene.clone(), external }
    }

    /// Where it is kept. Among the reports, where [`latest_scene`](crate::worker::report) finds it
    /// too.
    fn location(output: &Location, inputs: &RenderInputs) -> Location {
        output.join(REPORTS_DIR).join(&format!("scene-{}.json", inputs.name()))
    }

    /// The one that was kept, if there is one that can be used.
    ///
    /// # Errors
    /// If that cannot be told.
    pub async fn load(
        storage: &Storage,
        output: &Location,
        inputs: &RenderInputs,
    ) -> Result<Option<Self>, StorageError> {
        match storage.read_up_to(&Self::location(output, inputs), MOST_BYTES).await {
            Ok(json) => {
                let found: Option<Self> = json.and_then(|json| serde_json::from_slice(&json).ok());
                Ok(found.filter(|found| found.schema == SCHEMA))
            }
            Err(error) if matches!(error.failure(), Failure::Missing(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Keeps it.
    ///
    /// # Errors
    /// If it cannot be written.
    pub async fn store(
        &self,
        storage: &Storage,
        output: &Location,
        inputs: &RenderInputs,
    ) -> Result<(), StorageError> {
        // Strings, numbers and lists: nothing that JSON cannot hold.
        let json = serde_json::to_vec_pretty(self).unwrap_or_default();
        storage.write(&Self::location(output, inputs), Bytes::from(json)).await
    }

    /// The state that the external files are in. `beside` is the scene file's folder;
    /// `None` where nothing lies beside it.
    ///
    /// # Errors
    /// If it cannot be told.
    pub async fn state(&self, beside: Option<&Path>) -> Result<ExternalState, io::Error> {
        let (files, beside) = (self.external.clone(), beside.map(Path::to_owned));
        let look = move || {
            let mut state = ExternalState::default();
            files.iter().try_for_each(|file| state.add(file, beside.as_deref())).map(|()| state)
        };
        tokio::task::spawn_blocking(look).await.map_err(io::Error::other)?
    }
}
