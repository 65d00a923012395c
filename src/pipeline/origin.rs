//! What the frames of an attempt are made from, as soon as Blender has said it.
//!
//! The setup script describes the scene and names the external files before the first frame is
//! begun. Then the state of these files is taken and their list is kept with
//! the output, while Blender renders; a frame is stored when that is done. Without its
//! list a fingerprint would be worth nothing to another attempt.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::watch;

use super::external::Description;
use super::fingerprint::{Recipe, Source};
use super::identity::LocalScene;
use crate::blender::{ExternalFile, SceneInfo};
use crate::error::chain;
use crate::request::{FrameNumber, Location};
use crate::storage::{Fingerprint, Storage};

/// What frames are made from, as far as it is known.
#[derive(Debug)]
pub struct Origin {
    recipe: Option<Recipe>,
    place: Place,
    launched: SystemTime,
    /// What the frames of this launch are made from: nothing yet, or whether it is known.
    source: Option<watch::Receiver<Option<Known>>>,
}

/// What is needed to find out.
#[derive(Clone, Debug)]
pub struct Place {
    /// All storage.
    pub storage: Arc<Storage>,
    /// Where the output goes.
    pub output: Location,
    /// The scene file, if it is a local one.
    pub scene: Option<LocalScene>,
    /// What is kept with the output already.
    pub kept: Option<Description>,
}

/// What was found out.
#[derive(Clone, Debug)]
struct Known(Option<Source>);

impl Origin {
    /// Frames made by `recipe`; `None` if it is not known by which one.
    pub fn new(recipe: Option<Recipe>, place: Place) -> Self {
        Self { recipe, place, launched: SystemTime::now(), source: None }
    }

    /// Blender is about to be started: what it says is about frames to come.
    pub fn launches(&mut self) {
        self.launched = SystemTime::now();
        self.source = None;
    }

    /// Blender has described the scene and named its external files, if it can.
    pub fn describes(&mut self, scene: &SceneInfo, external: Option<BTreeSet<ExternalFile>>) {
        let Some(recipe) = self.recipe.clone() else { return };
        let description = external.map(|external| Description::new(scene, external));
        let (tell, source) = watch::channel(None);
        self.source = Some(source);
        let (place, launched) = (self.place.clone(), self.launched);
        tokio::spawn(async move {
            let found = match description {
                Some(description) => find(&recipe, place, &description, launched).await,
                None => Err("the name of a file that the scene needs is not Unicode".to_owned()),
            };
            if let Err(why) = &found {
                tracing::warn!(
                    "frames are stored without a fingerprint, so another attempt will render them \
                     again: {why}"
                );
            }
            tell.send_replace(Some(Known(found.ok())));
        });
    }

    /// The fingerprint of a frame that was saved just now, to be waited for.
    pub fn of(&self, frame: FrameNumber) -> Awaited {
        Awaited { frame, source: self.source.clone() }
    }
}

async fn find(
    recipe: &Recipe,
    place: Place,
    description: &Description,
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
    if place.kept.as_ref() != Some(description) {
        let stored = description.store(&place.storage, &place.output, recipe).await;
        stored.map_err(|error| chain(&error))?;
    }
    Ok(recipe.with_external(&state))
}

/// A fingerprint that is being found out.
#[derive(Clone, Debug)]
pub struct Awaited {
    frame: FrameNumber,
    source: Option<watch::Receiver<Option<Known>>>,
}

impl Awaited {
    /// One that cannot be told.
    #[cfg(test)]
    pub fn never(frame: FrameNumber) -> Self {
        Self { frame, source: None }
    }

    /// Waits for it; `None` if it cannot be told.
    pub async fn get(self) -> Option<Fingerprint> {
        let mut source = self.source?;
        let known = source.wait_for(Option::is_some).await.ok()?;
        let source = known.as_ref()?.0.as_ref()?;
        Some(source.fingerprint(self.frame))
    }
}
