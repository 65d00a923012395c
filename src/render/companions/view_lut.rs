//! The 3D LUT with which Blender shows the frames, if they are stored as linear light.

use std::io;
use std::path::Path;
use std::sync::Arc;

use tokio::task::JoinHandle;

use crate::blender::SceneView;
use crate::image::{Lut, StoredLut, View};
use crate::request::{Location, REPORTS_DIR};
use crate::storage::{Storage, StorageError};
use crate::worker::untrusted_file;

/// The name of the file that the setup script writes.
pub const LUT_FILE: &str = "view.png";

/// The largest file that is read, in bytes. It is smaller even without compression.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// Stores the LUT of an attempt beside its report.
#[derive(Debug)]
pub struct ViewLut {
    storage: Arc<Storage>,
    folder: Location,
    /// The name of the LUT that is stored or being stored. Each launch of Blender makes one, and
    /// they are usually the same.
    name: Option<String>,
    task: Option<JoinHandle<Result<(), StorageError>>>,
}

impl ViewLut {
    /// Nothing yet, for this output.
    pub fn new(storage: Arc<Storage>, output: &Location) -> Self {
        Self { storage, folder: output.join(REPORTS_DIR), name: None, task: None }
    }

    /// Starts to store the LUT that Blender left in `folder`, and adds its name to the view. The
    /// result shows frames as Blender does; `None` if there is no usable LUT.
    pub fn accept(&mut self, folder: &Path, view: &mut SceneView) -> Option<View> {
        let png = match untrusted_file::read(&folder.join(LUT_FILE), MAX_BYTES) {
            // The setup script has said why.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            read => read.map_err(|error| error.to_string()),
        };
        #[expect(clippy::cast_possible_truncation, reason = "Blender's exposure is an f32")]
        let exposure = view.exposure as f32;
        let stored = png.and_then(|png| StoredLut::new(&png, exposure));
        let parsed = stored.and_then(|stored| Ok((Lut::parse(&stored.png)?, stored)));
        let (parsed, lut) = match parsed {
            Ok(lut) => lut,
            Err(why) => {
                tracing::warn!("{}: Blender's LUT is unusable: {why}", lost(view));
                return None;
            }
        };
        if self.name.as_ref() != Some(&lut.name) {
            let (storage, location) = (Arc::clone(&self.storage), self.folder.join(&lut.name));
            self.task =
                Some(tokio::spawn(async move { storage.write(&location, lut.png.into()).await }));
            self.name = Some(lut.name.clone());
        }
        view.lut = Some(lut.name);
        Some(View::Lut(Arc::new(parsed)))
    }

    /// Waits until the LUT is stored.
    ///
    /// # Errors
    /// If it could not be stored. The next launch of Blender tries again.
    pub async fn settled(&mut self) -> Result<(), StorageError> {
        let Some(task) = &mut self.task else { return Ok(()) };
        let result = task.await;
        self.task = None;
        match result {
            Ok(Err(error)) => {
                self.name = None;
                Err(error)
            }
            // The runtime shuts down.
            Err(_) | Ok(Ok(())) => Ok(()),
        }
    }
}

/// What the loss of a LUT means.
pub fn lost(view: &SceneView) -> String {
    format!(
        "the view transform {} is not stored with the frames, so a video of them will have other \
         colours than Blender shows",
        view.transform
    )
}
