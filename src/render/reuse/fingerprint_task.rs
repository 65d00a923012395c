//! The fingerprints of an attempt's frames, computed while Blender renders.
//!
//! Before the first frame, the setup script describes the scene and lists its external files. While
//! Blender renders, a task reads the state of these files and stores their list with the output.
//! Without the list, a later attempt could not verify a fingerprint, so frames wait for it. But no
//! rendered frame may be lost for lack of a list: if storing it takes too long or the job stops,
//! frames are stored without waiting any longer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::sleep;

use super::external::StoredDescription;
use super::identity::LocalScene;
use super::inputs::{RenderInputs, Source};
use crate::blender::{ExternalFile, SceneInfo, SceneOutputs};
use crate::error_chain::chain;
use crate::request::{FrameNumber, Location, RenderJob};
use crate::storage::{Fingerprint, Storage, StorageError};
use crate::worker::file_check::FileCheck;

/// Computes the fingerprints of frames, a launch of Blender at a time.
#[derive(Debug)]
pub struct FingerprintTask {
    inputs: Option<RenderInputs>,
    context: Context,
    launched: SystemTime,
    /// The source of this launch's frames; `None` until Blender has described the scene.
    source: Option<watch::Receiver<SourceState>>,
}

/// What the task needs besides the inputs.
#[derive(Clone, Debug)]
struct Context {
    storage: Arc<Storage>,
    output: Location,
    /// The scene file, if it is a local one.
    scene: Option<LocalScene>,
    /// The description that an earlier attempt stored with the output.
    stored: Option<StoredDescription>,
}

/// How far the task has come.
#[derive(Clone, Debug)]
enum SourceState {
    /// The source is being determined.
    Pending,
    /// The source is known, but its list of files is not stored yet.
    NotStored(Source),
    /// The source is known, and its list of files is stored.
    Stored(Source),
    /// The source cannot be determined, or its list of files not be stored.
    Failed,
}

impl SourceState {
    fn is_final(&self) -> bool {
        matches!(self, Self::Stored(_) | Self::Failed)
    }
}

impl FingerprintTask {
    /// A task for frames of `inputs`; without inputs, frames get no fingerprints. `scene` is the
    /// scene file if it is a local one, `stored` the description that the output already has.
    pub fn new(
        storage: Arc<Storage>,
        job: &RenderJob,
        inputs: Option<RenderInputs>,
        scene: Option<LocalScene>,
        stored: Option<StoredDescription>,
    ) -> Self {
        let context = Context { storage, output: job.output.clone(), scene, stored };
        Self { inputs, context, launched: SystemTime::now(), source: None }
    }

    /// Starts over for a launch of Blender. Call it just before Blender starts: if an external file
    /// changes after that, the frames get no fingerprints.
    pub fn launch_begins(&mut self) {
        self.launched = SystemTime::now();
        self.source = None;
    }

    /// Starts to determine the source, now that Blender has described the scene. `external` is
    /// `None` if the name of an external file is not Unicode. The list of files is stored with what
    /// `check` finds.
    pub fn scene_described(
        &mut self,
        scene: &SceneInfo,
        external: Option<BTreeSet<ExternalFile>>,
        outputs: &SceneOutputs,
        mut check: FileCheck,
    ) {
        let Some(inputs) = self.inputs.clone() else { return };
        let (mut scene, outputs) = (scene.clone(), outputs.clone());
        let (sender, source) = watch::channel(SourceState::Pending);
        self.source = Some(source);
        let (context, launched) = (self.context.clone(), self.launched);
        tokio::spawn(async move {
            let result = async {
                scene.unusable_files.extend(check.done().await);
                let Some(external) = external else {
                    return Err("the name of a file that the scene needs is not Unicode".to_owned());
                };
                let description = StoredDescription::new(&scene, external, &outputs);
                let source = determine(&inputs, &context, &description, launched).await?;
                sender.send_replace(SourceState::NotStored(source.clone()));
                store(&inputs, &context, &description).await.map_err(|error| chain(&error))?;
                Ok(source)
            };
            let result = result.await;
            if let Err(why) = &result {
                tracing::warn!(
                    "frames are stored without a fingerprint, so the next attempt will render them \
                     again: {why}"
                );
            }
            sender.send_replace(result.map_or(SourceState::Failed, SourceState::Stored));
        });
    }

    /// Waits until the list of files is stored or has failed, but no longer than `timeout`. Frames
    /// that were stored before the list need it, too: without it, the next attempt renders them
    /// again.
    pub async fn settled(&self, timeout: Duration) {
        if let Some(mut source) = self.source.clone() {
            drop(tokio::time::timeout(timeout, source.wait_for(SourceState::is_final)).await);
        }
    }

    /// The pending fingerprint of a frame that Blender has just saved.
    pub fn of(&self, frame: FrameNumber) -> PendingFingerprint {
        PendingFingerprint { frame, source: self.source.clone() }
    }
}

/// Determines the source of the frames; the error is the reason why that is impossible.
async fn determine(
    inputs: &RenderInputs,
    context: &Context,
    description: &StoredDescription,
    launched: SystemTime,
) -> Result<Source, String> {
    if let Some(scene) = &context.scene
        && !scene.is_unchanged().await
    {
        return Err("the scene file changed before Blender had opened it".to_owned());
    }
    let scene_dir = context.scene.as_ref().map(LocalScene::folder);
    let state = description.state(scene_dir).await.map_err(|error| error.to_string())?;
    if state.changed.is_some_and(|changed| changed >= launched) {
        return Err("a file that the scene needs changed while Blender was opening it".to_owned());
    }
    Ok(inputs.source(&description.scene, &state))
}

/// Stores the description, with its list of files, unless the output already has it.
async fn store(
    inputs: &RenderInputs,
    context: &Context,
    description: &StoredDescription,
) -> Result<(), StorageError> {
    if context.stored.as_ref() == Some(description) {
        return Ok(());
    }
    description.store(&context.storage, &context.output, inputs).await
}

/// The fingerprint of a frame, available as soon as the task has determined its source.
#[derive(Clone, Debug)]
pub struct PendingFingerprint {
    frame: FrameNumber,
    source: Option<watch::Receiver<SourceState>>,
}

impl PendingFingerprint {
    /// A fingerprint that never becomes available.
    #[cfg(test)]
    pub fn never(frame: FrameNumber) -> Self {
        Self { frame, source: None }
    }

    /// Waits for the fingerprint and the stored list of files, but only for `timeout` and until
    /// `stopping` completes. Then a fingerprint without a stored list will do. `None` if there is
    /// no fingerprint. `sides` are the side files of the frame, as in [`Source::fingerprint`].
    pub async fn get(
        self,
        timeout: Duration,
        stopping: impl Future<Output = impl Sized>,
        sides: &BTreeMap<String, u64>,
    ) -> Option<Fingerprint> {
        let mut source = self.source?;
        tokio::select! {
            biased;
            // An error means that the task has ended: the state does not change any more.
            _ = source.wait_for(SourceState::is_final) => {}
            _ = stopping => {}
            () = sleep(timeout) => {}
        }
        match &*source.borrow() {
            SourceState::Pending | SourceState::Failed => None,
            SourceState::NotStored(source) | SourceState::Stored(source) => {
                Some(source.fingerprint(self.frame, sides))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::time::Instant;

    use super::*;
    use crate::render::reuse::external_state::ExternalState;
    use crate::request::Confinement;

    fn frame() -> FrameNumber {
        FrameNumber::new(7).unwrap()
    }

    fn source() -> Source {
        let job = RenderJob::example();
        let inputs = RenderInputs::new(&job, "1", "2", "none", &Confinement::default(), true);
        inputs.with_external(&ExternalState::default())
    }

    const TIMEOUT: Duration = Duration::from_secs(20);

    #[tokio::test(start_paused = true)]
    async fn a_frame_waits_for_the_stored_list_until_the_timeout() {
        let none = BTreeMap::new();
        let fingerprint = Some(source().fingerprint(frame(), &none));
        for (state, expected, seconds) in [
            (SourceState::Pending, None, 20),
            (SourceState::Failed, None, 0),
            (SourceState::NotStored(source()), fingerprint, 20),
            (SourceState::Stored(source()), fingerprint, 0),
        ] {
            let (sender, source) = watch::channel(state);
            let (frame, began) = (frame(), Instant::now());
            let pending_fingerprint = PendingFingerprint { frame, source: Some(source) };
            assert_eq!(pending_fingerprint.get(TIMEOUT, pending::<()>(), &none).await, expected);
            assert_eq!(began.elapsed().as_secs(), seconds);
            drop(sender);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_request_ends_the_wait_for_the_stored_list() {
        let (sender, receiver) = watch::channel(SourceState::NotStored(source()));
        let (frame, began) = (frame(), Instant::now());
        let fingerprint = PendingFingerprint { frame, source: Some(receiver) };
        let stopping = sleep(Duration::from_secs(3));
        assert!(fingerprint.get(TIMEOUT, stopping, &BTreeMap::new()).await.is_some());
        assert_eq!(began.elapsed().as_secs(), 3);
        drop(sender);
    }
}
