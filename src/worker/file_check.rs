//! Looks into the files that the pictures need: while Blender renders, and after it has baked.
//!
//! The setup script has found that Blender can open these files. Whether they hold what their names
//! promise is found out here: a file can be the pointer that Git LFS leaves in place of the real one,
//! the error page of a web server, or the first half of an image. Blender renders all of these as
//! missing, or as noise, without a word.
//!
//! No frame is stored before every file was looked at. So the time for it is limited: the beginning
//! of every file is read, and the end of images. An image that ends in an unusual way is decoded, and
//! so are others, as long as they are small. What remains unnoticed is damage in the middle of large
//! files, and to kinds of files that the worker cannot decode.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{StreamExt as _, stream};
use nix::fcntl::OFlag;
use tokio::sync::watch;

use crate::blender::{Cause, FileProblem, MOST_NAMED, NeededFile, UnusableFile};
use crate::image::{self, Damage};
use crate::placeholder::Placeholder;
use crate::request::{ImageFormat, Location, MissingFiles};

/// How many files are looked at, of all that the pictures need. More are only found in simulations
/// and long sequences.
const MOST_FILES: usize = 10_000;

/// How many files are looked at concurrently. Files on a network take their time to open.
const CONCURRENT: usize = 4;

/// The size of images that are decoded although nothing is unusual about them, together. On one core,
/// that takes a few seconds.
const DECODED_BYTES: u64 = 64 * 1024 * 1024;

/// The largest image that is decoded because its end is unusual.
const LARGEST_DECODED: u64 = 256 * 1024 * 1024;

/// How much of the end of an image is searched for the mark of its end. Some programs append data.
const TAIL: u64 = 64 * 1024;

/// The state of a check.
#[derive(Clone, Debug)]
enum State {
    Checking,
    Done(Vec<UnusableFile>),
}

/// How many bytes of images may still be decoded. It is locked while one is decoded.
type Budget = Mutex<u64>;

/// A check under way.
#[derive(Clone, Debug)]
pub struct FileCheck(watch::Receiver<State>);

impl FileCheck {
    /// Starts to look into `needed` files.
    pub fn start(needed: Vec<NeededFile>) -> Self {
        let (sender, state) = watch::channel(State::Checking);
        let budget = Arc::new(Budget::new(DECODED_BYTES));
        let needed = needed.into_iter().map(Arc::new);
        let files = needed.flat_map(|need| {
            (0..need.files.len()).map(move |at| (Arc::clone(&need), at)).collect::<Vec<_>>()
        });
        let looks = stream::iter(files.take(MOST_FILES).collect::<Vec<_>>())
            .map(move |(need, at)| look_into(need, at, Arc::clone(&budget)))
            .buffered(CONCURRENT);
        tokio::spawn(async move {
            let found: Vec<_> = looks.collect().await;
            sender.send_replace(State::Done(found.into_iter().flatten().collect()));
        });
        Self(state)
    }

    /// Waits for the result: the damaged files. Cancel safe.
    pub async fn done(&mut self) -> Vec<UnusableFile> {
        match self.0.wait_for(|state| matches!(state, State::Done(_))).await.as_deref() {
            Ok(State::Done(found)) => found.clone(),
            // The task has panicked: that says nothing about the files.
            Ok(State::Checking) | Err(_) => Vec::new(),
        }
    }

    /// The permission to store frames, if these files are `accepted`.
    pub fn clearance(&self, accepted: MissingFiles) -> Clearance {
        Clearance { check: self.clone(), accepted }
    }
}

/// The permission to store frames, which a check grants in the end, or never.
#[derive(Clone, Debug)]
pub struct Clearance {
    check: FileCheck,
    accepted: MissingFiles,
}

impl Clearance {
    /// Waits until the files are checked; forever if the job does not accept them.
    pub async fn granted(mut self) {
        let damaged = self.check.done().await;
        if !damaged.is_empty() && self.accepted == MissingFiles::Fail {
            std::future::pending::<()>().await;
        }
    }
}

/// Looks into one of the files of `need`.
async fn look_into(need: Arc<NeededFile>, at: usize, budget: Arc<Budget>) -> Option<UnusableFile> {
    let look = move || {
        let path = need.files.get(at)?;
        Some(UnusableFile::damaged(&need, path, damage(Path::new(path), &budget)?))
    };
    // A panic in a decoder is a bug, but says nothing about the file.
    tokio::task::spawn_blocking(look).await.ok().flatten()
}

/// Logs a line for each file that cannot be used: a warning if the job is `accepting` them, which
/// then goes on as `doing` says: `rendering`.
pub fn log(files: &[UnusableFile], accepting: MissingFiles, doing: &str) {
    let log = |line: &dyn std::fmt::Display| match accepting {
        MissingFiles::Warn => tracing::warn!("{doing} without {line}"),
        MissingFiles::Fail => tracing::error!("{line}"),
    };
    for file in files.iter().take(MOST_NAMED) {
        log(file);
    }
    match files.len().saturating_sub(MOST_NAMED) {
        0 => {}
        more => log(&format_args!("{more} more files, which the report names")),
    }
}

/// The cause to refuse a job with, if these files cannot be used and it does not accept that.
pub fn refusal(files: &[UnusableFile], accepting: MissingFiles) -> Option<Cause> {
    let is_refused = !files.is_empty() && accepting == MissingFiles::Fail;
    is_refused.then(|| Cause::UnusableFiles(files.to_vec()))
}

/// Adds what the worker can say about a file that a script has found to be unusable. `project` is the
/// folder that the project of the scene was fetched to, if it has one.
pub fn explain(file: &mut UnusableFile, scene: &Location, project: Option<&Path>) {
    if let Some(project) = project {
        // The scratch folder says nothing to a reader.
        for path in &mut file.file.files {
            if let Ok(below) = Path::new(path).strip_prefix(project) {
                *path = format!("{} of the project", below.display());
            }
        }
        return;
    }
    if matches!(scene, Location::S3 { .. }) && file.file.path.starts_with("//") {
        // The paths lead to the scratch folder, which says nothing to a reader.
        file.file.files.clear();
    }
    let Some(path) = file.file.files.first().map(Path::new) else { return };
    match file.problem {
        FileProblem::Unreadable if File::open(path).is_ok() => {
            // A rule for a link allows nothing: its target counts.
            let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
            let folder = target.parent().filter(|folder| folder.parent().is_some());
            file.allow_read = folder.unwrap_or(&target).to_str().map(str::to_owned);
        }
        FileProblem::NotInLibrary => {
            if let Some(damage) = open(path).ok().and_then(|mut file| placeholder(&mut file)) {
                file.problem = FileProblem::Damaged;
                file.damage = Some(damage);
            }
        }
        FileProblem::Unreadable
        | FileProblem::Missing
        | FileProblem::Empty
        | FileProblem::Damaged => {}
    }
}

/// The damage of a file, as a predicate; `None` if none is found. Images are decoded as long as
/// `budget`, in bytes, suffices.
fn damage(path: &Path, budget: &Budget) -> Option<String> {
    let mut file = open(path).ok()?;
    if let Some(damage) = placeholder(&mut file) {
        return Some(damage);
    }
    let extension = path.extension()?.to_str()?.to_lowercase();
    let format = ImageFormat::from_extension(&extension)?;
    let length = file.metadata().ok()?.len();
    let is_unusual = ends_unusually(&mut file, length).ok()?;
    // One after the other: a decoded image can take as much memory as a frame. A decoder that has
    // panicked leaves the budget as it is.
    let mut left = budget.lock().unwrap_or_else(PoisonError::into_inner);
    match left.checked_sub(length) {
        _ if is_unusual && length <= LARGEST_DECODED => {}
        Some(rest) => *left = rest,
        None => return None,
    }
    let mut content = Vec::new();
    file.rewind().ok()?;
    file.take(length).read_to_end(&mut content).ok()?;
    damage_of_image(format, &content)
}

/// Opens a regular file. The scene names it, so it could be anything.
fn open(path: &Path) -> io::Result<File> {
    let file = File::options().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::ErrorKind::InvalidInput.into()) }
}

/// The damage of a file that is a placeholder.
fn placeholder(file: &mut File) -> Option<String> {
    let mut start = Vec::new();
    file.take(Placeholder::ENOUGH as u64).read_to_end(&mut start).ok()?;
    Placeholder::of(&start).map(UnusableFile::placeholder)
}

/// Whether an image of a format that has a mark at its end ends without it.
fn ends_unusually(file: &mut File, length: u64) -> io::Result<bool> {
    let mut start = Vec::new();
    file.rewind()?;
    (&*file).take(4).read_to_end(&mut start)?;
    let mark: &[u8] = match start.as_slice() {
        [0x89, b'P', b'N', b'G'] => b"IEND",
        [0xFF, 0xD8, 0xFF, _] => &[0xFF, 0xD9],
        b"GIF8" => b";",
        _ => return Ok(false),
    };
    let mut tail = Vec::new();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    (&*file).take(TAIL).read_to_end(&mut tail)?;
    Ok(!tail.windows(mark.len()).any(|window| window == mark))
}

/// The damage of an image. Blender goes by the content of a file, whatever its name is, and decodes
/// more kinds of images than the worker does.
fn damage_of_image(format: ImageFormat, content: &[u8]) -> Option<String> {
    match image::decode(format, content, None).map(drop) {
        Err(Damage::WrongFormat { found: Some(found), .. }) if found != format => {
            damage_of_image(found, content)
        }
        Err(
            damage @ (Damage::Truncated { .. } | Damage::Corrupt { .. } | Damage::Undecodable(_)),
        ) => Some(damage.to_string()),
        Ok(())
        | Err(
            Damage::Empty
            | Damage::WrongFormat { .. }
            | Damage::Placeholder(_)
            | Damage::Animation
            | Damage::Unsupported(_)
            | Damage::NoPixels { .. }
            | Damage::TooLarge { .. }
            | Damage::NoLayer { .. }
            | Damage::Io(_),
        ) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::PathBuf;

    fn write(folder: &Path, name: &str, content: &[u8]) -> PathBuf {
        fs::write(folder.join(name), content).unwrap();
        folder.join(name)
    }

    #[test]
    fn placeholders_and_cut_images_are_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let damage = |name: &str, content: &[u8], budget| {
            damage(&write(folder.path(), name, content), &Budget::new(budget))
        };
        let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00";
        assert!(damage("smoke.vdb", pointer, 0).unwrap().contains("Git LFS"));
        assert!(damage("a.png", b"<!DOCTYPE html><html>", 0).unwrap().contains("web page"));
        let whole = crate::image::preview::jpeg(
            ::image::RgbImage::from_pixel(64, 48, ::image::Rgb([9, 99, 200])).into(),
            [0; 3],
        );
        assert_eq!(damage("a.jpg", &whole, 1 << 20), None);
        // The name is that of another format, as Blender allows.
        assert_eq!(damage("b.png", &whole, 1 << 20), None);
        let half = &whole[..whole.len() / 2];
        // It is decoded because of its end, whatever the budget is.
        assert!(damage("c.jpg", half, 0).unwrap().contains("ends after"));
        assert!(damage("d.png", half, 0).unwrap().contains("ends after"));
        assert_eq!(damage("e.bin", half, 1 << 20), None);
        assert_eq!(damage("f.dds", b"DDS |", 1 << 20), None);
    }

    #[test]
    fn the_budget_limits_what_is_decoded() {
        let folder = tempfile::tempdir().unwrap();
        let budget = Budget::new(200);
        let mut image = b"BM".to_vec();
        image.resize(150, 0);
        let path = write(folder.path(), "a.bmp", &image);
        assert!(damage(&path, &budget).is_some());
        assert_eq!(damage(&path, &budget), None, "only 50 bytes are left");
    }

    #[test]
    fn what_is_no_file_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe.png");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        for path in [&pipe, folder.path(), Path::new("/none.png")] {
            assert_eq!(damage(path, &Budget::new(1 << 20)), None, "{}", path.display());
        }
    }

    #[tokio::test]
    async fn every_damaged_file_is_found_with_what_uses_it() {
        let folder = tempfile::tempdir().unwrap();
        let files = ["1.png", "2.png"].map(|name| {
            write(folder.path(), name, b"version https://git-lfs").to_str().unwrap().to_owned()
        });
        let need = NeededFile {
            kind: "image sequence".to_owned(),
            name: "Fire".to_owned(),
            used_by: "material Fire".to_owned(),
            path: "//1.png".to_owned(),
            files: files.to_vec(),
        };
        let found = FileCheck::start(vec![need]).done().await;
        let paths: Vec<_> = found.iter().flat_map(|it| &it.file.files).collect();
        assert_eq!(paths, files.iter().collect::<Vec<_>>());
        assert!(found.iter().all(|it| it.of == 2 && it.problem == FileProblem::Damaged));
    }
}
