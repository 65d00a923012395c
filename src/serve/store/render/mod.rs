//! One render: its folder has the scene with its files, what the user has chosen, the log of the last
//! run, and the output. The output is one of `run`: every other tool understands it as well.

pub mod document;
pub mod inspection;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use walkdir::WalkDir;

use super::incoming::{PARTIAL, remove_partial};
use super::item::{AllChanges, Item, Kind};
use super::making::SCENE;
use super::names::{Id, ScenePath};
use super::stored_file::{StoredFile, list};
use super::time::millis;
use crate::request::PREVIEWS_DIR;
use document::RenderChoices;
use inspection::{Inspected, Inspection};

/// The folder of the output.
const OUTPUT: &str = "output";

/// The name of the contact sheet among the previews, without its extension.
const CONTACT_SHEET: &str = "contact-sheet";

/// A scene, and what is rendered of it.
#[derive(Debug)]
pub struct Render {
    item: Item<RenderChoices>,
    /// Whether the scene is being looked at.
    is_inspecting: Mutex<bool>,
}

/// The files of a scene.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Project {
    /// How many there are.
    pub files: usize,
    /// Their size in bytes.
    pub bytes: u64,
    /// The scene files among them, by their paths: those in fewer folders first.
    pub scenes: Vec<StoredFile>,
}

impl Kind for Render {
    type Choices = RenderChoices;

    const FOLDER: &'static str = "renders";
    const NOUN: &'static str = "render";

    fn open(folder: PathBuf, id: Id, all_changes: AllChanges) -> io::Result<Self> {
        let item = Item::open(folder, id, all_changes)?;
        let scene = item.folder().join(SCENE);
        fs::create_dir_all(&scene)?;
        for entry in WalkDir::new(&scene) {
            let entry = entry?;
            if entry.file_type().is_file()
                && entry.file_name().to_string_lossy().starts_with(PARTIAL)
            {
                fs::remove_file(entry.path())?;
            }
        }
        remove_partial(item.folder())?;
        Ok(Self { item, is_inspecting: Mutex::new(false) })
    }

    fn item(&self) -> &Item<RenderChoices> {
        &self.item
    }
}

impl Render {
    /// The folder of the scene and its files.
    pub fn scene_folder(&self) -> PathBuf {
        self.item.folder().join(SCENE)
    }

    /// The folder of the output.
    pub fn output_folder(&self) -> PathBuf {
        self.item.folder().join(OUTPUT)
    }

    /// The folder of the quick look.
    pub fn preview_folder(&self) -> PathBuf {
        self.output_folder().join("preview")
    }

    /// The files of the scene.
    ///
    /// # Errors
    /// The error of the system.
    pub fn project(&self) -> io::Result<Project> {
        let folder = self.scene_folder();
        let mut project = Project::default();
        for entry in WalkDir::new(&folder) {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy();
            if !entry.file_type().is_file() || name.starts_with('.') {
                continue;
            }
            let metadata = entry.metadata()?;
            project.files += 1;
            project.bytes += metadata.len();
            let path = entry.path().strip_prefix(&folder).unwrap_or(entry.path());
            let path = path.to_str().and_then(|path| ScenePath::new(path).ok());
            if let Some(path) = path.filter(ScenePath::is_scene) {
                project.scenes.push(StoredFile {
                    name: path.to_string(),
                    size: metadata.len(),
                    modified: metadata.modified().map(millis)?,
                });
            }
        }
        let depth = |file: &StoredFile| file.name.matches('/').count();
        project.scenes.sort_by(|a, b| depth(a).cmp(&depth(b)).then_with(|| a.by_name(b)));
        Ok(project)
    }

    /// The scene file to render: the one that the user has chosen, or the only one in its folder if no
    /// other is in fewer folders.
    pub fn main(&self, project: &Project) -> Option<StoredFile> {
        if let Some(chosen) = self.item.document().choices.main
            && let Some(file) = project.scenes.iter().find(|file| file.name == chosen)
        {
            return Some(file.clone());
        }
        let folder = |file: &StoredFile| {
            file.name.rsplit_once('/').map_or(0, |(above, _)| above.split('/').count())
        };
        let (first, others) = project.scenes.split_first()?;
        let is_alone = others.first().is_none_or(|other| folder(other) > folder(first));
        is_alone.then(|| first.clone())
    }

    /// What is known of the scene.
    pub fn inspection(&self, project: &Project) -> Inspection {
        if *self.is_inspecting.lock().unwrap_or_else(PoisonError::into_inner) {
            return Inspection::Running;
        }
        let of = self.inspected(project);
        of.map_or(Inspection::None, |of| Inspection::read(self.item.folder(), &of))
    }

    /// The present state of the scene.
    pub fn inspected(&self, project: &Project) -> Option<Inspected> {
        let StoredFile { name: main, size, modified } = self.main(project)?;
        Some(Inspected { main, size, modified, project: (project.files, project.bytes) })
    }

    /// Takes note that the scene is being looked at, or not any more. Whether that is a change.
    pub fn set_inspecting(&self, is: bool) -> bool {
        let mut inspecting = self.is_inspecting.lock().unwrap_or_else(PoisonError::into_inner);
        let is_change = *inspecting != is;
        *inspecting = is;
        drop(inspecting);
        self.item.content_changed();
        is_change
    }

    /// A preview of a frame, to tell renders apart; `None` if there is none yet.
    pub fn cover(&self) -> Option<PathBuf> {
        let is_frame = |path: &PathBuf| {
            path.extension().is_some_and(|extension| extension == "jpg")
                && path.file_stem().is_some_and(|stem| stem != CONTACT_SHEET)
        };
        [self.output_folder(), self.preview_folder()].into_iter().find_map(|output| {
            let previews = fs::read_dir(output.join(PREVIEWS_DIR)).ok()?;
            previews.flatten().map(|entry| entry.path()).find(is_frame)
        })
    }

    /// The newest video in a folder of the output.
    ///
    /// # Errors
    /// The error of the system.
    pub fn video(folder: &Path) -> io::Result<Option<StoredFile>> {
        let is_video = |file: &StoredFile| {
            let extension = file.name.rsplit_once('.').map(|(_, extension)| extension);
            extension.is_some_and(|it| ["mp4", "mov", "webm", "gif", "mkv"].contains(&it))
        };
        let videos = list(folder)?.into_iter().filter(is_video);
        Ok(videos.max_by_key(|file| file.modified))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::watch;

    use super::*;
    use crate::serve::store::shelf::Shelf;

    #[test]
    fn the_scene_file_is_chosen_or_stands_out() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::<Render>::open(folder.path(), Arc::new(watch::Sender::new(()))).unwrap();
        let render = shelf.create("").unwrap();
        assert_eq!(render.item().document().name, "Scene");
        let main = || {
            let project = render.project().unwrap();
            render.main(&project).map(|file| file.name)
        };
        assert_eq!(main(), None);
        let scene = render.scene_folder();
        fs::create_dir(scene.join("lib")).unwrap();
        for name in ["lib/a.blend", "lib/b.blend", "wood.png"] {
            fs::write(scene.join(name), "x").unwrap();
        }
        assert_eq!(main(), None);
        fs::write(scene.join("shot.BLEND"), "x").unwrap();
        assert_eq!(main().unwrap(), "shot.BLEND");
        fs::write(scene.join("other.blend"), "x").unwrap();
        assert_eq!(main(), None);
        let choose = |name: &str| {
            render.item().change(|document| document.choices.main = Some(name.to_owned())).unwrap();
        };
        choose("lib/b.blend");
        assert_eq!(main().unwrap(), "lib/b.blend");
        choose("gone.blend");
        assert_eq!(main(), None);
        assert_eq!(render.project().unwrap().files, 5);
    }
}
