//! What the frames of an attempt are made from, as soon as Blender has said it.
//!
//! The setup script names the external files and describes the scene before the first
//! frame is begun. Then the state of these files is taken and their list is kept with
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

/// How long the names of external files may be that are noted, in bytes of all together; a
/// scene that has more is not known. A script in it can name what it likes.
const MOST: usize = 8 * 1024 * 1024;

/// What frames are made from, as far as it is known.
#[derive(Debug)]
pub struct Origin {
    recipe: Option<Recipe>,
    place: Place,
    /// What Blender has said up to now.
    named: BTreeSet<ExternalFile>,
    /// How long all that is.
    bytes: usize,
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
        let (named, launched) = (BTreeSet::new(), SystemTime::now());
        Self { recipe, place, named, bytes: 0, launched, source: None }
    }

    /// Blender is about to be started: what it says is about frames to come.
    pub fn launches(&mut self) {
        (self.named, self.bytes) = (BTreeSet::new(), 0);
        self.launched = SystemTime::now();
        self.source = None;
    }

    /// Blender names a file.
    pub fn names(&mut self, file: ExternalFile) {
        // An entry of the set is some forty bytes, however short the name.
        self.bytes += file.name().len() + 40;
        if self.source.is_none() && self.bytes <= MOST {
            self.named.insert(file);
        }
    }

    /// Blender has named all files and describes the scene. Only the first time counts:
    /// scenes can print, too.
    pub fn describes(&mut self, scene: &SceneInfo) {
        let Some(recipe) = self.recipe.clone().filter(|_| self.source.is_none()) else { return };
        let named = std::mem::take(&mut self.named);
        let complete = scene.external_files == Some(named.len());
        let description = Description::new(scene, named);
        let (tell, source) = watch::channel(None);
        self.source = Some(source);
        let (place, launched) = (self.place.clone(), self.launched);
        tokio::spawn(async move {
            let found = if complete {
                find(&recipe, place, &description, launched).await
            } else {
                Err("Blender did not name all files that the scene needs".to_owned())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Transfers;

    #[test]
    fn a_scene_that_names_files_without_end_takes_no_memory() {
        let place = Place {
            storage: Arc::new(Storage::new(Transfers::default())),
            output: Location::Local("/out".into()),
            scene: None,
            kept: None,
        };
        let mut origin = Origin::new(None, place);
        let long = "x".repeat(MOST / 10);
        let name = |number: usize| ExternalFile::File(format!("/{number}/{long}"));
        (0..20).for_each(|number| origin.names(name(number)));
        assert!((8..10).contains(&origin.named.len()), "{}", origin.named.len());
        origin.launches();
        origin.names(name(1));
        assert_eq!(origin.named.len(), 1);
    }
}
