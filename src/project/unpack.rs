//! Projects in archives: zip and tar.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::content::ContentHash;
use super::error::ProjectError;
use super::manifest::{MAX_FILES, Manifest, ManifestError, ProjectFile, check_paths};
use crate::archive::{Archive, ArchiveError, ArchiveFormat};
use crate::request::{Location, ProjectPath};
use crate::space::Space;
use crate::storage::{START_LENGTH, Storage};

/// The name of a downloaded archive in scratch.
const DOWNLOADED: &str = "archive";

/// Unpacks the archive at a location to `folder`, which does not exist yet. `main` is the file that is
/// rendered; it need not be named if there is only one scene. Hidden files are left out.
///
/// # Errors
/// If the archive cannot be read or is refused, and if it is not clear what is rendered. Then nothing is
/// unpacked.
pub(super) async fn unpack(
    storage: &Storage,
    location: &Location,
    format: ArchiveFormat,
    main: Option<&ProjectPath>,
    folder: &Path,
) -> Result<Manifest, ProjectError> {
    let downloaded = folder.with_file_name(DOWNLOADED);
    let opened = storage.open_scene(location, START_LENGTH).await?;
    let archive = storage.localise(&opened, &downloaded).await?;
    drop(opened);
    let unpacking =
        Unpacking { location: location.clone(), main: main.cloned(), folder: folder.to_owned() };
    let manifest = tokio::task::spawn_blocking(move || {
        let manifest = unpacking.run(&archive, format);
        // A copy takes space that the project may need. An archive on this machine stays.
        _ = fs::remove_file(&downloaded);
        manifest
    });
    manifest.await.unwrap_or_else(|error| {
        let source = io::Error::other(error);
        Err(ProjectError::Write { path: folder.to_owned(), source })
    })
}

/// An archive that is unpacked.
struct Unpacking {
    location: Location,
    main: Option<ProjectPath>,
    folder: PathBuf,
}

impl Unpacking {
    fn run(&self, archive: &Path, format: ArchiveFormat) -> Result<Manifest, ProjectError> {
        let file = File::open(archive).map_err(|error| self.refused(ArchiveError::Io(error)))?;
        let archive = Archive::new(file, format).map_err(|error| self.refused(error))?;
        let listed = archive.list(MAX_FILES).map_err(|error| self.refused(error))?;
        let mut sizes = BTreeMap::new();
        for file in listed {
            if let Some(path) = self.place(&file.path)?
                && sizes.insert(path.clone(), file.size).is_some()
            {
                let (first, second) = (path.clone(), path);
                return Err(self.wrong(ManifestError::Clash { first, second }));
            }
        }
        check_paths(sizes.keys()).map_err(|error| self.wrong(error))?;
        let main = main_of(&self.location, sizes.keys(), self.main.as_ref())?;
        self.make_folders(sizes.keys())?;
        let needed = sizes.values().sum();
        if let Ok(space) = Space::on(&self.folder)
            && !space.holds(needed)
        {
            return Err(ProjectError::NoSpace { needed, space });
        }
        let mut files = BTreeMap::new();
        let unpacked = archive.unpack(|file, content| {
            let Ok(Some(path)) = self.place(&file.path) else { return Ok(()) };
            let (content, size) = write(&path.below(&self.folder), content)?;
            if size != file.size {
                return Err(ArchiveError::refuse(format_args!("{path} is damaged")));
            }
            files.insert(path, ProjectFile { size, content, origin: None });
            Ok(())
        });
        unpacked.map_err(|error| self.refused(error))?;
        Manifest::new(main, files).map_err(|error| self.wrong(error))
    }

    /// Where a file of the archive belongs; `None` if it is left out.
    fn place(&self, path: &str) -> Result<Option<ProjectPath>, ProjectError> {
        let path = ProjectPath::new(path.trim_start_matches("./"));
        let path = path.map_err(|error| self.wrong(error.into()))?;
        let is_hidden = path.as_str().split('/').any(|name| name.starts_with('.'));
        Ok(Some(path).filter(|path| !is_hidden && !path.as_str().starts_with("__MACOSX/")))
    }

    fn make_folders<'a>(
        &self,
        files: impl Iterator<Item = &'a ProjectPath>,
    ) -> Result<(), ProjectError> {
        let folders = files.filter_map(|path| path.folders().next()).map(|it| self.folder.join(it));
        for path in [self.folder.clone()].into_iter().chain(folders) {
            fs::create_dir_all(&path).map_err(|source| ProjectError::Write { path, source })?;
        }
        Ok(())
    }

    fn refused(&self, source: ArchiveError) -> ProjectError {
        match source {
            ArchiveError::Write(source) => {
                ProjectError::Write { path: self.folder.clone(), source }
            }
            source => ProjectError::Archive { location: self.location.clone(), source },
        }
    }

    fn wrong(&self, source: ManifestError) -> ProjectError {
        ProjectError::Manifest { location: self.location.clone(), source }
    }
}

/// The scene that is rendered: the one that is named, or the only one.
pub(super) fn main_of<'a>(
    location: &Location,
    files: impl Iterator<Item = &'a ProjectPath>,
    named: Option<&ProjectPath>,
) -> Result<ProjectPath, ProjectError> {
    let is_scene = |path: &&ProjectPath| {
        let end = Path::new(path.as_str()).extension();
        end.is_some_and(|end| end.eq_ignore_ascii_case("blend"))
    };
    let (mut scenes, mut is_there) = (Vec::new(), false);
    for path in files {
        is_there |= named == Some(path);
        scenes.extend(Some(path).filter(is_scene).cloned());
    }
    match (named, scenes.as_slice()) {
        (Some(named), _) if is_there => Ok(named.clone()),
        (None, [scene]) => Ok(scene.clone()),
        (named, _) => {
            let (location, named) = (location.clone(), named.cloned());
            Err(ProjectError::NoMain { location, named, scenes })
        }
    }
}

/// Writes a file, and returns its content and its size in bytes.
fn write(path: &Path, content: &mut dyn Read) -> Result<(ContentHash, u64), ArchiveError> {
    let file = File::create_new(path).map_err(ArchiveError::Write)?;
    let mut copy = Copied { file, from: content, failed: None };
    let read = ContentHash::of_reader(&mut copy);
    match copy.failed {
        Some(error) => Err(ArchiveError::Write(error)),
        None => Ok(read?),
    }
}

/// Writes everything that is read to a file.
struct Copied<'a> {
    file: File,
    from: &'a mut dyn Read,
    failed: Option<io::Error>,
}

impl Read for Copied<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer)?;
        if let Err(error) = self.file.write_all(buffer.get(..read).unwrap_or_default()) {
            self.failed = Some(error);
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Unpacks the archive that a shell command makes.
    fn unpacked(
        command: &str,
        name: &str,
        main: Option<&str>,
    ) -> (tempfile::TempDir, Result<Manifest, ProjectError>) {
        let temp = tempfile::tempdir().unwrap();
        let script = format!("mkdir made && cd made && {{ {command}; }} >../{name}");
        let status = Command::new("sh").args(["-ec", &script]).current_dir(&temp).status().unwrap();
        assert!(status.success(), "{command}");
        let unpacking = Unpacking {
            location: Location::Local(temp.path().join(name)),
            main: main.map(|main| ProjectPath::new(main).unwrap()),
            folder: temp.path().join("project"),
        };
        let format = ArchiveFormat::of_name(name).unwrap();
        let manifest = unpacking.run(&temp.path().join(name), format);
        (temp, manifest)
    }

    const FILES: &str = "mkdir tex .git && echo 1 >a.blend && echo 2 >tex/a.png && echo 3 >.git/x";

    #[test]
    fn the_files_of_an_archive_become_a_project() {
        let (temp, manifest) = unpacked(&format!("{FILES} && tar -c ."), "a.tar", None);
        let manifest = manifest.unwrap();
        let files: Vec<_> = manifest.files().keys().map(ProjectPath::as_str).collect();
        assert_eq!((files, manifest.main().as_str()), (vec!["a.blend", "tex/a.png"], "a.blend"));
        for (path, file) in manifest.files() {
            let content = fs::read(path.below(&temp.path().join("project"))).unwrap();
            assert_eq!(ContentHash::of(&content), file.content);
        }
        assert!(!temp.path().join("project/.git").exists());
        // The same files in another archive are the same project.
        let again = unpacked(&format!("{FILES} && tar -cz a.blend tex"), "a.tgz", None).1.unwrap();
        assert_eq!(again.identity(), manifest.identity());
    }

    #[test]
    fn a_project_of_several_scenes_needs_the_name_of_one() {
        let two = format!("{FILES} && echo 4 >b.blend && tar -c *");
        let named = unpacked(&two, "a.tar", Some("b.blend")).1.unwrap();
        assert_eq!(named.main().as_str(), "b.blend");
        for (command, main, what) in [
            (two.as_str(), None, "a.blend, b.blend"),
            (two.as_str(), Some("c.blend"), "c.blend"),
            ("echo 1 >a.png && tar -c *", None, "no .blend"),
        ] {
            let (temp, error) = unpacked(command, "a.tar", main);
            let error = error.expect_err(what).to_string();
            assert!(error.contains(what), "{error}");
            assert!(!temp.path().join("project").exists());
        }
    }

    #[test]
    fn nothing_of_a_hostile_archive_is_unpacked() {
        let python = |body: &str| {
            format!(
                "python3 -c \"import zipfile; z = zipfile.ZipFile('x', 'w'); \
                 z.writestr('a.blend', 'a'); {body}; z.close()\" && cat x"
            )
        };
        for (what, command, name) in [
            (
                "`..`",
                "mkdir d && echo >d/a.blend && cd d && tar -cP ../d/a.blend".to_owned(),
                "a.tar",
            ),
            ("absolute", "echo >a.blend && tar -cP $PWD/a.blend".to_owned(), "a.tar"),
            ("link", format!("{FILES} && ln -s / tex/l && tar -c *"), "a.tar"),
            ("`..`", python("z.writestr('../b', 'b')"), "a.zip"),
            ("`..`", python("z.writestr('..\\\\\\\\b', 'b')"), "a.zip"),
            ("absolute", python("z.writestr('/b', 'b')"), "a.zip"),
            ("absolute", python("z.writestr('C:/b', 'b')"), "a.zip"),
            ("one folder", python("z.writestr('A.blend', 'b')"), "a.zip"),
            ("both a file and a folder", python("z.writestr('a.blend/b', 'b')"), "a.zip"),
            (
                "one folder",
                format!("{FILES} && tar -c a.blend a.blend --hard-dereference"),
                "a.tar",
            ),
        ] {
            let (temp, error) = unpacked(&command, name, None);
            let error = error.expect_err(what);
            let text = crate::error_chain::chain(&error);
            assert!(text.contains(what), "{what}: {text}");
            assert!(!temp.path().join("project").exists(), "{what}");
        }
    }

    #[test]
    fn a_content_that_is_not_what_the_list_says_is_an_error() {
        let flipped = "python3 -c \"import zipfile; z = zipfile.ZipFile('z', 'w'); \
                       z.writestr('a.blend', 'hello'); z.close()\" && sed 's/hello/jello/' z";
        let error = unpacked(flipped, "a.zip", None).1.unwrap_err();
        let text = crate::error_chain::chain(&error);
        assert!(text.contains("damaged"), "{text}");
    }
}
