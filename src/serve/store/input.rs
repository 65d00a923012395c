//! The pictures that are on the server already: the folder in `INPUT_DIR`, as the container img2vid has
//! it, and the folders in it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use walkdir::WalkDir;

use super::incoming::{MAX_PICTURES, Partial, check_space};
use super::item::Kind as _;
use super::names::FileName;
use super::video::Video;
use crate::serve::problem::{Problem, ProblemKind};

/// How deep folders are looked for.
const MAX_DEPTH: usize = 4;

/// The most folders that are shown.
const MAX_FOLDERS: usize = 1000;

/// A folder of pictures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Folder {
    /// Its path in the folder of the server; empty for that folder itself.
    pub path: String,
    /// How many pictures are in it.
    pub pictures: usize,
}

/// The folders with pictures, by their paths.
///
/// # Errors
/// The error of the system.
pub fn folders(input: &Path) -> io::Result<Vec<Folder>> {
    let mut folders = Vec::new();
    let is_shown = |entry: &walkdir::DirEntry| {
        entry.depth() == 0 || !entry.file_name().to_string_lossy().starts_with('.')
    };
    // Links are not followed: they could lead out of it.
    let walk = WalkDir::new(input).max_depth(MAX_DEPTH).sort_by_file_name().into_iter();
    for entry in walk.filter_entry(is_shown) {
        let entry = entry?;
        if !entry.file_type().is_dir() {
            continue;
        }
        let path = entry.path().strip_prefix(input).unwrap_or(entry.path());
        let Some(path) = path.to_str() else { continue };
        let pictures = pictures(entry.path())?.len();
        if pictures > 0 {
            folders.push(Folder { path: path.to_owned(), pictures });
        }
        if folders.len() == MAX_FOLDERS {
            break;
        }
    }
    Ok(folders)
}

/// Takes the pictures of a folder into a video.
///
/// # Errors
/// If there is no such folder, or if they do not fit.
pub fn take(input: &Path, path: &str, video: &Video) -> Result<(), Problem> {
    let cannot = |error| Problem::io("take the pictures", &error);
    // Only what is shown can be taken, so that no path leads out.
    let known = folders(input).map_err(cannot)?;
    let folder = known.iter().find(|folder| folder.path == path);
    let folder = folder.ok_or_else(|| Problem::not_found(format!("folder {path}")))?;
    let pictures = pictures(&input.join(&folder.path)).map_err(cannot)?;
    if pictures.len() > MAX_PICTURES {
        let message = format!("a video has at most {MAX_PICTURES} pictures; make several videos");
        return Err(Problem::new(ProblemKind::TooLarge, message));
    }
    let size = |(_, file): &(FileName, PathBuf)| fs::metadata(file).map(|file| file.len());
    let size = pictures.iter().map(size).sum::<io::Result<u64>>().map_err(cannot)?;
    for (name, source) in &pictures {
        let partial = Partial::new(&video.pictures_folder()).map_err(cannot)?;
        // On another file system, they are copied.
        if fs::hard_link(source, partial.path()).is_err() {
            check_space(video.item().folder(), size)?;
            let modified = fs::metadata(source).and_then(|source| source.modified());
            fs::copy(source, partial.path()).map_err(cannot)?;
            let copy = fs::File::options().write(true).open(partial.path()).map_err(cannot)?;
            copy.set_modified(modified.map_err(cannot)?).map_err(cannot)?;
        }
        let is_new = partial.keep(name, None)?;
        video.picture_stored(name, is_new);
    }
    Ok(())
}

/// The pictures of a folder, without links and hidden files.
fn pictures(folder: &Path) -> io::Result<Vec<(FileName, PathBuf)>> {
    let mut pictures = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if let Ok(name) = FileName::of_picture(&name)
            && entry.file_type()?.is_file()
        {
            pictures.push((name, entry.path()));
        }
    }
    Ok(pictures)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_with_pictures_are_shown_and_nothing_outside() {
        let all = tempfile::tempdir().unwrap();
        let input = all.path().join("input");
        for folder in ["day 1/a", ".hidden", "texts", "outside"] {
            fs::create_dir_all(input.join(folder)).unwrap();
        }
        fs::rename(input.join("outside"), all.path().join("outside")).unwrap();
        for file in ["1.png", "2.jpg", "day 1/a/3.png", ".hidden/4.png", "texts/a.txt"] {
            fs::write(input.join(file), "x").unwrap();
        }
        fs::write(all.path().join("outside/5.png"), "x").unwrap();
        std::os::unix::fs::symlink(all.path().join("outside"), input.join("link")).unwrap();
        std::os::unix::fs::symlink(all.path().join("outside/5.png"), input.join("5.png")).unwrap();
        let folder = |path: &str, pictures| Folder { path: path.to_owned(), pictures };
        assert_eq!(folders(&input).unwrap(), [folder("", 2), folder("day 1/a", 1)]);
    }
}
