//! Previews, the version before, and full pictures that browsers can show.
//!
//! A preview that the page has shown is kept, as long as the disk has room. So the one of the version before
//! is still there after a frame was rendered again and its preview replaced. Of each frame, two are kept.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;

use super::columns::version;
use super::output::Output;
use crate::image::preview::{PREVIEW_BOUNDS, jpeg, shrink};
use crate::image::{Picture, View, decode};
use crate::request::{FRAMES_DIR, FrameFile, ImageFormat, Location, PREVIEWS_DIR};
use crate::serve::blocking::blocking;
use crate::serve::problem::{Problem, ProblemKind};
use crate::serve::store::incoming::{Partial, check_space};
use crate::serve::store::time::time_of;
use crate::stitch::RenderReports;
use crate::storage::{Failure, Storage, StorageError};
use crate::watch::frame::{Frame, Preview, StoredFrame};
use crate::watch::millis;

/// The folder of the previews that were shown, and that of those that they replaced.
const SHOWN: &str = "shown";
const BEFORE: &str = "before";

/// The largest preview in bytes.
const MAX_PREVIEW: u64 = 4 << 20;

/// The largest frame in bytes that is decoded.
const MAX_FRAME: u64 = 256 << 20;

/// The size that a decoded picture fits into.
const FULL_BOUNDS: (u32, u32) = (3840, 3840);

/// What transparent parts show: the colour of the page behind thumbnails.
const BACKGROUND: [u8; 3] = [38, 38, 41];

/// A frame that a request names, and the version that is stored.
#[derive(Debug)]
pub struct Named {
    frame: Frame,
    /// Its file.
    pub file: StoredFrame,
    /// Its format.
    pub format: ImageFormat,
}

/// A preview, and the version of the picture that it shows.
pub type Shown = (Vec<u8>, u64);

impl Output {
    /// The stored frame of this name.
    ///
    /// # Errors
    /// If there is none.
    pub async fn frame(&self, name: &str) -> Result<Named, Problem> {
        let unknown = || Problem::not_found(format!("frame {}", crate::printable::printable(name)));
        let parsed = FrameFile::parse(name).ok_or_else(unknown)?;
        let find = |snapshot: Arc<super::output::Snapshot>| {
            let frame = snapshot.state.frame(parsed.number.get())?;
            let file = frame.file.clone().filter(|file| *file.name == *name)?;
            Some(Named { frame: frame.clone(), file, format: parsed.format })
        };
        if let Some(named) = self.latest().and_then(find) {
            return Ok(named);
        }
        // It may be newer than the last look.
        find(self.look().await).ok_or_else(unknown)
    }

    /// The preview of a frame, as JPEG: the stored one, or one that is made from the frame.
    ///
    /// # Errors
    /// If the frame is not there or damaged, or the store cannot be reached.
    pub async fn preview(&self, named: Named) -> Result<Shown, Problem> {
        let version = version(&named.frame).unwrap_or(named.file.modified);
        let kept = Kept::of(self.folder(), named.frame.number);
        let found = {
            let kept = kept.clone();
            blocking(move || Ok(kept.shown(version))).await?
        };
        if let Some(found) = found {
            return Ok((found, version));
        }
        let preview = match named.frame.preview {
            Preview::Stored(_) => self.stored_preview(&named).await?,
            Preview::None | Preview::Expected => None,
        };
        let preview = match preview {
            Some(preview) => preview,
            None => self.decoded(&named, PREVIEW_BOUNDS).await?,
        };
        blocking(move || {
            // A preview that cannot be kept is fetched again.
            _ = kept.keep(&preview, version);
            Ok((preview, version))
        })
        .await
    }

    /// The preview of the version before, if the page has shown it, and the version.
    ///
    /// # Errors
    /// If there is none.
    pub async fn preview_before(&self, named: Named) -> Result<Shown, Problem> {
        let kept = Kept::of(self.folder(), named.frame.number);
        let version = version(&named.frame).unwrap_or(named.file.modified);
        blocking(move || {
            kept.before(version)
                .ok_or_else(|| Problem::not_found("version before; the page has not shown it"))
        })
        .await
    }

    /// The preview in `previews/`; `None` if it is gone, or no JPEG.
    async fn stored_preview(&self, named: &Named) -> Result<Option<Vec<u8>>, Problem> {
        let number = FrameFile::parse(&named.file.name).map(|frame| frame.number);
        let Some(number) = number else { return Ok(None) };
        let name = FrameFile::name(number, ImageFormat::Jpeg);
        let file = self.file(PREVIEWS_DIR, &name).await?;
        let content = match self.shared.storage.read_up_to(&file, MAX_PREVIEW).await {
            Ok(content) => content,
            Err(error) if matches!(error.failure(), Failure::Missing(_)) => None,
            Err(error) => return Err(unread(&error)),
        };
        Ok(content.filter(|content| content.starts_with(&[0xff, 0xd8, 0xff])).map(Vec::from))
    }

    /// A frame as a JPEG within these bounds, as Blender shows it.
    ///
    /// # Errors
    /// If the frame is not there, too large or damaged, or the store cannot be reached.
    pub async fn full(&self, named: Named) -> Result<Vec<u8>, Problem> {
        self.decoded(&named, FULL_BOUNDS).await
    }

    async fn decoded(&self, named: &Named, bounds: (u32, u32)) -> Result<Vec<u8>, Problem> {
        let (name, format) = (named.file.name.clone(), named.format);
        let unusable =
            |what: String| Problem::with_picture(ProblemKind::Unusable, &named.file.name, what);
        if named.file.size > MAX_FRAME {
            return Err(unusable("is too large to be shown".to_owned()));
        }
        let file = self.file(FRAMES_DIR, &name).await?;
        let view = self.view(format).await;
        let storage = Arc::clone(&self.shared.storage);
        let size = named.file.size;
        // Read before it is decoded, but not before it is its turn: contents take memory, too.
        let handle = tokio::runtime::Handle::current();
        let work = move || {
            let content = handle.block_on(read(&storage, &file))?;
            show(&name, format, &content, &view, bounds)
        };
        self.shared.decoders.run(size, work).await
    }

    /// How Blender shows frames of linear light. Other frames need no view.
    async fn view(&self, format: ImageFormat) -> View {
        if !matches!(format, ImageFormat::OpenExr | ImageFormat::Hdr | ImageFormat::Tiff) {
            return View::default();
        }
        let attempts = self.latest().map_or(0, |latest| latest.state.attempts.len());
        let mut known = self.view.lock().await;
        if let Some((of, view)) = &*known
            && *of == attempts
        {
            return view.clone();
        }
        let (storage, output) = (&self.shared.storage, self.location());
        let view = async {
            let reports = RenderReports::find(storage, output).await.ok()?;
            reports.view(storage, output).await.ok()?
        };
        let view = view.await.unwrap_or_default();
        *known = Some((attempts, view.clone()));
        view
    }
}

async fn read(storage: &Storage, file: &Location) -> Result<Bytes, Problem> {
    let content = storage.read_up_to(file, MAX_FRAME).await.map_err(|error| unread(&error))?;
    content.ok_or_else(|| Problem::new(ProblemKind::Unusable, "the frame is too large to be shown"))
}

fn show(
    name: &str,
    format: ImageFormat,
    content: &[u8],
    view: &View,
    bounds: (u32, u32),
) -> Result<Vec<u8>, Problem> {
    let decoded = decode(format, content, None);
    let Picture { pixels, pixel_aspect, .. } = decoded
        .map_err(|damage| Problem::with_picture(ProblemKind::Unusable, name, damage.to_string()))?;
    let small = shrink(&pixels, pixel_aspect, bounds);
    drop(pixels);
    Ok(jpeg(view.apply(small), BACKGROUND))
}

/// The problem of a file that cannot be read.
pub fn unread(error: &StorageError) -> Problem {
    let kind = match error.failure() {
        Failure::Missing(_) => ProblemKind::NotFound,
        _ => ProblemKind::Elsewhere,
    };
    Problem::new(kind, crate::error_chain::chain(error))
}

/// Where the previews of a frame are kept. The time of a file is the version that it shows.
#[derive(Clone, Debug)]
struct Kept {
    shown: PathBuf,
    before: PathBuf,
}

impl Kept {
    fn of(folder: &Path, number: i32) -> Self {
        let name = format!("{number}.jpg");
        Self { shown: folder.join(SHOWN).join(&name), before: folder.join(BEFORE).join(&name) }
    }

    /// The preview of a version, if it was shown.
    fn shown(&self, version: u64) -> Option<Vec<u8>> {
        (version_of(&self.shown)? == version).then(|| fs::read(&self.shown).ok())?
    }

    /// The preview of the version before this one.
    fn before(&self, version: u64) -> Option<Shown> {
        // Nobody has asked for the new one yet.
        for file in [&self.shown, &self.before] {
            if let Some(kept) = version_of(file).filter(|kept| *kept != version) {
                return Some((fs::read(file).ok()?, kept));
            }
        }
        None
    }

    /// Keeps a preview, and the one that it replaces.
    fn keep(&self, preview: &[u8], version: u64) -> io::Result<()> {
        for file in [&self.shown, &self.before] {
            if let Some(folder) = file.parent() {
                fs::create_dir_all(folder)?;
            }
        }
        let folder = self.shown.parent().unwrap_or(Path::new("/"));
        let replaces = version_of(&self.shown).is_some_and(|shown| shown != version);
        if replaces {
            fs::rename(&self.shown, &self.before)?;
        }
        check_space(folder, 0).map_err(|problem| io::Error::other(problem.message))?;
        let partial = Partial::new(folder)?;
        fs::write(partial.path(), preview)?;
        let time = time_of(version).unwrap_or(SystemTime::UNIX_EPOCH);
        fs::File::options().write(true).open(partial.path())?.set_modified(time)?;
        fs::rename(partial.path(), &self.shown)
    }
}

fn version_of(file: &Path) -> Option<u64> {
    Some(millis(fs::metadata(file).ok()?.modified().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preview_of_the_version_before_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::of(folder.path(), -7);
        assert_eq!((kept.shown(1000), kept.before(1000)), (None, None));
        kept.keep(b"one", 1000).unwrap();
        assert_eq!((kept.shown(1000), kept.before(1000)), (Some(b"one".to_vec()), None));
        // The frame was rendered again, and nobody has seen it yet.
        assert_eq!((kept.shown(2000), kept.before(2000)), (None, Some((b"one".to_vec(), 1000))));
        kept.keep(b"two", 2000).unwrap();
        kept.keep(b"two", 2000).unwrap();
        assert_eq!(kept.shown(2000), Some(b"two".to_vec()));
        assert_eq!(kept.before(2000), Some((b"one".to_vec(), 1000)));
        kept.keep(b"three", 3000).unwrap();
        assert_eq!(kept.before(3000), Some((b"two".to_vec(), 2000)));
        assert_eq!(fs::read_dir(folder.path().join(SHOWN)).unwrap().count(), 1);
    }
}
