//! What the frames of an attempt are made from, as soon as Blender has said it.
//!
//! The setup script describes the scene and names the external files before the first frame is
//! begun. Then the state of these files is taken and their list is kept with
//! the output, while Blender renders; a frame is stored when that is done. Without its
//! list a fingerprint would be worth nothing to another attempt. But nothing that is rendered
//! may be lost for want of a list: where that takes long, or we are to stop, frames go first.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::sleep;

use super::external::SceneDescription;
use super::identity::LocalScene;
use super::inputs::{RenderInputs, Source};
use crate::blender::{ExternalFile, SceneInfo};
use crate::error_chain::chain;
use crate::request::{FrameNumber, Location, RenderJob};
use crate::storage::{Fingerprint, Storage, StorageError};

/// What frames are made from, as far as it is known.
#[derive(Debug)]
pub struct FingerprintTask {
    inputs: Option<RenderInputs>,
    place: Place,
    launched: SystemTime,
    /// What the frames of this launch are made from: nothing yet, or whether it is known.
    source: Option<watch::Receiver<Known>>,
}

/// What is needed to find out.
#[derive(Clone, Debug)]
struct Place {
    /// All storage.
    storage: Arc<Storage>,
    /// Where the output goes.
    output: Location,
    /// The scene file, if it is a local one.
    scene: Option<LocalScene>,
    /// What is kept with the output already.
    kept: Option<SceneDescription>,
}

/// What was found out.
#[derive(Clone, Debug)]
enum Known {
    /// Nothing yet.
    Nothing,
    /// What the frames are made from. The list of the files is not stored yet.
    Unkept(Source),
    /// The same, with the list where other attempts find it.
    Kept(Source),
    /// It cannot be told.
    Unknowable,
}

impl Known {
    fn is_final(&self) -> bool {
        matches!(self, Self::Kept(_) | Self::Unknowable)
    }
}

impl FingerprintTask {
    /// Frames made by `inputs`; `None` if it is not known by which one.
    pub fn new(
        storage: Arc<Storage>,
        job: &RenderJob,
        inputs: Option<RenderInputs>,
        scene: Option<LocalScene>,
        kept: Option<SceneDescription>,
    ) -> Self {
        let place = Place { storage, output: job.output.clone(), scene, kept };
        Self { inputs, place, launched: SystemTime::now(), source: None }
    }

    /// Blender is about to be started: what it says is about frames to come.
    pub fn launch_begins(&mut self) {
        self.launched = SystemTime::now();
        self.source = None;
    }

    /// Blender has described the scene and named its external files, if it can.
    pub fn scene_described(&mut self, scene: &SceneInfo, external: Option<BTreeSet<ExternalFile>>) {
        let Some(inputs) = self.inputs.clone() else { return };
        let description = external.map(|external| SceneDescription::new(scene, external));
        let (tell, source) = watch::channel(Known::Nothing);
        self.source = Some(source);
        let (place, launched) = (self.place.clone(), self.launched);
        tokio::spawn(async move {
            let found = async {
                let Some(description) = description else {
                    return Err("the name of a file that the scene needs is not Unicode".to_owned());
                };
                let source = find(&inputs, &place, &description, launched).await?;
                tell.send_replace(Known::Unkept(source.clone()));
                keep(&inputs, &place, &description).await.map_err(|error| chain(&error))?;
                Ok(source)
            };
            let found = found.await;
            if let Err(why) = &found {
                tracing::warn!(
                    "frames are stored without a fingerprint, so another attempt will render them \
                     again: {why}"
                );
            }
            tell.send_replace(found.map_or(Known::Unknowable, Known::Kept));
        });
    }

    /// Waits until what the fingerprints need is kept, or cannot be, but no longer than
    /// `timeout`: frames that did not wait for it would be rendered again without it.
    pub async fn settled(&self, timeout: Duration) {
        if let Some(mut source) = self.source.clone() {
            drop(tokio::time::timeout(timeout, source.wait_for(Known::is_final)).await);
        }
    }

    /// The fingerprint of a frame that was saved just now, to be waited for.
    pub fn of(&self, frame: FrameNumber) -> Awaited {
        Awaited { frame, source: self.source.clone() }
    }
}

/// What the frames are made from.
async fn find(
    inputs: &RenderInputs,
    place: &Place,
    description: &SceneDescription,
    launched: SystemTime,
) -> Result<Source, String> {
    if let Some(scene) = &place.scene
        && !scene.is_unchanged().await
    {
        return Err("the scene file changed before Blender had opened it".to_owned());
    }
    let beside = place.scene.as_ref().map(LocalScene::folder);
    let state = description.state(beside).await.map_err(|error| error.to_string())?;
    if state.changed.is_some_and(|changed| changed >= launched) {
        return Err("a file that the scene needs changed while Blender was opening it".to_owned());
    }
    Ok(inputs.with_external(&state))
}

/// Keeps the list of the files with the output.
async fn keep(
    inputs: &RenderInputs,
    place: &Place,
    description: &SceneDescription,
) -> Result<(), StorageError> {
    if place.kept.as_ref() == Some(description) {
        return Ok(());
    }
    description.store(&place.storage, &place.output, inputs).await
}

/// A fingerprint that is being found out.
#[derive(Clone, Debug)]
pub struct Awaited {
    frame: FrameNumber,
    source: Option<watch::Receiver<Known>>,
}

impl Awaited {
    /// One that cannot be told.
    #[cfg(test)]
    pub fn never(frame: FrameNumber) -> Self {
        Self { frame, source: None }
    }

    /// Waits for it until the list is kept that it is worth nothing without, but no longer
    /// than `timeout` or until `stopping` is over: then what is known by then must do. `None`
    /// if it cannot be told.
    pub async fn get(
        self,
        timeout: Duration,
        stopping: impl Future<Output = impl Sized>,
    ) -> Option<Fingerprint> {
        let mut source = self.source?;
        tokio::select! {
            biased;
            // An error is an end as well: what is known does not change any more.
            _ = source.wait_for(Known::is_final) => {}
            _ = stopping => {}
            () = sleep(timeout) => {}
        }
        match &*source.borrow() {
            Known::Nothing | Known::Unknowable => None,
            Known::Unkept(source) | Known::Kept(source) => Some(source.fingerprint(self.frame)),
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
        let inputs = RenderInputs::new(&job, "1", "2", &Confinement::default(), true);
        inputs.with_external(&ExternalState::default())
    }

    const PATIENCE: Duration = Duration::from_secs(20);

    #[tokio::test(start_paused = true)]
    async fn a_frame_waits_for_its_list_and_not_for_ever() {
        let fingerprint = Some(source().fingerprint(frame()));
        for (known, expected, seconds) in [
            (Known::Nothing, None, 20),
            (Known::Unknowable, None, 0),
            (Known::Unkept(source()), fingerprint, 20),
            (Known::Kept(source()), fingerprint, 0),
        ] {
            let (tell, source) = watch::channel(known);
            let (frame, began) = (frame(), Instant::now());
            let awaited = Awaited { frame, source: Some(source) };
            assert_eq!(awaited.get(PATIENCE, pending::<()>()).await, expected);
            assert_eq!(began.elapsed().as_secs(), seconds);
            drop(tell);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_told_to_stop_takes_what_is_known() {
        let (tell, found) = watch::channel(Known::Unkept(source()));
        let (frame, began) = (frame(), Instant::now());
        let awaited = Awaited { frame, source: Some(found) };
        let told = sleep(Duration::from_secs(3));
        assert!(awaited.get(PATIENCE, told).await.is_some());
        assert_eq!(began.elapsed().as_secs(), 3);
        drop(tell);
    }
}
