//! The manifest of a project: the files that one shot needs, by path and content.
//!
//! A manifest can be a stranger's. It is validated as a whole before anything is fetched, so that
//! nothing in it leads out of the folder that the project is fetched to.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::content::ContentHash;
use crate::hex::hex;
use crate::printable::printable;
use crate::request::{PathError, ProjectPath};

/// The version of the format. It is raised when a field changes its meaning, but not when one is
/// added.
const SCHEMA: u32 = 1;

/// The largest manifest that is read, in bytes.
pub const MAX_MANIFEST: u64 = 64 * 1024 * 1024;

/// The most files of a project.
pub const MAX_FILES: usize = 100_000;

/// The largest file in bytes: that of S3.
pub const MAX_FILE: u64 = 5 * 1024 * 1024 * 1024 * 1024;

/// The longest origin in bytes.
const MAX_ORIGIN: usize = 4096;

/// The files of one shot. It is valid: see [`Manifest::new`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    main: (ProjectPath, ProjectFile),
    colours: Option<ProjectPath>,
    files: BTreeMap<ProjectPath, ProjectFile>,
}

/// A file of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectFile {
    /// Its size in bytes.
    pub size: u64,
    /// Its content.
    pub content: ContentHash,
    /// Where it was, if that was outside of the project: the absolute path by which the scene may
    /// name it.
    pub origin: Option<String>,
}

/// Why a manifest is refused.
#[derive(Debug, Error)]
pub enum ManifestError {
    /// It is no JSON, or its fields are not those of a manifest.
    #[error("it is no manifest of a project: {0}")]
    Json(#[from] serde_json::Error),
    /// It was written by another version of this program.
    #[error("its schema is {0}, and this version reads {SCHEMA}; use a newer image")]
    Schema(u32),
    /// It has too many files, or is too large.
    #[error("it has more than {MAX_FILES} files")]
    TooMany,
    /// A path is not one in a project.
    #[error(transparent)]
    Path(#[from] PathError),
    /// Two files have the same path, or one that differs only in capital letters.
    #[error("{first} and {second} cannot be in one folder: not every system tells them apart")]
    Clash {
        /// One of the paths.
        first: ProjectPath,
        /// The other one.
        second: ProjectPath,
    },
    /// A file has the path of a folder.
    #[error("{0} is both a file and a folder")]
    FileAndFolder(ProjectPath),
    /// A hash is not one.
    #[error(
        "the sha256 of {path}, {:?}, is not 64 hexadecimal digits in lower case",
        printable(hash)
    )]
    Hash {
        /// The file.
        path: ProjectPath,
        /// The text.
        hash: String,
    },
    /// A size cannot be that of a file.
    #[error("the size of {path}, {size} bytes, is not possible")]
    Size {
        /// The file.
        path: ProjectPath,
        /// The size in bytes.
        size: u64,
    },
    /// An origin is not an absolute path.
    #[error("the origin of {0} is not an absolute path of another file than the others")]
    Origin(ProjectPath),
    /// The configuration of colours is not one of the files.
    #[error("its configuration of colours {0} is not among its files")]
    NoColours(ProjectPath),
    /// The main file is not one of the files.
    #[error("its main file {0} is not among its files")]
    NoMain(ProjectPath),
}

/// A manifest as it is stored: `NAME.project.json`, which `render-worker pack` writes.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct StoredManifest {
    /// The version of the format. It is raised when a field changes its meaning, but not when one is
    /// added.
    #[cfg_attr(test, schemars(extend("const" = 1)))]
    schema: u32,
    /// The path of the .blend file that is rendered.
    main: String,
    /// The path of the configuration of colours (OCIO) with which the scene was made; absent if that is
    /// Blender's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ocio: Option<String>,
    /// Every file that it needs, itself included. No two paths are the same, also if capital letters
    /// count as small ones.
    files: Vec<StoredFile>,
}

/// A file of the project.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct StoredFile {
    /// Its path in the project, with slashes: `tex/wood.png`. No part of it is empty, `.` or `..`.
    path: String,
    /// Its size in bytes.
    size: u64,
    /// The SHA-256 of its content in hexadecimal digits, and its name in `files/` beside the manifest.
    sha256: String,
    /// The absolute path that it had, if that was outside of the project; absent for other files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    origin: Option<String>,
}

impl Manifest {
    /// The manifest of these files, of which `main` is rendered.
    ///
    /// # Errors
    /// If two files are at the same place, also on file systems that do not tell capital letters from
    /// small ones; if a size, an origin or the main file cannot be right; if there are too many.
    pub fn new(
        main: ProjectPath,
        files: BTreeMap<ProjectPath, ProjectFile>,
    ) -> Result<Self, ManifestError> {
        if files.len() > MAX_FILES {
            return Err(ManifestError::TooMany);
        }
        check_paths(files.keys())?;
        let mut sizes = HashMap::new();
        let mut origins = HashSet::new();
        for (path, file) in &files {
            let size = file.size;
            // A content has one size.
            if size > MAX_FILE || *sizes.entry(&file.content).or_insert(size) != size {
                return Err(ManifestError::Size { path: path.clone(), size });
            }
            if let Some(origin) = &file.origin
                && !(is_absolute(origin) && origin.len() <= MAX_ORIGIN && origins.insert(origin))
            {
                return Err(ManifestError::Origin(path.clone()));
            }
        }
        match files.get(&main).cloned() {
            Some(file) => Ok(Self { main: (main, file), colours: None, files }),
            None => Err(ManifestError::NoMain(main)),
        }
    }

    /// The same manifest, with the file that configures colours.
    ///
    /// # Errors
    /// If it is not one of the files.
    pub fn with_colours(self, colours: Option<ProjectPath>) -> Result<Self, ManifestError> {
        match colours {
            Some(colours) if !self.files.contains_key(&colours) => {
                Err(ManifestError::NoColours(colours))
            }
            colours => Ok(Self { colours, ..self }),
        }
    }

    /// Reads a manifest.
    ///
    /// # Errors
    /// If it is not one, or is refused by [`Manifest::new`].
    pub fn parse(json: &[u8]) -> Result<Self, ManifestError> {
        /// All that every version has.
        #[derive(Deserialize)]
        struct Version {
            schema: u32,
        }

        let Version { schema } = serde_json::from_slice(json)?;
        if schema != SCHEMA {
            return Err(ManifestError::Schema(schema));
        }
        let stored: StoredManifest = serde_json::from_slice(json)?;
        if stored.files.len() > MAX_FILES {
            return Err(ManifestError::TooMany);
        }
        let mut files = BTreeMap::new();
        for StoredFile { path, size, sha256, origin } in stored.files {
            let path = ProjectPath::new(&path)?;
            let content = ContentHash::parse(&sha256)
                .ok_or_else(|| ManifestError::Hash { path: path.clone(), hash: sha256 })?;
            let file = ProjectFile { size, content, origin };
            if files.insert(path.clone(), file).is_some() {
                return Err(ManifestError::Clash { first: path.clone(), second: path });
            }
        }
        let colours = stored.ocio.as_deref().map(ProjectPath::new).transpose()?;
        Self::new(ProjectPath::new(&stored.main)?, files)?.with_colours(colours)
    }

    /// The manifest as JSON.
    ///
    /// # Errors
    /// Never in practice: text and numbers always serialise.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        let files = self.files.iter().map(|(path, file)| StoredFile {
            path: path.to_string(),
            size: file.size,
            sha256: file.content.to_string(),
            origin: file.origin.clone(),
        });
        let main = self.main().to_string();
        let mut json = serde_json::to_vec_pretty(&StoredManifest {
            schema: SCHEMA,
            main,
            ocio: self.colours.as_ref().map(ToString::to_string),
            files: files.collect(),
        })?;
        json.push(b'\n');
        Ok(json)
    }

    /// The file that is rendered.
    pub fn main(&self) -> &ProjectPath {
        &self.main.0
    }

    /// The same, with its size and its content.
    pub fn main_file(&self) -> &(ProjectPath, ProjectFile) {
        &self.main
    }

    /// The file that configures colours.
    pub fn colours(&self) -> Option<&ProjectPath> {
        self.colours.as_ref()
    }

    /// The files, in the order of their paths.
    pub fn files(&self) -> &BTreeMap<ProjectPath, ProjectFile> {
        &self.files
    }

    /// Each content once, with its size in bytes, the largest first.
    pub fn contents(&self) -> Vec<(ContentHash, u64)> {
        let contents: BTreeSet<_> =
            self.files.values().map(|file| (file.size, file.content)).collect();
        contents.into_iter().rev().map(|(size, content)| (content, size)).collect()
    }

    /// Where the files are that were outside of the project, by the paths that they had.
    pub fn origins(&self) -> BTreeMap<String, String> {
        let origin = |(path, file): (&ProjectPath, &ProjectFile)| {
            file.origin.clone().map(|origin| (origin, path.to_string()))
        };
        self.files.iter().filter_map(origin).collect()
    }

    /// What identifies the pictures' sources: every path with its content, whoever has packed them.
    pub fn identity(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(format!("{:?}\n", self.main().as_str()));
        if let Some(colours) = &self.colours {
            hash.update(format!("colours {:?}\n", colours.as_str()));
        }
        for (path, file) in &self.files {
            let origin = file.origin.as_deref().unwrap_or_default();
            hash.update(format!("{:?} {} {origin:?}\n", path.as_str(), file.content));
        }
        format!("project {}", hex(&hash.finalize()))
    }
}

/// Checks that files can lie in one folder.
///
/// # Errors
/// If two of them differ only in capital letters, or one has the path of a folder.
pub(super) fn check_paths<'a>(
    paths: impl Iterator<Item = &'a ProjectPath> + Clone,
) -> Result<(), ManifestError> {
    let mut folded = HashMap::new();
    for path in paths.clone() {
        if let Some(other) = folded.insert(path.folded(), path) {
            let (first, second) = (other.clone(), path.clone());
            return Err(ManifestError::Clash { first, second });
        }
    }
    for path in paths {
        if let Some(file) = path.folders().find_map(|it| folded.get(&it.to_lowercase())) {
            return Err(ManifestError::FileAndFolder((*file).clone()));
        }
    }
    Ok(())
}

/// Whether a path is absolute on the system that it comes from.
fn is_absolute(path: &str) -> bool {
    let is_drive =
        matches!(path.as_bytes(), [letter, b':', b'/' | b'\\', ..] if letter.is_ascii_alphabetic());
    (path.starts_with(['/', '\\']) || is_drive) && !path.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn hash(digit: char) -> String {
        digit.to_string().repeat(64)
    }

    fn file(path: &str, digit: char) -> Value {
        json!({"path": path, "size": 7, "sha256": hash(digit)})
    }

    #[expect(clippy::needless_pass_by_value, reason = "most tests make the list for it")]
    fn manifest(files: Vec<Value>) -> Value {
        json!({"schema": 1, "main": "shot.blend", "files": files})
    }

    fn parse(manifest: &Value) -> Result<Manifest, ManifestError> {
        Manifest::parse(manifest.to_string().as_bytes())
    }

    #[test]
    fn a_manifest_is_written_as_it_is_read() {
        let mut outside = file("_outside/mnt/oak.png", 'b');
        outside["origin"] = "/mnt/oak.png".into();
        let read = parse(&manifest(vec![file("shot.blend", 'a'), outside])).unwrap();
        assert_eq!(Manifest::parse(&read.to_json().unwrap()).unwrap(), read);
        assert_eq!(read.main().as_str(), "shot.blend");
        let origins: Vec<_> = read.files().values().map(|file| file.origin.as_deref()).collect();
        assert_eq!(origins, [Some("/mnt/oak.png"), None]);
        assert_eq!(read.colours(), None);
        let mut coloured = manifest(vec![file("shot.blend", 'a'), file("c/a.ocio", 'c')]);
        coloured["ocio"] = "c/a.ocio".into();
        let coloured = parse(&coloured).unwrap();
        assert_eq!(coloured.colours().map(ProjectPath::as_str), Some("c/a.ocio"));
        assert_eq!(Manifest::parse(&coloured.to_json().unwrap()).unwrap(), coloured);
        // Later versions may add fields.
        let mut later = manifest(vec![file("shot.blend", 'a')]);
        later["later"] = true.into();
        assert!(parse(&later).is_ok());
    }

    #[test]
    fn hostile_manifests_are_refused() {
        let shot = || file("shot.blend", 'a');
        let with = |other: Value| manifest(vec![shot(), other]);
        let changed = |change: &dyn Fn(&mut Value)| {
            let mut other = file("a.png", 'b');
            change(&mut other);
            with(other)
        };
        let table: Vec<(&str, Value)> = vec![
            ("absolute", with(file("/etc/passwd", 'b'))),
            ("absolute", with(file("C:/a.png", 'b'))),
            ("`..`", with(file("../a.png", 'b'))),
            ("`..`", with(file("tex/../../a.png", 'b'))),
            ("backslash", with(file("..\\a.png", 'b'))),
            ("control character", with(file("a\u{0}.png", 'b'))),
            ("too long", with(file(&"x".repeat(300), 'b'))),
            ("is empty", with(file("", 'b'))),
            ("cannot be in one folder", manifest(vec![shot(), shot()])),
            ("cannot be in one folder", with(file("Shot.BLEND", 'b'))),
            ("both a file and a folder", with(file("shot.blend/a.png", 'b'))),
            ("both a file and a folder", with(file("SHOT.blend/x/a.png", 'b'))),
            ("64 hexadecimal digits", changed(&|it| it["sha256"] = "00".into())),
            ("64 hexadecimal digits", changed(&|it| it["sha256"] = hash('A').into())),
            ("64 hexadecimal digits", changed(&|it| it["sha256"] = hash('/').into())),
            ("no manifest", changed(&|it| it["size"] = (-1).into())),
            ("no manifest", changed(&|it| it["size"] = 1.5.into())),
            ("no manifest", changed(&|it| it["size"] = Value::Null)),
            ("not possible", changed(&|it| it["size"] = u64::MAX.into())),
            // One content with two sizes.
            (
                "not possible",
                changed(&|it| {
                    it["sha256"] = hash('a').into();
                    it["size"] = 8.into();
                }),
            ),
            ("origin", changed(&|it| it["origin"] = "a.png".into())),
            ("origin", changed(&|it| it["origin"] = "/a\nb".into())),
            ("origin", changed(&|it| it["origin"] = format!("/{}", "x".repeat(5000)).into())),
            ("origin", {
                let outside = |path, digit| {
                    let mut file = file(path, digit);
                    file["origin"] = "/mnt/a.png".into();
                    file
                };
                manifest(vec![shot(), outside("a.png", 'b'), outside("b.png", 'c')])
            }),
            ("not among its files", manifest(vec![file("a.png", 'b')])),
            ("not among its files", manifest(vec![])),
            (
                "colours a.ocio is not among",
                json!({"schema": 1, "main": "shot.blend", "ocio": "a.ocio", "files": [shot()]}),
            ),
            ("`..`", json!({"schema": 1, "main": "shot.blend", "ocio": "../a", "files": [shot()]})),
            ("`..`", json!({"schema": 1, "main": "../shot.blend", "files": [shot()]})),
            ("schema is 2", json!({"schema": 2, "pages": []})),
            ("no manifest", json!({"main": "shot.blend", "files": [shot()]})),
            ("no manifest", json!([])),
            ("no manifest", json!({"schema": 1, "main": "a", "files": {}})),
            ("more than", manifest((0..=MAX_FILES).map(|n| file(&n.to_string(), 'a')).collect())),
        ];
        for (what, manifest) in table {
            let error = parse(&manifest).expect_err(what).to_string();
            assert!(error.contains(what), "{what}: {error}");
        }
        assert!(Manifest::parse(b"").is_err());
        assert!(Manifest::parse(&vec![b'['; 100_000]).is_err(), "nesting is bounded");
    }

    #[test]
    fn contents_are_named_once_and_the_largest_first() {
        let mut large = file("large.png", 'c');
        large["size"] = 9.into();
        let read = parse(&manifest(vec![
            file("shot.blend", 'a'),
            file("1.png", 'b'),
            file("2.png", 'b'),
            large,
        ]));
        let contents = read.unwrap().contents();
        let sizes: Vec<_> = contents.iter().map(|(_, size)| *size).collect();
        assert_eq!(sizes, [9, 7, 7]);
        assert_eq!(contents[0].0.to_string(), hash('c'));
    }

    #[test]
    fn the_identity_is_that_of_paths_and_contents() {
        let identity = |files: Vec<Value>| parse(&manifest(files)).unwrap().identity();
        let one = identity(vec![file("shot.blend", 'a'), file("1.png", 'b')]);
        assert_eq!(one, identity(vec![file("1.png", 'b'), file("shot.blend", 'a')]));
        for other in [
            vec![file("shot.blend", 'a')],
            vec![file("shot.blend", 'a'), file("1.png", 'c')],
            vec![file("shot.blend", 'a'), file("2.png", 'b')],
        ] {
            assert_ne!(one, identity(other));
        }
    }
}
