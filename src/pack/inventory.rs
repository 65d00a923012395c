//! Which files are packed: those that Blender lists, or every file of a folder.
//!
//! A scene can be a stranger's, and can name any file of this machine. So files are packed only from the
//! folder of the project, without hidden ones, and from what `--allow-read` names: what the scene could
//! show in a picture.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use crate::blender::{
    ExternalFile, FileProblem, MOST_NAMED, NeededFile, SceneDescription, UnusableFile,
};
use crate::error::Error;
use crate::printable::printable;
use crate::project::{Ignored, MAX_FILES, ManifestError, ProjectError};
use crate::request::{Location, PackJob, PathError, ProjectPath};

/// The folder in a project for files from outside of it.
const OUTSIDE: &str = "_outside";

/// The folder of a project on this machine, and the scene in it.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    scene: PathBuf,
    main: ProjectPath,
    /// The same folder without links.
    canonical: PathBuf,
    /// What else may be packed, without links.
    readable: Vec<PathBuf>,
}

impl Folder {
    /// The folder of the scene of `job`. `readable` is what may be packed from elsewhere.
    ///
    /// # Errors
    /// If the scene is not in it, or its name cannot be that of a file in a project.
    pub fn of(job: &PackJob, readable: &[PathBuf]) -> Result<Self, Error> {
        let scene = normal(&job.scene);
        let parent = || scene.parent().map(Path::to_owned).unwrap_or_default();
        let path = job.project_dir.as_deref().map_or_else(parent, normal);
        let missing = |path: &Path, source| Error::PackedFile { path: path.to_owned(), source };
        let canonical = path.canonicalize().map_err(|source| missing(&path, source))?;
        let readable = readable.iter().filter_map(|path| path.canonicalize().ok()).collect();
        let Some(below) = below(&scene, &path, &canonical) else {
            return Err(Error::NotInProject { scene, folder: path });
        };
        let main = ProjectPath::of_file(&below).map_err(|error| refused(&job.output, error))?;
        let scene = path.join(below);
        Ok(Self { path, scene, main, canonical, readable })
    }

    /// The folder, absolute.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The scene file, absolute.
    pub fn scene(&self) -> &Path {
        &self.scene
    }

    /// Where a file on this machine belongs in the project; `None` if it must not be packed, or is no
    /// file.
    fn place(&self, file: &Path) -> Result<Option<Packed>, PathError> {
        let file = normal(file);
        let Ok(canonical) = file.canonicalize() else { return Ok(None) };
        if !canonical.is_file() || !self.allows(&canonical) {
            return Ok(None);
        }
        if let Some(below) = below(&file, &self.path, &self.canonical) {
            return Ok(Some(Packed { path: ProjectPath::of_file(&below)?, file, origin: None }));
        }
        let path = ProjectPath::of_file(
            &Path::new(OUTSIDE).join(file.strip_prefix("/").unwrap_or(&file)),
        )?;
        let origin = Some(file.to_string_lossy().into_owned());
        Ok(Some(Packed { path, file, origin }))
    }

    /// Whether a file, without links, may be packed.
    fn allows(&self, canonical: &Path) -> bool {
        let is_inside =
            canonical.strip_prefix(&self.canonical).is_ok_and(|below| !is_hidden(below));
        is_inside
            || canonical == self.scene
            || self.readable.iter().any(|path| canonical.starts_with(path))
    }

    /// Those of the `needed` files that are there, and must not be packed.
    pub fn out_of_reach(&self, needed: &[NeededFile]) -> Vec<UnusableFile> {
        let unusable = |need: &NeededFile| {
            let is_denied = |file: &&String| {
                let canonical = Path::new(file.as_str()).canonicalize();
                canonical.is_ok_and(|file| !self.allows(&file))
            };
            let files: Vec<_> = need.files.iter().filter(is_denied).cloned().collect();
            let folder = Path::new(files.first()?).canonicalize().ok()?;
            Some(UnusableFile {
                file: NeededFile { files, ..need.clone() },
                of: need.files.len(),
                problem: FileProblem::Unreadable,
                damage: None,
                allow_read: folder.parent()?.to_str().map(str::to_owned),
            })
        };
        needed.iter().filter_map(unusable).collect()
    }
}

/// A file of this machine, and its place in the project.
#[derive(Debug)]
struct Packed {
    path: ProjectPath,
    file: PathBuf,
    /// Its path on this machine, if that is outside of the project.
    origin: Option<String>,
}

/// The files that are packed.
#[derive(Debug)]
pub struct Inventory {
    /// The scene file.
    pub main: ProjectPath,
    /// Every file by its place in the project: its path on this machine, and the same as its origin if
    /// it is outside of the project.
    pub files: BTreeMap<ProjectPath, (PathBuf, Option<String>)>,
    /// The file that configures colours, if that is not Blender's own.
    pub colours: Option<ProjectPath>,
    /// The files that are left out because of a pattern.
    pub left_out: BTreeSet<ProjectPath>,
    /// Whether they are known to be needed: not if there is no Blender.
    is_of_scene: bool,
}

impl Inventory {
    /// Every file of the folder that is not hidden.
    ///
    /// # Errors
    /// If there are too many, or a name cannot be that of a file in a project.
    pub fn of_everything(folder: &Folder, patterns: Ignored) -> Result<Self, Error> {
        let mut collecting = Collecting::new(folder, patterns, false);
        collecting.add_tree(&folder.path)?;
        Ok(collecting.inventory)
    }

    /// The files of a scene that Blender has described. Its `environment` has files that the scene does
    /// not name.
    ///
    /// # Errors
    /// If there are too many, or a name cannot be that of a file in a project.
    pub fn of_scene(
        folder: &Folder,
        patterns: Ignored,
        description: &SceneDescription,
        environment: &[(String, String)],
    ) -> Result<Self, Error> {
        let mut collecting = Collecting::new(folder, patterns, true);
        let beside = folder.scene.parent().unwrap_or(&folder.path);
        let absolute = |name: &str| match name.strip_prefix("//") {
            Some(rest) => beside.join(rest),
            None => PathBuf::from(name),
        };
        let Some(external) = &description.external else {
            let text = "the name of a file that the scene needs".to_owned();
            let error = PathError::not_utf8(text);
            return Err(refused(&Location::Local(folder.scene.clone()), error));
        };
        let needed = description.needed.iter().flat_map(|need| &need.files).map(PathBuf::from);
        let mut named: BTreeSet<PathBuf> = needed.collect();
        for file in external {
            match file {
                ExternalFile::File(name) => {
                    named.insert(absolute(name));
                }
                ExternalFile::Tree(name) => collecting.add_tree(&absolute(name))?,
                ExternalFile::Folder(_) => {}
            }
        }
        for file in external {
            if let ExternalFile::Folder(name) = file {
                collecting.add_numbered(&absolute(name), &named)?;
            }
        }
        for path in &named {
            if path.is_dir() {
                // A folder that stands for files in it, which are in a tree.
                continue;
            }
            collecting.add(path)?;
        }
        collecting.add_colours(environment)?;
        Ok(collecting.inventory)
    }

    /// Warns of files that the pictures need and that are left out.
    pub fn log_left_out(&self) {
        if !self.is_of_scene || self.left_out.is_empty() {
            return;
        }
        let names = self.left_out.iter().take(MOST_NAMED).map(|path| printable(path.as_str()));
        let names = names.collect::<Vec<_>>().join(", ");
        let more = match self.left_out.len().saturating_sub(MOST_NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        tracing::warn!(
            "--exclude (EXCLUDE) or .renderignore leaves out what the scene names: {names}{more}"
        );
    }
}

/// An inventory that is being taken.
struct Collecting<'a> {
    folder: &'a Folder,
    patterns: Ignored,
    inventory: Inventory,
}

impl<'a> Collecting<'a> {
    fn new(folder: &'a Folder, patterns: Ignored, is_of_scene: bool) -> Self {
        let main = folder.main.clone();
        let files = [(main.clone(), (folder.scene.clone(), None))].into();
        let inventory =
            Inventory { main, files, colours: None, left_out: BTreeSet::new(), is_of_scene };
        Self { folder, patterns, inventory }
    }

    /// Adds a file, if it may be packed.
    fn add(&mut self, file: &Path) -> Result<(), Error> {
        let refuse = |source| {
            let location = Location::Local(file.to_owned());
            Error::Project(ProjectError::Manifest { location, source })
        };
        let placed = self.folder.place(file).map_err(|error| refuse(error.into()))?;
        let Some(Packed { path, file, origin }) = placed else { return Ok(()) };
        if path != self.inventory.main && self.patterns.has(&path) {
            self.inventory.left_out.insert(path);
            return Ok(());
        }
        if self.inventory.files.len() >= MAX_FILES {
            return Err(refuse(ManifestError::TooMany));
        }
        self.inventory.files.insert(path, (file, origin));
        Ok(())
    }

    /// Adds the files in and below a folder, except hidden ones.
    fn add_tree(&mut self, folder: &Path) -> Result<(), Error> {
        let is_shown = |entry: &DirEntry| {
            entry.depth() == 0 || !entry.file_name().to_string_lossy().starts_with('.')
        };
        let entries = WalkDir::new(folder).follow_links(true).into_iter().filter_entry(is_shown);
        for entry in entries.flatten().filter(|entry| entry.file_type().is_file()) {
            self.add(entry.path())?;
        }
        Ok(())
    }

    /// Adds the configuration of colours that a variable names, with the tables beside it.
    fn add_colours(&mut self, environment: &[(String, String)]) -> Result<(), Error> {
        let ocio = environment.iter().find(|(name, _)| name == "OCIO");
        // OCIO itself has others, such as ocio://default.
        let Some(file) = ocio.map(|(_, path)| Path::new(path)).filter(|path| path.is_file()) else {
            return Ok(());
        };
        // An .ocioz is an archive with its tables.
        match file.parent() {
            Some(folder) if file.extension().is_none_or(|end| end != "ocioz") => {
                self.add_tree(folder)?;
            }
            _ => self.add(file)?,
        }
        let placed = self.folder.place(file).ok().flatten().map(|placed| placed.path);
        self.inventory.colours = placed.filter(|path| self.inventory.files.contains_key(path));
        Ok(())
    }

    /// Adds those files in a folder whose names differ only in numbers from one of those that are
    /// `named`: the other files of a sequence, and the tiles of an image.
    fn add_numbered(&mut self, folder: &Path, named: &BTreeSet<PathBuf>) -> Result<(), Error> {
        let folder = normal(folder);
        let forms: BTreeSet<_> = named
            .iter()
            .filter(|path| path.parent() == Some(&folder))
            .filter_map(|path| path.file_name()?.to_str())
            .map(form)
            .collect();
        let Ok(entries) = folder.read_dir() else { return Ok(()) };
        for entry in entries.flatten() {
            if entry.file_name().to_str().is_some_and(|name| forms.contains(&form(name))) {
                self.add(&entry.path())?;
            }
        }
        Ok(())
    }
}

/// The name of a file with `#` in place of each number, and of what stands for one.
fn form(name: &str) -> String {
    let name = name.replace("<UDIM>", "0").replace("<UVTILE>", "u0_v0");
    let mut form = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '0'..='9' if form.ends_with('#') => {}
            '0'..='9' => form.push('#'),
            c => form.push(c),
        }
    }
    form
}

/// A path without `.` and `..`, absolute.
fn normal(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => _ = normal.pop(),
            part => normal.push(part),
        }
    }
    normal
}

/// The path of a file below a folder, also if one of both is given through a link.
fn below(file: &Path, folder: &Path, canonical: &Path) -> Option<PathBuf> {
    if let Ok(below) = file.strip_prefix(folder) {
        return Some(below.to_owned());
    }
    let parent = file.parent()?.canonicalize().ok()?;
    Some(parent.strip_prefix(canonical).ok()?.join(file.file_name()?))
}

fn is_hidden(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str().to_string_lossy().starts_with('.'))
}

/// The error about a path that cannot be in a project.
fn refused(location: &Location, error: PathError) -> Error {
    Error::Project(ProjectError::Manifest { location: location.clone(), source: error.into() })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn the_files_of_a_sequence_have_one_form() {
        for (one, other) in [
            ("a_0001.png", "a_12.png"),
            ("w.<UDIM>.png", "w.1001.png"),
            ("w.<UVTILE>.x", "w.u1_v2.x"),
        ] {
            assert_eq!(form(one), form(other));
        }
        assert_ne!(form("a_1.png"), form("b_1.png"));
        assert_ne!(form("a.png"), form("a1.png"));
    }

    /// A project with files inside and outside of it, hidden ones, and links out.
    fn folder() -> (tempfile::TempDir, Folder) {
        let temp = tempfile::tempdir().unwrap();
        let at = temp.path().canonicalize().unwrap();
        for file in [
            "film/shots/a.blend",
            "film/tex/1.png",
            "film/.key",
            "film/.git/config",
            "lib/oak.png",
            "secret/key",
        ] {
            let file = at.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "x").unwrap();
        }
        symlink(at.join("secret"), at.join("film/out")).unwrap();
        symlink(at.join("lib"), at.join("film/lib")).unwrap();
        symlink(at.join("film/tex"), at.join("film/again")).unwrap();
        symlink(at.join("film"), at.join("link")).unwrap();
        let folder = Folder {
            path: at.join("film"),
            scene: at.join("film/shots/a.blend"),
            main: ProjectPath::new("shots/a.blend").unwrap(),
            canonical: at.join("film"),
            readable: vec![at.join("lib")],
        };
        (temp, folder)
    }

    #[test]
    fn files_are_packed_only_from_where_the_scene_may_read() {
        let (temp, folder) = folder();
        let at = temp.path().canonicalize().unwrap();
        let outside = format!("_outside{}/lib/oak.png", at.display());
        for (file, place) in [
            ("film/tex/1.png", Some("tex/1.png")),
            ("film/shots/../tex/1.png", Some("tex/1.png")),
            ("film/again/1.png", Some("again/1.png")),
            ("link/tex/1.png", Some("tex/1.png")),
            ("lib/oak.png", Some(outside.as_str())),
            ("film/lib/oak.png", Some("lib/oak.png")),
            ("film/.key", None),
            ("film/.git/config", None),
            ("film/out/key", None),
            ("secret/key", None),
            ("film/tex", None),
            ("film/none", None),
        ] {
            let placed = folder.place(&at.join(file)).unwrap();
            assert_eq!(placed.as_ref().map(|it| it.path.as_str()), place, "{file}");
        }
        let outside = folder.place(&at.join("lib/oak.png")).unwrap().unwrap();
        assert_eq!(outside.origin.as_deref(), at.join("lib/oak.png").to_str());
    }

    #[test]
    fn needed_files_that_may_not_be_packed_are_named_with_what_allows_them() {
        let (temp, folder) = folder();
        let at = temp.path().canonicalize().unwrap();
        let need = |file: &str| NeededFile {
            kind: "image".to_owned(),
            name: "a".to_owned(),
            used_by: "material a".to_owned(),
            path: file.to_owned(),
            files: vec![at.join(file).to_str().unwrap().to_owned()],
        };
        let found = folder.out_of_reach(&[need("secret/key"), need("lib/oak.png"), need("none")]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].allow_read.as_deref(), at.join("secret").to_str());
    }

    #[test]
    fn a_folder_is_packed_without_hidden_files() {
        let (_temp, folder) = folder();
        let mut patterns = Ignored::default();
        patterns.add("again/");
        let inventory = Inventory::of_everything(&folder, patterns).unwrap();
        let files: Vec<_> = inventory.files.keys().map(ProjectPath::as_str).collect();
        assert_eq!(files, ["lib/oak.png", "shots/a.blend", "tex/1.png"]);
        assert_eq!(inventory.left_out.len(), 1);
    }
}
